
/*
 * How numbers are written and what is drawn.  Whatever comes from an answer
 * enters the document as text, never as markup.
 */


const SVG = 'http://www.w3.org/2000/svg';
const NONE = '\u2013';                  /* a dash where there is no number */


/* 1,234 and 12.3k; at most four characters beside the unit */

function count(n) {
  if (Math.abs(n) < 10000) {
    return Math.abs(n) < 10 && n % 1 !== 0 ? String(round(n, 2))
                                           : thousands(Math.round(n));
  }

  return scaled(n, 1000, ['', 'k', 'M', 'G', 'T', 'P', 'E'], '');
}


function thousands(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}


function round(n, digits) {
  return Number(n.toPrecision(digits));
}


function scaled(n, base, units, space) {
  let unit = 0;
  let value = Math.abs(n);

  while (unit < units.length - 1 && value >= base * 0.9995) {
    value /= base;
    unit++;
  }

  const text = value >= 100 || value % 1 === 0 ? thousands(Math.round(value))
                                               : String(round(value, 3));

  return (n < 0 ? '-' : '') + text + space + units[unit];
}


function bytes(n) {
  return scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'],
                '\u00a0');
}


function seconds(n) {
  return n === 0 ? '0\u00a0s'
         : n < 1 ? `${round(n * 1000, 3)}\u00a0ms`
         : n < 120 ? `${round(n, 3)}\u00a0s` : duration(n);
}


/* 3 d 4 h */

function duration(n) {
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const i = Math.max(0, units.findIndex(([size]) => n >= size));
  const [size, name] = n < 1 ? units[3] : units[i];
  let text = `${Math.floor(n / size)}\u00a0${name}`;

  if (i < 2 && n >= 1) {
    const [less, unit] = units[i + 1];
    const rest = Math.floor(n % size / less);

    text += rest ? ` ${rest}\u00a0${unit}` : '';
  }

  return text;
}


function write(value, unit) {
  switch (unit) {

  case 'bytes':
    return bytes(value);

  case 'seconds':
    return seconds(value);

  case 'ratio':
    return value >= 100 ? count(Math.round(value)) : String(round(value, 3));

  default:
    return count(value);
  }
}


/* always per second: a column of numbers can be compared */

function rate(perSecond, unit = 'count') {
  if (Number.isNaN(perSecond)) {
    return NONE;
  }

  if (unit !== 'count' || perSecond === 0 || perSecond >= 100) {
    return `${write(perSecond, unit)}/s`;
  }

  return perSecond < 0.01 ? '<\u00a00.01/s' : `${round(perSecond, 2)}/s`;
}


function percent(part) {
  return part > 0 && part < 0.001 ? '<\u00a00.1\u00a0%'
         : part > 0.999 && part < 1 ? '>\u00a099.9\u00a0%'
         : `${part < 0.1 ? Math.round(part * 1000) / 10
              : Math.round(part * 100)}\u00a0%`;
}


/* Elements.  Attributes are set, children appended; strings become text. */

function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}


function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}


function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? '' : value);
    }
  }

  node.append(...children);

  return node;
}


/* what does not change is not touched: a reader's selection stays */

function text(node, value) {
  if (node.textContent !== value) {
    node.textContent = value;
  }
}


function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}


/*
 * Children of a node, one for each item.  make() gives { node, update(item) }.
 * Where a reader points at them, or the keyboard is in them, they keep their
 * order: what one is about to click does not jump.
 */

const children = new WeakMap();

/* but who asks for another order gets it */

const order = { wanted: false };

function rows(parent, items, keyOf, make) {
  const have = children.get(parent) ?? new Map();
  const seen = new Set();
  const still = !order.wanted && parent.matches(':hover, :focus-within');
  let at = parent.firstElementChild;

  children.set(parent, have);

  for (const item of items) {
    const key = keyOf(item);

    if (seen.has(key)) {
      continue;
    }

    let row = have.get(key);

    seen.add(key);

    if (row === undefined) {
      row = make(item);
      have.set(key, row);
      parent.insertBefore(row.node, still ? null : at);

    } else if (row.node === at) {
      at = at.nextElementSibling;

    } else if (!still) {
      parent.insertBefore(row.node, at);
    }

    row.update(item);
  }

  for (const [key, row] of have) {
    if (!seen.has(key)) {
      row.node.remove();
      have.delete(key);
    }
  }
}


/* A line of the last minutes.  Where nothing is known it is broken. */

function line(label) {
  const area = svg('path', { class: 'area' });
  const path = svg('path', { class: 'stroke' });
  const box = svg('svg', { class: 'line', viewBox: '0 0 100 100',
                           preserveAspectRatio: 'none',
                           ...(label ? { role: 'img' }
                                     : { 'aria-hidden': 'true' }) },
                  area, path);

  return {
    node: box,

    update(points, { top = 0, says } = {}) {
      const most = Math.max(top, ...points.map(([, v]) => v || 0)) || 1;
      let d = '';
      let under = '';
      let part = [];

      const flush = () => {
        if (part.length > 0) {
          d += `M${part.join('L')}`;

          /* one point alone is a dot's length */

          d += part.length === 1 ? 'h0.7' : '';
          under += `M${part[0].split(' ')[0]} 100L${part.join('L')}`
                   + `L${part.at(-1).split(' ')[0]} 100Z`;
        }

        part = [];
      };

      for (const [at, value] of points) {
        if (Number.isNaN(value)) {
          flush();
          continue;
        }

        part.push(`${(100 * at).toFixed(2)} ${(96 - 92 * value / most).toFixed(2)}`);
      }

      flush();
      attribute(path, 'd', d);
      attribute(area, 'd', under);

      if (says) {
        attribute(box, 'aria-label', says);
      }
    },
  };
}


/* How full something is, in colour and in words. */

function meter(label) {
  const bar = el('div', { class: 'fill' });
  const node = el('div', { class: 'meter', role: 'meter',
                           'aria-valuemin': '0', 'aria-label': label }, bar);

  return {
    node,

    update(used, limit, words) {
      const part = limit > 0 ? used / limit : 0;

      bar.style.width = `${Math.min(100, part * 100)}%`;
      attribute(node, 'class', `meter ${part >= 1 ? 'full'
                                        : part >= 0.75 ? 'high' : ''}`);
      attribute(node, 'aria-valuemax', String(limit));
      attribute(node, 'aria-valuenow', String(Math.min(used, limit)));
      attribute(node, 'aria-valuetext', words);
    },
  };
}


/* A text to copy, where the browser allows it; else it is selected. */

function copyable(says) {
  const code = el('code');
  const button = el('button', { type: 'button', class: 'small' }, 'Copy');

  button.addEventListener('click', async () => {
    const range = document.createRange();
    let done = true;

    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);

    /* a page that came without TLS has no clipboard of the newer kind */

    try {
      await navigator.clipboard.writeText(code.textContent);

    } catch {
      done = document.execCommand('copy');
    }

    says(done ? `Copied: ${code.textContent}`
              : 'Selected: copy it with the keyboard');

    button.textContent = done ? 'Copied' : 'Selected';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });

  return {
    node: el('span', { class: 'copy' }, code, button),

    update(value) {
      text(code, value);
      attribute(button, 'aria-label', `Copy ${value}`);
    },
  };
}


/*
 * A distribution: bars on a logarithmic axis, the limits drawn into it, the
 * quantiles and a suggestion below.
 */

function distribution(metric, says) {
  const many = el('span', { class: 'quiet' });
  const box = svg('svg', { viewBox: '0 0 1 1', preserveAspectRatio: 'none',
                           'aria-hidden': 'true' });
  const marks = el('div', { class: 'marks', 'aria-hidden': 'true' });
  const plot = el('div', { class: 'plot', role: 'img' }, box, marks);
  const axis = el('div', { class: 'axis', 'aria-hidden': 'true' });
  const quantiles = el('dl', { class: 'quantiles' });
  const copy = copyable(says);
  const why = el('span', { class: 'quiet' });
  const advice = el('p', { class: 'advice' },
                    el('span', { class: 'quiet' }, 'Suggested:'), copy.node,
                    why);
  const values = [['p50', 'median'], ['p99', '99\u00a0%'],
                  ['p999', '99.9\u00a0%'], ['max', 'largest']].map(
    ([key, name]) => {
      const dd = el('dd');

      quantiles.append(el('div', {}, el('dt', {}, name), dd));

      return [key, dd];
    });

  return {
    node: el('figure', { class: 'chart' },
             el('figcaption', {}, el('h3', {}, metric.title), many),
             plot, axis, quantiles, advice),

    update({ histogram, limits, varies, suggestion }) {
      const h = histogram;
      const drawn = limits.slice(0, 3);
      const scale = bars(list(h.buckets), drawn.map((l) => l.value));
      const w = (v) => write(v, metric.unit);

      text(many, `${count(number(h.count))} requests`);
      drawBars(box, scale, drawn, w);
      drawMarks(marks, scale, drawn, varies, !metric.limit, w);
      drawAxis(axis, scale, metric.unit);

      for (const [key, dd] of values) {
        text(dd, h[key] === undefined ? NONE : w(h[key]));
      }

      attribute(plot, 'aria-label',
        `${metric.title}: ${count(number(h.count))} requests; half at most `
        + `${w(number(h.p50))}, 99 % at most ${w(number(h.p99))}, `
        + `largest ${w(number(h.max))}; `
        + (limits.length ? `limit ${limits.map((l) => w(l.value)).join(', ')}`
           : varies.length ? `limit ${varies.join(', ')}`
           : metric.limit ? 'no limit' : 'it has no limit of its own'));

      advice.hidden = suggestion === undefined;

      if (suggestion !== undefined) {
        const s = suggestion;

        copy.update(`${s.directive} ${s.suggestion};`);
        text(why, `would have refused ${count(number(s.would_refuse))} of `
                  + `${count(number(s.of))}`);
      }
    },
  };
}


function drawBars(box, scale, limits, w) {
  const limit = Math.min(Infinity, ...limits.map((l) => l.value));

  rows(box, scale.bars, (b) => `${b.over}-${b.upto}`, () => {
    const title = svg('title');
    const node = svg('rect', {}, title);

    return {
      node,

      update(b) {
        const width = b.to - b.from;

        /* what happened once can be seen beside what happened a million times */

        const height = Math.max(0.02, b.count / scale.most * 0.94);

        attribute(node, 'x', (b.from + width * 0.06).toFixed(5));
        attribute(node, 'width', (width * 0.88).toFixed(5));
        attribute(node, 'y', (1 - height).toFixed(5));
        attribute(node, 'height', height.toFixed(5));
        attribute(node, 'class', b.over >= limit * 0.999 ? 'over' : 'bar');
        text(title, `${b.upto === 0 ? '0' : `${w(b.over)} to ${w(b.upto)}`}: `
                    + `${count(b.count)}`);
      },
    };
  });
}


function drawMarks(marks, scale, limits, varies, limitless, w) {
  const drawn = limits.map((l, i) => ({
    key: String(i), at: scale.place(l.value), row: i,
    says: limits.length > 1 ? w(l.value) : `limit ${w(l.value)}`,
  }));

  if (drawn.length === 0) {
    drawn.push({ key: 'none', at: undefined, row: 0,
                 says: varies.length ? `limit ${varies[0]}`
                       : limitless ? '' : 'no limit' });
  }

  rows(marks, drawn, (d) => d.key, () => {
    const label = el('span');
    const node = el('div', {}, label);

    return {
      node,

      update(d) {
        attribute(node, 'class', d.at === undefined ? 'unmarked'
                                 : d.at > 0.6 ? 'mark left' : 'mark');
        attribute(label, 'class', `row${d.row}`);
        text(label, d.says);
        node.style.left = d.at === undefined ? '' : `${d.at * 100}%`;
      },
    };
  });
}


function drawAxis(axis, scale, unit) {
  /* 0 has its place at the left; what would stand on it gives way */

  const places = ticks(scale, unit)
    .map((value) => ({ value, at: scale.place(value) }))
    .filter(({ at }) => !scale.zero || at > 0.16);

  if (scale.zero) {
    places.unshift({ value: 0, at: 0 });
  }

  rows(axis, places, (p) => String(p.value), () => {
    const node = el('span');

    return {
      node,

      update(p) {
        text(node, write(p.value, unit));
        attribute(node, 'class', p.at < 0.06 ? 'first'
                                 : p.at > 0.94 ? 'last' : '');
        node.style.left = `${p.at * 100}%`;
      },
    };
  });
}

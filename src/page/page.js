
/*
 * The page: asks nginx for its numbers every two seconds, and shows them.
 */


const EVERY = 2000;                     /* milliseconds between questions */
const PATIENCE = 10000;                 /* for an answer */
const SLOWEST = 60000;                  /* between tries that fail */
const SHOWN = { refused: 12, tenants: 50, locations: 15 };

const METRICS = [
  { key: 'body_bytes', title: 'Body size on the wire', unit: 'bytes',
    limit: 'max_body' },
  { key: 'decoded_bytes', title: 'Decoded size', unit: 'bytes',
    limit: 'max_decoded' },
  { key: 'expansion_ratio', title: 'Expansion ratio', unit: 'ratio',
    limit: 'max_ratio' },
  { key: 'records', title: 'Records', unit: 'count', limit: 'max_records' },
  { key: 'largest_record_bytes', title: 'Largest record', unit: 'bytes',
    limit: 'max_record_size' },
  { key: 'memory_estimate_bytes', title: 'Memory estimate', unit: 'bytes',
    limit: 'max_memory' },
  { key: 'queue_wait_seconds', title: 'Wait in the queue', unit: 'seconds' },
];

/* of the limits in force: how each is written */

const LIMITS = [
  ['guardrail_max_body', 'max_body', 'bytes'],
  ['guardrail_max_decoded', 'max_decoded', 'bytes'],
  ['guardrail_max_ratio', 'max_ratio', 'ratio'],
  ['guardrail_max_records', 'max_records', 'count'],
  ['guardrail_max_record_size', 'max_record_size', 'bytes'],
  ['guardrail_max_memory', 'max_memory', 'bytes'],
  ['guardrail_min_rate', 'min_rate', 'bytes'],
  ['guardrail_body_timeout', 'body_timeout', 'seconds'],
];

const SIZES = /^(bytes|decoded|memory)\b/;

/* a name reads better than a number, and holds no sign of its own */

const VERDICTS = { would_reject: 'dry run', aborted: 'client left' };

const past = new History();
const $ = (id) => document.getElementById(id);

const view = {
  answer: undefined,
  selected: undefined,
  paused: false,
  failures: 0,
  timer: undefined,
  asking: undefined,
  all: { refused: false, locations: false },
};


function quotaUnit(item) {
  return SIZES.test(item) ? 'bytes' : 'count';
}


/* requests-60s is requests in 1 min */

function quotaName(item) {
  const [, unit, period] = /^(.*)-(\d+)s$/.exec(item) ?? [];

  return period ? `${unit} in ${duration(Number(period))}` : String(item);
}


function cell(attributes, ...content) {
  return el('td', attributes, ...content);
}


/* asking */

function question() {
  const url = new URL(location.href);

  url.searchParams.set('format', 'json');
  url.hash = '';

  return url;
}


async function ask() {
  const began = performance.now();
  const abort = new AbortController();
  const late = setTimeout(() => abort.abort(), PATIENCE);

  clearTimeout(view.timer);
  view.asking = abort;

  try {
    const response = await fetch(question(), { cache: 'no-store',
                                               signal: abort.signal });

    if (!response.ok) {
      throw new Error(`status ${response.status}`);
    }

    const answer = await response.json();

    if (typeof answer !== 'object' || answer === null) {
      throw new Error('no JSON object');
    }

    if (view.asking !== abort) {
      return;
    }

    view.failures = 0;

    if (learn(past, answer)) {
      view.answer = answer;
      redraw();
    }

    /* a large answer is not asked for more often than it can be made */

    again(Math.max(EVERY, 5 * (performance.now() - began)));

  } catch (error) {
    if (view.asking === abort) {
      failed(abort.signal.aborted ? 'no answer in 10 seconds'
                                  : error.message || 'no answer');
    }

  } finally {
    clearTimeout(late);
  }
}


function again(wait) {
  clearTimeout(view.timer);
  view.timer = undefined;
  view.asking = undefined;

  if (!view.paused && !document.hidden) {
    view.timer = setTimeout(ask, wait);
  }

  status();
}


function failed(why) {
  const wait = Math.min(SLOWEST, EVERY * 2 ** view.failures);

  view.failures++;
  view.why = why;
  view.next = Math.round(wait / 1000);
  again(wait);
}


function stop() {
  const asking = view.asking;

  clearTimeout(view.timer);
  view.timer = undefined;
  view.asking = undefined;
  asking?.abort();
}


function status() {
  const time = view.answer
    ? new Date(view.answer.time * 1000).toLocaleTimeString() : '';
  const [state, says] = view.paused ? ['paused', 'Paused']
    : view.failures ? ['failed', `No answer (${view.why}); trying again `
                                 + `after ${view.next} s`]
    : view.broken ? ['failed', `Cannot show the answer (${view.broken})`]
    : ['live', 'Live'];

  text($('state'), says);
  text($('clock'), time && (state === 'live' ? time : `as of ${time}`));
  attribute($('dot'), 'class', `dot ${state}`);
  attribute(document.body, 'class', state);
  text($('pause'), view.paused ? 'Go on' : 'Pause');
  $('retry').hidden = !view.failures || view.paused;
}


/* showing */

function show() {
  const answer = view.answer;
  const all = list(answer.locations);

  $('tables')?.remove();
  $('app').hidden = false;

  text($('versions'), `${answer.guardrail ?? ''} on nginx `
                      + `${answer.nginx ?? ''}`);

  if (!all.some((l) => String(l.location) === view.selected)) {
    view.selected = locations(past, answer, '', 'refused')[0]?.name;
  }

  showTiles(answer);
  showRefusals(answer);
  showTenants(answer);
  showLocations(answer);
  showDetail(all.find((l) => String(l.location) === view.selected));
  showZones(answer);
}


function tile(item) {
  const value = el('strong');
  const note = el('span', { class: 'quiet' });
  const trend = line();

  return {
    node: el('li', { class: 'card tile' }, el('span', {}, item.name), value,
             note, trend.node),

    update(t) {
      text(value, t.value);
      text(note, t.note ?? '');
      attribute(value, 'class', t.class ?? '');
      attribute(trend.node, 'class', `line ${t.class ?? ''}`);
      trend.update(past.points(t.series, t.counter), { top: t.top });
    },
  };
}


function showTiles(answer) {
  const refusing = past.rate('refused');
  const drying = past.rate('would');
  const requesting = past.rate('requests');
  const waiting = list(answer.zones).reduce((n, z) => n + number(z.waiting), 0);
  const limit = answer.decoder_memory_limit_bytes;
  const since = number(answer.time) - number(answer.start_time);

  const tiles = [
    { name: 'Requests', series: 'requests', counter: true,
      value: rate(requesting), note: `counted for ${duration(since)}` },

    { name: 'Refused', series: 'refused', counter: true,
      value: rate(refusing), class: refusing > 0 ? 'bad' : '',
      note: drying > 0 ? `and ${rate(drying)} in dry run`
            : requesting > 0 ? `${percent(refusing / requesting)} of requests`
            : '' },

    { name: 'Bodies', series: 'body', counter: true,
      value: rate(past.rate('body'), 'bytes'),
      note: `decoded ${rate(past.rate('decoded'), 'bytes')}` },

    { name: 'In flight', series: 'in flight',
      value: count(number(answer.requests_in_flight)), note: 'requests' },

    { name: 'Waiting', series: 'waiting', value: count(waiting),
      class: waiting > 0 ? 'warn' : '', note: 'in queues' },

    { name: 'Decoders', series: 'decoders',
      value: bytes(number(answer.decoder_memory_bytes)),
      note: limit > 0 ? `limit ${bytes(limit)} a worker` : 'no limit' },
  ];

  rows($('tiles'), tiles, (t) => t.name, tile);
}


function showRefusals(answer) {
  const all = refusals(past, answer);
  const shown = view.all.refused ? all : all.slice(0, SHOWN.refused);

  $('refused-none').hidden = all.length > 0;
  $('refused').hidden = all.length === 0;
  more($('refused-more'), 'refused', all.length, SHOWN.refused);

  rows($('reasons'), reasons(all), (r) => r.reason, ({ reason }) => {
    const now = el('strong');

    return {
      node: el('li', {}, el('code', {}, reason), now),
      update: (r) => text(now, rate(r.rate)),
    };
  });

  rows($('refused-rows'), shown, (r) => r.key, (row) => {
    const now = cell({ class: 'num' });
    const recent = cell({ class: 'num wide' });
    const total = cell({ class: 'num' });
    const trend = line();
    const tag = VERDICTS[row.verdict];

    trend.node.setAttribute('class',
                            `line ${row.verdict === 'reject' ? 'bad' : ''}`);

    const name = el('th', { scope: 'row' }, el('code', {}, row.reason));

    if (tag) {
      name.append(' ', el('span', { class: 'tag' }, tag));
    }

    /* on a narrow screen the location has no column of its own */

    name.append(el('span', { class: 'narrow quiet' }, row.location));

    return {
      node: el('tr', {}, name, cell({ class: 'wide name' }, row.location),
               now, recent, total, cell({ class: 'wide trend' }, trend.node)),

      update(r) {
        text(now, rate(r.rate));
        attribute(now, 'class', r.rate > 0 && r.verdict === 'reject'
                                ? 'num bad' : r.rate > 0 ? 'num' : 'num quiet');
        text(recent, count(r.recent));
        text(total, count(r.total));
        trend.update(past.points(r.key, true));
      },
    };
  });
}


function more(button, what, length, few) {
  button.hidden = length <= few;
  text(button, view.all[what] ? `Show the first ${few}`
                              : `Show all ${count(length)}`);
}


function showTenants(answer) {
  const all = pressed(answer).slice(0, SHOWN.tenants);

  $('tenants-section').hidden = list(answer.zones).length === 0;

  $('tenants-none').hidden = all.length > 0;
  $('tenants').hidden = all.length === 0;

  rows($('tenants-rows'), all, (r) => r.key, (row) => {
    const used = usage(`${row.tenant}, ${row.item}`);
    const waiting = cell({ class: 'num' });

    return {
      node: el('tr', {}, el('th', { scope: 'row', class: 'name' }, row.tenant),
               cell({ class: 'item' }, quotaName(row.item),
                    el('span', { class: 'quiet block' }, row.zone)),
               cell({}, used.node), waiting),

      update(r) {
        used.update(r.used, r.limit, quotaUnit(r.item));
        text(waiting, r.waiting ? count(r.waiting) : NONE);
        attribute(waiting, 'class', r.waiting ? 'num warn' : 'num quiet');
      },
    };
  });
}


/* what is used, of what, and a bar where there is a limit */

function usage(label) {
  const words = el('span');
  const bar = meter(label);

  return {
    node: el('div', { class: 'usage' }, words, bar.node),

    update(used, limit, unit) {
      const known = typeof limit === 'number' && limit > 0;
      const says = known ? `${write(used, unit)} of ${write(limit, unit)}`
                         : write(used, unit);

      text(words, says);
      bar.node.hidden = !known;

      if (known) {
        bar.update(used, limit, says);
      }
    },
  };
}


function guards(location) {
  const modes = new Set(list(location.limits).map(
    (l) => String(l.guardrail ?? NONE)));

  return [...modes].join(', ') || NONE;
}


function showLocations(answer) {
  const filter = $('filter').value;
  const all = locations(past, answer, filter, $('order').value);
  const shown = view.all.locations ? all : all.slice(0, SHOWN.locations);
  const configured = list(answer.locations).length;

  $('locations-tools').hidden = configured < 2;
  $('locations-none').hidden = all.length > 0;
  $('locations').hidden = all.length === 0;
  text($('locations-none'), configured ? 'No location has this in its name.'
                                       : 'No location is guarded.');
  more($('locations-more'), 'locations', all.length, SHOWN.locations);
  rows($('locations-rows'), shown, (l) => l.name, locationRow);
}


function locationRow(row) {
  const button = el('button', { type: 'button', class: 'link' }, row.name);
  const guard = cell({ class: 'wide' });
  const requests = cell({ class: 'num' });
  const refused = el('span');
  const dry = el('span', { class: 'quiet block small' });
  const share = cell({ class: 'num' });
  const body = cell({ class: 'num wide' });
  const records = cell({ class: 'num wide' });
  const trend = line();
  const refusing = line();
  const node = el('tr', {},
                  el('th', { scope: 'row', class: 'name' }, button), guard,
                  requests, cell({ class: 'num' }, refused, dry), share, body,
                  records,
                  cell({ class: 'wide trend' },
                       el('div', { class: 'lines' }, trend.node,
                          refusing.node)));

  refusing.node.setAttribute('class', 'line bad');

  button.addEventListener('click', () => {
    select(row.name);
    $('detail-title').focus({ preventScroll: true });
    $('detail').scrollIntoView({
      block: 'nearest',
      behavior: matchMedia('(prefers-reduced-motion: reduce)').matches
                ? 'auto' : 'smooth',
    });
  });

  return {
    node,

    update(r) {
      const requesting = past.points(seriesOf('requests', r.name), true);
      const top = Math.max(0, ...requesting.map(([, v]) => v || 0));
      const p99 = r.location.histograms?.body_bytes?.p99;
      const chosen = r.name === view.selected;

      attribute(node, 'class', chosen ? 'chosen' : '');
      attribute(button, 'aria-pressed', String(chosen));
      text(guard, guards(r.location));
      text(requests, rate(r.rate));
      text(refused, rate(r.refusing));
      attribute(refused, 'class', r.refusing > 0 ? 'bad' : 'quiet');
      dry.hidden = r.would === 0;
      text(dry, `dry run ${rate(r.dry)}`);
      text(share, Number.isNaN(r.share) ? NONE : percent(r.share));
      text(body, p99 === undefined ? NONE : bytes(p99));
      text(records, count(number(r.location.records)));
      trend.update(requesting, { top });
      refusing.update(past.points(seriesOf('refused', r.name), true),
                      { top });
    },
  };
}


/* the location that is shown in full; a link to the page may name it */

function select(name) {
  view.selected = name;
  globalThis.history.replaceState(null, '', `#${encodeURIComponent(name)}`);

  redraw();
}


function showDetail(location) {
  $('detail').hidden = location === undefined;

  if (location === undefined) {
    return;
  }

  const limits = list(location.limits);
  const { all, refused, would } = requestsOf(location);

  text($('detail-title'), String(location.location));
  text($('detail-note'),
       `${count(all)} requests, ${count(refused)} refused`
       + `${would ? `, ${count(would)} would be refused` : ''}; `
       + `${bytes(number(location.body_bytes))} on the wire, `
       + `${bytes(number(location.decoded_bytes))} decoded, `
       + `${count(number(location.records))} records`);

  const charts = METRICS.flatMap((metric) => {
    const histogram = location.histograms?.[metric.key];
    const values = new Set(limits.map((l) => l[metric.limit]));
    const suggestion = list(location.suggestions).find(
      (s) => s.directive === `guardrail_${metric.limit}`);

    if (!histogram) {
      return [];
    }

    return [{
      metric, histogram, suggestion,
      limits: [...values].filter((v) => typeof v === 'number' && v > 0)
                         .sort((a, b) => a - b).map((value) => ({ value })),
      varies: [...values].filter((v) => typeof v === 'string'),
    }];
  });

  $('charts-none').hidden = charts.length > 0;

  /* charts of another location are other charts */

  rows($('charts'), charts, (c) => seriesOf(location.location, c.metric.key),
       (c) => distribution(c.metric, (says) => text($('copied'), says)));

  showLimits(limits);
}


function showLimits(limits) {
  rows($('limits'), limits.map((l, i) => ({ l, i })), ({ i }) => String(i),
       () => {
    const where = el('h4', { class: 'name' });
    const facts = el('dl', { class: 'facts' });

    return {
      node: el('div', {}, where, facts),

      update({ l }) {
        text(where, String(l.in ?? ''));
        showFacts(facts, limitsOf(l));
      },
    };
  });
}


function onOff(value) {
  return value ? 'on' : 'off';
}


/* [directive, value] of one location, as they would be written */

function limitsOf(l) {
  const all = [['guardrail', String(l.guardrail ?? NONE)]];

  for (const [name, key, unit] of LIMITS) {
    const value = l[key];

    if (value === undefined) {
      continue;
    }

    const says = value === null ? 'no limit'
                 : typeof value === 'string' ? value
                 : write(number(value), unit)
                   + (key === 'min_rate' ? '/s' : '');

    all.push([name, key === 'max_ratio' && number(l.ratio_floor) > 0
                    && value !== null
                    ? `${says}, beyond ${bytes(l.ratio_floor)}` : says]);
  }

  if (typeof l.buffering === 'boolean') {
    all.push(['guardrail_buffering', onOff(l.buffering)]);
  }

  const json = Object.entries(l.json ?? {}).map(
    ([k, v]) => `${k}=${typeof v === 'boolean' ? onOff(v) : v}`);

  if (json.length) {
    all.push(['guardrail_json', json.join(' ')]);
  }

  for (const q of list(l.quotas)) {
    all.push([`guardrail_quota ${q.zone}`,
      `${quotaName(q.item)}: `
      + (typeof q.limit === 'number' ? write(q.limit, quotaUnit(q.item))
                                     : q.limit ?? 'no limit')
      + (q.queue ? `, queue of ${count(q.queue)}` : '')]);
  }

  return all;
}


/* zones */

function showZones(answer) {
  const wanted = quotas(answer);
  const all = list(answer.zones).map((zone) => ({
    ...zone,
    levels: list(zone.levels).filter(
      (l) => wanted.has(seriesOf(zone.zone, l.unit)) || l.limit > 0
             || usedOf(l, zone) > 0 || number(l.refusals) > 0),
  }));

  $('zones-section').hidden = all.length === 0;
  rows($('zones'), all, (z) => String(z.zone), zoneCard);
}


function zoneCard(zone) {
  const name = String(zone.zone);
  const id = `zone-${zoneCard.made = (zoneCard.made ?? 0) + 1}`;
  const entries = usage(`${name}: entries`);
  const levels = el('div', { class: 'levels' });
  const queue = line(true);
  const waiting = el('span');
  const queued = el('div', { class: 'level' },
                    el('h4', {}, 'Queue'), waiting, queue.node);
  const rates = el('dl', { class: 'facts' });
  const facts = el('dl', { class: 'facts' });
  const summary = el('summary');
  const body = el('tbody');
  const tenants = el('details', {}, summary,
    el('div', { class: 'scroll', role: 'region', tabindex: '0',
                'aria-label': `Tenants of ${name}` },
      el('table', {},
        el('caption', { class: 'sr' }, `The heaviest tenants of ${name}`),
        el('thead', {}, el('tr', {},
          el('th', { scope: 'col' }, 'Tenant'),
          el('th', { scope: 'col' }, 'Used'),
          el('th', { scope: 'col', class: 'num' }, 'Waiting'))),
        body)));

  return {
    node: el('article', { class: 'card', 'aria-labelledby': id },
             el('h3', { id, class: 'name' }, name),
             el('div', { class: 'level' }, el('h4', {}, 'Entries'),
                entries.node),
             levels, queued, rates, facts, tenants),

    update(z) {
      entries.update(number(z.entries), number(z.capacity_entries), 'count');
      rows(levels, list(z.levels), (l) => l.unit, (l) => levelRow(name, l));
      showQueue(z, queued, queue, waiting);
      showFacts(rates, list(z.rates).map((r) => [
        quotaName(r.item),
        `${count(number(r.refusals))} refused, now `
        + rate(past.rate(seriesOf('quota', z.zone, r.item))),
      ]));
      showFacts(facts, zoneFacts(z));

      const most = list(z.tenants);

      tenants.hidden = most.length === 0;
      text(summary, most.length === 1 ? 'One tenant'
                                      : `The ${most.length} heaviest tenants`);

      /* what cannot be seen is not drawn */

      if (tenants.open) {
        rows(body, most, (t) => String(t.tenant), tenantRow);
      }
    },
  };
}


function levelRow(zone, level) {
  const unit = String(level.unit);
  const used = usage(`${zone}: ${unit}`);
  const refused = el('span', { class: 'quiet' });
  const trend = line(true);

  return {
    node: el('div', { class: 'level' }, el('h4', {}, unit), used.node,
             trend.node, refused),

    update(l) {
      const key = seriesOf('level', zone, unit);
      const now = past.points(key).at(-1)?.[1] ?? 0;
      const kind = quotaUnit(unit);
      const refusing = past.rate(seriesOf('quota', zone, unit));

      used.update(now, l.limit, kind);
      trend.update(past.points(key), {
        top: number(l.limit),
        says: `${unit} in use during 5 minutes, now ${write(now, kind)}`,
      });
      text(refused, `${count(number(l.refusals))} refused`
                    + (refusing > 0 ? `, now ${rate(refusing)}` : ''));
      attribute(refused, 'class', refusing > 0 ? 'bad' : 'quiet');
    },
  };
}


function showQueue(zone, box, queue, words) {
  const points = past.points(seriesOf('waiting', zone.zone));
  const most = Math.max(0, ...points.map(([, v]) => v));
  const lost = number(zone.queue_timeouts) + number(zone.queue_abandoned);

  /* a zone without levels has no queue */

  box.hidden = list(zone.levels).length === 0 && most === 0 && lost === 0;

  const says = `${count(number(zone.waiting))} waiting, at most `
               + `${count(most)} in 5 minutes`;

  text(words, says);
  attribute(words, 'class', zone.waiting > 0 ? 'warn' : '');
  queue.update(points, { says: `Queue: ${says}`, top: 1 });
  attribute(queue.node, 'class', zone.waiting > 0 ? 'line warn' : 'line');
}


function zoneFacts(zone) {
  const age = zone.state_age_seconds;

  return [
    ['queue timeouts', zone.queue_timeouts],
    ['left the queue', zone.queue_abandoned],
    ['holds', zone.holds],
    ['leases reclaimed', zone.leases_reclaimed],
    ['evictions', zone.evictions],
    ['overflow requests', zone.overflow_requests],
    ['locks forced', zone.lock_forced],
    ['repairs', zone.repairs],
  ].filter(([, value]) => number(value) > 0)
   .map(([name, value]) => [name, count(value)])
   .concat(typeof age === 'number' ? [['state saved', `${duration(age)} ago`]]
                                   : []);
}


function showFacts(dl, facts) {
  dl.hidden = facts.length === 0;

  /* one directive may be there several times */

  const keyed = facts.map(([name, value], i) => [name, value, `${i} ${name}`]);

  rows(dl, keyed, ([, , key]) => key, ([name]) => {
    const dd = el('dd');

    return {
      node: el('div', {}, el('dt', {}, name), dd),
      update: ([, value]) => text(dd, value),
    };
  });
}


function tenantRow(tenant) {
  const items = el('div', { class: 'items' });
  const waiting = cell({ class: 'num' });
  const name = String(tenant.tenant);

  return {
    node: el('tr', {}, el('th', { scope: 'row', class: 'name' }, name),
             cell({ class: 'used' }, items), waiting),

    update(t) {
      rows(items, list(t.items), (i) => String(i.item), (i) => {
        const used = usage(`${name}, ${i.item}`);

        return {
          node: el('div', {},
                   el('span', { class: 'quiet' }, quotaName(i.item)),
                   used.node),
          update: (it) => used.update(number(it.used), it.limit,
                                      quotaUnit(it.item)),
        };
      });

      text(waiting, t.waiting > 0 ? count(t.waiting) : NONE);
      attribute(waiting, 'class', t.waiting > 0 ? 'num warn' : 'num quiet');
    },
  };
}


/* the reader */

function redraw() {
  if (!view.answer) {
    return;
  }

  try {
    show();
    view.broken = undefined;

  } catch (error) {
    view.broken = error.message;
    console.error(error);
  }
}


function start() {
  for (const what of ['refused', 'locations']) {
    $(`${what}-more`).addEventListener('click', () => {
      view.all[what] = !view.all[what];
      redraw();
    });
  }

  for (const [id, event] of [['filter', 'input'], ['order', 'change']]) {
    $(id).addEventListener(event, () => {
      order.wanted = true;
      redraw();
      order.wanted = false;
    });
  }

  /* a list that opens is filled at once, not with the next answer */

  document.addEventListener('toggle', redraw, true);

  $('retry').addEventListener('click', () => {
    stop();
    ask();
  });

  $('pause').hidden = false;
  $('pause').addEventListener('click', () => {
    view.paused = !view.paused;
    stop();

    if (view.paused) {
      status();

    } else {
      ask();
    }
  });

  document.addEventListener('visibilitychange', () => {
    if (view.paused) {
      return;
    }

    stop();

    if (!document.hidden) {
      ask();
    }
  });

  addEventListener('hashchange', chosen);
  chosen();
  ask();
}


function chosen() {
  let name = location.hash.slice(1);

  try {
    name = decodeURIComponent(name);

  } catch {
    return;
  }

  if (name !== '' && name !== 'main') {
    view.selected = name;
    redraw();
  }
}


start();

'use strict';

/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the page knows: answers in, rates and a few minutes of history out.
 * Nothing here touches the document.
 */


/* samples that are kept: five minutes of one each two seconds */

const KEEP = 150;

const WINDOW = 300;                     /* seconds that are drawn at most */
const LEAST = 60;                       /* and at first */
const PRESENT = 10;                     /* seconds that are "now" */

/* no configuration has as many; a broken answer may not fill the memory */

const MAX_SERIES = 20000;


/*
 * Series of values at the times of the answers.  A counter is kept as what it
 * grew by; NaN is "not known": before the first answer, over a restart.
 */

class History {
  constructor(keep = KEEP) {
    this.keep = keep;
    this.times = [];                    /* seconds, by nginx's clock */
    this.steps = [];                    /* seconds since the one before */
    this.series = new Map();
    this.began = undefined;
    this.restarts = 0;
  }

  /* false where the answer is none to learn from: it is not a later one */

  begin(time, began) {
    const last = this.times.at(-1);
    const fresh = last === undefined || began !== this.began;

    if (!fresh && !(time > last)) {
      return false;
    }

    if (last !== undefined && fresh) {
      this.restarts++;

      for (const s of this.series.values()) {
        s.total = undefined;
      }
    }

    this.began = began;
    this.fresh = fresh;
    this.times.push(time);
    this.steps.push(fresh ? NaN : time - last);

    if (this.times.length > this.keep) {
      this.times.shift();
      this.steps.shift();
    }

    for (const s of this.series.values()) {
      s.touched = false;
    }

    return true;
  }

  /* what was not in the answer is gone */

  end() {
    for (const [key, s] of this.series) {
      if (!s.touched) {
        this.series.delete(key);
      }
    }
  }

  one(key) {
    let s = this.series.get(key);

    if (s === undefined) {
      if (this.series.size >= MAX_SERIES) {
        return undefined;
      }

      s = { values: [], total: this.fresh ? undefined : 0, touched: false };
      this.series.set(key, s);
    }

    return s;
  }

  push(s, value) {
    s.touched = true;
    s.values.push(value);

    if (s.values.length > this.keep) {
      s.values.shift();
    }
  }

  /* A counter that appears later than others was 0 until then. */

  count(key, total) {
    const s = this.one(key);

    if (s === undefined || s.touched) {
      return;
    }

    const grown = total - s.total;

    s.total = total;
    this.push(s, grown >= 0 ? grown : NaN);
  }

  gauge(key, value) {
    const s = this.one(key);

    if (s !== undefined && !s.touched) {
      this.push(s, value);
    }
  }

  /* how many a second over the last seconds; NaN if that is not known */

  rate(key, seconds = PRESENT) {
    const { sum, time } = this.over(key, seconds);

    return time > 0 ? sum / time : NaN;
  }

  grown(key, seconds = WINDOW) {
    return this.over(key, seconds).sum;
  }

  over(key, seconds) {
    const values = this.series.get(key)?.values ?? [];
    const now = this.times.at(-1);
    let sum = 0;
    let time = 0;

    for (let i = 1; i <= values.length; i++) {
      const step = this.steps.at(-i);
      const value = values.at(-i);

      /* the last one counts however long ago the one before it was */

      if (i > 1 && now - this.times.at(-i) + step > seconds + 0.5) {
        break;
      }

      if (!Number.isNaN(value) && !Number.isNaN(step)) {
        sum += value;
        time += step;
      }
    }

    return { sum, time };
  }

  /* [0 .. 1, value], oldest first, where 1 is now; counters as a rate */

  points(key, counter) {
    const values = this.series.get(key)?.values ?? [];
    const now = this.times.at(-1);
    const span = Math.min(WINDOW, Math.max(LEAST, now - this.times[0]));
    const shift = this.times.length - values.length;
    const points = [];

    for (let i = 0; i < values.length; i++) {
      const at = 1 - (now - this.times[shift + i]) / span;

      if (at >= 0) {
        points.push([at, counter ? values[i] / this.steps[shift + i]
                                 : values[i]]);
      }
    }

    return points;
  }
}


/* an answer may lack anything */

function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}


function list(value) {
  return Array.isArray(value) ? value : [];
}


/* parts of a key of a series, which names of the operator may not break */

function seriesOf(...parts) {
  return parts.join('\u0000');
}


function requestsOf(location) {
  const r = location.requests ?? {};

  return {
    all: number(r.off) + number(r.pass) + number(r.reject)
         + number(r.would_reject) + number(r.aborted),
    refused: number(r.reject),
    would: number(r.would_reject),
  };
}


/* Takes an answer in; false if it is not one that comes after the last. */

function learn(history, answer) {
  const total = { all: 0, refused: 0, would: 0, body: 0, decoded: 0,
                  waiting: 0 };

  if (!history.begin(number(answer.time), answer.start_time)) {
    return false;
  }

  for (const l of list(answer.locations)) {
    const { all, refused, would } = requestsOf(l);

    total.all += all;
    total.refused += refused;
    total.would += would;
    total.body += number(l.body_bytes);
    total.decoded += number(l.decoded_bytes);

    history.count(seriesOf('requests', l.location), all);
    history.count(seriesOf('refused', l.location), refused);
    history.count(seriesOf('would', l.location), would);

    for (const r of list(l.refusals)) {
      history.count(seriesOf('refusal', l.location, r.verdict, r.reason),
                    number(r.requests));
    }
  }

  for (const z of list(answer.zones)) {
    total.waiting += number(z.waiting);
    history.gauge(seriesOf('waiting', z.zone), number(z.waiting));
    history.gauge(seriesOf('entries', z.zone), number(z.entries));

    for (const r of list(z.rates)) {
      history.count(seriesOf('quota', z.zone, r.item), number(r.refusals));
    }

    for (const l of list(z.levels)) {
      history.count(seriesOf('quota', z.zone, l.unit), number(l.refusals));
      history.gauge(seriesOf('level', z.zone, l.unit), usedOf(l, z));
    }
  }

  history.count('requests', total.all);
  history.count('refused', total.refused);
  history.count('would', total.would);
  history.count('body', total.body);
  history.count('decoded', total.decoded);
  history.gauge('waiting', total.waiting);
  history.gauge('in flight', number(answer.requests_in_flight));
  history.gauge('decoders', number(answer.decoder_memory_bytes));
  history.end();

  return true;
}


/* what a level has in use: leases are all that is known of some */

function usedOf(level, zone) {
  if (level.used !== undefined) {
    return number(level.used);
  }

  return level.unit === 'memory' ? number(zone.leased_memory_bytes)
                                 : number(level.leases);
}


/* what quotas there are: a zone tells of levels that nobody has asked for */

function quotas(answer) {
  const wanted = new Set();

  for (const l of list(answer.locations)) {
    for (const one of list(l.limits)) {
      for (const q of list(one.quotas)) {
        wanted.add(seriesOf(q.zone, q.item));
      }
    }
  }

  return wanted;
}


/* refusals of all locations, those that happen most at present first */

function refusals(history, answer) {
  const rows = [];

  for (const l of list(answer.locations)) {
    for (const r of list(l.refusals)) {
      const key = seriesOf('refusal', l.location, r.verdict, r.reason);

      rows.push({
        key,
        location: String(l.location),
        verdict: String(r.verdict),
        reason: String(r.reason),
        total: number(r.requests),
        rate: history.rate(key) || 0,
        recent: history.grown(key),
      });
    }
  }

  return rows.sort((a, b) => b.rate - a.rate || b.recent - a.recent
                             || b.total - a.total
                             || (a.key < b.key ? -1 : 1));
}


/* what is refused now, by reason alone */

function reasons(rows) {
  const sums = new Map();

  for (const r of rows) {
    if (r.verdict === 'reject' && r.rate > 0) {
      sums.set(r.reason, (sums.get(r.reason) ?? 0) + r.rate);
    }
  }

  return [...sums].map(([reason, rate]) => ({ reason, rate }))
                  .sort((a, b) => b.rate - a.rate);
}


/* tenants that have used most of what they may, or wait; fullest first */

function pressed(answer, from = 0.75) {
  const rows = [];

  for (const z of list(answer.zones)) {
    for (const t of list(z.tenants)) {
      const items = list(t.items).map((i) => ({
        key: seriesOf(z.zone, t.tenant, i.item),
        tenant: String(t.tenant),
        zone: String(z.zone),
        item: String(i.item),
        used: number(i.used),
        limit: i.limit,
        waiting: 0,
        part: i.limit > 0 ? number(i.used) / i.limit : 0,
      })).sort((a, b) => b.part - a.part);

      /* which level it waits for is not told: the fullest, most likely */

      const waits = items.find((i) => !/-\d+s$/.test(i.item));

      if (waits) {
        waits.waiting = number(t.waiting);
      }

      rows.push(...items.filter((i) => i.part >= from || i.waiting > 0));
    }
  }

  return rows.sort((a, b) => b.waiting - a.waiting || b.part - a.part
                             || (a.key < b.key ? -1 : 1));
}


function locations(history, answer, filter, order) {
  const wanted = filter.trim().toLowerCase();
  const rows = [];

  for (const l of list(answer.locations)) {
    const name = String(l.location);

    if (!name.toLowerCase().includes(wanted)) {
      continue;
    }

    const { all, refused, would } = requestsOf(l);

    rows.push({
      name, all, refused, would, location: l,
      rate: history.rate(seriesOf('requests', l.location)) || 0,
      refusing: history.rate(seriesOf('refused', l.location)) || 0,
      dry: history.rate(seriesOf('would', l.location)) || 0,
      share: history.grown(seriesOf('refused', l.location))
             / history.grown(seriesOf('requests', l.location)),
    });
  }

  const by = {
    refused: (a, b) => b.refusing + b.dry - a.refusing - a.dry
                       || b.refused + b.would - a.refused - a.would
                       || b.rate - a.rate || b.all - a.all,
    requests: (a, b) => b.rate - a.rate || b.all - a.all,
    name: () => 0,
  }[order];

  return rows.sort((a, b) => by(a, b) || a.name.localeCompare(b.name));
}


/*
 * The bars of a histogram on a logarithmic axis.  Buckets are [upper bound,
 * count]; neighbours are put together so that bars are not finer than can be
 * seen.  Bars are { from, to, count } with ends in 0 .. 1 along the axis; zero
 * has a bar of its own at the left.  The limits are on the axis too.
 */

const ZERO = 0.07;                      /* the part of the axis that 0 takes */

function bars(buckets, limits) {
  const zero = buckets.filter(([to]) => to <= 0);
  const rest = buckets.filter(([to]) => to > 0);
  const known = rest.map(([to]) => to).concat(limits.filter((v) => v > 0));

  if (known.length === 0) {
    known.push(1);
  }

  const start = zero.length ? ZERO : 0;
  const least = Math.log2(Math.min(...known)) - 0.5;
  const most = Math.log2(Math.max(...known)) + 0.3;
  const size = [0.125, 0.25, 0.5, 1, 2, 4].find((s) => (most - least) / s <= 46)
               ?? 8;
  const whole = Math.max(size, 1);
  const low = Math.floor(least / whole) * whole;
  const high = Math.ceil(most / whole) * whole;
  const at = (log) => start + (1 - start) * (log - low) / (high - low);
  const found = new Map();

  for (const [to, count] of rest) {
    const n = Math.ceil(Math.log2(to) / size - 1e-9);

    found.set(n, (found.get(n) ?? 0) + count);
  }

  const all = [...found].sort(([a], [b]) => a - b).map(([n, count]) => ({
    from: at((n - 1) * size),
    to: at(n * size),
    over: 2 ** ((n - 1) * size),        /* values from here */
    upto: 2 ** (n * size),              /* to here */
    count,
  }));

  if (zero.length) {
    all.unshift({ from: 0, to: ZERO * 0.7, over: 0, upto: 0,
                  count: zero.reduce((sum, [, count]) => sum + count, 0) });
  }

  return {
    bars: all,
    zero: zero.length > 0,
    most: Math.max(1, ...all.map((b) => b.count)),
    low, high,
    place: (value) => value > 0 ? at(Math.log2(value)) : 0,
  };
}


/* values to name below such an axis: powers of 1024 or of 10, a few of them */

function ticks(axis, unit) {
  const base = unit === 'bytes' ? 1024 : 10;
  const per = Math.log2(base);
  const first = Math.ceil(axis.low / per - 1e-9);
  const last = Math.floor(axis.high / per + 1e-9);
  const every = Math.ceil((last - first + 1) / 5);
  const values = [];

  for (let n = first; n <= last; n += Math.max(every, 1)) {
    values.push(base ** n);
  }

  /* a short axis holds none or one of them: halves, then */

  if (values.length < 2) {
    for (const log of [axis.low, axis.high]) {
      const value = 2 ** log;

      if (!values.some((v) => Math.abs(Math.log2(v) - log) < 1)) {
        values.push(value);
      }
    }
  }

  return values.sort((a, b) => a - b);
}

/*
 * Copyright (C) nginx-guardrail authors
 *
 * What the status page makes of answers, without a browser.
 */


import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';

import { World, HOSTILE } from './mock.mjs';
import { done, is, ok } from './tap.mjs';


const root = new URL('../../', import.meta.url).pathname;
const names = ['KEEP', 'History', 'learn', 'refusals', 'reasons', 'pressed',
               'locations', 'bars', 'ticks', 'seriesOf'];
const format = ['count', 'bytes', 'seconds', 'duration', 'rate', 'percent',
                'write'];

const page = runInNewContext(
  ['data', 'draw'].map((f) => readFileSync(`${root}src/page/${f}.js`, 'utf8'))
                  .join('\n')
  + `;({ ${[...names, ...format].join(', ')} })`, {});

const plain = (value) => JSON.parse(JSON.stringify(value));
const space = (text) => text.replaceAll('\u00a0', ' ');


/* rates are differences of counters, by the clock of the server */

{
  const h = new page.History();

  const sample = (time, n, began = 5) => {
    if (!h.begin(time, began)) {
      return false;
    }

    h.count('n', n);
    h.gauge('g', n);
    h.end();

    return true;
  };

  sample(100, 1000);
  ok(Number.isNaN(h.rate('n')), 'nothing is known after one answer');
  is(h.grown('n'), 0, 'nor did it grow');

  sample(102, 1020);
  is(h.rate('n'), 10, 'a rate');

  ok(!sample(102, 1030), 'the same moment is no answer');
  ok(!sample(101, 1030), 'nor is an earlier one');
  is(h.rate('n'), 10, 'the rate stays');

  for (let i = 1; i <= 5; i++) {
    sample(102 + 2 * i, 1020);
  }

  is(h.rate('n'), 0, 'ten seconds later it is 0');
  is(h.rate('n', 300), 20 / 12, 'but not over five minutes');
  is(h.grown('n'), 20, 'the sum of five minutes');

  sample(114, 3);
  ok(h.rate('n') === 0, 'a counter that fell is not counted');
  sample(116, 5);
  is(plain(h.points('n', true).at(-1)), [1, 1], 'and goes on from there');

  sample(118, 1, 117);
  is(h.restarts, 1, 'nginx began again');
  ok(Number.isNaN(h.points('n', true).at(-1)[1]), 'not known');
  sample(120, 4, 117);
  is(h.points('n', true).at(-1)[1], 1.5, 'from the new beginning on');

  ok(sample(50, 4, 40), 'a clock that was set back, with a new beginning');
  sample(52, 6, 40);
  is(h.points('n', true).at(-1)[1], 1, 'is a new beginning');
}


/* a counter that appears was 0; one that vanishes is forgotten */

{
  const h = new page.History();

  h.begin(1, 0);
  h.count('a', 5);
  h.end();

  h.begin(3, 0);
  h.count('a', 5);
  h.count('b', 6);
  h.end();

  is(h.rate('b'), 3, 'the first refusal of its kind is seen');

  h.begin(5, 0);
  h.count('b', 6);
  h.end();

  is([...h.series.keys()], ['b'], 'what is not told any more is dropped');
}


/* memory is bounded */

{
  const h = new page.History();

  for (let i = 0; i < 1000; i++) {
    h.begin(i * 2, 0);
    h.count('n', i);
    h.gauge('g', i);
    h.end();
  }

  is([h.times.length, h.steps.length, h.series.get('n').values.length,
      h.series.get('g').values.length], Array(4).fill(page.KEEP),
     'old samples go');

  const many = new page.History();

  many.begin(1, 0);

  for (let i = 0; i < 100000; i++) {
    many.gauge(`g${i}`, 1);
  }

  many.end();
  is(many.series.size, 20000, 'so many series and no more');
}


/* a tab that slept: one long step, not a burst */

{
  const h = new page.History();

  for (const [time, n] of [[0, 0], [2, 20], [1002, 10020]]) {
    h.begin(time, 0);
    h.count('n', n);
    h.end();
  }

  is(h.rate('n'), 10, 'the rate over the gap');
  is(plain(h.points('n', true)), [[1, 10]], 'points of the last five minutes');
}


/* refusals, by what happens now */

{
  const h = new page.History();

  const answer = (time, a, b, c) => ({ time, start_time: 0, locations: [
    { location: 'x', requests: { pass: 9, reject: a + b },
      refusals: [{ verdict: 'reject', reason: 'max_body', requests: a },
                 { verdict: 'reject', reason: 'max_ratio', requests: b }] },
    { location: 'y', requests: { pass: 9, would_reject: c },
      refusals: [{ verdict: 'would_reject', reason: 'max_ratio',
                   requests: c }] }] });

  page.learn(h, answer(10, 100000, 3, 0));
  page.learn(h, answer(12, 100000, 5, 2));

  const rows = page.refusals(h, answer(12, 100000, 5, 2));

  is(plain(rows.map((r) => [r.location, r.reason, r.rate])),
     [['x', 'max_ratio', 1], ['y', 'max_ratio', 1], ['x', 'max_body', 0]],
     'what is refused at present comes first');
  is(plain(page.reasons(rows)), [{ reason: 'max_ratio', rate: 1 }],
     'dry runs refuse nothing');
  is(page.locations(h, answer(12, 100000, 5, 2), '', 'refused')[0].refusing, 1,
     'a location');
  is(plain(page.locations(h, answer(12, 1, 5, 2), ' Y', 'name').map(
       (l) => l.name)), ['y'], 'a filter');
}


/* names cannot make one key of two */

{
  ok(page.seriesOf('a b', 'c') !== page.seriesOf('a', 'b c'), 'keys differ');
}


/* tenants */

{
  const rows = page.pressed({ zones: [{ zone: 'z', tenants: [
    { tenant: 'a', waiting: 0, items: [{ item: 'requests-60s', used: 60,
                                         limit: 60 },
                                       { item: 'bytes-60s', used: 60 }] },
    { tenant: 'b', waiting: 3, items: [{ item: 'requests-60s', used: 1,
                                         limit: 60 },
                                       { item: 'memory', used: 1, limit: 9 },
                                       { item: 'concurrency', used: 2,
                                         limit: 4 }] },
    { tenant: 'c', waiting: 0, items: [{ item: 'requests-60s', used: 44,
                                         limit: 60 }] }] }] });

  is(plain(rows.map((r) => [r.tenant, r.item, r.waiting])),
     [['b', 'concurrency', 3], ['a', 'requests-60s', 0]],
     'those that wait, then those that are full');
}


/* histograms: all is counted, limits are beside the values they part */

{
  for (const [name, buckets, limits] of [
    ['sizes', [[100, 5], [104, 5], [1048576, 1], [1114112, 2]], [1048576]],
    ['zero and more', [[0, 7], [1, 3], [2, 1]], []],
    ['zero alone', [[0, 7]], [10]],
    ['nothing', [], []],
    ['parts of one', [[0.001, 1], [0.5, 2], [457.125, 1]], [200]],
    ['huge', [[1, 1], [2 ** 62, 1]], [2 ** 40, 2 ** 50]],
  ]) {
    const axis = page.bars(buckets, limits);
    const sum = buckets.reduce((n, [, c]) => n + c, 0);

    is(axis.bars.reduce((n, b) => n + b.count, 0), sum, `${name}: all counted`);
    ok(axis.bars.every((b) => b.from >= 0 && b.to <= 1 && b.from < b.to),
       `${name}: inside`);
    ok(axis.bars.every((b, i) => i === 0 || b.from >= axis.bars[i - 1].to
                                 - 1e-9), `${name}: side by side`);
    ok(axis.bars.length <= 50, `${name}: few enough`);

    for (const limit of limits) {
      const at = axis.place(limit);

      ok(at > 0 && at < 1, `${name}: the limit is on the axis`);

      for (const b of axis.bars) {
        ok(b.upto <= limit * 1.0001 ? b.to <= at + 1e-9 : b.to > at - 1e-9,
           `${name}: ${b.upto} and ${limit} in order`);
      }
    }

    for (const unit of ['bytes', 'count']) {
      const named = page.ticks(axis, unit);

      ok(named.length >= 1 && named.length <= 6
         && named.every((v) => axis.place(v) > -0.01 && axis.place(v) < 1.01),
         `${name}: ${named.length} names below the axis`);
    }
  }
}


/* how numbers are written */

is([0, 7, 7.126, 999, 9999, 10000, 12345, 999999, 1e9, 9.1e6].map(page.count),
   ['0', '7', '7.1', '999', '9,999', '10k', '12.3k', '1M', '1G', '9.1M'],
   'counts');
is([0, 1, 1015, 1024, 1536, 1048576, 1048570, 67108864, 2 ** 60].map(
     (n) => space(page.bytes(n))),
   ['0 B', '1 B', '1,015 B', '1 KiB', '1.5 KiB', '1 MiB', '1 MiB', '64 MiB',
    '1 EiB'], 'bytes');
is([0, 0.004, 1.5, 600].map((n) => space(page.seconds(n))),
   ['0 s', '4 ms', '1.5 s', '10 min'], 'seconds');
is([0, 59, 60, 3600, 90000, 86400].map((n) => space(page.duration(n))),
   ['0 s', '59 s', '1 min', '1 h', '1 d 1 h', '1 d'], 'durations');
is([0, 0.001, 0.25, 9.87, 140.4, NaN].map((n) => space(page.rate(n))),
   ['0/s', '< 0.01/s', '0.25/s', '9.9/s', '140/s', '\u2013'], 'rates');
is([0, 0.0001, 0.034, 0.5, 0.9999, 1].map((n) => space(page.percent(n))),
   ['0 %', '< 0.1 %', '3.4 %', '50 %', '> 99.9 %', '100 %'], 'percent');


/* anything may be missing, and nothing is NaN that is drawn as a number */

for (const answer of [{}, { time: 1 }, { locations: null, zones: 7 },
                      { time: 2, locations: [{}], zones: [{}] },
                      { time: 3, locations: [{ location: 'a', refusals: [{}],
                                               requests: null }] }]) {
  const h = new page.History();

  page.learn(h, answer);
  page.refusals(h, answer);
  page.pressed(answer);
  page.locations(h, answer, '', 'requests');
  ok(true, `survives ${JSON.stringify(answer)}`);
}


/* a long time of many locations */

{
  const world = new World({ locations: 300, tenants: 50 });
  const h = new page.History();

  for (let i = 0; i < 200; i++) {
    world.step();
    page.learn(h, world.answer());
  }

  ok(page.refusals(h, world.answer()).every((r) => r.rate >= 0
                                                   && r.recent <= r.total),
     'rates of many locations');
  ok(page.pressed(world.answer()).some((t) => t.tenant === HOSTILE),
     'names stay as they are');
}

done();

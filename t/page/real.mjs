/*
 * Copyright (C) nginx-guardrail authors
 *
 * The status page of an nginx that works: requests are sent, and the page is
 * looked at while they are.
 *
 *     node t/page/real.mjs http://127.0.0.1:PORT
 */


import { mkdirSync } from 'node:fs';
import http from 'node:http';
import { gzipSync } from 'node:zlib';

import { done, is, launch, like, ok, open, until } from './tap.mjs';


const base = process.argv[2];
const shots = new URL('../../build/page/shots/', import.meta.url).pathname;
const label = '<img src=x onerror=alert(1)>';

const rows = (n) => Array.from({ length: n }, (_, i) => `{"id":${i}}\n`).join('');
const ndjson = { 'Content-Type': 'application/x-ndjson' };
const gzip = { ...ndjson, 'Content-Encoding': 'gzip' };
const bomb = gzipSync(Buffer.alloc(64 << 20), { level: 9 });
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const many = new http.Agent({ keepAlive: true, maxSockets: 8 });


function send(path, body, headers = {}, by = agent) {
  return new Promise((answered) => {
    const request = http.request(base + path, {
      method: 'POST', agent: by, headers: { 'Content-Length': body.length,
                                        ...headers } }, (response) => {
      response.resume();
      response.on('end', () => answered(response.statusCode));
      response.on('error', () => answered(response.statusCode));
    });

    request.on('error', () => answered(0));
    request.end(body);
  });
}


/* one of each, and which answer it must have */

const kinds = [
  ['/ingest', rows(20), ndjson, 200],
  ['/ingest', gzipSync(rows(300)), gzip, 200],
  ['/tenants', 'x', { 'X-Api-Key': 'acme-1' }, 200],
  ['/ingest', rows(1001), ndjson, 413],
  ['/ingest', `{"a":"${'x'.repeat(5000)}"}`, ndjson, 413],
  ['/upload', 'x'.repeat(90000), {}, 200],
  ['/upload', bomb, { 'Content-Encoding': 'gzip' }, 413],
  ['/upload', 'x', { 'Content-Encoding': 'br' }, 415],
  ['/trial', rows(11), ndjson, 200],
];

const status = async () => (await fetch(`${base}/status?format=json`)).json();


mkdirSync(shots, { recursive: true });

for (const [path, body, headers, expected] of kinds) {
  is(await send(path, body, headers), expected, `${path} ${body.length}`);
}

let going = true;

const traffic = (async () => {
  while (going) {
    for (const [path, body, headers] of kinds) {
      await send(path, body, headers);
      await new Promise((go) => setTimeout(go, 25));
    }
  }
})();

/* eight clients, of which two at a time have the slow backend */

const queue = Promise.all(Array.from({ length: 8 }, async () => {
  while (going) {
    await send('/slow', 'x', {}, many);
  }
}));

const browser = await launch();

for (const [colorScheme, width] of [['light', 1280], ['dark', 360]]) {
  const page = await open(browser, `${base}/status`, {
    real: true, colorScheme, viewport: { width, height: 800 } });
  const words = (selector) => page.locator(selector).evaluateAll(
    (all) => all.map((e) => e.textContent.trim()));

  like(page.response.headers()['content-type'], /^text\/html/,
       'a browser gets the page');
  ok(await until(async () => (await words('#reasons strong')).length >= 5, 30),
     'refusals are seen as they happen');

  like((await words('#versions'))[0], /^\d+\.\d+\.\d+ on nginx 1\./, 'versions');
  is(await words('#state'), ['Live'], 'it is live');

  const reasons = await words('#refused-rows code');

  for (const reason of ['max_records', 'max_record_size', 'max_ratio',
                        'encoding', 'quota_requests'])
  {
    ok(reasons.includes(reason), `${reason} is shown`);
  }

  is(await words('#refused-rows .tag'), ['dry run'], 'and the dry run');

  is((await words('#zones h3')).join(' '), 'tenants backend', 'zones');
  ok((await words('#zones h4')).includes('concurrency'), 'levels');
  ok(await until(async () => (await words('#zones .level')).some(
       (t) => /2 of 2/.test(t))), 'a level that is full');
  ok(await until(async () => (await words('#zones .level')).some(
       (t) => /^Queue[1-9] waiting/.test(t))), 'and those who wait for it');

  ok(await until(async () => (await words('#tenants-rows tr')).some(
       (t) => /^acmerequests in 1.h/.test(t))),
     'a tenant that has used its quota');

  const names = await words('#locations-rows button');

  for (const name of ['ingest', 'trial', label]) {
    ok(names.includes(name), `${name} is shown`);
  }

  await page.locator('#locations-rows button', { hasText: 'ingest' }).click();
  ok(await until(async () => (await words('.chart h3')).includes('Records')),
     'distributions');

  const marks = await words('.mark span');

  for (const mark of ['limit 1\u00a0MiB', 'limit 8\u00a0MiB', 'limit 200',
                      'limit 1,000', 'limit 4\u00a0KiB', 'limit 4\u00a0MiB'])
  {
    ok(marks.includes(mark), `${mark} is drawn`);
  }

  like((await words('.advice code')).join(' '), /guardrail_max_records \S+;/,
       'a suggestion');

  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${shots}real-${colorScheme}-${width}.png`,
                          fullPage: true });

  is(await page.evaluate(() => document.documentElement.scrollWidth), width,
     'nothing hangs over');
  is([...new Set(page.asked.map((url) => url.replace(base, '')))].sort(),
     ['/status', '/status?format=json'], 'nothing else was asked for');
  is(page.said, [], 'no complaints, of the policy or others');

  await page.context().close();
}

going = false;
await traffic;
await queue;


/* when nothing happens any more, the page and the JSON say the same */

const page = await open(browser, `${base}/status?format=html#ingest`,
                        { real: true });
const words = (selector) => page.locator(selector).evaluateAll(
  (all) => all.map((e) => e.textContent.trim()));

await page.waitForSelector('#app', { state: 'visible' });

const answer = await status();
const ingest = answer.locations.find((l) => l.location === 'ingest');
const all = Object.values(ingest.requests).reduce((a, b) => a + b);
const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

ok(await until(async () => (await words('#detail-note'))[0].startsWith(
     `${number(all)} requests, ${number(ingest.requests.reject)} refused; `)),
   'the numbers of a location');

const shown = new Map();

for (const row of await page.locator('#refused-rows tr').all()) {
  const cells = await row.locator('th code, td').allTextContents();

  shown.set(`${cells[0]} ${cells[1]}`, cells[4]);
}

for (const l of answer.locations) {
  for (const r of l.refusals) {
    is(shown.get(`${r.reason} ${l.location}`), number(r.requests),
       `${r.reason} of ${l.location}`);
  }
}

ok(await until(async () => (await words('#zones .level')).some(
     (t) => /^Queue0 waiting/.test(t))), 'nobody waits any more');

await page.context().close();


/* without JavaScript */

const plain = await open(browser, `${base}/status`,
                         { real: true, javaScriptEnabled: false });

ok(await plain.locator('#tables table').first().isVisible(), 'tables');
ok((await plain.locator('#tables').textContent()).includes(label),
   'with names as they are');
is(await plain.locator('#tables img').count(), 0, 'which are no markup');
await plain.screenshot({ path: `${shots}real-tables.png`, fullPage: true });

await browser.close();
agent.destroy();
many.destroy();
done();

/*
 * Copyright (C) nginx-guardrail authors
 *
 * The status page before a pretended nginx: its answers are what a test wants
 * them to be, and more than a real server can be brought to.
 *
 *     node t/page/mock.mjs [PORT] [LOCATIONS]      to look at
 */


import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';


const root = new URL('../../', import.meta.url).pathname;

export const HOSTILE = '<script>globalThis.hit = 1</script>'
                       + '<img src=x onerror="globalThis.hit = 2">';


/* 0 .. 1, the same in every run */

export function random(seed) {
  let state = seed;

  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;

    return state / 2 ** 32;
  };
}


/* values of a distribution of sizes, as the module counts them */

function histogram(rand, middle, spread, n, whole = true) {
  const counts = new Map();
  const values = [];
  let sum = 0;

  for (let i = 0; i < n; i++) {
    const g = rand() + rand() + rand() + rand() - 2;
    const value = middle * 2 ** (g * spread);

    values.push(whole ? Math.round(value) : value);
  }

  values.sort((a, b) => a - b);

  for (const value of values) {
    let bucket = value;

    if (value >= 16) {
      const step = 2 ** (Math.floor(Math.log2(value)) - 4);

      bucket = Math.ceil(value / step) * step;
    }

    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    sum += value;
  }

  const at = (p) => values[Math.min(n - 1, Math.floor(n * p))];

  return { count: n, sum, max: values.at(-1), p50: at(0.5), p90: at(0.9),
           p99: at(0.99), p999: at(0.999), buckets: [...counts] };
}


/* A server of some locations and zones, whose numbers grow. */

export class World {
  constructor({ locations = 6, tenants = 8, seed = 7 } = {}) {
    this.rand = random(seed);
    this.start = 1795800000;
    this.time = this.start + 86400 * 3 + 4000;
    this.tick = 0;
    this.names = ['ingest', 'upload', 'api /v1/events',
                  'www.example.org /reports', 'search', 'beta.example.org /']
      .slice(0, locations);

    for (let i = this.names.length; i < locations; i++) {
      this.names.push(`host-${i % 20}.example.org /service/${i}`);
    }

    this.tenants = Array.from({ length: tenants }, (_, i) => [
      'acme', 'globex', 'initech', 'umbrella', HOSTILE, 'hooli',
      '5f1d0c2e9a77b3e4', 'anonymous'][i] ?? `tenant-${i}`);

    this.counts = this.names.map((name, i) => this.location(name, i));
  }

  location(name, i) {
    const r = this.rand;
    const size = [9000, 4e5, 700, 2e6, 120, 3000][i % 6];
    const n = 200 + Math.floor(r() * 300);

    return {
      name, off: 0, pass: n * 40, reject: 0, would: 0, aborted: 2,
      refusals: new Map(), speed: [90, 14, 240, 3, 420, 0.4][i % 6],
      dry: i % 6 === 3,
      histograms: {
        body_bytes: histogram(r, size, 2.2, n),
        decoded_bytes: histogram(r, size * 7, 2.6, n),
        expansion_ratio: histogram(r, 7, 2, n, false),
        ...(i % 3 === 0 ? {
          records: histogram(r, 900, 3, n),
          largest_record_bytes: histogram(r, 300, 2.5, n),
          memory_estimate_bytes: histogram(r, size * 40, 2.6, n),
          queue_wait_seconds: {
            count: n, sum: 12.5, max: 3.2, p50: 0, p90: 0.08, p99: 1.5,
            p999: 3.2, buckets: [[0, n - 60], [0.016, 20], [0.08, 20],
                                 [0.25, 12], [1.5, 6], [3.25, 2]] },
        } : {}),
      },
    };
  }

  /* some seconds pass */

  step(seconds = 2) {
    const wave = 1 + 0.5 * Math.sin(this.tick / 9);

    this.tick++;
    this.time += seconds;

    for (const [i, c] of this.counts.entries()) {
      const r = this.rand;
      const n = Math.round(c.speed * seconds * wave * (0.7 + 0.6 * r()));

      c.pass += n;

      if (i > 5 && i % 7) {
        continue;
      }

      for (const [reason, part] of [['max_ratio', 0.05], ['max_records', 0.02],
                                    ['quota_requests', i % 2 ? 0.2 : 0],
                                    ['max_memory', 0.004]]) {
        const refused = Math.round(n * part * (0.4 + r())
                                   * (this.tick % 40 < 14 ? 3 : 0.4));

        if (refused > 0) {
          c.refusals.set(reason, (c.refusals.get(reason) ?? 0) + refused);
          c[c.dry ? 'would' : 'reject'] += refused;
        }
      }

      c.aborted += r() < 0.05 ? 1 : 0;
    }
  }

  answer() {
    const wave = Math.sin(this.tick / 11);
    const used = Math.round(Math.min(40, 30 + 18 * wave));
    const waiting = Math.max(0, Math.round(50 * wave - 30));

    return {
      guardrail: '0.1.0', nginx: '1.22.1', time: this.time,
      start_time: this.start, requests_in_flight: used + waiting + 7,
      decoder_memory_bytes: 45264 * (3 + Math.round(2 + 2 * wave)),
      decoder_memory_limit_bytes: 268435456,
      locations: this.counts.map((c, i) => this.json(c, i)),
      zones: [
        { zone: 'tenants', entries: 31250, capacity_entries: 65000,
          evictions: 0, overflow_requests: 0, leases_reclaimed: 0, holds: 0,
          leased_memory_bytes: 0, waiting: 0, queue_timeouts: 0,
          queue_abandoned: 0, lock_forced: 0, repairs: 0,
          state_age_seconds: 3.2,
          rates: [{ item: 'requests-60s', unit: 'requests', period: 60,
                    refusals: this.tick * 31 },
                  { item: 'records-86400s', unit: 'records', period: 86400,
                    refusals: 2 }],
          levels: [{ unit: 'uploads', leases: 12, refusals: 0 },
                   { unit: 'memory', leases: 0, refusals: 0 }],
          tenants: this.tenants.map((tenant, i) => ({
            tenant, waiting: 0,
            items: [{ item: 'requests-60s', limit: 600,
                      used: [612, 590, 460, 130, 587, 18, 4, 1][i]
                            ?? i % 100 },
                    { item: 'records-86400s', limit: 1e7,
                      used: 9.1e6 / (i + 1) },
                    { item: 'uploads', used: i % 4 }] })) },
        { zone: 'backend', entries: 1, capacity_entries: 400, evictions: 0,
          overflow_requests: 0, leases_reclaimed: 2, holds: 1,
          leased_memory_bytes: 9e8 * (1 + wave), waiting,
          queue_timeouts: 4, queue_abandoned: 11, lock_forced: 0, repairs: 0,
          state_age_seconds: null, rates: [],
          levels: [{ unit: 'concurrency', leases: used, refusals: 40,
                     used, limit: 40 },
                   { unit: 'memory', leases: used, refusals: 3,
                     used: Math.round(9e8 * (1 + wave)), limit: 4294967296 }],
          tenants: [{ tenant: 'all', waiting,
                      items: [{ item: 'concurrency', used, limit: 40 },
                              { item: 'memory', limit: 4294967296,
                                used: Math.round(9e8 * (1 + wave)) }] }] },
      ],
    };
  }

  json(c, i) {
    const refusals = [...c.refusals].map(([reason, requests]) => ({
      verdict: c.dry ? 'would_reject' : 'reject', reason, requests }));

    refusals.push({ verdict: 'aborted', reason: 'client_gone',
                    requests: c.aborted });

    return {
      location: c.name,
      requests: { off: c.off, pass: c.pass, reject: c.reject,
                  would_reject: c.would, aborted: c.aborted },
      refusals, body_bytes: c.pass * 9000, decoded_bytes: c.pass * 61000,
      records: c.pass * 890,
      limits: [{ in: `localhost /${c.name}`,
                 guardrail: c.dry ? 'dry_run' : 'on',
                 max_body: 1048576, max_decoded: 67108864, max_ratio: 200,
                 ratio_floor: 1048576, max_records: 10000,
                 max_record_size: i % 2 ? null : 65536,
                 max_memory: i % 2 ? 268435456 : '$plan_memory', min_rate: 500,
                 body_timeout: null, json: { depth: 32, keys: 1000 },
                 quotas: [{ zone: 'tenants', item: 'requests-60s', limit: 600 },
                          { zone: 'backend', item: 'memory',
                            limit: 4294967296, queue: 100 }] },
               ...(i === 1 ? [{ in: 'localhost /upload/large',
                                guardrail: '$mode', max_body: 16777216,
                                max_decoded: 1073741824, max_ratio: null,
                                max_records: null }] : [])],
      histograms: c.histograms,
      suggestions: c.histograms.records ? [
        { directive: 'guardrail_max_body', limit: 1048576, p999: 24000,
          suggestion: '48k', value: 49152, would_refuse: 0, of: 1000 },
        { directive: 'guardrail_max_records', limit: 10000, p999: 7800,
          suggestion: '16000', value: 16000, would_refuse: 0, of: 1000 },
      ] : [{ directive: 'guardrail_max_body', limit: 1048576, p999: 2e6,
             suggestion: '4m', value: 4194304, would_refuse: 3, of: 1200 }],
    };
  }
}


/* The page as nginx sends it. */

export function csp(nonce) {
  return `default-src 'none'; style-src 'nonce-${nonce}'; `
         + `script-src 'nonce-${nonce}'; connect-src 'self'; `
         + "img-src 'none'; base-uri 'none'; form-action 'none'; "
         + "frame-ancestors 'none'";
}


export function page(tables, nonce) {
  const html = execFileSync('sh', [`${root}src/page/generate.sh`, 'html'],
                            { encoding: 'utf8' });

  return html.replaceAll('@NONCE@', nonce).replace('@TABLES@', () => tables);
}


/*
 * Serves a World.  state.mode: "" answers, "error" 503, "junk" no JSON,
 * "silent" never, "cut" closes the connection.
 */

export async function serve(world, { port = 0, step = 2 } = {}) {
  const state = { mode: '', asked: 0, requests: [], step, empty: false,
                  edit: (answer) => answer };
  const nonce = 'bW9ja21vY2ttb2Nr';
  const tables = '<table><caption>Requests</caption><thead><tr>'
    + '<th scope="col">Location</th><th scope="col">Refused</th></tr></thead>'
    + world.names.map((name) => `<tr><th scope="row">${name}</th><td>0</td>`
                                + '</tr>').join('') + '</table>';

  const server = createServer((request, response) => {
    state.requests.push(request.url);

    if (!request.url.includes('format=json')) {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8',
                                'Content-Security-Policy': csp(nonce) });
      response.end(page(tables, nonce));

      return;
    }

    state.asked++;

    switch (state.mode) {

    case 'error':
      response.writeHead(503);
      response.end('no');

      return;

    case 'cut':
      request.socket.destroy();

      return;

    case 'silent':
      return;
    }

    world.step(state.step);

    const json = JSON.stringify(state.edit(world.answer()));

    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(state.mode === 'junk' ? json.slice(0, -9) : json);
  });

  await new Promise((done) => server.listen(port, '127.0.0.1', done));

  return {
    state,
    url: `http://127.0.0.1:${server.address().port}/status`,

    close: () => {
      server.closeAllConnections();

      return new Promise((done) => server.close(done));
    },
  };
}


if (process.argv[1] === new URL(import.meta.url).pathname) {
  const world = new World({ locations: Number(process.argv[3] ?? 6) });
  const { url } = await serve(world, { port: Number(process.argv[2] ?? 0) });

  console.log(url);
}

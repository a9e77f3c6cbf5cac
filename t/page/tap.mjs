/*
 * Copyright (C) nginx-guardrail authors
 *
 * TAP, and a browser, for the tests of the status page.
 */


import { createRequire } from 'node:module';
import { isDeepStrictEqual, inspect } from 'node:util';


const root = new URL('../../', import.meta.url).pathname;

let tests = 0;
let failures = 0;


export function ok(good, name, ...more) {
  tests++;
  failures += good ? 0 : 1;
  console.log(`${good ? 'ok' : 'not ok'} ${tests} - ${name}`);

  for (const line of good ? [] : more) {
    console.log(`# ${line}`.replaceAll('\n', '\n# '));
  }

  return Boolean(good);
}


export function is(got, expected, name) {
  return ok(isDeepStrictEqual(got, expected), name, `     got ${inspect(got)}`,
            `expected ${inspect(expected)}`);
}


export function like(got, regex, name) {
  return ok(regex.test(got), name, `     got ${inspect(got)}`,
            `expected ${regex}`);
}


export function done() {
  console.log(`1..${tests}`);
  process.exitCode = failures ? 1 : 0;
}


/* waits for something, and says whether it came */

export async function until(what, seconds = 20) {
  const end = Date.now() + seconds * 1000;

  while (Date.now() < end) {
    if (await what()) {
      return true;
    }

    await new Promise((go) => setTimeout(go, 20));
  }

  return false;
}


export async function launch() {
  const require = createRequire(process.env.PLAYWRIGHT
                                ?? `${root}build/page/`);
  const { chromium } = require('playwright-core');

  /* the sandbox of Chromium does not start as root */

  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
}


/*
 * A page whose complaints and requests are kept: page.said, page.asked.  Its
 * clock is ours unless real is said.
 */

export async function open(browser, url, options = {}) {
  const { real, before, ...rest } = options;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, ...rest });
  const page = await context.newPage();

  page.setDefaultTimeout(15000);

  page.said = [];
  page.asked = [];
  page.on('console', (message) => page.said.push(message.text()));
  page.on('pageerror', (error) => page.said.push(error.stack));
  page.on('request', (request) => page.asked.push(request.url()));

  if (!real) {
    await page.clock.install();
  }

  await before?.(page);
  page.response = await page.goto(url);

  return page;
}

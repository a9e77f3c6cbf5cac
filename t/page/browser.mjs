/*
 * Copyright (C) nginx-guardrail authors
 *
 * The status page in a browser, before a pretended nginx: what a reader sees,
 * with a keyboard, with a narrow screen, without JavaScript, and when nginx
 * does not answer.  The clock is the test's.
 *
 *     node t/page/browser.mjs [WORD]       the parts that have it in their name
 */


import { mkdirSync } from 'node:fs';

import { HOSTILE, World, csp, serve } from './mock.mjs';
import { done, is, launch, like, ok, open, until } from './tap.mjs';


const shots = new URL('../../build/page/shots/', import.meta.url).pathname;
const browser = await launch();

mkdirSync(shots, { recursive: true });


/* n answers are asked for, and shown */

async function answers(page, server, n) {
  for (let i = 0; i < n; i++) {
    const before = server.state.asked;

    await page.clock.runFor(2000);
    await until(() => server.state.asked > before);
    await page.waitForFunction(() => document.querySelector('#state')
                                             .textContent !== '');
  }

  /* the last one was shown when the next question is set */

  await page.waitForTimeout(100);
}


const choose = (page, name) => page.locator('#locations-rows button',
                                            { hasText: name }).click();

const words = (page, selector) => page.locator(selector).evaluateAll(
  (all) => all.map((e) => e.textContent.trim()));


/* what a number must not become */

const nonsense = async (page) => (await page.locator('main').innerText())
  .replace(/-\d+s\b/g, '').match(/NaN|undefined|null|Infinity|-\d/g) ?? [];


async function run(name, code) {
  if (!name.includes(process.argv[2] ?? '')) {
    return;
  }

  console.log(`# ${name}`);

  try {
    await code();

  } catch (error) {
    ok(false, name, error.stack);
  }
}


/* A page before a World, closed when the code is done. */

async function before(options, code) {
  const { world = {}, real, edit, ...rest } = options;
  const server = await serve(new World(world));

  server.state.edit = edit ?? server.state.edit;

  const page = await open(browser, server.url, { real, ...rest });

  try {
    await until(async () => server.state.asked > 0
                            || rest.javaScriptEnabled === false);
    await code(page, server);

  } finally {
    await page.context().close();
    await server.close();
  }
}


await run('what is shown', () => before({}, async (page, server) => {
  is(page.response.headers()['content-security-policy'],
     csp('bW9ja21vY2ttb2Nr'), 'under its policy');

  await page.waitForSelector('#app', { state: 'visible' });
  is(await page.locator('#tables').count(), 0, 'the tables went');

  await answers(page, server, 6);

  is(await words(page, '#state'), ['Live'], 'it says that it is live');
  like((await words(page, '.tile strong'))[0], /^[\d.,k]+\/s$/, 'requests');

  const rates = (await words(page, '#refused-rows td.num:nth-of-type(2)'))
    .map((t) => Number.parseFloat(t));

  ok(rates.length === 12 && rates[0] > 0, 'refusals');
  is(rates, [...rates].sort((a, b) => b - a), 'what happens most first');
  like((await words(page, '#refused-more'))[0], /^Show all 2\d$/,
       'and there are more');

  await page.click('#refused-more');
  ok(await page.locator('#refused-rows tr').count() > 20, 'all of them');

  ok((await words(page, '#tenants-rows th')).includes('acme'),
     'a tenant at its limit');
  is(await page.locator('#locations-rows tr').count(), 6, 'locations');
  is(await page.locator('#zones article').count(), 2, 'zones');
  is(await words(page, '#zones article:first-child h4'),
     ['Entries', 'uploads', 'Queue'], 'levels that are in use');
  is((await words(page, '#zones dt')).filter((t) => t === 'state saved').length,
     1, 'a state file of one of them');

  const asked = page.asked.map((url) => url.replace(server.url, ''));

  is([...new Set(asked)].sort(), ['', '?format=json'],
     'nothing else is asked for');
  is(page.said, [], 'no complaints');
}));


await run('distributions', () => before({}, async (page, server) => {
  await answers(page, server, 2);
  await choose(page, 'upload');

  is(await words(page, '#detail-title'), ['upload'], 'a location is chosen');
  ok(page.url().endsWith('#upload'), 'it can be linked to');
  is(await words(page, '.chart h3'),
     ['Body size on the wire', 'Decoded size', 'Expansion ratio'],
     'distributions that have values');
  is(await words(page, '.chart:first-child .mark span'),
     ['1\u00a0MiB', '16\u00a0MiB'], 'the limits of both its locations');

  const places = await page.locator('.chart:first-child .mark').evaluateAll(
    (all) => all.map((e) => Number.parseFloat(e.style.left)));

  ok(0 < places[0] && places[0] < places[1] && places[1] < 100,
     'they are where they belong');

  /* bars beyond the limit are those right of it */

  const over = await page.locator('.chart:first-child rect').evaluateAll(
    (all) => all.map((e) => [e.getAttribute('class'),
                             100 * Number(e.getAttribute('x'))]));

  ok(over.some(([c]) => c === 'over'), 'some bodies are beyond the limit');
  ok(over.every(([c, x]) => (c === 'over') === (x >= places[0])),
     'and are drawn as such');

  like(await page.locator('.chart:first-child .plot').getAttribute(
         'aria-label'),
       /^Body size on the wire: .* requests; half at most .*; limit 1\sMiB, /,
       'in words');

  is(await words(page, '.chart:first-child .advice code'),
     ['guardrail_max_body 4m;'], 'a suggestion');
  like((await words(page, '.chart:first-child .advice'))[0],
       /would have refused 3 of 1,200$/, 'and what it would have done');

  await choose(page, 'ingest');
  is(await page.locator('.chart').count(), 7, 'another location');
  is(await words(page, '.chart:nth-child(6) .unmarked'),
     ['limit $plan_memory'], 'a limit that varies');

  await page.goto(`${server.url}#${encodeURIComponent('api /v1/events')}`);
  is(await words(page, '#detail-title'), ['api /v1/events'],
     'a link to a location');
  is(page.said, [], 'no complaints');
}));


await run('copying', async () => {
  await before({ permissions: ['clipboard-read', 'clipboard-write'] },
               async (page, server) => {
    await answers(page, server, 1);
    await choose(page, 'ingest');
    await page.locator('.advice button').first().click();

    ok(await until(async () => (await words(page, '#copied'))[0]
                               === 'Copied: guardrail_max_body 48k;'),
       'it says so');
    is(await page.evaluate(() => navigator.clipboard.readText()),
       'guardrail_max_body 48k;', 'a suggestion is copied');
  });

  await before({ before: (page) => page.addInitScript(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  }) }, async (page, server) => {
    await answers(page, server, 1);
    await choose(page, 'ingest');
    await page.locator('.advice button').first().click();

    ok(await until(async () => (await words(page, '#copied'))[0] !== ''),
       'without a clipboard it says what it did');
    is(await page.evaluate(() => String(getSelection())),
       'guardrail_max_body 48k;', 'and has selected the text');
  });
});


await run('names that are markup', () => before({}, async (page, server) => {
  server.state.edit = (answer) => {
    answer.locations[0].location = HOSTILE;
    answer.locations[0].limits[0].in = HOSTILE;
    answer.locations[0].limits[0].max_body = HOSTILE;
    answer.locations[0].refusals[0].reason = HOSTILE;
    answer.zones[0].zone = HOSTILE;
    answer.zones[0].levels[0].unit = HOSTILE;
    answer.zones[0].rates[0].item = HOSTILE;
    answer.guardrail = HOSTILE;

    return answer;
  };

  await answers(page, server, 3);
  await page.locator('#locations-rows button', { hasText: 'script' }).click();
  await page.locator('summary').first().click();
  await page.waitForTimeout(100);

  is(await page.evaluate(() => globalThis.hit), undefined, 'run nothing');
  is(await page.locator('script').count(), 1, 'no script but the page\'s');
  is(await page.locator('img').count(), 0, 'no element');

  for (const where of ['#tenants-rows th', '#refused-rows code', '#zones h3',
                       '#zones h4', '#detail-title', '#limits h4', '#limits dd',
                       '#zones tbody th', '.unmarked', '#reasons code'])
  {
    ok((await words(page, where)).some((t) => t.includes(HOSTILE)),
       `stand as they are in ${where}`);
  }

  is(page.said, [], 'no complaints');
}));


await run('many locations', () => before(
  { world: { locations: 300, tenants: 50 } }, async (page, server) => {
    await answers(page, server, 3);
    is(await page.locator('#locations-rows tr').count(), 15, 'some at first');

    await page.click('#locations-more');
    is(await page.locator('#locations-rows tr').count(), 300, 'then all');

    await page.locator('summary').first().click();
    ok(await until(async () => await page.locator('#zones tbody tr').count()
                               === 50), 'all tenants');

    await page.fill('#filter', 'HOST-7.');
    is(await page.locator('#locations-rows tr').count(), 15, 'a filter');

    await page.fill('#filter', 'no such thing');
    is(await words(page, '#locations-none'),
       ['No location has this in its name.'], 'one that finds nothing');

    await page.fill('#filter', '');
    await page.selectOption('#order', 'name');
    is((await words(page, '#locations-rows button'))[0], 'api /v1/events',
       'by name');

    await answers(page, server, 2);
    is(await words(page, '#state'), ['Live'], 'and it goes on');
    is(page.said, [], 'no complaints');
  }));


await run('order stays under a pointer', () => before(
  {}, async (page, server) => {
    await answers(page, server, 2);

    const first = await words(page, '#refused-rows code');

    await page.hover('#refused-rows tr:nth-child(3)');
    server.state.edit = (answer) => {
      answer.locations.at(-1).refusals.at(-1).requests += 1e6;

      return answer;
    };

    await answers(page, server, 2);
    is((await words(page, '#refused-rows code')).slice(0, 11),
       first.slice(0, 11), 'rows do not jump');

    await page.mouse.move(1, 1);
    await answers(page, server, 2);
    is((await words(page, '#refused-rows code'))[0], 'client_gone',
       'until it goes away');
  }));


await run('counters that begin again', () => before(
  {}, async (page, server) => {
    await answers(page, server, 3);

    server.state.edit = (answer) => {
      answer.start_time += 86400 * 3;

      for (const l of answer.locations) {
        l.requests = { pass: 3, reject: 1 };
        l.refusals = [{ verdict: 'reject', reason: 'max_body', requests: 1 }];
      }

      return answer;
    };

    await answers(page, server, 1);
    like((await words(page, '.tile strong'))[0], /^(\d|\u2013)/, 'no rate of it');

    await answers(page, server, 6);
    is((await words(page, '.tile strong'))[0], '0/s', 'then the present one');

    is(await nonsense(page), [], 'nothing that is no number');
  }));


await run('nginx does not answer', () => before({}, async (page, server) => {
  await answers(page, server, 3);

  const shown = await words(page, '#refused-rows');

  for (const [mode, why] of [['error', /status 503/], ['cut', /fetch/i],
                             ['junk', /JSON|Unterminated|Expected/],
                             ['silent', /no answer in 10 seconds/]])
  {
    server.state.mode = mode;
    await page.clock.runFor(2100);

    if (mode === 'silent') {
      await page.clock.runFor(11000);
    }

    ok(await until(async () => why.test((await words(page, '#state'))[0])),
       `${mode}: it says so`);
    is(await words(page, '#refused-rows'), shown, 'what was known stays');

    server.state.mode = '';
    await page.click('#retry');
    ok(await until(async () => (await words(page, '#state'))[0] === 'Live'),
       'and it recovers');
    shown.splice(0, 1, ...await words(page, '#refused-rows'));
  }

  /* 2, 4, 8, 16, 32, then each 60 seconds: seven times in three minutes */

  server.state.mode = 'error';
  server.state.asked = 0;

  for (let i = 0; i < 180; i++) {
    await page.clock.runFor(1000);
    await page.waitForTimeout(3);
  }

  ok(server.state.asked >= 5 && server.state.asked <= 8,
     `it asks less often: ${server.state.asked} times in three minutes`);

  server.state.mode = '';
  await page.clock.runFor(60000);
  ok(await until(async () => (await words(page, '#state'))[0] === 'Live'),
     'it finds nginx again by itself');
}));


await run('a reader who looks elsewhere', () => before(
  {}, async (page, server) => {
    const hide = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);

    await answers(page, server, 2);
    await hide(true);

    const asked = server.state.asked;

    await page.clock.runFor(60000);
    is(server.state.asked, asked, 'nothing is asked while hidden');

    await hide(false);
    ok(await until(() => server.state.asked === asked + 1),
       'one question at once when it is seen again');

    await page.click('#pause');
    await page.clock.runFor(60000);
    is(server.state.asked, asked + 1, 'nor while paused');
    is(await words(page, '#state'), ['Paused'], 'it says so');

    await hide(true);
    await hide(false);
    await page.clock.runFor(10000);
    is(server.state.asked, asked + 1, 'a pause lasts');

    await page.click('#pause');
    ok(await until(() => server.state.asked === asked + 2), 'until it ends');
  }));


await run('little is known', async () => {
  for (const thin of [{ time: 1, start_time: 0 },
                      { time: 1, locations: [], zones: [] },
                      { time: 1, locations: [{ location: 'a' }],
                        zones: [{ zone: 'z' }] },
                      { time: 1, locations: [{ location: 'a', limits: [{}],
                        histograms: { records: {} } }],
                        zones: [{ zone: 'z', levels: [{ unit: 'memory' }],
                                  tenants: [{ tenant: 't' }] }] }])
  {
    await before({ edit: () => thin }, async (page) => {
      await page.waitForSelector('#app', { state: 'visible' });
      await page.click('#pause');
      is(await words(page, '#state'), ['Paused'],
         `shows ${JSON.stringify(thin).slice(0, 60)}`);
      is(await nonsense(page), [], 'nothing that is no number');
      is(page.said, [], 'no complaints');
    });
  }
});


await run('without JavaScript', () => before(
  { javaScriptEnabled: false }, async (page, server) => {
    ok(await page.locator('#tables table').isVisible(), 'tables');
    ok(!await page.locator('#app').isVisible(), 'and they alone');
    like((await words(page, 'noscript'))[0], /With JavaScript/, 'it says so');
    is(server.state.requests, ['/status'], 'one request');
  }));


/* every text that can be seen, against what is behind it (WCAG 2, 1.4.3) */

function contrasts() {
  const canvas = document.createElement('canvas').getContext('2d',
    { willReadFrequently: true });

  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);

    return [...canvas.getImageData(0, 0, 1, 1).data];
  };

  const over = (top, under) => {
    const part = top[3] / 255;

    return [0, 1, 2].map((i) => top[i] * part + under[i] * (1 - part))
                    .concat(255);
  };

  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => {
      const s = v / 255;

      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });

    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };

  const ground = (element) => {
    const layers = [];

    for (let e = element; e; e = e.parentElement) {
      layers.unshift(rgba(getComputedStyle(e).backgroundColor));
    }

    return layers.reduce((under, top) => over(top, under),
                         [255, 255, 255, 255]);
  };

  const found = [];
  const walker = document.createTreeWalker(document.body,
                                           NodeFilter.SHOW_TEXT);

  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const box = e.getBoundingClientRect();

    if (!walker.currentNode.textContent.trim() || box.width < 2
        || !e.checkVisibility())
    {
      continue;
    }

    const behind = ground(e);
    const front = over(rgba(getComputedStyle(e).color), behind);
    const [high, low] = [light(front), light(behind)].sort((a, b) => b - a);

    found.push([(high + 0.05) / (low + 0.05), e.className, e.tagName,
                walker.currentNode.textContent.trim().slice(0, 30)]);
  }

  return found;
}


/* what a page must have for those who do not see it */

function gaps() {
  const bad = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (e) => e.checkVisibility();

  for (const table of all('table').filter(seen)) {
    if (!table.caption?.textContent.trim()) {
      bad.push('a table without caption');
    }

    if ([...table.querySelectorAll('th')].some((th) => !th.scope)) {
      bad.push('a th without scope');
    }

    if (table.querySelector('tbody tr:not(:has(th[scope=row]))')) {
      bad.push('a row without head');
    }
  }

  for (const e of all('[role=img], [role=meter], [role=region]').filter(seen)) {
    const by = e.getAttribute('aria-labelledby');

    if (!e.getAttribute('aria-label') && !document.getElementById(by)) {
      bad.push(`${e.outerHTML.slice(0, 60)} has no name`);
    }
  }

  for (const e of all('svg').filter((s) => !s.closest('[role=img]'))) {
    if (e.getAttribute('aria-hidden') !== 'true') {
      bad.push('a drawing without a word');
    }
  }

  for (const e of all('input, select')) {
    if (!e.labels.length) {
      bad.push(`${e.id} has no label`);
    }
  }

  for (const e of all('button').filter(seen)) {
    if (!e.textContent.trim()) {
      bad.push('an empty button');
    }

    const { width, height } = e.getBoundingClientRect();

    if (width < 24 || height < 24) {
      bad.push(`a button of ${width}x${height}: ${e.textContent}`);
    }
  }

  const levels = all('h1, h2, h3, h4').filter(seen).map(
    (h) => Number(h.tagName[1]));

  levels.forEach((level, i) => {
    if (level > (levels[i - 1] ?? 0) + 1) {
      bad.push(`h${level} after h${levels[i - 1]}`);
    }
  });

  const ids = all('[id]').map((e) => e.id);

  if (new Set(ids).size !== ids.length) {
    bad.push('an id twice');
  }

  return [...new Set(bad)];
}


for (const [colorScheme, width] of [['light', 1280], ['dark', 1280],
                                    ['light', 360], ['dark', 360],
                                    ['light', 320]])
{
  const name = `${colorScheme}, ${width} wide`;

  await run(name, () => before(
    { colorScheme, viewport: { width, height: 800 } },
    async (page, server) => {
      await answers(page, server, 5);
      await choose(page, 'ingest');
      await page.locator('summary').first().click();
      await page.waitForTimeout(200);

      is(await page.evaluate(() => document.documentElement.scrollWidth),
         width, `${name}: nothing hangs over`);

      const all = await page.evaluate(contrasts);
      const poor = all.filter(([ratio]) => ratio < 4.5);

      ok(all.length > 150 && poor.length === 0,
         `${name}: contrast of ${all.length} texts, the least `
         + Math.min(...all.map(([r]) => r)).toFixed(1),
         JSON.stringify(poor.slice(0, 5)));

      is(await page.evaluate(gaps), [], `${name}: names, heads, labels`);
      is(page.said, [], `${name}: no complaints`);

        await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: `${shots}${colorScheme}-${width}.png`,
                              fullPage: true });

      server.state.mode = 'error';
      await page.clock.runFor(2100);
      await until(async () => (await words(page, '#state'))[0] !== 'Live');
      is((await page.evaluate(contrasts)).filter(([r]) => r < 4.5), [],
         `${name}: contrast when nginx does not answer`);
    }));
}


await run('the keyboard', () => before({}, async (page, server) => {
  await answers(page, server, 2);
  await page.keyboard.press('Tab');
  is(await page.evaluate(() => document.activeElement.className), 'skip',
     'a way past the bar');

  const seen = new Set();

  for (let i = 0; i < 60; i++) {
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);

      return { id: e.id || e.textContent.trim() || e.className,
               drawn: outlineStyle !== 'none' && outlineWidth !== '0px',
               top: e === document.body };
    });

    if (!at.top) {
      seen.add(at.id);

      if (!at.drawn) {
        ok(false, `focus is drawn on ${at.id}`);
      }
    }

    await page.keyboard.press('Tab');
  }

  for (const id of ['pause', 'refused', 'refused-more', 'filter', 'order',
                    'upload', 'The 8 heaviest tenants'])
  {
    ok(seen.has(id), `the keyboard gets to ${id}`);
  }

  const focus = async () => page.evaluate(
    () => document.activeElement.textContent.trim());

  await page.locator('#locations-rows button', { hasText: 'beta' }).focus();
  await answers(page, server, 3);
  is(await focus(), 'beta.example.org /', 'focus stays while numbers move');

  await page.keyboard.press('Enter');
  is(await words(page, '#detail-title'), ['beta.example.org /'], 'Enter shows');
  is(await focus(), 'beta.example.org /', 'and leads there');

  await page.locator('summary').first().focus();
  await page.keyboard.press('Enter');
  ok(await until(async () => await page.locator('#zones tbody tr').count() > 5),
     'a list opens');
}));


await run('less motion', () => before(
  { reducedMotion: 'reduce' }, async (page, server) => {
    await answers(page, server, 1);

    const moving = await page.evaluate(() => [...document.querySelectorAll('*')]
      .map((e) => getComputedStyle(e))
      .filter((s) => s.animationName !== 'none'
              || (s.transitionProperty !== 'none'
                  && /[1-9]/.test(s.transitionDuration)))
      .length);

    is(moving, 0, 'nothing moves by itself');
  }));


await browser.close();
done();

// What a browser must see of a running demo: node smoke.mjs ADDRESS CHROMIUM
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { close, launch, open, schemes, sizes, streamIsLive } from './browser.mjs';

const [address, executablePath] = process.argv.slice(2);
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOADS = 20;

let browser;
before(async () => { browser = await launch(executablePath); });
after(() => browser?.close());

async function withPage(options, look) {
  const page = await open(browser, options);
  try {
    await look(page);
    assert.deepEqual(page.errors, [], 'errors in the console');
  } finally {
    await close(page);
  }
}

// First, while the demo certainly still works.
test('the numbers of the queue move while the demo works', () => withPage({}, async (page) => {
  await page.goto(`${address}/`);
  await streamIsLive(page);
  const numbers = () => page.$$eval('#queue dd', (all) => all.map((one) => one.textContent.trim()).join(' '));
  const first = await numbers();
  assert.match(first, /^\d+( \d+)+$/, 'the queue shows numbers');
  await page.waitForFunction(
    (before) => [...document.querySelectorAll('#queue dd')].map((one) => one.textContent.trim()).join(' ') !== before,
    first,
    { timeout: 60_000 },
  );
}));

test('the live page says in one sentence what goes on, and lists events', () => withPage({}, async (page) => {
  await page.goto(`${address}/`);
  await streamIsLive(page);
  assert.match(await page.textContent('#lead h1'), /\S+ \S+|\S{4,}/);
  await page.waitForSelector('#feed > li', { state: 'attached', timeout: 30_000 });
  const rows = await page.$$eval('#feed > li', (all) => all.length);
  assert.ok(rows <= 20, `the feed has ${rows} rows, not at most 20`);
  assert.match(await page.textContent('body'), /SIMULATED/);
}));

test(`the event stream connects on ${LOADS} of ${LOADS} loads`, () => withPage({}, async (page) => {
  for (let load = 1; load <= LOADS; load += 1) {
    await page.goto(`${address}/`);
    await streamIsLive(page).catch((error) => assert.fail(`load ${load} of ${LOADS}: ${error.message}`));
  }
}));

// A task of the demo that fails once and is then mended; its page is looked at after the list shows it.
const TASK = 'al-5';

async function openTasks(page, query = '') {
  await page.goto(`${address}/tasks${query}`);
  await page.waitForSelector('#rows');
}

async function taskIsListed(page) {
  for (let look = 1; look <= 90; look += 1) {
    await openTasks(page, `?q=${TASK}`);
    if (await page.$(`#rows a.id[href="/tasks/${TASK}"]`)) return;
    await page.waitForTimeout(1_000);
  }
  assert.fail(`${TASK} was never listed`);
}

test('a task of the list has a page that tells its story', () => withPage({}, async (page) => {
  await taskIsListed(page);
  await page.click(`#rows a.id[href="/tasks/${TASK}"]`);
  await page.waitForSelector('#stages tbody tr');
  assert.match(await page.textContent('#lead'), new RegExp(TASK));
  for (const id of ['plan', 'tests', 'diff', 'cost', 'attempts', 'transcript']) {
    assert.ok(await page.$(`#${id}`), `there is no #${id}`);
  }
  await page.click('#transcript summary');
  assert.notEqual(await page.textContent('#transcript details[open] pre'), '');
}));

test('a poll renews the numbers, and keeps what is open and where the focus is', () => withPage({}, async (page) => {
  await taskIsListed(page);
  await page.goto(`${address}/tasks/${TASK}`);
  await page.click('#transcript summary');
  await page.evaluate(() => document.activeElement.blur());
  const polled = page.waitForResponse((response) => response.request().headers()['hx-request'] === 'true');
  await page.evaluate(() => document.querySelector('[data-every]').setAttribute('data-every', '1'));
  assert.equal((await polled).status(), 200);
  await page.waitForFunction(() => document.querySelector('[data-every]').dataset.every !== '1');
  assert.ok(await page.$('#transcript details[open]'), 'the poll closed what was open');
  assert.equal(await page.getAttribute('body', 'data-stream'), 'poll');
  // While a field is being filled in, nothing moves.
  await openTasks(page);
  await page.focus('#q');
  let polls = 0;
  page.on('request', (request) => { if (request.headers()['hx-request']) polls += 1; });
  await page.evaluate(() => document.querySelector('[data-every]').setAttribute('data-every', '1'));
  await page.waitForTimeout(2_500);
  assert.equal(polls, 0, 'it polled under the hands of a person');
}));

test('the list is filtered with the keyboard alone', () => withPage({}, async (page) => {
  await taskIsListed(page);
  await openTasks(page);
  await page.focus('#q');
  await page.keyboard.type(TASK);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.get('q') === TASK);
  assert.deepEqual(await page.$$eval('#rows tbody a.id', (all) => all.map((one) => one.textContent)), [TASK]);
  await page.focus('#q');
  const reached = [];
  for (let step = 0; step < 30; step += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => document.activeElement.textContent.trim()));
  }
  for (const words of ['Filter', '30 d', 'CSV', 'Cost', TASK]) {
    assert.ok(reached.includes(words), `Tab does not reach ${words}: ${reached.join(' | ')}`);
  }
}));

test('why nothing starts is one sentence, the gates, and a link to what waits for a person', () => withPage({}, async (page) => {
  await page.goto(`${address}/why`);
  await streamIsLive(page);
  assert.ok((await page.textContent('#lead h1')).trim().length > 0);
  assert.ok((await page.$$('#gates li')).length >= 11);
  await page.click('#waits .hd a[href="/why?group=you"]');
  await streamIsLive(page);
  assert.match(await page.textContent('#lead h1'), /wait/);
  assert.equal(await page.$('#gates'), null);
  assert.equal(await page.getAttribute('nav [aria-current="page"]', 'href'), '/why');
}));

test('the list works without a script', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${address}/tasks`);
  await page.fill('#q', 'no such task');
  await page.selectOption('#s', 'failed');
  await page.click('#rows button');
  assert.match(page.url(), /q=no\+such\+task/);
  assert.match(await page.textContent('#lead'), /No task matches/);
  await page.click('text=Clear the filter');
  assert.ok(await page.$('#rows form'));
  await context.close();
});

for (const path of ['/', '/why', '/why?group=you', '/actors', '/alerts', '/tasks', `/tasks/${TASK}`, '/tasks?q=nothing', '/tasks/no-such-task']) {
  for (const scheme of schemes) {
    for (const size of Object.keys(sizes)) {
      test(`${path} is accessible and fits, ${scheme} and ${size}`, () => withPage({ scheme, size }, async (page) => {
        await page.goto(address + path);
        if (path === '/' || path.startsWith('/why')) await streamIsLive(page);
        // A page that is missing is an error to the console as well, and rightly so.
        if (path.endsWith('no-such-task')) page.errors.length = 0;
        await page.evaluate(axeSource);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(asText), [], 'violations');
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
      }));
    }
  }
}

function asText({ id, help, nodes }) {
  return `${id}: ${help}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`;
}

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

for (const path of ['/', '/actors']) {
  for (const scheme of schemes) {
    for (const size of Object.keys(sizes)) {
      test(`${path} is accessible and fits, ${scheme} and ${size}`, () => withPage({ scheme, size }, async (page) => {
        await page.goto(address + path);
        if (path === '/') await streamIsLive(page);
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

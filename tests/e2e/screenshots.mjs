// Takes the pictures of the documentation from a running engine: node screenshots.mjs ADDRESS CHROMIUM FOLDER OF
// OF is `demo`, `alerts`, or `fires`, which takes none and waits until the engine is in trouble.
import { join } from 'node:path';
import { close, launch, open, schemes, sizes, streamIsLive } from './browser.mjs';

const [address, executablePath, folder, of] = process.argv.slice(2);

// Something is being worked on, something is done, and the feed has begun to fill.
function showsWork() {
  const isDone = (term) => /Completed/.test(term.textContent) && Number(term.nextElementSibling?.textContent) > 0;
  return document.querySelector('#now .lane .stages')
    && [...document.querySelectorAll('#queue dt')].some(isDone)
    && document.querySelectorAll('#feed > li').length >= 8;
}

// The breaker is open, some tasks wait for a person, and receivers were told.
function fires() {
  const firing = document.querySelector('#firing')?.textContent ?? '';
  return /SystemicFailure/.test(firing) && (firing.match(/HumanNeeded/g) ?? []).length >= 4
    && document.querySelectorAll('#deliveries tbody tr').length >= 6;
}

const ended = () => document.querySelectorAll('#resolved tbody tr').length >= 2;

const demo = [
  { name: 'live', path: '/', ready: (page) => page.waitForFunction(showsWork, null, { timeout: 90_000 }) },
  { name: 'why', path: '/why', ready: (page) => page.waitForSelector('#gates li', { timeout: 10_000 }) },
  { name: 'tasks', path: '/tasks', ready: (page) => page.waitForSelector('#rows tbody tr', { timeout: 90_000 }) },
  { name: 'task', path: '/tasks/al-5', whole: true, ready: (page) => page.waitForSelector('#diff tbody tr', { timeout: 90_000 }) },
  { name: 'actors', path: '/actors', ready: (page) => page.waitForSelector('main table', { timeout: 10_000 }) },
];

const alerts = { name: 'alerts', path: '/alerts', whole: true, ready: (page) => page.waitForFunction(ended, null, { timeout: 30_000 }) };

const browser = await launch(executablePath);
if (of === 'fires') {
  const page = await open(browser);
  await page.goto(`${address}/alerts`);
  await page.waitForFunction(fires, null, { timeout: 90_000 });
  await browser.close();
  process.exit();
}
const pages = of === 'alerts' ? [alerts] : demo;
const errors = [];
// One page for each size, for all its pictures: the demo is short, and a new scheme needs no new connection.
for (const size of Object.keys(sizes)) {
  const page = await open(browser, { size });
  for (const { name, path, ready, whole = false } of pages) {
    await page.goto(address + path);
    if (name === 'live') await streamIsLive(page);
    for (const scheme of schemes) {
      await page.emulateMedia({ colorScheme: scheme });
      await ready(page);
      const file = join(folder, `${name}-${scheme}-${size}.png`);
      await page.screenshot({ path: file, animations: 'disabled', fullPage: whole });
      console.log(file);
    }
  }
  errors.push(...page.errors);
  await close(page);
}
await browser.close();
if (errors.length > 0) {
  console.error(errors.join('\n'));
  process.exitCode = 1;
}

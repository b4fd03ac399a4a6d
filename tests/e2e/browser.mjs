// The browser of the system, and a page in it that remembers every error.
import { chromium } from 'playwright-core';

export const schemes = ['light', 'dark'];
export const sizes = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

// Without these the browser looks up hosts of its maker at every start.
const quiet = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
];

export function launch(executablePath) {
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...quiet, ...asRoot] });
}

// Opens a page; `page.errors` collects what the console and the scripts complain about.
export async function open(browser, { scheme = 'light', size = 'wide' } = {}) {
  const context = await browser.newContext({
    colorScheme: scheme,
    viewport: sizes[size],
    // Scrollbars of a phone lie over the page and take no room.
    isMobile: size === 'phone',
    reducedMotion: 'reduce',
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  page.errors = [];
  page.on('console', (message) => {
    if (message.type() === 'error') page.errors.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => page.errors.push(String(error)));
  return page;
}

export async function close(page) {
  await page.context().close();
}

// Resolves when the event stream of the page is connected.
export function streamIsLive(page, timeout = 10_000) {
  return page.waitForSelector('body[data-stream=live]', { timeout });
}

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { bindingFlags, launchChromium } from './chromium.js';
import { LOCALHOST_SPKI_HASH, LOCALHOST_TLS } from './localhost-tls.js';
import { RunningSample } from './running-sample.js';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots', import.meta.url));
/** Life of the bound cookie: short enough to wait for its end. */
const BOUND_COOKIE_SECONDS = 4;

let folder: string;
/** Without the flags Chromium on Linux binds no sessions, like Firefox and Safari. */
let plain: Browser;
let binding: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nest-sessions-tls-'));
  await writeFile(join(folder, 'cert.pem'), LOCALHOST_TLS.cert);
  await writeFile(join(folder, 'key.pem'), LOCALHOST_TLS.key);
  const flags = bindingFlags(LOCALHOST_SPKI_HASH, { hasQuota: false });
  [plain, binding] = await Promise.all([launchChromium(flags.slice(0, 1)), launchChromium(flags)]);
});

afterAll(async () => {
  await Promise.all([plain.close(), binding.close()]);
  await rm(folder, { recursive: true });
});

describe.each(['express', 'fastify'])('the quickstart page with https, served by %s', (adapter) => {
  let sample: RunningSample;
  let contexts: BrowserContext[];
  let errors: string[];

  beforeAll(async () => {
    sample = await RunningSample.start('01-quickstart', {
      ADAPTER: adapter,
      BOUND_COOKIE_SECONDS: String(BOUND_COOKIE_SECONDS),
      TLS_CERT: join(folder, 'cert.pem'),
      TLS_KEY: join(folder, 'key.pem'),
    });
  });

  afterAll(async () => {
    await sample.stop();
  });

  beforeEach(() => {
    contexts = [];
    errors = [];
  });

  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
  });

  async function signIn(chrome: Browser, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await chrome.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    contexts.push(context);
    const page = await context.newPage();
    // Calls that are refused are errors of the console, too: those are shown by the page.
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('the server responded with a status of'))
        errors.push(message.text());
    });
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(sample.origin);
    await page.getByRole('button', { name: 'Ada Lovelace' }).click();
    await page.locator('#name', { hasText: 'Ada Lovelace' }).waitFor();
    return page;
  }

  async function screenshot(page: Page, step: string, fullPage = false): Promise<void> {
    await page.screenshot({ path: `${SCREENSHOTS}/${adapter}-bound-${step}.png`, fullPage });
  }

  /** How far the card's content is longer than the card. */
  async function hiddenInCard(page: Page): Promise<number> {
    return page.locator('.theft').evaluate((card) => card.scrollHeight - card.clientHeight);
  }

  const thief = (page: Page, text: string) => page.locator('#copy-thief', { hasText: text }).waitFor();
  const owner = (page: Page, text: RegExp) => page.locator('#copy-owner', { hasText: text }).waitFor();

  it.each(['light', 'dark'] as const)(
    'shows that a copy of all cookies is refused once the bound cookie is over, while the browser goes on: %s (S112)',
    async (colorScheme) => {
      const page = await signIn(binding, { colorScheme });
      await page.locator('#payload', { hasText: '"cnf"' }).waitFor();
      await page.locator('#binding', { hasText: 'Bound to a key' }).waitFor();
      const handle = await page.locator('#handle').innerText();
      await screenshot(page, `1-before-${colorScheme}`);
      expect(await hiddenInCard(page)).toBe(0);

      await page.getByRole('button', { name: 'Copy all my cookies' }).press('Enter');

      await thief(page, 'reads your data: 200');
      await owner(page, /its call: 200/);
      await screenshot(page, `2-copied-${colorScheme}`);
      await thief(page, 'is refused: 401');
      await owner(page, /its call: 200, cookie renewed/);
      await screenshot(page, `3-refused-${colorScheme}`);
      expect(await hiddenInCard(page)).toBe(0);
      // Newest first.
      expect(await page.locator('#log').innerText()).toMatch(
        /the thief: GET \/demo\/guarded\s+401[^]*BOUND_COOKIE_RENEWED[^]*the thief: GET \/demo\/guarded\s+200/,
      );
      await page.getByRole('button', { name: 'Guarded call' }).click();
      await page.locator('#response', { hasText: '200 /demo/guarded' }).waitFor();
      const own = page.locator('#sessions li', { hasText: handle });
      await own.getByText('this one').waitFor();
      await own.getByText('bound to its browser').waitFor();
      expect(errors).toEqual([]);
    },
  );

  it('says that this browser binds no sessions, and the copy goes on working', async () => {
    const page = await signIn(plain);
    await page.locator('#binding', { hasText: 'The browser has not bound this session yet.' }).waitFor();
    await page
      .locator('#binding', {
        hasText: 'This browser does not bind sessions; the copy works as long as the session.',
      })
      .waitFor();

    await page.getByRole('button', { name: 'Copy all my cookies' }).click();

    await thief(page, 'reads your data: 200');
    for (let use = 0; use < 3; use++) {
      const used = await page.waitForResponse((response) => response.url().endsWith('/demo/copied-cookies'));
      expect(await used.json()).toEqual({ thief: 200, renewals: 0 });
    }
    await screenshot(page, '4-not-bound');
    expect(errors).toEqual([]);
  });

  it('ends the copy with the session: steal, and both sides are out', async () => {
    const page = await signIn(binding);
    await page.locator('#binding', { hasText: 'Bound to a key' }).waitFor();
    await page.getByRole('button', { name: 'Copy all my cookies' }).click();
    await thief(page, 'reads your data: 200');

    await page.getByRole('button', { name: 'Steal my session' }).click();

    await page.getByText('Theft detected: both sides are out').waitFor();
    await page.getByRole('button', { name: 'Grace Hopper' }).click();
    await page.locator('#name', { hasText: 'Grace Hopper' }).waitFor();
    await page.locator('#binding', { hasText: 'Bound to a key' }).waitFor();
    expect(await page.locator('#copy-sides').isHidden()).toBe(true);
    expect(errors).toEqual([]);
  });

  it.each(['light', 'dark'] as const)('needs no sideways scrolling on a phone: %s', async (colorScheme) => {
    const page = await signIn(binding, { viewport: { width: 390, height: 844 }, colorScheme });
    await page.locator('#binding', { hasText: 'Bound to a key' }).waitFor();
    await page.getByRole('button', { name: 'Copy all my cookies' }).click();
    await thief(page, 'reads your data: 200');

    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    await screenshot(page, `5-phone-${colorScheme}`, true);
  });
});

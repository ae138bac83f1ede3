import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchChromium } from './chromium.js';

const SITE = 'build/site';
const SCREENSHOTS = fileURLToPath(new URL('./screenshots', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};
/** A page of each kind: home, start, guide with pictures, reference, API, the longest table. */
const PAGES = [
  '/',
  '/start',
  '/guides/in-pictures',
  '/guides/scaling',
  '/reference/options',
  '/reference/api/nest-sessions/',
];

let chrome: Browser;
let server: Server;
let origin: string;

beforeAll(async () => {
  // `.ci/run` has built it. A developer who changed the documents builds it anew with `npm run docs`.
  if (!existsSync(`${SITE}/index.html`)) {
    const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'docs'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`npm run docs failed:\n${stdout}${stderr}`);
  }
  chrome = await launchChromium();
  server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const file = [pathname, `${pathname}.html`, `${pathname}index.html`]
      .map((path) => join(SITE, path))
      .find((path) => existsSync(path) && statSync(path).isFile());
    if (file === undefined) return response.writeHead(404).end();
    return response.setHeader('content-type', TYPES[extname(file)] ?? 'text/plain').end(readFileSync(file));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}, 600_000);

afterAll(async () => {
  await chrome.close();
  server.closeAllConnections();
  await once(server.close(), 'close');
});

/** A page, and what it should not do: errors in the console, and requests to other hosts. */
async function openPage(path: string, options: BrowserContextOptions = {}) {
  const context = await chrome.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      complaints.push(request.url());
  });
  await page.goto(origin + path, { waitUntil: 'load' });
  await page.locator('#app .VPNav').waitFor();
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

async function luminanceOf(page: Page, selector: string, property: string): Promise<number> {
  const read = `getComputedStyle(document.querySelector('${selector}')).${property}`;
  const [r = 0, g = 0, b = 0] = (await page.evaluate<string>(read)).match(/[\d.]+/g)?.map(Number) ?? [];
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

describe('the documentation site', () => {
  it.each(
    PAGES.flatMap(
      (path) =>
        [
          [path, 'light', 1440],
          [path, 'dark', 390],
        ] as const,
    ),
  )(
    'shows %s, %s, at a width of %d, by itself and without sideways scrolling',
    async (path, colorScheme, width) => {
      await using opened = await openPage(path, { colorScheme, viewport: { width, height: 844 } });
      const { page, complaints } = opened;
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      const ground = await luminanceOf(page, 'body', 'backgroundColor');
      expect(ground > 0.5).toBe(colorScheme === 'light');
      await page.screenshot({ path: `${SCREENSHOTS}/site-${path.replaceAll('/', '-')}-${colorScheme}.png` });
      expect(complaints).toEqual([]);
    },
  );

  it.each(['light', 'dark'] as const)('has diagrams whose text stands out: %s', async (colorScheme) => {
    await using opened = await openPage('/guides/in-pictures', { colorScheme });
    const { page } = opened;
    expect(await page.locator('.diagram svg').count()).toBeGreaterThan(6);
    const ground = await luminanceOf(page, 'body', 'backgroundColor');
    const text = await luminanceOf(page, '.diagram svg tspan', 'fill');
    expect(Math.abs(ground - text)).toBeGreaterThan(0.5);
  });

  it('finds a word of a guide without asking another host', async () => {
    await using opened = await openPage('/');
    const { page, complaints } = opened;
    await page.locator('.VPNavBarSearch button').click();
    await page.locator('input#localsearch-input').fill('checkDatabase');
    const first = page.locator('.VPLocalSearchBox .result').first();
    await first.waitFor();
    expect(await first.getAttribute('href')).toMatch(/^\/guides\//);
    await first.click();
    await page.locator('.vp-doc', { hasText: 'checkDatabase' }).waitFor();
    expect(complaints).toEqual([]);
  });
});

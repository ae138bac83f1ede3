import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { startPostgres } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';
import { launchChromium } from './chromium.js';
import { RunningSample } from './running-sample.js';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots', import.meta.url));
const INSTANCES = ['A', 'B', 'C'];

const postgres = await startPostgres();
const redis = await startRedis();
let chrome: Browser;

beforeAll(async () => {
  chrome = await launchChromium();
});

afterAll(async () => {
  await chrome.close();
  await Promise.all([postgres.stop(), redis.stop()]);
});

interface StoreOfFleet {
  readonly store: string;
  readonly settings: Readonly<Record<string, string>>;
  /** How its instances learn of ended sessions. */
  readonly state: string;
}

function describeFleet({ store, settings, state }: StoreOfFleet): void {
  let sample: RunningSample;
  let page: Page;

  beforeAll(async () => {
    sample = await RunningSample.start('07-fleet', settings);
  });

  afterAll(async () => {
    await sample.stop();
  });

  beforeEach(async () => {
    page = await openPage();
  });

  afterEach(async () => {
    await page.context().close();
  });

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await chrome.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const opened = await context.newPage();
    await opened.goto(sample.origin);
    return opened;
  }

  const column = (name: string) => page.locator(`#${name}`);

  async function signIn(): Promise<void> {
    await page.getByRole('button', { name: 'Sign in' }).click();
    for (const name of INSTANCES) await column(name).getByText('accepts').waitFor();
  }

  async function endEverywhere(): Promise<void> {
    await page.getByRole('button', { name: 'End everywhere' }).click();
    await page.getByText('Refused everywhere after').waitFor();
  }

  /** The status of each instance for a token. The page asks the balancer, too, so it takes as many requests as it takes. */
  async function statusesOf(accessToken: string): Promise<Record<string, number>> {
    const statuses: Record<string, number> = {};
    while (Object.keys(statuses).length < INSTANCES.length) {
      const response = await fetch(`${sample.origin}/me`, {
        headers: { authorization: `Bearer ${accessToken}`, 'st-auth-mode': 'header' },
      });
      statuses[response.headers.get('x-instance') ?? ''] = response.status;
    }
    return statuses;
  }

  it('shows how each instance learns of ended sessions', async () => {
    for (const name of INSTANCES) await column(name).getByText(state, { exact: true }).waitFor();
    expect(await page.locator('.feed').allInnerTexts()).toEqual([state, state, state]);
    await page.screenshot({ path: `${SCREENSHOTS}/fleet-${store}-01-signed-out.png` });
  });

  it('shows when each instance refuses the session that was ended on one of them (S047)', async () => {
    await signIn();
    await page.screenshot({ path: `${SCREENSHOTS}/fleet-${store}-02-accepted.png` });
    await endEverywhere();

    const row = await page.locator('#rounds tbody tr').allInnerTexts();
    expect(row).toHaveLength(1);
    expect(row[0]).toMatch(/^[ABC]\t\d+ ms\t\d+ ms\t\d+ ms$/);
    for (const name of INSTANCES)
      expect(await column(name).innerText()).toMatch(
        new RegExp(`${name}\\s+${state}\\s+refuses\\s+after \\d+ ms`),
      );
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}/fleet-${store}-03-refused.png` });
  });

  it('refuses all sessions of the user, and not those that begin afterwards', async () => {
    const signInOutside = async (): Promise<string> => {
      const response = await fetch(`${sample.origin}/sign-in`, {
        method: 'POST',
        headers: { 'st-auth-mode': 'header' },
      });
      return response.headers.get('st-access-token') ?? '';
    };
    const other = await signInOutside();
    expect(await statusesOf(other)).toEqual({ A: 200, B: 200, C: 200 });
    await signIn();
    await endEverywhere();
    expect(await statusesOf(other)).toEqual({ A: 401, B: 401, C: 401 });
    expect(await statusesOf(await signInOutside())).toEqual({ A: 200, B: 200, C: 200 });
  });

  it.each(['light', 'dark'] as const)(
    'needs no sideways scrolling, also on a phone: %s',
    async (colorScheme) => {
      for (const [name, viewport] of [
        ['wide', { width: 1280, height: 800 }],
        ['phone', { width: 390, height: 844 }],
      ] as const) {
        await page.context().close();
        page = await openPage({ viewport, colorScheme });
        await signIn();
        await endEverywhere();
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
        await page.screenshot({
          path: `${SCREENSHOTS}/fleet-${store}-04-${name}-${colorScheme}.png`,
          fullPage: true,
        });
      }
    },
  );
}

describe('the fleet on one SQLite file', () => {
  describeFleet({ store: 'sqlite', settings: {}, state: 'polling' });
});

postgres.describe('the fleet on PostgreSQL', () => {
  describeFleet({
    store: 'postgres',
    settings: { STORE: 'postgres', PG_URL: postgres.url },
    state: 'live',
  });
});

redis.describe('the fleet on Redis', () => {
  describeFleet({
    store: 'redis',
    settings: { STORE: 'redis', REDIS_URL: redis.url },
    state: 'live',
  });
});

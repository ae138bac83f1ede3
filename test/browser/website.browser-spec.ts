import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from './chromium.js';
import { RunningSample } from './running-sample.js';

/** The line that Chromium itself writes for a response that is not 200. */
const STATUS_LINE = /^Failed to load resource: the server responded with a status of (401|403) /;

let chrome: Browser;
let sample: RunningSample;

beforeAll(async () => {
  chrome = await launchChromium();
  sample = await RunningSample.start('09-website', { WEBSITE_PORT: '0', ACCESS_TOKEN_SECONDS: '2' });
});

afterAll(async () => {
  await sample.stop();
  await chrome.close();
});

/** Opens the page, and collects what goes wrong in it. */
async function openPage(): Promise<{ page: Page; faults: string[] }> {
  const page = await (await chrome.newContext()).newPage();
  const faults: string[] = [];
  page.on('pageerror', ({ message }) => faults.push(message));
  page.on('console', (line) => {
    if (line.type() === 'error' && !STATUS_LINE.test(line.text())) faults.push(line.text());
  });
  await page.goto(sample.origin);
  return { page, faults };
}

const click = async (page: Page, name: string): Promise<void> => page.getByRole('button', { name }).click();

/** Calls the guarded route until the access token has expired and the client has refreshed, and until that call has its response, too. */
async function callUntilRefreshed(page: Page): Promise<void> {
  const refreshes = page.getByText('Refreshes since');
  const before = await refreshes.textContent();
  while ((await refreshes.textContent()) === before) {
    const refreshed = page.waitForResponse(
      (response) =>
        new URL(response.url()).pathname === '/me' && response.request().method() === 'GET' && response.ok(),
    );
    await click(page, 'Who am I?');
    await refreshed;
  }
}

describe('a React page on another origin than its API', () => {
  it('signs in, calls, refreshes by itself, shows a failed claim, and signs out (S118)', async () => {
    const { page, faults } = await openPage();
    await click(page, 'Sign in as Ada');
    await page.getByRole('heading', { name: 'Signed in as ada' }).waitFor();

    await click(page, 'Who am I?');
    await page.getByText('hello ada').waitFor();
    await callUntilRefreshed(page);

    await click(page, 'Reports');
    await page.getByText('Refused, because of the claim “paid”').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Signed in as ada' }).waitFor();

    await click(page, 'Sign out');
    await page.getByRole('heading', { name: 'Not signed in' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    const tokens = (await page.context().cookies()).filter(({ name }) =>
      /^s(Access|Refresh)Token$/.test(name),
    );
    expect(tokens).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('says so when the session has ended elsewhere (S118)', async () => {
    const { page, faults } = await openPage();
    await click(page, 'Sign in as Ada');
    await page.getByRole('heading', { name: 'Signed in as ada' }).waitFor();

    const cookies = await page.context().cookies();
    await page.context().clearCookies({ name: /^s(Access|Refresh)Token$/ });
    expect(cookies.map(({ name }) => name)).toContain('sRefreshToken');
    await click(page, 'Who am I?');

    await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor();
    expect(faults).toEqual([]);
  });
});

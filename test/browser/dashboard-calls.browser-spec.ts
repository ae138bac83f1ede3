import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, Page, Route } from 'playwright-core';
import { launchChromium } from './chromium.js';
import { DashboardDesk } from './dashboard-desk.js';

const REFRESHES = '**/auth/session/refresh';

let chrome: Browser;
let desk: DashboardDesk;
let page: Page;

beforeAll(async () => {
  chrome = await launchChromium();
});

afterAll(async () => {
  await chrome.close();
});

beforeEach(async () => {
  desk = await DashboardDesk.open(chrome, 'express');
  ({ page } = desk);
});

const alertText = async (): Promise<string> => page.getByRole('alert').innerText();
const focused = async (): Promise<string> =>
  page.evaluate<string>('`${document.activeElement.localName}: ${document.activeElement.textContent}`');

const session = (userId: string) => ({
  sessionHandle: userId,
  userId,
  recipeUserId: userId,
  tenantId: 'public',
  createdMs: 1,
  expiresMs: 2,
});
const record = (userId: string) => ({ kind: 'session.created', timeMs: 1, sessionHandle: userId, userId });

describe('the dashboard whose session has to be refreshed', () => {
  it.each<[string, (route: Route) => Promise<void>, string]>([
    ['the core is away', async (route) => route.fulfill({ status: 503 }), 'its store does not respond'],
    ['calls are limited', async (route) => route.fulfill({ status: 429 }), 'asks you to wait'],
    ['the network is gone', async (route) => route.abort(), 'The application does not respond'],
  ])('tries again while %s, and does not say that the session is over', async (_, response, text) => {
    await desk.show('#sessions');
    await page.getByText('1 session', { exact: true }).waitFor();
    await page.route(REFRESHES, response);
    desk.application.clock.advanceSeconds(3700);
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText(text).waitFor();
    expect(await alertText()).toContain('The page tries again by itself.');
    expect(await alertText()).not.toContain('is over');
    await page.unroute(REFRESHES);
    await page.getByText('1 session', { exact: true }).waitFor();
    await page.getByText(text).waitFor({ state: 'detached' });
  });

  it('does not ask for a refresh before the time that the application names', async () => {
    let refreshes = 0;
    await page.route(REFRESHES, async (route) => {
      refreshes++;
      await route.fulfill({ status: 429, headers: { 'retry-after': '3600' } });
    });
    await desk.show('#sessions');
    await page.getByText('1 session', { exact: true }).waitFor();
    desk.application.clock.advanceSeconds(3700);
    for (let search = 0; search < 3; search++) {
      const response = page.waitForResponse('**/data/sessions*');
      await page.getByRole('button', { name: 'Find' }).click();
      await response;
      await page.getByText('No result.').waitFor();
    }
    expect(refreshes).toBe(1);
  });

  it('says that the session is over when the refresh is refused', async () => {
    await desk.show('#sessions');
    await page.getByText('1 session', { exact: true }).waitFor();
    await desk.application.sessions.revokeAllSessionsForUser({ userId: 'admin' });
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('Your session is over').waitFor();
    expect(await alertText()).not.toContain('tries again');
  });

  it('says on the page for visitors that the refresh has failed, not that they are not signed in', async () => {
    await page.route(REFRESHES, async (route) => route.fulfill({ status: 503 }));
    desk.application.clock.advanceSeconds(3700);
    await desk.show();
    await page.getByText('Your session cannot be refreshed now').waitFor();
    expect(await page.locator('main').innerText()).not.toContain('not signed in');
  });
});

describe('the lists of the dashboard', () => {
  it.each([
    [
      'sessions',
      { sessions: [session('ada')], nextCursor: 'c' },
      { sessions: [session('bob')] },
      '2 sessions',
    ],
    [
      'trail',
      { records: [record('ada')], mayHaveMore: true, next: 'c' },
      { records: [record('bob')], mayHaveMore: false },
      '2 records',
    ],
  ])('%s: ask for a page once, however often the button is clicked', async (view, first, second, status) => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let later = 0;
    await page.route(`**/data/${view}*`, async (route) => {
      if (!/[?&](cursor|after)=/.test(route.request().url())) return route.fulfill({ json: first });
      later++;
      await released;
      return route.fulfill({ json: second });
    });
    await desk.show(`#${view}`);
    const more = page.getByRole('button', { name: 'Show more' });
    await more.dblclick();
    release();
    await page.getByText(status).waitFor();
    expect(later).toBe(1);
  });

  it('say exactly which sessions end', async () => {
    await desk.user('ada', undefined, 'acme');
    for (const [query, button, sentence] of [
      ['userId=ada', 'End all of this user', 'All sessions of ada in every tenant.'],
      ['userId=ada&tenantId=acme', 'End all of this user', 'All sessions of ada in the tenant acme.'],
      [
        'tenantId=acme',
        'End all of this tenant',
        'All sessions of the tenant acme, yours too if it is one of',
      ],
      [
        'tenantId=acme',
        'End older ones…',
        'All sessions of the tenant acme that were created before the moment below',
      ],
      ['device=curl', 'End older ones…', 'everybody that were created before the moment below, yours too if'],
      ['userId=ada&device=curl', 'End all of this user', 'other conditions of the search do not narrow this'],
    ] as const) {
      await desk.show(`#sessions?${query}`);
      await page.getByRole('button', { name: button }).click();
      expect(await page.getByRole('dialog').innerText()).toContain(sentence);
    }
  });
});

describe('the overview of the dashboard', () => {
  it('changes the time span of open numbers, and leaves them open', async () => {
    await desk.busyDay();
    await desk.signIn('admin');
    await desk.show();
    await page.getByText('Numbers').first().click();
    const rows = page.locator('details tbody tr');
    await rows.nth(5).waitFor();
    await page.getByText('Last day', { exact: true }).click();
    await rows.nth(5).waitFor({ state: 'detached' });
    expect(await rows.count()).toBeGreaterThan(0);
  });

  it('leaves the keyboard focus where it is while events come', async () => {
    const { sessionHandle } = await desk.user('ada');
    await desk.show();
    const link = page.locator(
      `.events a[href="#session?sessionHandle=${encodeURIComponent(sessionHandle)}"]`,
    );
    await link.focus();
    await page.getByText('Live', { exact: true }).waitFor();
    await desk.user('bob');
    await page.locator('.events li', { hasText: 'bob' }).waitFor();
    expect(await focused()).toBe('a: Signed in');
    await page.locator('summary').first().focus();
    await desk.user('carla');
    await page.locator('.events li', { hasText: 'carla' }).waitFor();
    expect(await focused()).toBe('summary: Numbers');
  });

  it('shows an event that came between the read of the last ones and the opening of the stream', async () => {
    await page.route('**/admin/sessions/events', async (route) => {
      await desk.user('ada');
      await route.continue();
    });
    await desk.show();
    const event = page.locator('.events li', { hasText: 'ada' });
    await event.waitFor();
    expect(await event.innerText()).toContain('Signed in');
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import type { SessionModuleOptions } from 'nest-sessions';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { ADAPTERS, type Adapter } from '../support/adapters.js';
import { launchChromium } from './chromium.js';
import { DashboardDesk } from './dashboard-desk.js';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots', import.meta.url));
/** Markup, a terminal's escape, a right-to-left override, an invisible character. */
const HOSTILE = '<img src=x onerror="document.title=1">\u001b[31m\u202etxt.exe\u200b&amp;';

let chrome: Browser;
let desk: DashboardDesk;

beforeAll(async () => {
  chrome = await launchChromium();
});

afterAll(async () => {
  await chrome.close();
});

async function openDesk(
  adapter: Adapter,
  options?: BrowserContextOptions,
  isAudited = true,
  module?: Partial<SessionModuleOptions>,
): Promise<void> {
  desk = await DashboardDesk.open(chrome, adapter, options, { isAudited, ...(module && { module }) });
}

const shot = async (name: string): Promise<unknown> =>
  desk.page.screenshot({ path: `${SCREENSHOTS}/dashboard-${name}.png`, fullPage: true });
const overflow = async (): Promise<unknown> =>
  desk.page.evaluate('document.documentElement.scrollWidth - innerWidth');

async function end(button: string, reason: string): Promise<void> {
  const { page } = desk;
  await page.getByRole('button', { name: button, exact: true }).first().click();
  await page.getByLabel('Reason').fill(reason);
  await page.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click();
}

describe.each(ADAPTERS)('the dashboard on %s', (adapter) => {
  it('shows events as they come, and counts them', async () => {
    await openDesk(adapter);
    const { page } = desk;
    await desk.show();
    await page.getByText('Live', { exact: true }).waitFor();
    await desk.user('ada');
    await page.locator('.events li', { hasText: 'ada' }).getByText('Signed in').waitFor();
    await page.locator('.tile', { hasText: 'Signed in now' }).getByText('2', { exact: true }).waitFor();
    expect(desk.errors).toEqual([]);
  });

  it('walks from a user to the theft, ends what is his with a reason, and finds it in the trail', async () => {
    await openDesk(adapter);
    const { page } = desk;
    await desk.theft('ada');
    await desk.user('ada');
    await desk.show('#trail?userId=ada');
    await page.getByRole('link', { name: 'Theft detected' }).click();
    await page.getByText('The old token came from').waitFor();
    expect(await page.locator('.client').allInnerTexts()).toEqual([
      expect.stringContaining('Chrome on Linux'),
      expect.stringContaining('Firefox on Windows'),
    ]);
    await end('End all of this user', 'ticket 4711');
    await page.getByText('1 session ended.').waitFor();
    await page.getByText('1 of 1 instance').waitFor();
    await desk.show('#trail?userId=ada&kind=ended');
    await page.getByText('ticket 4711').waitFor();
    expect(desk.errors).toEqual([]);
  });

  it('shows hostile texts as texts', async () => {
    await openDesk(adapter);
    const { page, application } = desk;
    const { sessionHandle } = await desk.user(HOSTILE, HOSTILE.replace(/[^\x20-\x7e]/g, ''));
    await application.sessions.revokeSession(sessionHandle, undefined, {
      reason: HOSTILE,
      initiator: HOSTILE,
    });
    const visible = String.raw`<img src=x onerror="document.title=1">\u{1b}[31m\u{202e}txt.exe\u{200b}&amp;`;
    for (const view of ['#overview', '#trail', `#session?sessionHandle=${sessionHandle}`]) {
      await desk.show(view);
      await page.getByText(visible).first().waitFor();
    }
    await desk.user(HOSTILE);
    await desk.show('#sessions');
    await page.getByText(visible).first().waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(desk.errors).toEqual([]);
  });

  it('is refused to a visitor and to a user who is no admin, by a page that says why', async () => {
    await openDesk(adapter);
    await desk.context.clearCookies();
    await desk.show();
    await desk.page.getByText('You are not signed in').waitFor();
    await desk.signIn('ada');
    await desk.show();
    await desk.page.getByText('This page is not open to you').waitFor();
    expect(await desk.page.locator('main').innerText()).toContain('does not have the rights');
  });

  it('ends nothing where a moment was asked for and 0 or none is there', async () => {
    await openDesk(adapter, { timezoneId: 'UTC' });
    const { page, application } = desk;
    const { sessionHandle } = await desk.user('ada');
    await desk.show('#sessions');
    await page.getByRole('button', { name: 'End older ones…' }).click();
    await page.getByText('2 sessions at present, of any age').waitFor();
    await page.getByLabel('Reason').fill('a slip');
    const endNow = page.getByRole('dialog').getByRole('button', { name: 'End', exact: true });
    await page.getByLabel('Created before').fill('1970-01-01T00:00');
    await endNow.click();
    await page.getByText('createdBeforeMs: milliseconds').waitFor();
    await page.evaluate(
      "const moment = document.querySelector('#moment'); moment.required = false; moment.value = ''; document.querySelector('dialog .problem').textContent = ''",
    );
    await endNow.click();
    await page.getByText('createdBeforeMs: milliseconds').waitFor();
    expect(await application.sessions.getSessionInformation(sessionHandle)).toBeDefined();
  });

  it.each([401, 440])('goes on by itself when the access token has expired (%i)', async (status) => {
    await openDesk(adapter, {}, true, { sessionExpiredStatusCode: status });
    const { page, application } = desk;
    await desk.show('#sessions');
    await page.getByText('1 session', { exact: true }).waitFor();
    application.clock.advanceSeconds(3700);
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('1 session', { exact: true }).waitFor();
    application.clock.advanceSeconds(3700);
    await desk.show();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    expect(await page.title()).toBe('Overview · Sessions');
  });
});

describe('the look of the dashboard', () => {
  it('shows texts of a megabyte in one line, wherever they come from', async () => {
    await openDesk('express');
    const { page } = desk;
    const megabyte = '\u202e<b>'.repeat(250_000);
    const session = {
      sessionHandle: 'h',
      userId: megabyte,
      recipeUserId: megabyte,
      tenantId: megabyte,
      createdMs: 1,
      expiresMs: 2,
      device: { userAgent: megabyte, ip: megabyte, lastSeen: 3 },
    };
    await page.route('**/data/sessions*', async (route) => route.fulfill({ json: { sessions: [session] } }));
    await desk.show('#sessions');
    await page.getByText('1,000,000 characters').first().waitFor();
    expect(await page.locator('tbody').innerText()).toContain(String.raw`\u{202e}<b>`);
    expect(await overflow()).toBe(0);
  });

  it('says what is missing and what has failed', async () => {
    await openDesk('express', {}, false);
    const { page } = desk;
    await desk.show('#trail');
    await page.getByText('keeps no audit trail').waitFor();
    await shot('no-trail');
    await desk.show('#sessions?userId=nobody-at-all');
    await page.getByText('No live session fulfils this').waitFor();
    await shot('empty');
    await page.route('**/data/**', async (route) =>
      route.fulfill({ status: 503, json: { message: 'unavailable' } }),
    );
    await desk.show();
    await page.getByText('does not respond. This page may show old facts').waitFor();
    await page.getByText('No connection').waitFor();
    expect(await page.getByRole('alert').innerText()).toContain('may show old facts');
    await shot('failing');
  });

  it('is used by the keyboard alone: finds, opens the dialog, leaves it, and keeps its place', async () => {
    await openDesk('express');
    const { page } = desk;
    await desk.user('ada');
    await desk.show('#sessions');
    await page.getByText('2 sessions').waitFor();
    await page.getByLabel('User').focus();
    await page.keyboard.type('ada');
    await page.keyboard.press('Enter');
    await page.getByText('1 session', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'End the session of ada' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'End this session' }).waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('reason');
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await page.evaluate('document.activeElement.textContent')).toContain('End the session of ada');
  });

  it.each([
    ['wide', 'light', { width: 1280, height: 860 }],
    ['wide', 'dark', { width: 1280, height: 860 }],
    ['phone', 'light', { width: 390, height: 844 }],
    ['phone', 'dark', { width: 390, height: 844 }],
  ] as const)('needs no sideways scrolling: %s, %s', async (width, colorScheme, viewport) => {
    await openDesk('express', { colorScheme, viewport });
    const { page } = desk;
    await desk.busyDay();
    const handle = await desk.theft('ada');
    await desk.signIn('admin');
    for (const [name, view, text] of [
      ['overview', '#overview', 'Refusals by kind'],
      ['sessions', '#sessions', 'sessions'],
      ['story', `#session?sessionHandle=${handle}`, 'The old token came from'],
      ['trail', '#trail', 'records, the newest first'],
      ['system', '#system', 'published key'],
    ] as const) {
      await desk.show(view);
      await page.getByText(text).last().waitFor();
      await page.getByText('Live', { exact: true }).waitFor();
      expect(await overflow()).toBe(0);
      await shot(`${name}-${width}-${colorScheme}`);
    }
    await desk.show('#sessions?userId=bob');
    await page.getByRole('button', { name: 'End all of this user' }).click();
    await page.getByText('at present').waitFor();
    expect(await overflow()).toBe(0);
    await shot(`dialog-${width}-${colorScheme}`);
    expect(desk.errors).toEqual([]);
  });
});

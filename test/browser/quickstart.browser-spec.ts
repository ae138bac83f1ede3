import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { launchChromium } from './chromium.js';
import { RunningSample } from './running-sample.js';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots', import.meta.url));
/** How long an access token lives in the tests, in seconds: short enough to wait for its end. */
const ACCESS_TOKEN_SECONDS = 3;
/** The cookies that `supertokens-website` keeps for itself, readable by scripts. None of it opens a session. */
const CLIENT_MARKS = ['sAntiCsrf', 'sFrontToken', 'st-last-access-token-update'];

/** How far a card goes on below its content, in pixels: the tallest of the gaps, padding included. */
const TALLEST_GAP = `Math.max(...[...document.querySelectorAll('.card')]
  .filter((card) => card.offsetParent !== null)
  .map((card) => {
    const contents = [...card.children].map((child) => child.getBoundingClientRect().bottom);
    return card.getBoundingClientRect().bottom - Math.max(...contents);
  }))`;
/** Whether the longest time has room in the ring, and what is behind it when the ring shows a refresh. */
const RING = `(() => {
  const ring = document.getElementById('ring');
  ring.classList.add('refreshed');
  document.getElementById('seconds').textContent = '60 min';
  const seconds = document.createRange();
  seconds.selectNodeContents(document.getElementById('seconds'));
  const { width, height } = seconds.getBoundingClientRect();
  const inside = ring.getBoundingClientRect().width * (52 / 64);
  const isLegible = height > 12 && Math.hypot(width, height) < inside - 8;
  return { isLegible, background: getComputedStyle(ring).backgroundColor };
})()`;

let chrome: Browser;

beforeAll(async () => {
  chrome = await launchChromium();
});

afterAll(async () => {
  await chrome.close();
});

describe.each(['express', 'fastify'])('the quickstart page, served by %s', (adapter) => {
  let sample: RunningSample;
  let contexts: BrowserContext[];

  beforeAll(async () => {
    sample = await RunningSample.start('01-quickstart', {
      ADAPTER: adapter,
      ACCESS_TOKEN_SECONDS: String(ACCESS_TOKEN_SECONDS),
    });
  });

  afterAll(async () => {
    await sample.stop();
  });

  beforeEach(() => {
    contexts = [];
  });

  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
  });

  async function newBrowser(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await chrome.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    contexts.push(context);
    return context;
  }

  async function openPage(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(sample.origin);
    return page;
  }

  async function signIn(context: BrowserContext, name = 'Ada Lovelace'): Promise<Page> {
    const page = await openPage(context);
    await page.getByRole('button', { name }).click();
    await page.locator('#name', { hasText: name }).waitFor();
    return page;
  }

  async function screenshot(page: Page, step: string): Promise<void> {
    await page.screenshot({ path: `${SCREENSHOTS}/${adapter}-${step}.png` });
  }

  /** The session's cookies in the browser's jar, by name. */
  async function tokenCookies(context: BrowserContext) {
    const cookies = await context.cookies([sample.origin, `${sample.origin}/auth/session/refresh`]);
    return new Map(cookies.filter(({ name }) => !CLIENT_MARKS.includes(name)).map((one) => [one.name, one]));
  }

  /** The status of a refresh that somebody makes outside the browser with a refresh token that he holds. */
  async function refreshWith(refreshToken: string | undefined): Promise<number> {
    const response = await fetch(`${sample.origin}/auth/session/refresh`, {
      method: 'POST',
      headers: { authorization: `Bearer ${refreshToken}`, 'st-auth-mode': 'header' },
    });
    return response.status;
  }

  it('signs a user in and says who he is', async () => {
    const page = await openPage(await newBrowser());
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await screenshot(page, '01-signed-out');

    await page.getByRole('button', { name: 'Grace Hopper' }).click();

    await page.locator('#name', { hasText: 'Grace Hopper' }).waitFor();
    const payload = JSON.parse(await page.locator('#payload').innerText()) as Record<string, unknown>;
    expect(payload).toMatchObject({ sub: 'grace', name: 'Grace Hopper', admin: { v: false } });
    await page.locator('#log', { hasText: 'SESSION_CREATED' }).waitFor();
    await screenshot(page, '02-signed-in');
  });

  it('has no error in the console before the first click, and never one of its content security policy', async () => {
    const page = await (await newBrowser()).newPage();
    const errors: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) errors.push(message.text());
    });
    page.on('pageerror', (error) => errors.push(error.message));
    const refused: number[] = [];
    page.on('response', (response) => {
      if (!response.ok()) refused.push(response.status());
    });
    await page.goto(sample.origin);
    // The button is shown once the page has asked for everything that it asks for by itself.
    await page.getByRole('button', { name: 'Ada Lovelace' }).waitFor();
    expect({ errors, refused }).toEqual({ errors: [], refused: [] });

    await page.getByRole('button', { name: 'Ada Lovelace' }).click();
    await page.locator('#name', { hasText: 'Ada Lovelace' }).waitFor();
    await page.getByRole('button', { name: 'Admin call' }).click();
    await page.locator('#response', { hasText: '403 /demo/admin' }).waitFor();
    // Chromium notes each refusal; those are shown by the page.
    expect(errors.filter((error) => !error.startsWith('Failed to load resource'))).toEqual([]);
  });

  it('still says what to try after signing in', async () => {
    const page = await signIn(await newBrowser());
    const tries = page.locator('.tries li');
    expect(await tries.count()).toBe(4);
    for (const one of await tries.all()) expect(await one.isVisible()).toBe(true);
  });

  it('keeps the tokens in cookies that no script can read (S058)', async () => {
    const context = await newBrowser();
    const page = await signIn(context);

    const cookies = await tokenCookies(context);
    expect([...cookies.keys()].sort()).toEqual(['sAccessToken', 'sRefreshToken']);
    expect(cookies.get('sAccessToken')).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
    expect(cookies.get('sRefreshToken')).toMatchObject({
      httpOnly: true,
      sameSite: 'Lax',
      path: '/auth/session/refresh',
    });
    const readable = await page.evaluate<string>('document.cookie + JSON.stringify({ ...localStorage })');
    for (const { value } of cookies.values()) {
      expect(readable).not.toContain(value);
      expect(decodeURIComponent(readable)).not.toContain(decodeURIComponent(value));
    }
    const names = (await page.evaluate<string>('document.cookie'))
      .split('; ')
      .map((one) => one.split('=')[0]);
    expect(new Set(names)).toEqual(new Set(CLIENT_MARKS));
  });

  it('refreshes by itself when the access token runs out, and no call of the page fails', async () => {
    const context = await newBrowser();
    const page = await signIn(context);
    const first = await tokenCookies(context);

    await page.locator('#log', { hasText: /\/demo\/\w+\s*200.*REFRESH_SESSION/ }).waitFor();
    // Newest first: the call that was repeated, the refresh between, the call that came too late.
    expect(await page.locator('#log').innerText()).toMatch(
      /GET \/demo\/(\w+)\s+200\s[^]*REFRESH_SESSION\s[^]*POST \/auth\/session\/refresh\s+200\s[^]*GET \/demo\/\1\s+401/,
    );
    await screenshot(page, '03-refreshed');
    await page.getByRole('button', { name: 'Guarded call' }).click();

    await page.locator('#response', { hasText: '200 /demo/guarded' }).waitFor();
    await page.locator('#response', { hasText: 'hello ada' }).waitFor();
    const second = await tokenCookies(context);
    expect(second.get('sAccessToken')?.value).not.toBe(first.get('sAccessToken')?.value);
    expect(second.get('sRefreshToken')?.value).not.toBe(first.get('sRefreshToken')?.value);
    expect(await page.locator('#log').innerText()).not.toContain('UNAUTHORISED');
  });

  it('shows the claim that keeps the user out, and lets him in once he has it', async () => {
    const page = await signIn(await newBrowser(), 'Alan Turing');

    await page.getByRole('button', { name: 'Admin call' }).click();
    await page.locator('#response', { hasText: '403 /demo/admin' }).waitFor();
    expect(await page.locator('#response').innerText()).toContain('The claim “admin” failed: wrong value.');
    await page.locator('#log', { hasText: 'API_INVALID_CLAIM' }).waitFor();
    await screenshot(page, '04-claim-failed');

    await page.getByRole('button', { name: 'Become admin' }).click();
    await page.getByRole('button', { name: 'Step down' }).waitFor();
    await page.locator('#log', { hasText: 'ACCESS_TOKEN_PAYLOAD_UPDATED' }).waitFor();
    await page.getByRole('button', { name: 'Admin call' }).click();
    await page.locator('#response', { hasText: '200 /demo/admin' }).waitFor();
    await screenshot(page, '05-claim-passed');

    await page.getByRole('button', { name: 'Step down' }).click();
    await page.getByRole('button', { name: 'Become admin' }).waitFor();
    await page.getByRole('button', { name: 'Admin call' }).click();
    await page.locator('#response', { hasText: '403 /demo/admin' }).waitFor();
  });

  it('shows a session of another browser and ends it from here', async () => {
    const other = await newBrowser();
    const otherPage = await signIn(other);
    const page = await signIn(await newBrowser());
    const sessions = page.locator('#sessions li');
    const otherOne = sessions.filter({ hasText: await otherPage.locator('#handle').innerText() });
    await otherOne.waitFor();
    await sessions
      .filter({ hasText: await page.locator('#handle').innerText() })
      .getByText('this one')
      .waitFor();
    await screenshot(page, '06-two-sessions');

    await otherOne.getByRole('button', { name: 'Revoke' }).click();

    await otherPage.getByText('This session has ended').waitFor();
    await screenshot(otherPage, '07-revoked-elsewhere');
    expect(await otherPage.locator('#ended-event').innerText()).toContain('session.revoked');
    expect([...(await tokenCookies(other)).keys()]).toEqual([]);
    await otherOne.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Guarded call' }).click();
    await page.locator('#response', { hasText: '200 /demo/guarded' }).waitFor();
  });

  it('throws out thief and owner when an old refresh token comes back, and shows the event', async () => {
    const context = await newBrowser();
    const page = await signIn(context);
    const atSignIn = await tokenCookies(context);
    const response = page.waitForResponse(
      (response) => response.url().endsWith('/demo/steal') && response.ok(),
    );

    await page.getByRole('button', { name: 'Steal my session' }).click();

    expect(await (await response).json()).toEqual({
      thief: 'thrown out',
      why: 'Token theft detected',
      status: 401,
    });
    await page.getByText('Theft detected: both sides are out').waitFor();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    const event = JSON.parse(await page.locator('#ended-event').innerText()) as Record<string, unknown>;
    expect(event).toMatchObject({ type: 'session.theft-detected', userId: 'ada' });
    expect(await page.locator('#log').innerText()).toMatch(/the thief: refresh with the copied token\s+401/);
    await screenshot(page, '08-theft');
    expect([...(await tokenCookies(context)).keys()]).toEqual([]);
    expect(await refreshWith(atSignIn.get('sRefreshToken')?.value)).toBe(401);
  });

  it('signs out and leaves no token in the jar (S053)', async () => {
    const context = await newBrowser();
    const page = await signIn(context);
    const signedIn = await tokenCookies(context);

    await page.getByRole('button', { name: 'Sign out' }).click();

    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.locator('#log', { hasText: 'SIGN_OUT' }).waitFor();
    await screenshot(page, '09-signed-out');
    expect([...(await tokenCookies(context)).keys()]).toEqual([]);
    expect(await page.evaluate('document.cookie')).not.toMatch(/sFrontToken|sAntiCsrf/);
    expect(await refreshWith(signedIn.get('sRefreshToken')?.value)).toBe(401);
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  });

  it.each<[string, BrowserContextOptions]>([
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
  ])('shows everything on one screen of 1280 by 800: %s', async (name, options) => {
    const page = await signIn(await newBrowser(options));
    await page.getByRole('button', { name: 'Admin call' }).click();
    await page.locator('#response pre').waitFor();

    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0);
    expect(await page.evaluate(TALLEST_GAP)).toBeLessThan(24);
    expect(await page.evaluate(RING)).toMatchObject({ isLegible: true, background: 'rgba(0, 0, 0, 0)' });
    await screenshot(page, `10-${name}`);
  });

  it.each(['light', 'dark'] as const)('needs no sideways scrolling on a phone: %s', async (colorScheme) => {
    const page = await signIn(await newBrowser({ viewport: { width: 390, height: 844 }, colorScheme }));
    await page.getByRole('button', { name: 'Admin call' }).click();
    await page.locator('#response pre').waitFor();

    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    await page.screenshot({ path: `${SCREENSHOTS}/${adapter}-11-phone-${colorScheme}.png`, fullPage: true });
  });
});

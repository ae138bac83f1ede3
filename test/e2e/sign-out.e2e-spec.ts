import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiInterface } from 'nest-sessions';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import {
  COOKIES_CLEARED,
  refused,
  signedOut,
  HEADERS_CLEARED,
  NOTHING,
  tokenTraffic,
  outcomeOf,
} from '../support/token-traffic.js';

describe.each(ADAPTERS)('signing out on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with({
        antiCsrf: 'VIA_TOKEN',
        globalClaimValidators: [{ id: 'never', validate: () => ({ isValid: false }) }],
      })
      .start();
  });

  afterAll(() => application.close());

  it.each([
    ['cookie', COOKIES_CLEARED, 'front-token', 'T166'],
    ['header', HEADERS_CLEARED, 'st-access-token, st-refresh-token, front-token', 'T174'],
  ] as const)(
    'ends a session by %s and takes its tokens away (%#)',
    async (mode, traffic, exposed, _facts) => {
      const client = await application.signedIn(mode);
      const response = await client.signOut();
      expect([response.status, response.text]).toEqual([200, '{"status":"OK"}']);
      expect(tokenTraffic(response)).toEqual(traffic);
      expect(response.header('access-control-expose-headers')).toBe(exposed);
      expect(application.events.at(-1)).toMatchObject({ type: 'session.revoked' });
    },
  );

  it('lets a session out whose claims fail (T171)', async () => {
    const client = await application.signedIn('cookie');
    expect((await client.get('/me')).status).toBe(403);
    expect((await client.signOut()).status).toBe(200);
  });

  it('responds with 200 again when the session has ended elsewhere (T167)', async () => {
    const client = await application.signedIn('cookie');
    const again = client.copy();
    await client.signOut();
    const response = await again.signOut();
    expect([response.status, response.text]).toEqual([200, '{"status":"OK"}']);
    expect(tokenTraffic(response)).toEqual(COOKIES_CLEARED);
    expect(outcomeOf(await client.refresh())).toEqual(signedOut());
  });

  it('refuses a request without session and leaves its tokens alone (T168)', async () => {
    expect(outcomeOf(await application.client('cookie').signOut())).toEqual(refused('unauthorised'));
  });

  it('asks a client with an expired token to refresh first (T169)', async () => {
    const client = await application.signedIn('cookie');
    application.clock.advanceSeconds(3600);
    expect(outcomeOf(await client.signOut())).toEqual(refused('try refresh token'));
    await client.refresh();
    expect((await client.signOut()).status).toBe(200);
  });

  it('is no way around anti-CSRF (T170, S068)', async () => {
    const client = await application.signedIn('cookie');
    expect(outcomeOf(await client.signOut({ 'anti-csrf': undefined }))).toEqual(refused('try refresh token'));
  });

  it('leaves the cookie of a very old SDK to the refresh (Q14)', async () => {
    const client = await application.signedIn('cookie');
    const cookie = `sAccessToken=${client.cookie('sAccessToken')}; sIdRefreshToken=x`;
    const response = await client.signOut({ cookie });
    expect(outcomeOf(response)).toEqual(refused('try refresh token'));
    expect(response.lines('set-cookie')).toEqual([]);
  });

  it('leaves nothing behind on the server (T175-T179)', async () => {
    const { sessions } = application;
    expect(await sessions.revokeSession('unknown')).toBe(false);
    expect(await sessions.revokeAllSessionsForUser({ userId: 'nobody' })).toEqual([]);
    await application.signedIn('cookie', 'leaving');
    await application.signedIn('header', 'leaving');
    const [first = '', second = ''] = await sessions.getAllSessionHandlesForUser({ userId: 'leaving' });
    expect(await sessions.getSessionInformation(first)).toMatchObject({ userId: 'leaving' });
    expect(await sessions.revokeMultipleSessions([first, 'unknown'])).toEqual([first]);
    expect(await sessions.getSessionInformation(first)).toBeUndefined();
    expect(await sessions.revokeAllSessionsForUser({ userId: 'leaving' })).toEqual([second]);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'leaving' })).toEqual([]);
  });
});

describe.each(ADAPTERS)('signing out with options on %s', (adapter) => {
  it('deletes exactly the cookies that were set, and the access token of a wider path: same name, domain and attributes (S053)', async () => {
    const options = {
      appInfo: { ...SHOP, apiGatewayPath: '/gw' },
      cookieDomain: '.shop.io',
      accessTokenPath: '/gw',
      cookieSameSite: 'strict',
      cookiePartitioned: true,
      getCookieNameForTokenType: (_req: unknown, type: string) => `shop_${type}`,
    } as const;
    const { client } = await TestApplication.on(adapter).with(options).start();
    const browser = client('cookie');
    const login = await browser.login();
    const cookie = `shop_access=${login.setCookie('shop_access')?.value}`;
    const response = await browser.signOut({ cookie });
    expect(response.status).toBe(200);
    expect(response.lines('set-cookie')).toHaveLength(3);
    expect(response.lines('set-cookie')[2]).toMatch(/^shop_access=; Domain=\.shop\.io; Path=\/;/); // where it was before accessTokenPath was set
    for (const name of ['shop_access', 'shop_refresh']) {
      const { value, expires, line, ...set } = login.setCookie(name) ?? {};
      expect(value).not.toBe('');
      expect(line).toContain(expires);
      expect(response.setCookie(name)).toMatchObject({ ...set, value: '' });
    }
  });

  it('keeps the tokens when signOutPOST returns a GENERAL_ERROR (T172)', async () => {
    const apis = (original: ApiInterface): ApiInterface => ({
      ...original,
      signOutPOST: async () => ({ status: 'GENERAL_ERROR', message: 'not today' }),
    });
    const { signedIn } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    const client = await signedIn('cookie');
    const response = await client.signOut();
    expect([response.status, response.body]).toEqual([
      200,
      { status: 'GENERAL_ERROR', message: 'not today' },
    ]);
    expect(tokenTraffic(response)).toEqual(NOTHING);
    expect((await client.get('/checked')).status).toBe(200);
  });

  it('has no route when signOutPOST is undefined (T173)', async () => {
    const apis = (original: ApiInterface): ApiInterface => ({ ...original, signOutPOST: undefined });
    const { signedIn } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    const client = await signedIn('cookie');
    expect((await client.signOut()).status).toBe(404);
    expect((await client.get('/checked')).status).toBe(200);
  });
});

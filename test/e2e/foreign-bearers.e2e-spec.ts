import { describe, expect, it } from '@jest/globals';
import { jwt } from '../fixtures/made-tokens.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { COOKIES_SET, HEADERS_SET, tokenTraffic } from '../support/token-traffic.js';
import type { SessionClient } from '../support/session-client.js';

const proxyToken = jwt({ alg: 'RS256', kid: 'x', typ: 'JWT' }, { sub: 'proxy', exp: 4_102_444_800 });
const CREDENTIALS: [what: string, header: (browser: SessionClient) => string | readonly string[]][] = [
  ["a proxy's JWT", () => `Bearer ${proxyToken}`],
  ['an API key', () => 'Bearer sk_live_1'],
  ['the access token', (browser) => `Bearer ${decodeURIComponent(browser.cookie('sAccessToken') ?? '')}`],
  ['an empty bearer', () => 'Bearer '],
  ['a password', () => `Basic ${Buffer.from('ada:secret').toString('base64')}`],
  ['two bearers in one line', () => 'Bearer one, Bearer two'],
  ['two lines', () => ['Bearer one', `Bearer ${proxyToken}`]],
];

describe.each(ADAPTERS)('a cookie session beside the credential of another party on %s', (adapter) => {
  it.each(CREDENTIALS)('is verified, refreshed and signed out by cookie: %s', async (_what, header) => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const browser = await signedIn('cookie');
    const authorization = header(browser);
    expect((await browser.get('/me', { authorization })).status).toBe(200);
    const refreshed = await browser.refresh({ authorization });
    expect([refreshed.status, tokenTraffic(refreshed)]).toEqual([200, COOKIES_SET]);
    expect((await browser.get('/checked', { authorization })).status).toBe(200);
    expect((await browser.signOut({ authorization })).status).toBe(200);
  });

  it('gives way to a refresh token in the header, as SuperTokens does (R3, R10)', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const [browser, mobile] = [await signedIn('cookie', 'ada'), await signedIn('header', 'bob')];
    const refreshed = await browser.refresh({ authorization: `Bearer ${mobile.refreshToken}` });
    expect(tokenTraffic(refreshed)).toMatchObject({
      accessHeader: HEADERS_SET.accessHeader,
      refreshCookie: 'deleted',
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jwtClaims, jwtHeader } from '../fixtures/jwt-parts.js';
import { readFrontToken } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import {
  COOKIES_CLEARED,
  COOKIES_SET,
  HEADERS_CLEARED,
  HEADERS_SET,
  tokenTraffic,
} from '../support/token-traffic.js';

/** The members that Express and Fastify have in common. */
interface AppResponse {
  header(name: string, value: string): unknown;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

describe.each(ADAPTERS)('signing in on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with({ antiCsrf: 'VIA_TOKEN' })
      .handlers({
        open: {
          twice: async ({ sessions, req, res }) => {
            await sessions.createNewSession(req, res, { userId: 'first' });
            await sessions.createNewSession(req, res, { userId: 'second' });
          },
          'and-out': async ({ sessions, req, res }) => {
            const session = await sessions.createNewSession(req, res, { userId: 'user-1' });
            await session.revokeSession();
          },
          exposing: async ({ sessions, req, res }) => {
            (res as AppResponse).header('access-control-expose-headers', 'customValue');
            await sessions.createNewSession(req, res, { userId: 'user-1' });
          },
          'undefined-values': async ({ sessions, req, res }) => {
            const payload = { gone: undefined, kept: null, iss: 'mine' };
            const session = await sessions.createNewSession(req, res, {
              userId: 'user-1',
              accessTokenPayload: payload,
            });
            return { payload, inToken: session.getAccessTokenPayload() };
          },
        },
      })
      .start();
  });

  afterAll(() => application.close());

  it('writes both cookies, the front token and the anti-csrf token (T1-T4)', async () => {
    const client = application.client('cookie');
    const response = await client.login();
    expect(tokenTraffic(response)).toEqual({ ...COOKIES_SET, antiCsrf: 'set' });
    expect(response.header('access-control-expose-headers')).toBe('front-token, anti-csrf');
    const [access, refresh] = [response.setCookie('sAccessToken'), response.setCookie('sRefreshToken')];
    expect(access).toMatchObject({ path: '/', domain: undefined });
    expect(refresh).toMatchObject({ path: '/auth/session/refresh', domain: undefined });
    for (const cookie of [access, refresh]) {
      expect(cookie?.attributes).toEqual(['path', 'expires', 'httponly', 'secure', 'samesite']);
    }
    expect(Date.parse(access?.expires ?? '')).toBe(application.clock.now() + YEAR_MS);
    expect(Date.parse(access?.expires ?? '')).toBeGreaterThan(Date.parse(refresh?.expires ?? ''));
  });

  it.each([
    ['absent', undefined],
    ['"header"', 'header'],
    ['unknown', 'carrier-pigeon'],
  ])('responds with headers and no cookies when st-auth-mode is %s (T5, T7)', async (_case, mode) => {
    const response = await application.send({
      method: 'POST',
      path: '/login',
      headers: { 'st-auth-mode': mode },
      body: { userId: 'user-1' },
    });
    expect(tokenTraffic(response)).toEqual(HEADERS_SET);
    expect(response.lines('set-cookie')).toEqual([]);
    expect(response.header('access-control-expose-headers')).toBe(
      'front-token, st-access-token, st-refresh-token',
    );
  });

  it('reads st-auth-mode in any letter case (T6)', async () => {
    const headers = { 'st-auth-mode': 'CooKie' };
    const response = await application.send({
      method: 'POST',
      path: '/login',
      headers,
      body: { userId: 'u' },
    });
    expect(tokenTraffic(response)).toEqual({ ...COOKIES_SET, antiCsrf: 'set' });
  });

  it('takes the cookies of an older session away when tokens go by header (T11)', async () => {
    const response = await application
      .client('header')
      .post('/login', { userId: 'user-1' }, { cookie: 'sAccessToken=' });
    expect(tokenTraffic(response)).toEqual({
      ...HEADERS_SET,
      accessCookie: 'deleted',
      refreshCookie: 'deleted',
    });
  });

  it('leaves a lone refresh cookie alone when tokens go by header (T12)', async () => {
    const response = await application
      .client('header')
      .post('/login', { userId: 'user-1' }, { cookie: 'sRefreshToken=x' });
    expect(tokenTraffic(response)).toEqual(HEADERS_SET);
  });

  it('empties the header tokens of an older session when tokens go by cookie (T13)', async () => {
    const response = await application
      .client('cookie')
      .post('/login', { userId: 'user-1' }, { authorization: 'Bearer anything' });
    expect(tokenTraffic(response)).toEqual({
      ...COOKIES_SET,
      accessHeader: 'emptied',
      refreshHeader: 'emptied',
      antiCsrf: 'set',
    });
    expect(response.header('access-control-expose-headers')).toBe(
      'st-access-token, st-refresh-token, front-token, anti-csrf',
    );
  });

  it('percent-encodes the refresh token in the cookie and leaves it raw in the header (T17)', async () => {
    const byCookie = await application.client('cookie').login();
    const byHeader = await application.client('header').login();
    const cookie = byCookie.setCookie('sRefreshToken')?.value ?? '';
    expect(cookie).toMatch(/^[\w.%-]+$/);
    expect(decodeURIComponent(cookie)).toMatch(/^[\w+/=]+\.[0-9a-f]{64}\.V2$/);
    expect(byHeader.header('st-refresh-token')).toMatch(/^[\w+/=]+\.[0-9a-f]{64}\.V2$/);
  });

  it('puts the payload at the root of the token, with our issuer and our subject (T18, T19)', async () => {
    const client = application.client('header');
    await client.login('user-1', {
      payload: { plan: 'pro', iss: 'https://evil.example', sub: 'admin', exp: 1 },
    });
    expect(jwtClaims(client.accessToken)).toMatchObject({
      plan: 'pro',
      iss: 'https://api.shop.io/auth',
      sub: 'user-1',
      exp: Math.floor(application.clock.now() / 1000) + 3600,
    });
  });

  it('takes the payload of an earlier session for a new one (T20)', async () => {
    const client = application.client('header');
    await client.login('user-1', { payload: { plan: 'pro' } });
    const before = jwtClaims(client.accessToken);
    await client.login('user-2', { payload: before });
    const after = jwtClaims(client.accessToken);
    expect(after).toMatchObject({ plan: 'pro', sub: 'user-2' });
    expect(after['sessionHandle']).not.toBe(before['sessionHandle']);
  });

  it.each(['cookie', 'header'] as const)(
    'gives a token ten claims of its own, version 5 and a rotating key, by %s (T22, T25)',
    async (mode) => {
      const response = await application.client(mode).login();
      const token = response.header('st-access-token') ?? response.setCookie('sAccessToken')?.value;
      expect(jwtHeader(token)).toMatchObject({ version: '5', typ: 'JWT', alg: 'RS256' });
      expect(jwtHeader(token)['kid']).toMatch(/^d-\d+$/);
      expect(Object.keys(jwtClaims(token)).sort()).toEqual([
        'antiCsrfToken', 'exp', 'iat', 'iss', 'parentRefreshTokenHash1', 'refreshTokenHash1',
        'rsub', 'sessionHandle', 'sub', 'tId',
      ]); // prettier-ignore
    },
  );

  it("drops undefined values, keeps null, and leaves the caller's object alone (T23, T24)", async () => {
    const response = await application.client('header').post('/open/undefined-values');
    const { payload, inToken } = response.body as { payload: object; inToken: object };
    expect(payload).toEqual({ kept: null, iss: 'mine' });
    expect(inToken).toMatchObject({ kept: null, iss: 'https://api.shop.io/auth' });
    expect(inToken).not.toHaveProperty('gone');
  });

  it('describes the session to the browser in the front token (T27)', async () => {
    const client = application.client('cookie');
    const response = await client.login('user-1', { payload: { name: 'Ünï ✓' } });
    const front = client.front;
    expect(Object.keys(front)).toEqual(['uid', 'ate', 'up']);
    expect(front).toMatchObject({ uid: 'user-1', up: { rsub: 'user-1', name: 'Ünï ✓' } });
    expect(front.up['exp']).toBe(Math.floor(front.ate / 1000));
    expect(front.up).toEqual(jwtClaims(response.setCookie('sAccessToken')?.value));
  });

  it('sends the tokens of the second of two sign-ins in one response (T33)', async () => {
    const response = await application.client('cookie').post('/open/twice');
    expect(tokenTraffic(response)).toEqual({ ...COOKIES_SET, antiCsrf: 'set' });
    expect(readFrontToken(response.header('front-token') ?? '').uid).toBe('second');
    expect(jwtClaims(response.setCookie('sAccessToken')?.value)['sub']).toBe('second');
  });

  it('sends deletions for a sign-in that is revoked in the same response (T34, Q25)', async () => {
    const response = await application.client('cookie').post('/open/and-out');
    expect(tokenTraffic(response)).toEqual(COOKIES_CLEARED);
    expect(response.header('access-control-expose-headers')).toBe('front-token, anti-csrf');
    const byHeader = await application.client('header').post('/open/and-out');
    expect(tokenTraffic(byHeader)).toEqual(HEADERS_CLEARED);
  });

  it("adds to the application's list of exposed headers (T35)", async () => {
    const response = await application.client('cookie').post('/open/exposing');
    expect(response.header('access-control-expose-headers')).toBe('customValue, front-token, anti-csrf');
  });
});

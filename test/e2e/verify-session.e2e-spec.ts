import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Session,
  SessionContainer,
  SessionGuard,
  type ApiInterface,
  type RecipeInterface,
  type SessionModuleOptions,
} from 'nest-sessions';
import { DemoController, describeSession } from '../support/demo.controller.js';
import { jwt } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { BOTH_CLEARED, refused, NOTHING, tokenTraffic, outcomeOf } from '../support/token-traffic.js';
import { allowedByHeader } from '../support/transfer-methods.js';
import { watchedStore, type WatchedStore } from '../support/watched-store.js';

const FOREIGN_JWT = jwt({ alg: 'RS256', typ: 'JWT' }, { sub: 'somebody', exp: 4_000_000_000 });

/** Of two good ones it is unknown which counts: the client loses both and refreshes. */
const REFRESHES_WITHOUT = ['try refresh token', { ...NOTHING, accessCookie: 'deleted' }] as const;

describe.each(ADAPTERS)('verifying a session on %s', (adapter) => {
  let application: TestApplication;
  let watched: WatchedStore;
  let browser: SessionClient;
  let mobile: SessionClient;

  beforeAll(async () => {
    watched = await watchedStore();
    application = await TestApplication.on(adapter)
      .store(watched.store)
      .with({ antiCsrf: 'VIA_TOKEN', getTokenTransferMethod: allowedByHeader })
      .start();
  });

  beforeEach(async () => {
    browser = await application.signedIn('cookie', 'by-cookie');
    mobile = await application.signedIn('header', 'by-header');
  });

  afterAll(() => application.close());

  it('takes no look at the store and writes no token (T43, T44)', async () => {
    watched.calls.length = 0;
    for (const client of [browser, mobile, browser]) {
      const response = await client.get('/me');
      expect(response.status).toBe(200);
      expect(tokenTraffic(response)).toEqual(NOTHING);
    }
    expect(watched.calls).toEqual([]);
  });

  it.each([
    ['POST', '/me', 'right', 200, 'T45'],
    ['POST', '/me', 'missing', 401, 'T46'],
    ['POST', '/me', 'wrong', 401, 'T46'],
    ['GET', '/me', 'missing', 200, 'T47'],
    ['GET', '/with-anti-csrf', 'missing', 401, 'T48'],
    ['GET', '/with-anti-csrf', 'right', 200, 'T48'],
    ['POST', '/without-anti-csrf', 'missing', 200, 'T49'],
    ['HEAD', '/me', 'missing', 401, 'T50, Q12'],
    ['HEAD', '/me', 'right', 200, 'T50'],
  ])('%s %s with the %s anti-csrf token gets %i (%s)', async (method, path, which, status) => {
    const headers = which === 'right' ? {} : { 'anti-csrf': which === 'wrong' ? 'zzz' : undefined };
    const response = await browser.send({ method, path, headers });
    const shown = status === 200 ? '"userId":"by-cookie"' : '{"message":"try refresh token"}';
    const text: unknown = expect.stringContaining(method === 'HEAD' ? '' : shown);
    expect(outcomeOf(response)).toEqual({ status, text, tokens: NOTHING });
  });

  it("refuses another session's anti-csrf token (S069)", async () => {
    const other = await application.signedIn('cookie', 'other');
    expect(outcomeOf(await browser.post('/me', {}, { 'anti-csrf': other.antiCsrf }))).toEqual(
      refused('try refresh token'),
    );
  });

  it.each([
    ['no token', 'T57', {}, 'unauthorised'],
    ['junk in the cookie', 'T58', { cookie: 'sAccessToken=junk' }, 'unauthorised'],
    ['junk as bearer', 'T58', { authorization: 'Bearer junk' }, 'unauthorised'],
    ['a cookie of a very old SDK', 'T62', { cookie: 'sIdRefreshToken=x' }, 'try refresh token'],
    ['an empty one', 'T62, Q13', { cookie: 'sIdRefreshToken=' }, 'try refresh token'],
    ['a foreign JWT as bearer', 'T71', { authorization: `Bearer ${FOREIGN_JWT}` }, 'unauthorised'],
    ['a cookie of JSON', 'T76', { cookie: 'sAccessToken=j:{"a":1}' }, 'unauthorised'],
  ] as const)('refuses a request with %s (%s)', async (_case, _facts, headers, message) => {
    expect(outcomeOf(await application.send({ path: '/me', headers }))).toEqual(refused(message));
  });

  it.each([
    ['no token', {}],
    ['junk in the cookie', { cookie: 'sAccessToken=junk' }],
    ['a foreign JWT as bearer', { authorization: `Bearer ${FOREIGN_JWT}` }],
  ] as const)('passes a request with %s where the session is optional (T61)', async (_case, headers) => {
    expect((await application.send({ path: '/optional', headers })).text).toBe('{"session":null}');
  });

  it('refuses the cookie of a very old SDK where the session is optional, too (T62)', async () => {
    const response = await application.send({ path: '/optional', headers: { cookie: 'sIdRefreshToken=' } });
    expect(outcomeOf(response)).toEqual(refused('try refresh token'));
  });

  it('by header does not care about a cookie of a very old SDK, which a neighbour can set (S061)', async () => {
    const client = await application.signedIn('header', 'ada');
    for (const cookie of ['sIdRefreshToken=x', 'sIdRefreshToken=']) {
      expect((await client.get('/me', { cookie })).status).toBe(200);
      expect((await client.get('/optional', { cookie })).status).toBe(200);
    }
  });

  it.each([
    ['both good', 'T63', (good: string) => [good, good], ...REFRESHES_WITHOUT],
    ['junk first', 'T64', (good: string) => ['junk', good], 'unauthorised', NOTHING],
    ['junk second', 'T65', (good: string) => [good, 'junk'], ...REFRESHES_WITHOUT],
  ] as const)('refuses two access cookies: %s (%s)', async (_case, _facts, values, message, tokens) => {
    const token = browser.cookie('sAccessToken') ?? '';
    const cookie = values(token)
      .map((value) => `sAccessToken=${value}`)
      .join('; ');
    expect(outcomeOf(await application.send({ path: '/me', headers: { cookie } }))).toEqual({
      ...refused(message),
      tokens,
    });
    const byHeader = await mobile.get('/me', { cookie });
    expect(byHeader.body).toMatchObject({ userId: 'by-header' });
  });

  it('does not mind two access cookies when the token comes by header (T66)', async () => {
    const token = browser.cookie('sAccessToken') ?? '';
    const headers = { cookie: `sAccessToken=${token}; sAccessToken=${token}`, 'x-allowed': 'header' };
    expect((await mobile.get('/me', headers)).body).toMatchObject({ userId: 'by-header' });
  });

  it.each([
    ['"bearer" in lower case', 401, 'T72', (token: string) => `bearer ${token}`],
    ['spaces around the token', 200, 'T73', (token: string) => `Bearer   ${token}  `],
  ])('%s: %i (%s)', async (_case, status, _facts, authorization) => {
    const response = await application.send({
      path: '/me',
      headers: { authorization: authorization(mobile.accessToken ?? '') },
    });
    expect(response.status).toBe(status);
  });

  it('reads a quoted cookie, beside one with broken percent encoding (T74, T75)', async () => {
    const cookie = `other=%E0%A4%A; sAccessToken="${browser.cookie('sAccessToken')}"`;
    expect((await application.send({ path: '/me', headers: { cookie } })).status).toBe(200);
  });

  it('refuses an expired token where the session is optional (T60)', async () => {
    application.clock.advanceSeconds(3600);
    for (const client of [browser, mobile]) {
      expect(outcomeOf(await client.get('/optional'))).toEqual(refused('try refresh token'));
    }
  });

  it('notices a revocation at once where the database is asked (T77, T78)', async () => {
    const { sessionHandle } = (await browser.get('/me')).body as { sessionHandle: string };
    expect((await browser.get('/checked')).status).toBe(200);
    await application.sessions.revokeSession(sessionHandle);
    expect((await browser.get('/me')).status).toBe(200);
    for (const path of ['/checked', '/checked-optional']) {
      const response = await browser.copy().get(path);
      expect(response.status).toBe(401);
      expect(response.text).toBe('{"message":"unauthorised"}');
      expect(tokenTraffic(response)).toEqual(BOTH_CLEARED);
    }
  });

  it('promotes a refreshed token at its first use, and only then asks the store (T79, T81)', async () => {
    for (const client of [browser, mobile]) {
      await client.refresh();
      const refreshed = client.copy();
      watched.calls.length = 0;
      const first = await client.get('/me');
      expect(watched.calls).toEqual(['update refreshTokenHash2']);
      expect(tokenTraffic(first)).toMatchObject(
        client.mode === 'cookie'
          ? { accessCookie: 'set', refreshCookie: 'untouched', accessHeader: 'absent', frontToken: 'set' }
          : { accessHeader: 'set', refreshHeader: 'absent', accessCookie: 'untouched', frontToken: 'set' },
      );
      watched.calls.length = 0;
      expect(tokenTraffic(await client.get('/me'))).toEqual(NOTHING);
      expect(watched.calls).toEqual([]);
      expect((await refreshed.get('/me')).status).toBe(200);
    }
  });

  it("echoes the request's anti-csrf token with a promotion only when it is the session's (Q3)", async () => {
    await browser.refresh();
    const copy = browser.copy();
    const wrong = await browser.get('/me', { 'anti-csrf': 'zzz' });
    expect(tokenTraffic(wrong)).toEqual({ ...NOTHING, accessCookie: 'set', frontToken: 'set' });
    const right = await copy.get('/me');
    expect(right.header('anti-csrf')).toBe(browser.antiCsrf);
    expect(right.header('access-control-expose-headers')).toBe('front-token, anti-csrf');
  });

  it('lets OPTIONS pass to a handler made for it without looking for a session (T82)', async () => {
    for (const headers of [{}, { cookie: 'sAccessToken=junk' }]) {
      const response = await application.send({ method: 'OPTIONS', path: '/preflight', headers });
      expect(response.text).toBe('{"session":null}');
    }
    expect((await browser.send({ method: 'OPTIONS', path: '/preflight' })).text).toBe('{"session":null}');
  });

  it.each(['OPTIONS', 'TRACE'])('refuses %s to a handler of every method (S078)', async (method) => {
    const response = await browser.send({ method, path: '/me' });
    expect([response.status, response.text]).toEqual([401, '{"message":"unauthorised"}']);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });

  it('shows the payload of the presented token after a look at the database (T87)', async () => {
    const before = (await browser.get('/me')).body;
    watched.calls.length = 0;
    const response = await browser.get('/checked');
    expect(response.body).toEqual(before);
    expect(tokenTraffic(response)).toEqual(NOTHING);
    expect(watched.calls).toEqual(['findSession']);
  });
});

@Controller('auth/session/refresh')
@UseGuards(SessionGuard)
class OwnRefreshController {
  @Post()
  refresh(@Session() session: SessionContainer): object {
    return describeSession(session);
  }

  @Get()
  verify(@Session() session: SessionContainer): object {
    return describeSession(session);
  }
}

describe.each(ADAPTERS)('the guard on routes of special kinds on %s', (adapter) => {
  it.each([
    ['', 'refresh path'],
    ['/gw', 'refresh path behind a gateway that strips its prefix'],
  ])(
    'refreshes at a POST to the refresh path and verifies at a GET; gateway "%s" (T83, T84, Q15)',
    async (apiGatewayPath) => {
      const apis = (original: ApiInterface): ApiInterface => ({ ...original, refreshPOST: undefined });
      const options = { appInfo: { ...SHOP, apiGatewayPath }, override: { apis } };
      const controllers = [DemoController, OwnRefreshController];
      const { signedIn } = await TestApplication.on(adapter)
        .with(options)
        .controllers(...controllers)
        .start();
      const client = await signedIn('header');
      const before = client.refreshToken;
      const verified = await client.get('/auth/session/refresh', {
        authorization: `Bearer ${client.accessToken}`,
      });
      expect(verified.body).toMatchObject({ userId: 'user-1' });
      expect(tokenTraffic(verified)).toEqual(NOTHING);
      const refreshed = await client.refresh();
      expect(refreshed.body).toMatchObject({ userId: 'user-1' });
      expect(client.refreshToken).not.toBe(before);
      expect((await client.get('/me')).status).toBe(200);
    },
  );

  it('runs no validators when an overridden getSession finds no session (T85)', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      getSession: async () => undefined,
    });
    const options: Partial<SessionModuleOptions> = {
      override: { functions },
      globalClaimValidators: [{ id: 'never', validate: () => ({ isValid: false }) }],
    };
    const { signedIn } = await TestApplication.on(adapter).with(options).start();
    const client = await signedIn('cookie');
    expect((await client.get('/optional')).text).toBe('{"session":null}');
    // where a session is required, none is none, whoever says so
    expect((await client.get('/me')).status).toBe(401);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionError } from 'nest-sessions';
import type { ClientResponse } from '../support/http-client.js';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import {
  BOTH_CLEARED,
  COOKIES_SET,
  signedOut,
  HEADERS_SET,
  NOTHING,
  tokenTraffic,
  type TokenTraffic,
  outcomeOf,
} from '../support/token-traffic.js';
import { allowedByHeader } from '../support/transfer-methods.js';

const REFRESH = '/auth/session/refresh';
const SET_COOKIES: TokenTraffic = { ...COOKIES_SET, antiCsrf: 'set' };
const REFUSED = BOTH_CLEARED;

describe.each(ADAPTERS)('refreshing a session on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with({ antiCsrf: 'VIA_TOKEN', getTokenTransferMethod: allowedByHeader })
      .handlers({
        open: {
          catching: async ({ sessions, req, res }) => {
            try {
              await sessions.refreshSession(req, res);
            } catch (error) {
              return { caught: SessionError.isSessionError(error) ? error.type : String(error) };
            }
            return { caught: null };
          },
          saying: async ({ sessions, req, res }) =>
            sessions.refreshSession(req, res).catch(({ message }: Error) => ({ message })),
        },
      })
      .start();
  });

  afterAll(() => application.close());

  /** A refresh with exactly these credentials. */
  function refresh(headers: Record<string, string | undefined>): Promise<ClientResponse> {
    return application.send({ method: 'POST', path: REFRESH, headers });
  }

  async function aged(mode: 'cookie' | 'header', userId?: string): Promise<SessionClient> {
    const client = await application.signedIn(mode, userId);
    application.clock.advanceSeconds(1);
    return client;
  }

  it('gives a browser new cookies, a new front token and a new anti-csrf token (T129)', async () => {
    const client = await aged('cookie');
    const before = client.copy();
    const response = await client.refresh();
    expect([response.status, response.text]).toEqual([200, '{}']);
    expect(tokenTraffic(response)).toEqual(SET_COOKIES);
    expect(response.header('access-control-expose-headers')).toBe('front-token, anti-csrf');
    for (const name of ['sAccessToken', 'sRefreshToken']) {
      expect(client.cookie(name)).not.toBe(before.cookie(name));
    }
    expect(client.antiCsrf).not.toBe(before.antiCsrf);
    expect(client.front.up['sessionHandle']).toBe(before.front.up['sessionHandle']);
    expect((await client.post('/me')).status).toBe(200);
  });

  it('gives a mobile client new tokens in headers, without any anti-csrf (T132)', async () => {
    const client = await aged('header');
    const before = client.copy();
    const response = await client.refresh();
    expect([response.status, response.text]).toEqual([200, '{}']);
    expect(tokenTraffic(response)).toEqual(HEADERS_SET);
    expect(client.refreshToken).not.toBe(before.refreshToken);
    expect(jwtClaims(client.accessToken)['antiCsrfToken']).toBeNull();
  });

  it.each([['missing'], ['wrong']])(
    'ends the session when the anti-csrf token is %s (T130)',
    async (which) => {
      const client = await aged('cookie');
      const headers = { 'anti-csrf': which === 'wrong' ? 'zzz' : undefined };
      expect(outcomeOf(await client.copy().refresh(headers))).toEqual(signedOut());
      expect((await client.refresh()).status).toBe(200);
    },
  );

  it('asks no anti-csrf token of a session that was made without one (T131)', async () => {
    const session = await application.sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      disableAntiCsrf: true,
    });
    const { refreshToken = '' } = session.getAllSessionTokensDangerously();
    const response = await refresh({ cookie: `sRefreshToken=${encodeURIComponent(refreshToken)}` });
    expect(response.status).toBe(200);
    expect(tokenTraffic(response)).toEqual(SET_COOKIES);
  });

  /** §5.3: allowed, is there a refresh token in the header, in the cookie ⇒ what is written. */
  it.each([
    ['any', false, false, REFUSED],
    ['header', false, false, REFUSED],
    ['cookie', false, false, REFUSED],
    ['any', false, true, SET_COOKIES],
    ['header', false, true, REFUSED],
    ['cookie', false, true, SET_COOKIES],
    ['any', true, false, HEADERS_SET],
    ['header', true, false, HEADERS_SET],
    ['cookie', true, false, REFUSED],
    ['any', true, true, { ...HEADERS_SET, accessCookie: 'deleted', refreshCookie: 'deleted' }],
    ['header', true, true, { ...HEADERS_SET, accessCookie: 'deleted', refreshCookie: 'deleted' }],
    ['cookie', true, true, { ...SET_COOKIES, accessHeader: 'emptied', refreshHeader: 'emptied' }],
  ] as const)(
    'allowed %s, header %s, cookie %s (T133-T137, T142) [%#]',
    async (allowed, inHeader, inCookie, outcome) => {
      const browser = await aged('cookie');
      const mobile = await aged('header');
      const credentials = (suffix: string) => ({
        'x-allowed': allowed,
        'anti-csrf': browser.antiCsrf,
        authorization: inHeader ? `Bearer ${mobile.refreshToken}${suffix}` : undefined,
        cookie: inCookie ? `sRefreshToken=${browser.cookie('sRefreshToken')}${suffix}` : undefined,
      });
      expect(outcomeOf(await refresh(credentials('x')))).toEqual(signedOut());
      const response = await refresh(credentials(''));
      expect(response.status).toBe(outcome === REFUSED ? 401 : 200);
      expect(tokenTraffic(response)).toEqual(outcome);
    },
  );

  it.each(['any', 'cookie', 'header'])(
    'ends the session of a client that has only an access cookie, allowed %s (T139, T140)',
    async (allowed) => {
      const client = await aged('cookie');
      const headers = { cookie: `sAccessToken=${client.cookie('sAccessToken')}`, 'x-allowed': allowed };
      expect(outcomeOf(await refresh(headers))).toEqual(signedOut());
      application.clock.advanceSeconds(3600);
      expect(outcomeOf(await refresh(headers))).toEqual(signedOut());
    },
  );

  it('treats an empty refresh cookie as none (T141)', async () => {
    expect(outcomeOf(await refresh({ cookie: 'sRefreshToken=' }))).toEqual(signedOut());
  });

  it('writes nothing when the application catches the refusal (T138)', async () => {
    const response = await application.send({ method: 'POST', path: '/open/catching' });
    expect(response.body).toEqual({ caught: 'UNAUTHORISED' });
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });

  it('works the same on a route of the application (T165)', async () => {
    const client = await aged('header');
    const response = await client.post('/open/catching', undefined, {
      authorization: `Bearer ${client.refreshToken}`,
    });
    expect(response.body).toEqual({ caught: null });
    expect(tokenTraffic(response)).toEqual(HEADERS_SET);
  });

  it('reports theft when a retired refresh token comes back, and ends the session (T145, S023)', async () => {
    const stolen = await application.testSessions.stolenSession();
    const { sessionHandle } = stolen;
    const owner = application.clientOf(stolen);
    expect(outcomeOf(await owner.refresh())).toEqual(signedOut('token theft detected'));
    expect(application.events.slice(-2)).toMatchObject([
      { type: 'session.theft-detected', sessionHandle, userId: 'user-1', recipeUserId: 'user-1' },
      { type: 'session.revoked', sessionHandle },
    ]);
    expect(await application.sessions.getSessionInformation(sessionHandle)).toBeUndefined();
    expect(outcomeOf(await application.clientOf(stolen.thief).refresh())).toEqual(signedOut());
  });

  it.each([
    ['success', 'T147', 200, SET_COOKIES],
    ['no refresh token', 'T148', 401, BOTH_CLEARED],
    ['theft', 'T149', 401, BOTH_CLEARED],
  ] as const)('deletes the cookie of a very old SDK at %s (%s)', async (when, _facts, status, tokens) => {
    const client = await aged('cookie');
    const old = client.copy();
    if (when === 'theft') {
      await client.refresh();
      await client.get('/me');
    }
    const refreshCookie = when === 'no refresh token' ? '' : `sRefreshToken=${old.cookie('sRefreshToken')}; `;
    const response = await old.refresh({ cookie: `${refreshCookie}sIdRefreshToken=` });
    expect(outcomeOf(response)).toMatchObject({ status, tokens });
    expect(response.setCookie('sIdRefreshToken')).toMatchObject({
      value: '',
      path: '/',
      expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
    });
    expect(response.lines('set-cookie')).toHaveLength(3);
  });

  it.each([
    ['success', 200],
    ['no refresh token', 401],
    ['theft', 401],
  ])('writes no line about the cookie of a very old SDK that did not come, at %s', async (when, status) => {
    const client = await aged('cookie');
    const old = client.copy();
    if (when === 'theft') {
      await client.refresh();
      await client.get('/me');
    }
    const response = await old.refresh(when === 'no refresh token' ? { cookie: undefined } : {});
    expect([response.status, response.setCookie('sIdRefreshToken')]).toEqual([status, undefined]);
    expect(response.lines('set-cookie')).toHaveLength(2);
  });

  it('says to the application why there is nothing to refresh', async () => {
    expect((await application.send({ path: '/open/saying' })).body).toEqual({
      message: 'Refresh failed: there is no refresh token in the request',
    });
  });

  it('by header does not look at the cookie of another session, by cookie it does', async () => {
    const [browser, mobile] = [await aged('cookie', 'user-2'), await aged('header')];
    const cookie = `sAccessToken=${browser.cookie('sAccessToken')}`;
    const authorization = `Bearer ${mobile.refreshToken}`;
    expect(outcomeOf(await refresh({ cookie, authorization }))).toMatchObject({
      status: 200,
      tokens: HEADERS_SET,
    });
    const other = await aged('cookie');
    const both = `${cookie}; sRefreshToken=${other.cookie('sRefreshToken')}`;
    const refused = await application.send({
      path: '/open/saying',
      headers: { cookie: both, 'anti-csrf': other.antiCsrf },
    });
    expect(refused.body).toEqual({
      message: 'Refresh failed: access token and refresh token are of two sessions',
    });
  });

  it('by cookie leaves the credential of another party in the header alone', async () => {
    const client = await aged('cookie');
    const response = await client.refresh({ authorization: 'Bearer foreign' });
    expect(outcomeOf(response)).toMatchObject({ status: 200, tokens: SET_COOKIES });
  });

  it('finds the cookie of its own name beside a token in the header, and deletes it', async () => {
    const names = { access: 'my-access', refresh: 'my-refresh' };
    const { send, signedIn } = await TestApplication.on(adapter)
      .with({ getCookieNameForTokenType: (_req, tokenType) => names[tokenType] })
      .start();
    const { refreshToken } = await signedIn('header');
    const headers = { authorization: `Bearer ${refreshToken}`, cookie: 'my-refresh=x' };
    const response = await send({ method: 'POST', path: REFRESH, headers });
    const ofOurs = { accessCookie: names.access, refreshCookie: names.refresh };
    expect(tokenTraffic(response, ofOurs)).toMatchObject({
      accessHeader: 'set',
      accessCookie: 'deleted',
      refreshCookie: 'deleted',
    });
  });

  it('carries the payload along (T163)', async () => {
    const client = application.client('header');
    await client.login('user-1', { payload: { plan: 'pro', nested: { a: [1, null] } } });
    await client.refresh();
    expect(jwtClaims(client.accessToken)).toMatchObject({ plan: 'pro', nested: { a: [1, null] } });
  });
});

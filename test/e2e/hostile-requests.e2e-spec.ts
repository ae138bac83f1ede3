import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fcRuns } from '../fixtures/fc-runs.js';
import { mangledHeaders, routes, spelledPath } from '../fixtures/hostile-input.js';
import type { ClientResponse, RequestToSend } from '../support/http-client.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';

const RUNS = fcRuns(80);
const REFRESH = '/auth/session/refresh';

describe.each(ADAPTERS)('hostile requests on %s', (adapter) => {
  let application: TestApplication;
  let browser: SessionClient;
  let mobile: SessionClient;
  let kinds: Record<string, string>;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with({ antiCsrf: 'VIA_TOKEN', olderCookieDomain: '.shop.io' })
      .start();
    browser = await application.signedIn('cookie', 'browser');
    mobile = await application.signedIn('header', 'mobile');
    const created = await application.sessions.createJWT({ payload: { sub: 'mobile' } });
    kinds = {
      'a refresh token': mobile.refreshToken ?? '',
      'an anti-csrf token': browser.antiCsrf ?? '',
      'a front token': browser.frontToken ?? '',
      'a session handle': String(browser.front.up['sessionHandle']),
      'a JWT of the application': created.status === 'OK' ? created.jwt : '',
      'an OAuth2 token': jwt(V5_HEADER, { ...V5_CLAIMS, stt: 1 }),
      'a token without session': jwt(V5_HEADER, { sub: 'mobile', exp: 4_000_000_000, iat: 1 }),
    };
  });

  afterAll(() => application.close());

  /** The places of a request that can hold a token. */
  const PLACES: Record<string, (token: string) => RequestToSend> = {
    'as bearer': (token) => ({ path: '/me', headers: { authorization: `Bearer ${token}` } }),
    'in the access cookie': (token) => ({
      path: '/me',
      headers: { cookie: `sAccessToken=${encodeURIComponent(token)}` },
    }),
    'where the database is asked': (token) => ({
      path: '/checked',
      headers: { authorization: `Bearer ${token}` },
    }),
    'in the query': (token) => ({
      path: `/me?access_token=${encodeURIComponent(token)}&token=${encodeURIComponent(token)}`,
    }),
    'in the body': (token) => ({
      method: 'POST',
      path: '/me',
      body: { token, accessToken: token, sAccessToken: token },
    }),
    'in our response headers': (token) => ({
      path: '/me',
      headers: { 'st-access-token': token, 'front-token': token },
    }),
    'at sign-out': (token) => ({
      method: 'POST',
      path: '/auth/signout',
      headers: { authorization: `Bearer ${token}` },
    }),
  };

  it.each([
    'a refresh token',
    'an anti-csrf token',
    'a front token',
    'a session handle',
    'a JWT of the application',
    'an OAuth2 token',
    'a token without session',
  ])('%s is no access token, wherever it is put (S007, S027, S067)', async (kind) => {
    const token = kinds[kind] ?? '';
    expect(token).not.toBe('');
    for (const [place, request] of Object.entries(PLACES)) {
      const response = await application.send(request(token));
      expect([kind, place, response.status, response.text]).toEqual([
        kind,
        place,
        401,
        '{"message":"unauthorised"}',
      ]);
      expect(tokenTraffic(response)).toEqual(NOTHING);
    }
    const optional = await application.send({
      path: '/optional',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(optional.text).toBe('{"session":null}');
  });

  it('only a refresh token refreshes, and trying ends no session (S007, S029)', async () => {
    const { 'a refresh token': _refreshToken, ...others } = kinds;
    const candidates = { ...others, 'an access token': mobile.accessToken ?? '' };
    for (const [kind, token] of Object.entries(candidates)) {
      for (const headers of [
        { authorization: `Bearer ${token}` },
        { cookie: `sRefreshToken=${encodeURIComponent(token)}` },
      ]) {
        const response = await application.send({ method: 'POST', path: REFRESH, headers });
        expect([kind, response.status, response.text]).toEqual([kind, 401, '{"message":"unauthorised"}']);
      }
    }
    expect(application.events.filter(({ type }) => type !== 'session.created')).toEqual([]);
    for (const client of [browser, mobile]) expect((await client.get('/checked')).status).toBe(200);
  });

  it('an access token in the query, in the body or in our response headers is nothing (S067)', async () => {
    for (const place of ['in the query', 'in the body', 'in our response headers']) {
      const request = PLACES[place]?.(mobile.accessToken ?? '') ?? { path: '/' };
      expect((await application.send(request)).status).toBe(401);
    }
  });

  it('the header wins over the cookie, and neither borrows from the other (S072)', async () => {
    const cookie = `sAccessToken=${browser.cookie('sAccessToken')}; sRefreshToken=${browser.cookie('sRefreshToken')}`;
    const both = { authorization: `Bearer ${mobile.accessToken}`, cookie };
    expect((await application.send({ path: '/me', headers: both })).body).toMatchObject({ userId: 'mobile' });
    const refreshed = await application.send({
      method: 'POST',
      path: REFRESH,
      headers: { ...both, authorization: `Bearer ${mobile.refreshToken}` },
    });
    const { body } = await application.send({
      path: '/me',
      headers: { authorization: `Bearer ${refreshed.header('st-access-token')}` },
    });
    expect(body).toMatchObject({ userId: 'mobile' });
    // here and at olderCookieDomain
    const written = refreshed.lines('set-cookie').filter((line) => line.startsWith('sAccessToken='));
    expect(written).toEqual([
      expect.stringMatching(/^sAccessToken=;/),
      expect.stringMatching(/^sAccessToken=;/),
    ]);
  });

  /** Names that the library and frameworks use inside; a request with one of them must change nothing. */
  const INTERNAL_NAMES = [
    'nest-sessions:request', 'nest-sessions:route-rules', 'isGuarded', 'isPublic', 'session', 'sessionRequired',
    'checkDatabase', 'antiCsrfCheck', 'overrideGlobalClaimValidators', 'errorResponder', 'userContext', '_default',
    'request', 'rid', 'st-auth-mode', 'fdi-version', 'user', 'userId', 'x-user-id', 'x-middleware-subrequest',
    'x-forwarded-user', 'x-original-url', 'x-rewrite-url', 'x-http-method-override', 'api-key', 'cdi-version',
    '__proto__', 'constructor', 'prototype',
  ]; // prettier-ignore

  it.each(['true', 'false', '1', 'OPTIONS', '{"userId":"admin"}', '/public'])(
    'no name of ours with the value %s opens a guarded route (S074)',
    async (value) => {
      const headerNames = INTERNAL_NAMES.filter((name) => !name.includes(':'));
      const headers = Object.fromEntries(headerNames.map((name) => [name, value]));
      const query = INTERNAL_NAMES.map(
        (name) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
      ).join('&');
      const body = Object.fromEntries(INTERNAL_NAMES.map((name) => [name, value]));
      for (const path of ['/me', '/checked', '/with-anti-csrf']) {
        const response = await application.send({ method: 'POST', path: `${path}?${query}`, headers });
        expect([response.status, response.text]).toEqual([401, '{"message":"unauthorised"}']);
        // Fastify refuses a body with these names by itself
        expect([400, 401]).toContain((await application.send({ method: 'POST', path, body })).status);
        const withoutToken = await browser.post(`${path}?${query}`, undefined, {
          ...headers,
          'anti-csrf': undefined,
        });
        expect([withoutToken.status, withoutToken.text]).toEqual([401, '{"message":"try refresh token"}']);
      }
    },
  );

  it(`no spelling of a guarded path gets around the guard, ${RUNS} tried (S076)`, async () => {
    const reached = new Set<number>();
    await fc.assert(
      fc.asyncProperty(spelledPath, fc.constantFrom('GET', 'POST', 'PUT', 'HEAD'), async (path, method) => {
        const response = await application.send({ method, path });
        reached.add(response.status);
        expect([400, 401, 404]).toContain(response.status);
        expect(response.text).not.toContain('session":');
      }),
      {
        numRuns: RUNS,
        examples: [
          ['/me/', 'GET'],
          ['/ME', 'GET'],
          ['//me', 'GET'],
          ['/m%65', 'GET'],
        ],
      },
    );
    expect(reached).toContain(401);
  });

  it(`no headers make a 500, or somebody else of the caller, ${RUNS} tried (S011, S072, S073)`, async () => {
    const prototype = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));
    const token = mobile.accessToken ?? '';
    await fc.assert(
      fc.asyncProperty(mangledHeaders(token), routes, async (headers, { method, path }) => {
        const response = await application.send({ method, path, headers, isAlone: true });
        expect([200, 400, 401]).toContain(response.status);
        expect(response.text).not.toMatch(/ at |node_modules|eyJ/);
        expect(['mobile', undefined]).toContain((response.body as { userId?: string }).userId);
      }),
      { numRuns: RUNS },
    );
    expect(JSON.stringify(Object.getOwnPropertyNames(Object.prototype))).toBe(prototype);
    expect((await mobile.copy().get('/me')).status).toBe(200);
  });

  it.each([
    ['lower case', (token: string) => `bearer ${token}`, 401],
    ['no space', (token: string) => `Bearer${token}`, 401],
    ['a tab', (token: string) => `Bearer\t${token}`, 401],
    ['a comma list', (token: string) => `Bearer ${token}, Bearer ${token}`, 401],
    ['two tokens', (token: string) => `Bearer ${token} ${token}`, 401],
    ['quotes', (token: string) => `Bearer "${token}"`, 401],
    ['another scheme first', (token: string) => `Basic eDp5, Bearer ${token}`, 401],
    ['a parameter', (token: string) => `Bearer token=${token}`, 401],
    ['spaces around', (token: string) => `Bearer   ${token}   `, 200],
  ])('Authorization with %s is read by the letter (S073)', async (_case, value, status) => {
    const headers = { authorization: value(mobile.accessToken ?? '') };
    const response: ClientResponse = await application.send({ path: '/me', headers });
    expect(response.status).toBe(status);
  });
});

import { describe, expect, it } from '@jest/globals';
import { PrimitiveClaim, remoteCore } from 'nest-sessions';
import { create, decoded, refresh, refreshed, verify } from '../../support/core-calls.js';
import { makeEmbeddedCore, rowOf, TEST_START_MS } from '../../support/embedded.js';
import { FakeCore, sendJson } from '../../support/fake-core.js';
import { withServedCore } from '../../support/served-core.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';

// Faults of issuers: lists that lose sessions, tenants that see each other, checks in another order, an end that nobody compares.

const expOf = (token: string | undefined): number => Number(decoded(token ?? '').payload['exp']);

describe.each(ADAPTERS)('sessions of one user on %s', (adapter) => {
  it('CVE-2026-134321: none that parallel sign-ins and sign-outs leave is missing in the list, and none is trusted after its end', async () => {
    const { client, sessions } = await TestApplication.on(adapter).start();
    const visitors = Array.from({ length: 16 }, () => client('header'));
    await Promise.all(visitors.map((visitor) => visitor.login('ada')));
    for (const visitor of visitors) await visitor.get('/me'); // remembered as verified
    await Promise.all(
      visitors.map(async (visitor, n) => (n % 2 === 0 ? visitor.signOut() : visitor.refresh())),
    );
    const live = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
    expect(live).toHaveLength(8);
    const late = client('header');
    const [revoked] = await Promise.all([
      sessions.revokeAllSessionsForUser({ userId: 'ada' }),
      late.login('ada'),
    ]);
    expect(revoked).toEqual(expect.arrayContaining(live));
    const left = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
    expect(left.length + revoked.length).toBe(9);
    for (const visitor of visitors.filter((_, n) => n % 2 === 1)) {
      expect((await visitor.get('/checked')).status).toBe(401);
      expect((await visitor.refresh()).status).toBe(401);
    }
    expect((await late.get('/checked')).status).toBe(left.length === 1 ? 200 : 401);
  });
});

describe('a copied access token', () => {
  const Stock = new PrimitiveClaim<number>({ key: 'stock', fetchValue: () => 0 });

  it.each(
    ADAPTERS.flatMap((adapter) => ['/checked', '/auth/sessions'].map((path) => [adapter, path] as const)),
  )('ends when it was to end, on %s, though %s gives what is stored since (S041)', async (adapter, path) => {
    const { signedIn, sessions, clock } = await TestApplication.on(adapter)
      .with({ claims: [Stock], userSessionRoutes: true })
      .start();
    const thief = await signedIn('header', 'ada');
    const [handle = ''] = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
    const exp = expOf(thief.accessToken);
    for (let minutes = 0; minutes < 60; minutes += 10) {
      const before = thief.accessToken;
      await sessions.setClaimValue(handle, Stock, minutes + 1);
      expect((await thief.get(path)).status).toBe(200);
      expect(thief.accessToken).not.toBe(before);
      expect(expOf(thief.accessToken)).toBe(exp);
      clock.advanceSeconds(599);
    }
    clock.advanceSeconds(10);
    expect((await thief.get(path)).status).toBe(401);
  });

  it.each([
    ['a full life to an old token', { parentRefreshTokenHash1: null }, false],
    ['its time to the first use of a refreshed one', { parentRefreshTokenHash1: 'p' }, true],
  ])('is not replaced by what a SuperTokens Core gives: %s (S041)', async (_, lineage, isHandedOut) => {
    const core = await FakeCore.start();
    try {
      const presented = jwt(V5_HEADER, { ...V5_CLAIMS, ...lineage, n: 1 });
      const exp = expOf(presented) + 1800;
      const longer = jwt(V5_HEADER, { ...V5_CLAIMS, exp, n: 2 });
      const { sessionHandle, sub } = V5_CLAIMS;
      const session = {
        handle: sessionHandle,
        userId: sub,
        recipeUserId: sub,
        tenantId: 'public',
        userDataInJWT: { n: 2 },
      };
      const accessToken = { token: longer, expiry: exp * 1000, createdTime: TEST_START_MS };
      core.on('/recipe/session/verify', sendJson({ status: 'OK', session, accessToken }));
      core.on('/recipe/session/regenerate', sendJson({ status: 'OK', session, accessToken }));
      const { sessions, send } = await TestApplication.on('express')
        .with({ core: remoteCore({ connectionURI: core.uri }) })
        .start();
      const response = await send({ path: '/checked', headers: { authorization: `Bearer ${presented}` } });
      expect(response.status).toBe(200);
      expect(response.header('st-access-token')).toBe(isHandedOut ? longer : undefined);
      const held = await sessions.getSessionWithoutRequestResponse({
        accessToken: presented,
        checkDatabase: true,
      });
      expect(held.getAccessToken()).toBe(isHandedOut ? longer : presented);
      expect(held.getAccessTokenPayload()).toMatchObject({ n: 2 });
      const token = held.getAccessToken();
      await held.mergeIntoAccessTokenPayload({ n: 2 });
      expect(held.getAccessToken()).toBe(token);
    } finally {
      await core.kill();
    }
  });
});

describe('sessions of two tenants', () => {
  it('CVE-2026-37171: no path, handle or token of one tenant reaches a session of the other', async () => {
    await withServedCore({}, async ({ post, send }) => {
      const made = async (tenant: string) =>
        (
          await post(`/${tenant}/recipe/session`, {
            userId: 'ada',
            userDataInJWT: {},
            userDataInDatabase: {},
            enableAntiCsrf: false,
          })
        ).json as Record<'session' | 'accessToken' | 'refreshToken', Record<'handle' | 'token', string>>;
      const [a, b] = [await made('ta'), await made('tb')];
      const ofB = `/recipe/session/user?userId=ada&fetchAcrossAllTenants=false`;
      const list = async (tenant: string): Promise<unknown> =>
        ((await send({ path: `/${tenant}${ofB}` })).json as { sessionHandles: unknown }).sessionHandles;
      expect([await list('ta'), await list('tb'), await list('public')]).toEqual([
        [a.session.handle],
        [b.session.handle],
        [],
      ]);
      const [id = ''] = a.session.handle.split('_');
      for (const handle of [id, `${id}_tb`, `${id}_public`, `${id}_ta_tb`, `${a.session.handle}_tb`]) {
        const response = await send({ path: `/tb/recipe/session?sessionHandle=${handle}` });
        expect(response.json).toMatchObject({ status: 'UNAUTHORISED' });
        expect((await post('/tb/recipe/session/remove', { sessionHandles: [handle] })).json).toMatchObject({
          sessionHandlesRevoked: [],
        });
      }
      await post('/tb/recipe/session/remove', { userId: 'ada', revokeAcrossAllTenants: false });
      expect([await list('ta'), await list('tb')]).toEqual([[a.session.handle], []]);
      const verified = await post('/tb/recipe/session/verify', {
        accessToken: a.accessToken.token,
        doAntiCsrfCheck: false,
        enableAntiCsrf: false,
        checkDatabase: true,
      });
      expect(verified.json).toMatchObject({ status: 'OK', session: { tenantId: 'ta' } });
    });
  });
});

describe('the API key of a served core', () => {
  const KEY = 'a-key-of-the-served-core';
  const CALLS = [
    ['GET', '/apiversion'],
    ['GET', '/user/id?userId=ada'],
    ['POST', '/recipe/session'],
    ['GET', '/recipe/session?sessionHandle=x'],
    ['POST', '/recipe/session/verify'],
    ['POST', '/recipe/session/refresh'],
    ['POST', '/recipe/session/regenerate'],
    ['POST', '/recipe/session/remove'],
    ['GET', '/recipe/session/user?userId=ada'],
    ['GET', '/recipe/session/data?sessionHandle=x'],
    ['PUT', '/recipe/session/data'],
    ['GET', '/recipe/jwt/data?sessionHandle=x'],
    ['PUT', '/recipe/jwt/data'],
    ['POST', '/recipe/jwt'],
    ['GET', '/recipe/jwt/jwks'],
  ] as const;
  const VERSIONS = [undefined, '2.7', '2.21', '3.0', '4.0', '5.4', '99.0', 'abc', ''];
  const PREFIXES = [
    '',
    '/public',
    '/unknown',
    '/appid-public',
    '/appid-public/unknown',
    '/APPID-PUBLIC/Unknown',
  ];

  it('CVE-2026-123797: is asked for before version, method, tenant and input, whatever the path looks like', async () => {
    await withServedCore({ options: { apiKeys: [KEY] } }, async ({ send }) => {
      const seen = new Set<string>();
      for (const [method, path] of CALLS) {
        const [bare = '', query = ''] = path.split('?');
        for (const prefix of PREFIXES) {
          for (const version of VERSIONS) {
            for (const ending of ['', '/']) {
              const headers = version === undefined ? {} : { 'cdi-version': version };
              const response = await send({ method, path: `${prefix}${bare}${ending}?${query}`, headers });
              seen.add(`${response.status} ${response.text.trim()}`);
            }
          }
        }
      }
      expect([...seen]).toEqual(['401 Invalid API key']);
    });
  }, 60_000);

  it('CVE-2026-123797: is no way round it to name an unknown app, or a method that there is not', async () => {
    await withServedCore({ options: { apiKeys: [KEY] } }, async ({ send }) => {
      for (const version of ['2.7', '5.4']) {
        const headers = { 'cdi-version': version };
        for (const [method, path] of CALLS) {
          const ofApp = await send({ method, path: `/appid-other/unknown${path}`, headers });
          expect([path, ofApp.status]).toEqual([path, 400]);
          const other = await send({ method: 'PATCH', path: `/unknown${path}`, headers });
          expect([path, other.status]).toEqual([path, 401]);
        }
      }
    });
  });
});

describe('the end of a session that is stored', () => {
  it('CVE-2026-123799: is compared by every call, though the row is still there', async () => {
    const { core, clock, store } = await makeEmbeddedCore({
      accessTokenValiditySec: 7200,
      refreshTokenValiditySec: 7200,
    });
    const { session, refreshToken } = await create(core);
    const { handle } = session;
    clock.advanceSeconds(3600);
    const child = await refreshed(core, refreshToken.token);
    clock.advanceSeconds(3600);
    clock.advance(1);
    expect(await rowOf(store, handle)).toBeDefined();
    const before = await rowOf(store, handle);
    for (const token of [refreshToken.token, child.refreshToken.token]) {
      expect(await refresh(core, token)).toMatchObject({ status: 'UNAUTHORISED' });
    }
    for (const checkDatabase of [true, false]) {
      const response = await verify(core, child.accessToken.token, { checkDatabase });
      expect(response).toMatchObject({ status: 'UNAUTHORISED' });
    }
    expect(await core.getSessionInformation(handle)).toBeUndefined();
    expect(await core.updateSessionData(handle, { a: 1 })).toBe(false);
    expect(await core.mergeSessionData(handle, { a: 1 })).toBe(false);
    expect(await core.updateAccessTokenPayload(handle, { a: 1 })).toBe(false);
    expect(await core.changeAccessTokenPayload(handle, { set: { a: 1 }, remove: [] })).toBe(false);
    const accessToken = child.accessToken.token;
    expect(await core.regenerateAccessToken({ accessToken, userDataInJWT: { a: 1 } })).toMatchObject({
      status: 'UNAUTHORISED',
    });
    const user = { userId: 'user-1', tenantId: 'public', includeLinkedAccounts: true };
    expect(await core.getSessionHandlesOfUser(user)).toEqual([]);
    expect(await rowOf(store, handle)).toEqual(before);
  });
});

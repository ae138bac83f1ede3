import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { create, decoded, refreshed, verify } from '../../support/core-calls.js';
import {
  DYNAMIC_TEST_KID,
  embeddedCoreOn,
  makeEmbeddedCore,
  rowOf,
  seededMemoryStore,
  TEST_START_MS,
} from '../../support/embedded.js';
import { CoreBadInputError } from '../../../lib/errors.js';
import type { JsonObject, JsonValue } from '../../../lib/util/json.js';
import { refreshTokenHash1, refreshTokenHash2, RefreshTokens } from '../../../lib/tokens/refresh-token.js';

const RESERVED = [
  'sub',
  'exp',
  'iat',
  'sessionHandle',
  'refreshTokenHash1',
  'parentRefreshTokenHash1',
  'antiCsrfToken',
  'tId',
  'rsub',
];
const TWO_YEARS_SEC = 2 * 365 * 86_400;

describe('creating a session', () => {
  it('stores one row and hands out tokens that verify without being replaced (C1)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const created = await create(core, { userDataInJWT: { role: 'admin' }, userDataInDatabase: { cart: 3 } });
    const { handle } = created.session;

    expect(created.session).toEqual({
      handle,
      userId: 'user-1',
      recipeUserId: 'user-1',
      tenantId: 'public',
      userDataInJWT: { role: 'admin' },
    });
    expect(created.antiCsrfToken).toBeUndefined();
    expect(created.accessToken).toMatchObject({
      createdTime: TEST_START_MS,
      expiry: TEST_START_MS + 3_600_000,
    });
    expect(created.refreshToken).toMatchObject({
      createdTime: TEST_START_MS,
      expiry: TEST_START_MS + 8_640_000_000,
    });
    expect(store.size).toBe(1);
    expect(await rowOf(store, handle)).toEqual({
      tenantId: 'public',
      sessionHandle: handle,
      userId: 'user-1',
      refreshTokenHash2: refreshTokenHash2(created.refreshToken.token),
      sessionData: '{"cart":3}',
      accessTokenPayload: '{"role":"admin"}',
      expiresAtMs: TEST_START_MS + 8_640_000_000,
      createdAtMs: TEST_START_MS,
      useStaticKey: false,
      prevRefreshTokenHash2: undefined,
      rotatedAtMs: undefined,
    });
    expect(await verify(core, created.accessToken.token)).toEqual({ status: 'OK', session: created.session });
  });

  it('makes a new handle and new tokens each time', async () => {
    const { core } = await makeEmbeddedCore();
    const made = await Promise.all(Array.from({ length: 50 }, () => create(core)));
    expect(new Set(made.map(({ session }) => session.handle)).size).toBe(50);
    expect(new Set(made.map(({ refreshToken }) => refreshToken.token)).size).toBe(50);
    for (const { session } of made) {
      expect(session.handle).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it('mints an anti-CSRF token when asked to, and keeps it out of the store', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, accessToken, antiCsrfToken } = await create(core, { enableAntiCsrf: true });
    expect(antiCsrfToken).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(decoded(accessToken.token).payload['antiCsrfToken']).toBe(antiCsrfToken);
    expect(JSON.stringify(await rowOf(store, session.handle))).not.toContain(antiCsrfToken);
  });

  it.each<[what: string, payload: JsonObject]>([
    ['an empty payload (C2)', {}],
    ['nested arrays and objects (C3)', { a: [1, [2, { b: [] }], {}], c: { d: { e: [null, true, 2.5] } } }],
    ['null (C4)', { nullProp: null }],
    ['a name of the language', JSON.parse('{"__proto__":{"x":1},"constructor":"c"}') as JsonObject],
    ['text in many scripts', { name: 'Zoë 漢字 🎉 \u2028 "<&>"' }],
  ])('gives back %s from create, verify and refresh', async (_, payload) => {
    const { core } = await makeEmbeddedCore();
    const created = await create(core, { userDataInJWT: payload });
    const verified = await verify(core, created.accessToken.token);
    const next = await refreshed(core, created.refreshToken.token);
    expect(created.session.userDataInJWT).toEqual(payload);
    expect(verified).toMatchObject({ status: 'OK', session: { userDataInJWT: payload } });
    expect(next.session.userDataInJWT).toEqual(payload);
    expect(decoded(next.accessToken.token).payload).toMatchObject(payload);
  });

  it('gives back any JSON object as payload and as data', async () => {
    const { core } = await makeEmbeddedCore();
    const anyObject = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>);
    await fc.assert(
      fc.asyncProperty(anyObject, anyObject, async (payload, data) => {
        fc.pre(RESERVED.every((name) => !(name in payload)));
        const json = (value: object): unknown => JSON.parse(JSON.stringify(value));
        const created = await create(core, { userDataInJWT: payload, userDataInDatabase: data });
        const information = await core.getSessionInformation(created.session.handle);
        expect(information?.userDataInDatabase).toEqual(json(data));
        expect(information?.userDataInJWT).toEqual(json(payload));
        expect(created.session.userDataInJWT).toEqual(json(payload));
      }),
      { numRuns: 50 },
    );
  });

  it.each(RESERVED)('refuses a payload with %s, even as null, and stores nothing (C6 S013)', async (name) => {
    const { core, store } = await makeEmbeddedCore();
    for (const value of ['x', null]) {
      await expect(create(core, { userDataInJWT: { [name]: value } })).rejects.toThrow(CoreBadInputError);
      await expect(create(core, { userDataInJWT: { [name]: value } })).rejects.toThrow(
        'The user payload contains protected field',
      );
    }
    expect(store.size).toBe(0);
  });

  it('allows userId and the other names of version 2 in a payload (C7)', async () => {
    const { core } = await makeEmbeddedCore();
    const payload = { userId: 'x', expiryTime: 1, timeCreated: 2, userData: {} };
    const created = await create(core, { userDataInJWT: payload });
    expect(await verify(core, created.accessToken.token)).toMatchObject({
      session: { userDataInJWT: payload },
    });
  });

  it('signs with the static key when told to (C10), with the rotating one by default (C11)', async () => {
    const { core } = await makeEmbeddedCore();
    const fixed = await create(core, { useDynamicSigningKey: false });
    const rotating = await create(core);
    expect(decoded(fixed.accessToken.token).header['kid']).toMatch(
      /^s-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    );
    expect(decoded(rotating.accessToken.token).header['kid']).toBe(DYNAMIC_TEST_KID);
    expect(DYNAMIC_TEST_KID).toMatch(/^d-\d+$/);
  });

  it('names the tenant in the handle and in the token (C12)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, accessToken } = await create(core, { tenantId: 't1' });
    expect(session.handle).toMatch(/_t1$/);
    expect(session.tenantId).toBe('t1');
    expect(decoded(accessToken.token).payload['tId']).toBe('t1');
  });

  it('lays the token out as version 5: nine claims and the payload, times as ten digits (C13)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, accessToken, refreshToken } = await create(core, { userDataInJWT: { role: 'admin' } });
    const { header, payload } = decoded(accessToken.token);
    expect(JSON.stringify(header)).toBe(
      `{"kid":"${DYNAMIC_TEST_KID}","typ":"JWT","version":"5","alg":"RS256"}`,
    );
    expect(JSON.stringify(payload)).toBe(
      JSON.stringify({
        sub: 'user-1',
        exp: 1_760_003_600,
        iat: 1_760_000_000,
        tId: 'public',
        rsub: 'user-1',
        sessionHandle: session.handle,
        refreshTokenHash1: refreshTokenHash1(refreshToken.token),
        parentRefreshTokenHash1: null,
        antiCsrfToken: null,
        role: 'admin',
      }),
    );
  });

  it.each([
    ['', 'user-1'],
    ['Public', 'user-1'],
    ['a_b', 'user-1'],
    ["t'; --", 'user-1'],
    ['t'.repeat(65), 'user-1'],
    ['users', 'user-1'],
    ['appid-shop', 'user-1'],
    ['public', ''],
    ['public', 'u'.repeat(129)],
    ['public', 'a\0b'],
    ['public', 'half a pair \ud83d'],
  ])('refuses the tenant %j with the user %j (S094)', async (tenantId, recipeUserId) => {
    const { core, store } = await makeEmbeddedCore();
    await expect(create(core, { tenantId, recipeUserId })).rejects.toThrow(CoreBadInputError);
    expect(store.size).toBe(0);
  });

  it('lets sessions live on of a tenant that can no longer have new ones', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session } = await create(core);
    const sealer = new RefreshTokens(await store.getOrSetRefreshTokenKey(''));
    const handle = `${session.handle}_users`;
    const token = await sealer.issue({
      sessionHandle: handle,
      tenantId: 'users',
      userId: 'user-1',
      parentRefreshTokenHash1: undefined,
      antiCsrfToken: undefined,
    });
    const row = await rowOf(store, session.handle);
    await store.insertSession({
      ...row,
      tenantId: 'users',
      sessionHandle: handle,
      refreshTokenHash2: refreshTokenHash2(token),
    });
    const { accessToken } = await refreshed(core, token);
    expect(await verify(core, accessToken.token)).toMatchObject({ session: { tenantId: 'users' } });
    expect(await core.getSessionInformation(handle)).toMatchObject({ tenantId: 'users' });
    const ofTenant = { userId: 'user-1', tenantId: 'users', includeLinkedAccounts: false };
    expect(await core.getSessionHandlesOfUser(ofTenant)).toEqual([handle]);
    expect(await core.revokeSessions([handle])).toEqual([handle]);
  });

  it('takes user ids as they are: twins in Unicode are two users (S094)', async () => {
    const { core } = await makeEmbeddedCore();
    const composed = 'zo\u00eb';
    const decomposed = 'zoe\u0308';
    const mine = await create(core, { recipeUserId: composed });
    await create(core, { recipeUserId: decomposed });
    expect(
      await core.getSessionHandlesOfUser({
        userId: composed,
        tenantId: 'public',
        includeLinkedAccounts: true,
      }),
    ).toEqual([mine.session.handle]);
  });
});

describe('the life of an access token', () => {
  it('ends after the configured time (C14)', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenValiditySec: 1 });
    const { accessToken } = await create(core);
    clock.advance(1500);
    expect(await verify(core, accessToken.token)).toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message: 'Access token expired',
    });
  });

  it.each([
    [3_599_999, 'OK'],
    [3_600_000, 'OK'],
    [3_600_001, 'TRY_REFRESH_TOKEN'],
  ])('after %d ms of an hour: %s', async (ms, status) => {
    const { core, clock } = await makeEmbeddedCore();
    const { accessToken } = await create(core);
    clock.advance(ms);
    expect(await verify(core, accessToken.token)).toMatchObject({ status });
  });

  it('is exact for two years, and so is that of the refresh token (C15)', async () => {
    const { core, clock } = await makeEmbeddedCore({
      accessTokenValiditySec: TWO_YEARS_SEC,
      refreshTokenValiditySec: TWO_YEARS_SEC + 1,
    });
    const created = await create(core);
    clock.advanceSeconds(86_400);
    const next = await refreshed(core, created.refreshToken.token);
    for (const { accessToken, refreshToken } of [created, next]) {
      expect(accessToken.expiry - accessToken.createdTime).toBe(TWO_YEARS_SEC * 1000);
      expect(refreshToken.expiry - refreshToken.createdTime).toBe((TWO_YEARS_SEC + 1) * 1000);
    }
  });

  it('is exact without jitter, whatever the milliseconds of the clock (C16)', async () => {
    const { core, clock } = await makeEmbeddedCore();
    for (let n = 0; n < 20; n++) {
      clock.advance(137);
      const { accessToken } = await create(core);
      const { exp, iat } = decoded(accessToken.token).payload;
      expect(Number(exp) - Number(iat)).toBe(3600);
      expect(accessToken.createdTime).toBe(Number(iat) * 1000);
      expect(accessToken.expiry).toBe(Number(exp) * 1000);
    }
  });

  it('varies with jitter, is never longer, and never shorter than the jitter says (C17 S032)', async () => {
    const { core } = await makeEmbeddedCore({ accessTokenValidityJitter: 0.25 });
    const created = await create(core);
    const lives: number[] = [];
    for (let n = 0; n < 50; n++) {
      for (const { accessToken } of [await create(core), await refreshed(core, created.refreshToken.token)]) {
        lives.push(accessToken.expiry - accessToken.createdTime);
      }
    }
    expect(Math.max(...lives)).toBeLessThanOrEqual(3_600_000);
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(2_699_000);
    expect(new Set(lives).size).toBeGreaterThan(20);
    const spread = Math.max(...lives) - Math.min(...lives);
    expect(spread).toBeGreaterThan(450_000);
  });

  it('has no jitter when it is replaced, and keeps its end when it is regenerated', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenValidityJitter: 0.25 });
    const created = await create(core);
    clock.advanceSeconds(60);
    const { accessToken } = await refreshed(core, created.refreshToken.token);
    expect(await verify(core, accessToken.token)).toMatchObject({
      accessToken: { expiry: TEST_START_MS + 3_660_000 },
    });
    const again = await core.regenerateAccessToken({
      accessToken: accessToken.token,
      userDataInJWT: undefined,
    });
    expect(again).toMatchObject({ accessToken: { expiry: accessToken.expiry } });
  });
});

describe('looking a session up', () => {
  it('knows nothing of an unknown, empty or malformed handle, and asks no store for the latter (C22)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const malformed = [
      '',
      '_',
      '___',
      ' ',
      'a b',
      'a_B',
      "'; drop table session_info; --",
      '\0',
      'x'.repeat(300),
    ];
    let asked = 0;
    const find = store.findSession.bind(store);
    store.findSession = (key) => {
      asked++;
      return find(key);
    };
    for (const handle of malformed) expect(await core.getSessionInformation(handle)).toBeUndefined();
    expect(asked).toBe(0);
    expect(await core.getSessionInformation('0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11')).toBeUndefined();
    expect(store.size).toBe(0);
  });

  it('returns all stored facts, also when the access token has expired (C23)', async () => {
    const { core, clock } = await makeEmbeddedCore();
    const { session } = await create(core, {
      tenantId: 't1',
      userDataInJWT: { role: 'admin' },
      userDataInDatabase: { cart: 3 },
    });
    clock.advanceSeconds(3601);
    expect(await core.getSessionInformation(session.handle)).toEqual({
      sessionHandle: session.handle,
      userId: 'user-1',
      recipeUserId: 'user-1',
      tenantId: 't1',
      userDataInDatabase: { cart: 3 },
      userDataInJWT: { role: 'admin' },
      expiry: TEST_START_MS + 8_640_000_000,
      timeCreated: TEST_START_MS,
    });
  });

  it('does not know a session that has expired, although its row is there (C24)', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    const { session } = await create(core);
    const user = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: true };
    clock.advance(8_640_000_000 - 1);
    expect(await core.getSessionInformation(session.handle)).toBeDefined();
    clock.advance(2);
    expect(await core.getSessionInformation(session.handle)).toBeUndefined();
    expect(await core.updateSessionData(session.handle, {})).toBe(false);
    expect(await core.updateAccessTokenPayload(session.handle, {})).toBe(false);
    expect(await core.getSessionHandlesOfUser(user)).toEqual([]);
    expect(store.size).toBe(1);
  });

  it('treats the last millisecond as a Core does: listed, but neither looked up nor written', async () => {
    const { core, clock } = await makeEmbeddedCore();
    const { session } = await create(core);
    clock.advance(8_640_000_000);
    expect(await core.getSessionInformation(session.handle)).toBeUndefined();
    expect(await core.updateSessionData(session.handle, {})).toBe(false);
    expect(
      await core.getSessionHandlesOfUser({
        userId: 'user-1',
        tenantId: undefined,
        includeLinkedAccounts: true,
      }),
    ).toEqual([session.handle]);
  });

  it('finds a session of any tenant by its handle (C25), and none under the handle with another tenant (S094)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session } = await create(core, { tenantId: 't1' });
    await create(core, { tenantId: 't2' });
    expect(await core.getSessionInformation(session.handle)).toMatchObject({ tenantId: 't1' });
    expect(await core.getSessionInformation(session.handle.replace('_t1', '_t2'))).toBeUndefined();
    expect(await core.getSessionInformation(session.handle.replace('_t1', ''))).toBeUndefined();
  });

  it('is the same after a restart of the process on the same store', async () => {
    const store = await seededMemoryStore();
    const first = embeddedCoreOn(store);
    const created = await create(first.core, { userDataInJWT: { role: 'admin' } });
    const second = embeddedCoreOn(store);
    expect(await verify(second.core, created.accessToken.token, { checkDatabase: true })).toEqual({
      status: 'OK',
      session: created.session,
    });
  });
});

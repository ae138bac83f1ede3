import { describe, expect, it } from '@jest/globals';
import { create, decoded, refresh, refreshed, verify } from '../../support/core-calls.js';
import { makeEmbeddedCore, rowOf, TEST_START_MS, type TestCore } from '../../support/embedded.js';
import { jwt, legacyToken, rs256, V2_CLAIMS, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { CoreBadInputError } from '../../../lib/errors.js';
import type { JsonObject } from '../../../lib/util/json.js';
import type { UserSessionsInput } from '../../../lib/core/core.types.js';

const NO_SESSION = { status: 'UNAUTHORISED', message: 'Session does not exist.' };

async function withSession(payload: JsonObject = { n: 0 }, changes = {}) {
  const engine = await makeEmbeddedCore();
  const created = await create(engine.core, { userDataInJWT: payload, ...changes });
  return {
    ...engine,
    created,
    handle: created.session.handle,
    accessToken: created.accessToken.token,
    row: () => rowOf(engine.store, created.session.handle),
    regenerate: (userDataInJWT: JsonObject | undefined, accessToken = created.accessToken.token) =>
      engine.core.regenerateAccessToken({ accessToken, userDataInJWT }),
  };
}

/** The new token of a regeneration that must give one. */
async function tokenOf(result: ReturnType<TestCore['core']['regenerateAccessToken']>): Promise<string> {
  const { status, ...rest } = await result;
  if (status !== 'OK' || !('accessToken' in rest)) throw new Error(`returned ${status}`);
  return rest.accessToken?.token ?? '';
}

describe('regenerating an access token', () => {
  it('gives a new token with the new payload, the same end and the same lineage (C101)', async () => {
    const { clock, created, accessToken, regenerate, row } = await withSession(
      { n: 0 },
      { enableAntiCsrf: true },
    );
    clock.advanceSeconds(1000);
    const result = await regenerate({ n: 1 });
    expect(result).toMatchObject({
      status: 'OK',
      session: { ...created.session, userDataInJWT: { n: 1 } },
      accessToken: { expiry: created.accessToken.expiry, createdTime: TEST_START_MS + 1_000_000 },
    });
    expect(decoded(await tokenOf(regenerate({ n: 1 }))).payload).toEqual({
      ...decoded(accessToken).payload,
      iat: 1_760_001_000,
      n: 1,
    });
    expect(await row()).toMatchObject({ accessTokenPayload: '{"n":1}' });
  });

  it('keeps the lineage of a token that has not been used yet, and promotes nothing', async () => {
    const { core, created, regenerate, row } = await withSession();
    const next = await refreshed(core, created.refreshToken.token);
    const before = await row();
    const regenerated = await tokenOf(regenerate({ n: 1 }, next.accessToken.token));
    expect(decoded(regenerated).payload).toEqual({ ...decoded(next.accessToken.token).payload, n: 1 });
    expect(await row()).toEqual({ ...before, accessTokenPayload: '{"n":1}' });
  });

  it('keeps the end of a token that was shortened by jitter (C102)', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenValidityJitter: 0.25 });
    for (let n = 0; n < 10; n++) {
      const { accessToken } = await create(core);
      clock.advance(1500);
      const again = await core.regenerateAccessToken({
        accessToken: accessToken.token,
        userDataInJWT: undefined,
      });
      expect(again).toMatchObject({ accessToken: { expiry: accessToken.expiry } });
    }
  });

  it('stores and returns an empty payload (C103)', async () => {
    const { regenerate, row } = await withSession();
    expect(await regenerate({})).toMatchObject({ session: { userDataInJWT: {} } });
    expect(await row()).toMatchObject({ accessTokenPayload: '{}' });
  });

  it('takes the stored payload when none is given (C104)', async () => {
    const { core, handle, regenerate } = await withSession();
    await core.updateAccessTokenPayload(handle, { n: 5 });
    expect(await regenerate(undefined)).toMatchObject({ session: { userDataInJWT: { n: 5 } } });
    expect(decoded(await tokenOf(regenerate(undefined))).payload['n']).toBe(5);
  });

  it('stores the payload but gives no token when the presented one has expired (C105)', async () => {
    const { clock, created, regenerate, row } = await withSession();
    clock.advance(3_600_001);
    const before = await row();
    expect(await regenerate({ n: 1 })).toEqual({
      status: 'OK',
      session: { ...created.session, userDataInJWT: { n: 1 } },
    });
    expect(await row()).toEqual({ ...before, accessTokenPayload: '{"n":1}' });
  });

  it('signs with the key that is current now (C106)', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenDynamicSigningKeyUpdateIntervalSec: 12_000 });
    const { accessToken } = await create(core);
    clock.advanceSeconds(2100);
    const result = core.regenerateAccessToken({ accessToken: accessToken.token, userDataInJWT: undefined });
    const { header } = decoded(await tokenOf(result));
    expect(header['kid']).toBe(`d-${clock.now()}`);
    expect(header['kid']).not.toBe(decoded(accessToken.token).header['kid']);
  });

  it('is unauthorised when the session was removed or has expired (C107)', async () => {
    const removed = await withSession();
    await removed.core.revokeSessions([removed.handle]);
    expect(await removed.regenerate({ n: 1 })).toEqual(NO_SESSION);
    expect(await removed.regenerate(undefined)).toEqual(NO_SESSION);
    expect(removed.store.size).toBe(0);

    const { core, clock, store } = await makeEmbeddedCore({ refreshTokenValiditySec: 7200 });
    const { session, accessToken } = await create(core);
    clock.advanceSeconds(7200);
    for (const userDataInJWT of [{ n: 1 }, undefined]) {
      const response = core.regenerateAccessToken({ accessToken: accessToken.token, userDataInJWT });
      expect(await response).toEqual(NO_SESSION);
    }
    expect(await rowOf(store, session.handle)).toMatchObject({ accessTokenPayload: '{}' });
  });

  it.each(Object.keys(V5_CLAIMS))(
    'refuses a payload with %s and changes nothing (C108 S013)',
    async (name) => {
      const { core, created, regenerate, row } = await withSession();
      const before = await row();
      await expect(regenerate({ n: 1, [name]: null })).rejects.toThrow(CoreBadInputError);
      expect(await row()).toEqual(before);
      expect(await refresh(core, created.refreshToken.token)).toMatchObject({ status: 'OK' });
    },
  );

  it.each([
    [
      2,
      ['userId', 'expiryTime', 'timeCreated', 'sessionHandle', 'refreshTokenHash1'],
      ['sub', 'tId', 'rsub'],
    ],
    [3, ['sub', 'exp', 'iat', 'antiCsrfToken'], ['tId', 'rsub', 'userId']],
    [4, ['sub', 'tId'], ['rsub']],
  ])('keeps the version of a token and its reserved names: %d (C109)', async (version, reserved, free) => {
    const { handle, regenerate } = await withSession();
    const token =
      version === 2
        ? legacyToken({ ...V2_CLAIMS, sessionHandle: handle })
        : jwt({ ...V5_HEADER, version: String(version) }, { ...V5_CLAIMS, sessionHandle: handle });
    for (const name of reserved) {
      await expect(regenerate({ [name]: 'x' }, token)).rejects.toThrow(CoreBadInputError);
    }
    const payload = Object.fromEntries(free.map((name) => [name, 'x']));
    const again = await tokenOf(regenerate(payload, token));
    expect(decoded(again).header['version']).toBe(String(version));
    const own = decoded(again).payload;
    expect(version === 2 ? own['userData'] : own).toMatchObject(payload);
  });

  it('makes verifying with the database replace nothing afterwards (C110)', async () => {
    const { core, regenerate } = await withSession();
    const again = await tokenOf(regenerate({ n: 1 }));
    expect(await verify(core, again, { checkDatabase: true })).not.toHaveProperty('accessToken');
  });

  it('is unauthorised for a token that our keys did not sign, and stores nothing (S001)', async () => {
    const { handle, regenerate, row } = await withSession();
    const forged = jwt(V5_HEADER, { ...V5_CLAIMS, sessionHandle: handle }, (text) =>
      rs256(text, FOREIGN_TEST_KEY),
    );
    for (const token of ['', 'junk', 'a.b.c', forged]) {
      expect(await regenerate({ n: 1 }, token)).toMatchObject({ status: 'UNAUTHORISED' });
    }
    expect(await row()).toMatchObject({ accessTokenPayload: '{"n":0}' });
  });

  it('stores the payload of a session whose expired token has outlived its key, and gives no token', async () => {
    const { core, clock, created, handle, regenerate, row } = await withSession();
    const { accessToken } = created;
    clock.advanceSeconds(8 * 24 * 3600);
    const change = { sessionHandle: handle, set: { b: 2 }, remove: [] };
    expect(await regenerate({ n: 1 })).toEqual({
      status: 'OK',
      session: { ...created.session, userDataInJWT: { n: 1 } },
    });
    expect(
      await core.regenerateAccessToken({ accessToken: accessToken.token, userDataInJWT: undefined, change }),
    ).not.toHaveProperty('accessToken');
    expect(await row()).toMatchObject({ accessTokenPayload: '{"n":1,"b":2}' });
    expect(await verify(core, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    await core.revokeSessions([handle]);
    expect(await regenerate({ n: 2 })).toEqual(NO_SESSION);
  });

  /** A token of each version that the engine reads, signed by a key that the engine does not have any more. */
  const VERSIONS: [number, (sessionHandle: string) => string][] = [
    [1, (sessionHandle) => legacyToken({ ...V2_CLAIMS, sessionHandle }, 1, FOREIGN_TEST_KEY)],
    [2, (sessionHandle) => legacyToken({ ...V2_CLAIMS, sessionHandle }, 2, FOREIGN_TEST_KEY)],
    ...[3, 4, 5].map((version): [number, (sessionHandle: string) => string] => [
      version,
      (sessionHandle) =>
        jwt({ ...V5_HEADER, version: String(version), kid: 'd-1' }, { ...V5_CLAIMS, sessionHandle }, (text) =>
          rs256(text, FOREIGN_TEST_KEY),
        ),
    ]),
  ];

  it.each(VERSIONS)(
    'stores the payload for an expired token of version %i whose key is gone',
    async (_v, make) => {
      const { core, clock, created, handle, regenerate, row } = await withSession();
      const token = make(handle);
      clock.advanceSeconds(8 * 24 * 3600);
      expect(await regenerate({ n: 1 }, token)).toEqual({
        status: 'OK',
        session: { ...created.session, userDataInJWT: { n: 1 } },
      });
      expect(await row()).toMatchObject({ accessTokenPayload: '{"n":1}' });
      expect((await verify(core, token)).status).not.toBe('OK');
      await core.revokeSessions([handle]);
      expect(await regenerate({ n: 2 }, token)).toEqual(NO_SESSION);
    },
  );

  it.each(VERSIONS)(
    'believes no token of version %i and an unknown key that says it is in time (S001)',
    async (_v, make) => {
      const { handle, regenerate, row } = await withSession();
      expect(await regenerate({ n: 1 }, make(handle))).toMatchObject({ status: 'UNAUTHORISED' });
      expect(await row()).toMatchObject({ accessTokenPayload: '{"n":0}' });
    },
  );

  it('is unauthorised for a session that has ended, whatever the payload is', async () => {
    const { core, handle, regenerate } = await withSession();
    await core.revokeSessions([handle]);
    expect(await regenerate({ sub: 'x' })).toEqual(NO_SESSION);
    expect(await core.updateAccessTokenPayload(handle, { sub: 'x' })).toBe(false);
    expect(await core.changeAccessTokenPayload(handle, { set: { sub: 'x' }, remove: [] })).toBe(false);
  });

  it('is unauthorised for a token whose handle can be none', async () => {
    const { regenerate } = await withSession();
    const token = jwt(V5_HEADER, { ...V5_CLAIMS, sessionHandle: '__' });
    expect(await regenerate({ n: 1 }, token)).toEqual(NO_SESSION);
  });
});

describe('updating what is stored', () => {
  it('replaces the data as a whole and leaves the payload alone (C111 C112)', async () => {
    const { core, handle, row } = await withSession();
    await core.updateSessionData(handle, { a: 1, b: 2 });
    expect(await row()).toMatchObject({ sessionData: '{"a":1,"b":2}', accessTokenPayload: '{"n":0}' });
    expect(await core.updateSessionData(handle, {})).toBe(true);
    expect(await row()).toMatchObject({ sessionData: '{}', accessTokenPayload: '{"n":0}' });
  });

  it('replaces the payload as a whole and leaves the data alone (C111 C112)', async () => {
    const { core, handle, row } = await withSession();
    await core.updateSessionData(handle, { a: 1 });
    expect(await core.updateAccessTokenPayload(handle, {})).toBe(true);
    expect(await row()).toMatchObject({ sessionData: '{"a":1}', accessTokenPayload: '{}' });
  });

  it('gives back text in any script (C5)', async () => {
    const { core, handle } = await withSession();
    const text = { name: 'Zoë Ωμέγα 漢字 🎉', ключ: '\u0000\u2028"\\' };
    await core.updateSessionData(handle, text);
    await core.updateAccessTokenPayload(handle, text);
    expect(await core.getSessionInformation(handle)).toMatchObject({
      userDataInDatabase: text,
      userDataInJWT: text,
    });
  });

  it.each(['0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11', '', '_', "x'; --"])(
    'returns false for the unknown handle %j and makes no row (C113 S046)',
    async (unknown) => {
      const { core, store } = await makeEmbeddedCore();
      expect(await core.updateSessionData(unknown, {})).toBe(false);
      expect(await core.updateAccessTokenPayload(unknown, {})).toBe(false);
      expect(store.size).toBe(0);
    },
  );

  it.each(Object.keys(V5_CLAIMS))(
    'refuses a payload with %s and changes nothing (C114 S013)',
    async (name) => {
      const { core, handle, row } = await withSession();
      await expect(core.updateAccessTokenPayload(handle, { [name]: 'x' })).rejects.toThrow(CoreBadInputError);
      expect(await row()).toMatchObject({ accessTokenPayload: '{"n":0}' });
    },
  );

  it('changes neither expiry nor time of creation (C115)', async () => {
    const { core, clock, handle, accessToken } = await withSession();
    const before = await core.getSessionInformation(handle);
    clock.advanceSeconds(100);
    await core.updateSessionData(handle, { a: 1 });
    await core.updateAccessTokenPayload(handle, { n: 1 });
    await core.regenerateAccessToken({ accessToken, userDataInJWT: { n: 2 } });
    expect(await core.getSessionInformation(handle)).toMatchObject({
      expiry: before?.expiry,
      timeCreated: before?.timeCreated,
    });
  });
});

describe('removing sessions', () => {
  it('reports those that existed, once each, and nothing the second time (C116 C117)', async () => {
    const { core } = await makeEmbeddedCore();
    const made = await Promise.all(Array.from({ length: 4 }, () => create(core)));
    const handles = made.map(({ session }) => session.handle);
    const [s1 = '', s2 = '', s3 = '', s4 = ''] = handles;
    await core.revokeSessions([s2]);
    await core.revokeSessions([s4]);
    expect((await core.revokeSessions([...handles, s1])).sort()).toEqual([s1, s3].sort());
    expect(await core.revokeSessions(handles)).toEqual([]);
    expect(await core.revokeSessions([])).toEqual([]);
    expect(await core.revokeSessions(['', '_', 'unknown'])).toEqual([]);
  });

  it('removes rows that have expired, too', async () => {
    const { core, clock, handle } = await withSession();
    clock.advance(8_640_000_001);
    expect(await core.revokeSessions([handle])).toEqual([handle]);
  });

  it('removes those of one user and no other (C118)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const mine = [await create(core), await create(core), await create(core)];
    await create(core, { recipeUserId: 'user-2' });
    expect((await core.revokeSessionsOfUser(userOf('public'))).sort()).toEqual(
      mine.map(({ session }) => session.handle).sort(),
    );
    expect(store.size).toBe(1);
    expect(await core.revokeSessionsOfUser(userOf('public'))).toEqual([]);
  });

  it('by user leaves rows that have expired to the cleaning', async () => {
    const { core, clock, store } = await withSession();
    clock.advance(8_640_000_001);
    expect(await core.revokeSessionsOfUser(userOf(undefined))).toEqual([]);
    expect(store.size).toBe(1);
  });
});

describe('the sessions of a user', () => {
  async function inThreeTenants(): Promise<TestCore & { handles: Record<string, string> }> {
    const engine = await makeEmbeddedCore();
    const handles: Record<string, string> = {};
    for (const tenantId of ['public', 't1', 't2']) {
      handles[tenantId] = (await create(engine.core, { tenantId })).session.handle;
      await create(engine.core, { tenantId, recipeUserId: 'user-2' });
    }
    return { ...engine, handles };
  }

  it('are listed and removed in all tenants together (C121)', async () => {
    const { core, handles } = await inThreeTenants();
    const all = Object.values(handles).sort();
    expect((await core.getSessionHandlesOfUser(userOf(undefined))).sort()).toEqual(all);
    expect((await core.revokeSessionsOfUser(userOf(undefined))).sort()).toEqual(all);
    expect(await core.getSessionHandlesOfUser(userOf(undefined))).toEqual([]);
  });

  it.each(['public', 't1', 't2'])('are listed and removed in %s alone (C122 S094)', async (tenantId) => {
    const { core, handles, store } = await inThreeTenants();
    expect(await core.getSessionHandlesOfUser(userOf(tenantId))).toEqual([handles[tenantId]]);
    expect(await core.revokeSessionsOfUser(userOf(tenantId))).toEqual([handles[tenantId]]);
    expect(store.size).toBe(5);
  });

  it('are none for an unknown user and an empty id (C125)', async () => {
    const { core } = await inThreeTenants();
    for (const userId of ['nobody', '', '__proto__']) {
      expect(await core.getSessionHandlesOfUser({ ...userOf(undefined), userId })).toEqual([]);
    }
  });

  it('are only those that live (C127)', async () => {
    const { core, clock } = await makeEmbeddedCore();
    await create(core);
    clock.advanceSeconds(1);
    const younger = await create(core);
    clock.advance(8_640_000_000);
    expect(await core.getSessionHandlesOfUser(userOf('public'))).toEqual([younger.session.handle]);
  });
});

describe('the primary user of a login method', () => {
  it('is that login method: the engine links no accounts', async () => {
    const { core } = await makeEmbeddedCore();
    expect(await core.getPrimaryUserId('user-1')).toBe('user-1');
  });
});

function userOf(tenantId: string | undefined): UserSessionsInput {
  return { userId: 'user-1', tenantId, includeLinkedAccounts: true };
}

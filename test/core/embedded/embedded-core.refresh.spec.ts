import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { create, decoded, refresh, refreshed, replacementOf, verify } from '../../support/core-calls.js';
import {
  DYNAMIC_TEST_KID,
  embeddedCoreOn,
  makeEmbeddedCore,
  rowOf,
  seededMemoryStore,
  STATIC_TEST_KID,
  TEST_START_MS,
  type TestCore,
} from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { legacyToken, V2_CLAIMS } from '../../fixtures/made-tokens.js';
import { RefreshTokens, refreshTokenHash1, refreshTokenHash2 } from '../../../lib/tokens/refresh-token.js';
import { MemoryStore } from '../../../lib/stores/memory.store.js';

const SESSION_GONE = { status: 'UNAUTHORISED', message: 'Session missing in db or has expired' };

describe('refreshing a session', () => {
  it('gives new tokens of the same session and writes nothing (C61)', async () => {
    const { core, store, clock } = await makeEmbeddedCore();
    const created = await create(core, { userDataInJWT: { role: 'admin' } });
    const before = await rowOf(store, created.session.handle);
    clock.advanceSeconds(3700);

    const next = await refreshed(core, created.refreshToken.token);

    expect(next.session).toEqual(created.session);
    expect(next.refreshToken.token).not.toBe(created.refreshToken.token);
    expect(next.accessToken).toMatchObject({
      createdTime: TEST_START_MS + 3_700_000,
      expiry: TEST_START_MS + 7_300_000,
    });
    expect(next.refreshToken.expiry).toBe(TEST_START_MS + 3_700_000 + 8_640_000_000);
    expect(decoded(next.accessToken.token).payload).toMatchObject({
      refreshTokenHash1: refreshTokenHash1(next.refreshToken.token),
      parentRefreshTokenHash1: refreshTokenHash1(created.refreshToken.token),
    });
    expect(await rowOf(store, created.session.handle)).toEqual(before);
    expect(store.size).toBe(1);
  });

  it('makes the new refresh token current at the first use of its access token (C62)', async () => {
    const { core, store, clock } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    clock.advanceSeconds(100);
    await verify(core, next.accessToken.token);
    expect(await rowOf(store, session.handle)).toMatchObject({
      refreshTokenHash2: refreshTokenHash2(next.refreshToken.token),
      prevRefreshTokenHash2: refreshTokenHash2(refreshToken.token),
      rotatedAtMs: clock.now(),
      expiresAtMs: clock.now() + 8_640_000_000,
    });
  });

  it('reports theft with handle and user ids when the old token comes back after that, and keeps the row (S023, C63)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    await verify(core, (await refreshed(core, refreshToken.token)).accessToken.token);
    expect(await refresh(core, refreshToken.token)).toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session: { handle: session.handle, userId: 'user-1', recipeUserId: 'user-1' },
    });
    expect(store.size).toBe(1);
  });

  it('reports theft of the first token when two refreshes followed without any verification (S023, C64)', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const r1 = await refreshed(core, refreshToken.token);
    await refreshed(core, r1.refreshToken.token);
    expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'TOKEN_THEFT_DETECTED' });
  });

  it('gives the same refresh and anti-CSRF token to two tabs, so that neither becomes a theft (S024)', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken, antiCsrfToken } = await create(core, { enableAntiCsrf: true });
    const presented = { enableAntiCsrf: true, antiCsrfToken };
    const one = await refreshed(core, refreshToken.token, presented);
    const two = await refreshed(core, refreshToken.token, presented);
    expect(two.refreshToken.token).toBe(one.refreshToken.token);
    expect(two.antiCsrfToken).toBe(one.antiCsrfToken);
    await replacementOf(core, one.accessToken.token);
    await replacementOf(core, two.accessToken.token);
    const next = { enableAntiCsrf: true, antiCsrfToken: one.antiCsrfToken };
    expect(await refresh(core, two.refreshToken.token, next)).toMatchObject({ status: 'OK' });
    expect(await refresh(core, one.refreshToken.token, next)).toMatchObject({ status: 'OK' });
  });

  it('promotes an unused child and hands out its child in one call (C68), which may be repeated (C69)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const r1 = await refreshed(core, refreshToken.token);
    const r2 = await refreshed(core, r1.refreshToken.token);
    expect(await rowOf(store, session.handle)).toMatchObject({
      refreshTokenHash2: refreshTokenHash2(r1.refreshToken.token),
    });
    expect((await refreshed(core, r1.refreshToken.token)).refreshToken.token).toBe(r2.refreshToken.token);
  });

  it('calls the store once, also where it promotes and where it changes the kind of key', async () => {
    const calls: string[] = [];
    const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
      calls.push(name);
      return call();
    });
    const { core } = embeddedCoreOn(store);
    const { refreshToken } = await create(core);
    const r1 = await refreshed(core, refreshToken.token);
    calls.length = 0;
    await refreshed(core, refreshToken.token);
    expect(calls.splice(0)).toEqual(['findSession']);
    const r2 = await refreshed(core, r1.refreshToken.token);
    expect(calls.splice(0)).toEqual(['findAndUpdate']);
    await refreshed(core, r2.refreshToken.token, { useDynamicSigningKey: false });
    expect(calls.splice(0)).toEqual(['findAndUpdate']);
  });

  it('reports a promotion once, and a repeat within the grace period each time', async () => {
    const { core, events } = await makeEmbeddedCore({ refreshTokenRotationGracePeriodSec: 30 });
    const { session, refreshToken } = await create(core);
    const { accessToken, refreshToken: next } = await refreshed(core, refreshToken.token);
    await verify(core, accessToken.token);
    await refreshed(core, refreshToken.token);
    await refreshed(core, refreshToken.token);
    await refreshed(core, next.token);
    const repeat = { type: 'session.grace-hit', sessionHandle: session.handle, userId: 'user-1' };
    expect(events).toMatchObject([{ ...repeat, type: 'session.promoted' }, repeat, repeat]);
  });

  it('reports a promotion under the login, where the account cannot be looked up', async () => {
    let isDown = false;
    const accountLinking = {
      getPrimaryUserId: () => {
        if (isDown) throw new Error('the directory is down');
        return 'ada';
      },
      getLinkedRecipeUserIds: () => ['ada-mail'],
    };
    const { core, events } = await makeEmbeddedCore({ accountLinking });
    const { refreshToken } = await create(core, { recipeUserId: 'ada-mail' });
    const { accessToken } = await refreshed(core, refreshToken.token);
    isDown = true;
    await expect(verify(core, accessToken.token)).rejects.toThrow('the directory is down');
    expect(events).toMatchObject([
      { type: 'session.promoted', userId: 'ada-mail', recipeUserId: 'ada-mail' },
    ]);
  });

  it('is unauthorised, and no theft, when the session was removed (C76 S027)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    await core.revokeSessions([session.handle]);
    expect(await refresh(core, refreshToken.token)).toEqual(SESSION_GONE);
    expect(await refresh(core, next.refreshToken.token)).toEqual(SESSION_GONE);
  });

  it('is unauthorised when the session has expired unused, also for an unused child (S031 S036, C77)', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    clock.advance(8_640_000_000);
    expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'OK' });
    clock.advance(1);
    const before = await rowOf(store, session.handle);
    expect(await refresh(core, refreshToken.token)).toEqual(SESSION_GONE);
    expect(await refresh(core, next.refreshToken.token)).toEqual(SESSION_GONE);
    expect(await rowOf(store, session.handle)).toEqual(before);
    expect(store.size).toBe(1);
  });

  it('keeps a session alive for as long as it is refreshed (C78)', async () => {
    const { core, clock } = await makeEmbeddedCore({
      accessTokenValiditySec: 1,
      refreshTokenValiditySec: 1.5,
    });
    let { refreshToken } = await create(core);
    for (let n = 0; n < 10; n++) {
      ({ refreshToken } = await refreshed(core, refreshToken.token));
      clock.advance(500);
    }
    clock.advance(3000);
    expect(await refresh(core, refreshToken.token)).toEqual(SESSION_GONE);
  });

  it('takes the payload that was written while the access token was expired (C89)', async () => {
    const { core, clock } = await makeEmbeddedCore();
    const created = await create(core, { userDataInJWT: { n: 0 } });
    clock.advanceSeconds(3601);
    await core.updateAccessTokenPayload(created.session.handle, { n: 1 });
    const r1 = await refreshed(core, created.refreshToken.token);
    expect(decoded(r1.accessToken.token).payload['n']).toBe(1);
    clock.advanceSeconds(3601);
    const accessToken = r1.accessToken.token;
    await core.regenerateAccessToken({ accessToken, userDataInJWT: { n: 2 } });
    expect((await refreshed(core, r1.refreshToken.token)).session.userDataInJWT).toEqual({ n: 2 });
  });

  it('works for a session in a tenant', async () => {
    const { core } = await makeEmbeddedCore();
    const created = await create(core, { tenantId: 't1' });
    const next = await refreshed(core, created.refreshToken.token);
    expect(next.session).toEqual(created.session);
    expect(await verify(core, next.accessToken.token)).toMatchObject({ session: { tenantId: 't1' } });
  });

  it('gives a session of CDI 2.7 a token of version 5 with a session of five keys (C87)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const old = legacyToken({ ...V2_CLAIMS, sessionHandle: session.handle, userData: {} });
    expect(await verify(core, old, { checkDatabase: true })).toMatchObject({ status: 'OK' });
    const next = await refreshed(core, refreshToken.token);
    expect(decoded(next.accessToken.token).header['version']).toBe('5');
    expect(Object.keys(next.session).sort()).toEqual([
      'handle',
      'recipeUserId',
      'tenantId',
      'userDataInJWT',
      'userId',
    ]);
  });

  it.each(['tId', 'rsub', 'sub'])(
    'is unauthorised when an older version stored a payload with %s (C88)',
    async (name) => {
      const { core, store } = await makeEmbeddedCore();
      const { session, refreshToken } = await create(core);
      const key = { tenantId: 'public', sessionHandle: session.handle };
      await store.update(key, {}, { accessTokenPayload: JSON.stringify({ [name]: 'x' }) });
      expect(await refresh(core, refreshToken.token)).toEqual({
        status: 'UNAUTHORISED',
        message: expect.stringContaining('The user payload contains protected field'),
      });
    },
  );
});

describe('the anti-CSRF check of a refresh', () => {
  const withAntiCsrf = async (): Promise<{
    core: TestCore['core'];
    token: string;
    antiCsrfToken: string;
  }> => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken, antiCsrfToken = '' } = await create(core, { enableAntiCsrf: true });
    return { core, token: refreshToken.token, antiCsrfToken };
  };

  it.each([undefined, '', 'wrong'])('refuses %j (C79 S069)', async (antiCsrfToken) => {
    const { core, token } = await withAntiCsrf();
    expect(await refresh(core, token, { enableAntiCsrf: true, antiCsrfToken })).toEqual({
      status: 'UNAUTHORISED',
      message: 'Anti CSRF token missing, or not matching',
    });
  });

  it('passes with the right one and gives a new one (C80)', async () => {
    const { core, token, antiCsrfToken } = await withAntiCsrf();
    const next = await refreshed(core, token, { enableAntiCsrf: true, antiCsrfToken });
    expect(next.antiCsrfToken).toMatch(/^[0-9a-f-]{36}$/);
    expect(next.antiCsrfToken).not.toBe(antiCsrfToken);
    expect(decoded(next.accessToken.token).payload['antiCsrfToken']).toBe(next.antiCsrfToken);
    expect(
      await refresh(core, next.refreshToken.token, { enableAntiCsrf: true, antiCsrfToken }),
    ).toMatchObject({ status: 'UNAUTHORISED' });
  });

  it('gives one to a session that had none (C81)', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token, { enableAntiCsrf: true });
    expect(next.antiCsrfToken).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('gives the one that is sealed in the successor also where the application uses it no more (C82)', async () => {
    const { core, token, antiCsrfToken } = await withAntiCsrf();
    const next = await refreshed(core, token);
    const asked = await refreshed(core, token, { enableAntiCsrf: true, antiCsrfToken });
    expect(next).toMatchObject({ antiCsrfToken: asked.antiCsrfToken, refreshToken: asked.refreshToken });
    expect(decoded(next.accessToken.token).payload['antiCsrfToken']).toBe(next.antiCsrfToken);
    expect(await refresh(core, token, { enableAntiCsrf: true })).toMatchObject({ status: 'UNAUTHORISED' });
  });

  it.each([true, false])(
    'makes one successor for all instances of a rolling deployment, whose clients go to and fro (began with it: %s, S024)',
    async (began) => {
      const { core, store } = await makeEmbeddedCore();
      const instances = [
        { core, enableAntiCsrf: true },
        { core: embeddedCoreOn(store).core, enableAntiCsrf: false },
      ];
      const first = await create(core, { enableAntiCsrf: began });
      let refreshToken = first.refreshToken.token;
      let { antiCsrfToken } = first; // what the client was told last
      for (let step = 0; step < 6; step++) {
        const given = [];
        for (const { core: instance, enableAntiCsrf } of instances) {
          given.push(await refreshed(instance, refreshToken, { enableAntiCsrf, antiCsrfToken }));
        }
        expect(new Set(given.map((tokens) => tokens.refreshToken.token)).size).toBe(1);
        for (const { accessToken } of given) {
          expect(await verify(core, accessToken.token)).toMatchObject({ status: 'OK' });
        }
        const taken = given[step % 2]; // the response of either instance reaches the client
        refreshToken = taken?.refreshToken.token ?? '';
        antiCsrfToken = taken?.antiCsrfToken ?? antiCsrfToken;
        expect(given[1]?.antiCsrfToken).toBe(began ? given[0]?.antiCsrfToken : undefined);
      }
    },
  );

  it('does not happen when the application does not use it (C83)', async () => {
    const { core, token } = await withAntiCsrf();
    expect(await refresh(core, token, { antiCsrfToken: 'junk' })).toMatchObject({ status: 'OK' });
  });

  it('comes before the store is asked', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { refreshToken } = await create(core, { enableAntiCsrf: true });
    store.findSession = () => Promise.reject(new Error('asked'));
    expect(await refresh(core, refreshToken.token, { enableAntiCsrf: true })).toMatchObject({
      status: 'UNAUTHORISED',
    });
  });
});

describe('the kind of signing key after a refresh', () => {
  const kidOf = (token: string): unknown => decoded(token).header['kid'];

  it('changes with the refresh, and stays in replaced and regenerated tokens (C85)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token, { useDynamicSigningKey: false });
    expect(kidOf(next.accessToken.token)).toBe(STATIC_TEST_KID);
    expect(await rowOf(store, session.handle)).toMatchObject({
      useStaticKey: true,
      refreshTokenHash2: refreshTokenHash2(refreshToken.token),
    });
    const replacement = await replacementOf(core, next.accessToken.token);
    expect(kidOf(replacement)).toBe(STATIC_TEST_KID);
    const again = await core.regenerateAccessToken({ accessToken: replacement, userDataInJWT: { a: 1 } });
    expect(again.status === 'OK' && kidOf(again.accessToken?.token ?? '')).toBe(STATIC_TEST_KID);
  });

  it('changes with the second of two refreshes, too, which promotes (C86)', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const r1 = await refreshed(core, refreshToken.token);
    const r2 = await refreshed(core, r1.refreshToken.token, { useDynamicSigningKey: false });
    expect(kidOf(await replacementOf(core, r2.accessToken.token))).toBe(STATIC_TEST_KID);
  });

  it('changes back', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core, { useDynamicSigningKey: false });
    const next = await refreshed(core, refreshToken.token);
    expect(kidOf(next.accessToken.token)).toBe(DYNAMIC_TEST_KID);
  });
});

describe('presenting what is no refresh token of ours', () => {
  /** An engine with one session whose row must stay as it is. */
  async function watched(): Promise<
    TestCore & { handle: string; token: string; untouched(): Promise<void> }
  > {
    const engine = await makeEmbeddedCore();
    const { session, refreshToken } = await create(engine.core);
    const before = await rowOf(engine.store, session.handle);
    return {
      ...engine,
      handle: session.handle,
      token: refreshToken.token,
      untouched: async () => {
        expect(await rowOf(engine.store, session.handle)).toEqual(before);
        expect(engine.events).toEqual([]);
        expect(await refresh(engine.core, refreshToken.token)).toMatchObject({ status: 'OK' });
      },
    };
  }

  it('is unauthorised for junk (C71)', async () => {
    const { core, token, untouched } = await watched();
    for (const junk of [
      '',
      'random',
      `${token}x`,
      `x${token}`,
      token.slice(1),
      token.slice(0, -1),
      `${token}.`,
    ]) {
      expect(await refresh(core, junk)).toEqual({
        status: 'UNAUTHORISED',
        message: 'The refresh token is not one of ours',
      });
    }
    await untouched();
  });

  it('is unauthorised for an access token and for an anti-CSRF token (S007)', async () => {
    const { core, untouched } = await watched();
    const { accessToken, antiCsrfToken = '' } = await create(core, { enableAntiCsrf: true });
    for (const other of [accessToken.token, antiCsrfToken]) {
      expect(await refresh(core, other)).toMatchObject({ status: 'UNAUTHORISED' });
    }
    await untouched();
  });

  it('is unauthorised for the token of a core with another key (C72), which may be another app (C75)', async () => {
    const { core, untouched } = await watched();
    const other = await create((await makeEmbeddedCore()).core);
    expect(await refresh(core, other.refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    await untouched();
  });

  it('is unauthorised for the mixed halves of two tokens, and ends neither session (S028, C73)', async () => {
    const { core, token, untouched } = await watched();
    const other = (await create(core, { recipeUserId: 'user-2' })).refreshToken.token;
    const [mineSealed, mineNonce] = token.split('.');
    const [theirSealed, theirNonce] = other.split('.');
    for (const mixed of [`${mineSealed}.${theirNonce}.V2`, `${theirSealed}.${mineNonce}.V2`]) {
      expect(await refresh(core, mixed)).toMatchObject({ status: 'UNAUTHORISED' });
    }
    await untouched();
    expect(await refresh(core, other)).toMatchObject({ status: 'OK' });
  });

  it.each(['V1', 'v2'])(
    'reports theft for a real token whose type was changed to %s: only its holder can do that (C74)',
    async (type) => {
      const { core, token } = await watched();
      expect(await refresh(core, token.replace(/V2$/, type))).toMatchObject({
        status: 'TOKEN_THEFT_DETECTED',
      });
    },
  );

  it('is unauthorised for 20,000 forged tokens, asks no store, ends no session and reports no theft (S029)', async () => {
    const { core, store, token, untouched } = await watched();
    const findSession = store.findSession.bind(store);
    store.findSession = () => Promise.reject(new Error('asked'));
    const [sealed = '', nonce = ''] = token.split('.');
    const hex = (): string => createHash('sha256').update(randomBytes(8)).digest('hex');
    const forgeries: [share: number, forge: (n: number) => string][] = [
      [8_000, () => randomBytes(120).toString('base64')],
      [4_000, () => `${randomBytes(120).toString('base64')}.${randomBytes(8).toString('hex')}.V2`],
      [4_000, (n) => token.slice(0, n % token.length)],
      [1_600, (n) => `${sealed}.${nonce}.V${n}0`],
      [1_200, () => `${randomBytes(200).toString('base64')}.${hex()}.V2`],
      [600, () => `${sealed}.${hex()}.V2`],
      [600, () => `${sealed.slice(0, 40)}${randomBytes(120).toString('base64')}.${nonce}.V2`],
    ];
    const statuses = new Set<string>();
    let tried = 0;
    for (const [share, forge] of forgeries) {
      for (let n = 0; n < share; n++, tried++) statuses.add((await refresh(core, forge(n))).status);
    }
    expect(tried).toBe(20_000);
    expect([...statuses]).toEqual(['UNAUTHORISED']);
    store.findSession = findSession;
    await untouched();
  });

  it('reports the promotion of a token that is refreshed before its access token was used (S104)', async () => {
    const { core, events } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const child = await refreshed(core, refreshToken.token);
    await refreshed(core, child.refreshToken.token);
    expect(events).toMatchObject([{ type: 'session.promoted', sessionHandle: session.handle }]);
  });

  it('is unauthorised, and no theft, for a token whose tenant is not that of its handle (S094)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const tokens = new RefreshTokens(await store.getOrSetRefreshTokenKey(''));
    const content = await tokens.open(refreshToken.token);
    if (content === undefined) throw new Error('The key is not that of the engine');
    const foreign = await tokens.issue({ ...content, tenantId: 'other' });
    expect(await refresh(core, foreign)).toMatchObject({ status: 'UNAUTHORISED' });
    expect(await core.getSessionInformation(session.handle)).toBeDefined();
    expect(await refresh(core, await tokens.issue(content))).toMatchObject({
      status: 'TOKEN_THEFT_DETECTED',
    });
  });

  it('is unauthorised for any text (S029)', async () => {
    const { core, untouched } = await watched();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 2000 }), async (text) => {
        expect((await refresh(core, text)).status).toBe('UNAUTHORISED');
      }),
      { numRuns: 500 },
    );
    await untouched();
  });

  it('makes no session out of a token whose session is unknown (S035)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    await core.revokeSessions([session.handle]);
    await refresh(core, refreshToken.token);
    expect(store.size).toBe(0);
  });
});

describe('what a thief finds in the store', () => {
  it('is no token: nothing of a row can be refreshed or verified (S021)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const created = await create(core, { enableAntiCsrf: true });
    const presented = { enableAntiCsrf: true, antiCsrfToken: created.antiCsrfToken };
    const next = await refreshed(core, created.refreshToken.token, presented);
    await verify(core, next.accessToken.token);
    const row = JSON.stringify(await rowOf(store, created.session.handle));
    for (const tokens of [created, next]) {
      const secrets = [
        tokens.refreshToken.token,
        ...tokens.refreshToken.token.split('.').slice(0, 2),
        refreshTokenHash1(tokens.refreshToken.token),
        tokens.accessToken.token,
        tokens.antiCsrfToken ?? '',
      ];
      for (const secret of secrets) expect(row).not.toContain(secret);
    }
    for (const value of Object.values(JSON.parse(row) as Record<string, unknown>)) {
      expect(await refresh(core, String(value))).toMatchObject({ status: 'UNAUTHORISED' });
      expect(await verify(core, String(value))).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    }
  });

  it('is no successor either, and yet the same one is handed out after a restart (S024)', async () => {
    const engine = await makeEmbeddedCore();
    const created = await create(engine.core);
    const next = await refreshed(engine.core, created.refreshToken.token);
    const restarted = embeddedCoreOn(engine.store);
    expect((await refreshed(restarted.core, created.refreshToken.token)).refreshToken.token).toBe(
      next.refreshToken.token,
    );
  });
});

describe('a store that never agrees to a promotion', () => {
  it('makes a refresh give up and ask for a later try, instead of deciding or going on for ever', async () => {
    class Stubborn extends MemoryStore {
      override update(): Promise<undefined> {
        return Promise.resolve(undefined);
      }
    }
    const { core } = embeddedCoreOn(new Stubborn());
    const { refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    await expect(refresh(core, next.refreshToken.token)).rejects.toMatchObject({
      name: 'CoreUnavailableError',
      message: expect.stringMatching(/^Session .+: the refresh token changed under 8 attempts in a row$/),
    });
  });
});

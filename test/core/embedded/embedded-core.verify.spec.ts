import { describe, expect, it } from '@jest/globals';
import { create, decoded, refreshed, replacementOf, verify } from '../../support/core-calls.js';
import { GOLDEN_ACCESS_TOKENS, GOLDEN_FACTS } from '../../fixtures/golden-access-tokens.js';
import { FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { makeEmbeddedCore, rowOf, TEST_START_MS, type TestCore } from '../../support/embedded.js';
import { nameCall } from '../../support/intercepted-store.js';
import { jwt, rs256, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { CoreBadInputError } from '../../../lib/errors.js';
import { MAX_ACCESS_TOKEN_LENGTH } from '../../../lib/tokens/access-token.js';
import { refreshTokenHash1, refreshTokenHash2 } from '../../../lib/tokens/refresh-token.js';
import type { SessionRow } from '../../../lib/stores/session-store.js';

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/** Every call of the store, by name. */
function callsOf({ store }: TestCore): string[] {
  const calls: string[] = [];
  for (const name of ['findSession', 'update', 'findDynamicKeys'] as const) {
    const original = store[name].bind(store) as (...args: unknown[]) => Promise<unknown>;
    Object.assign(store, {
      [name]: (...args: unknown[]) => {
        calls.push(nameCall(name, args));
        return original(...args);
      },
    });
  }
  return calls;
}

describe('verifying what is no access token', () => {
  it.each<[what: string, token: string, message: string]>([
    ['an empty string (C26)', '', 'Invalid JWT'],
    ['a string without dots (C26)', 'random', 'Invalid JWT'],
    ['a string with too many dots (C26)', 'a.b.c.d', 'Invalid JWT'],
    ['a header that is not base64 (C27)', '!!!.e30.AAAA', 'Invalid JWT'],
    ['a header that is not JSON (C27)', `${base64url('{alg')}.e30.AAAA`, 'Invalid JWT'],
    ['a scalar header (C27)', `${base64url('5')}.e30.AAAA`, 'Invalid JWT'],
    ['an array as header (C27)', `${base64url('[]')}.e30.AAAA`, 'Invalid JWT'],
    ['a `typ` object (C28)', jwt({ ...V5_HEADER, typ: {} }, V5_CLAIMS), 'JWT header missing - typ'],
    ['an `alg` array (C28)', jwt({ ...V5_HEADER, alg: ['RS256'] }, V5_CLAIMS), 'JWT header missing - alg'],
    ['another `typ`', jwt({ ...V5_HEADER, typ: 'at+jwt' }, V5_CLAIMS), 'JWT header mismatch - typ'],
    ['another `alg`', jwt({ ...V5_HEADER, alg: 'HS256' }, V5_CLAIMS), 'JWT header mismatch - alg'],
    [
      'a `version` object (C29)',
      jwt({ ...V5_HEADER, version: {} }, V5_CLAIMS),
      'JWT header mismatch - version',
    ],
    ['version 999 (C29)', jwt({ ...V5_HEADER, version: '999' }, V5_CLAIMS), 'JWT header mismatch - version'],
    ['version 99 (S010)', jwt({ ...V5_HEADER, version: '99' }, V5_CLAIMS), 'JWT header mismatch - version'],
    ['version 6 (S010)', jwt({ ...V5_HEADER, version: '6' }, V5_CLAIMS), 'JWT header mismatch - version'],
    [
      'version 2 in a JWT (S010)',
      jwt({ ...V5_HEADER, version: '2' }, V5_CLAIMS),
      'JWT header mismatch - version',
    ],
    ['no `kid` (C30)', jwt({ ...V5_HEADER, kid: undefined }, V5_CLAIMS), 'JWT header missing - kid'],
    ['a `kid` object (C30)', jwt({ ...V5_HEADER, kid: {} }, V5_CLAIMS), 'JWT header missing - kid'],
    ['a `kid` number (C30)', jwt({ ...V5_HEADER, kid: 5 }, V5_CLAIMS), 'JWT header mismatch - kid'],
    ['more than 16 kB', `${base64url('x'.repeat(20_000))}.e30.AAAA`, 'Invalid JWT'],
    [
      'no signature (S002)',
      jwt({ ...V5_HEADER, alg: 'none' }, V5_CLAIMS, () => ''),
      'JWT header mismatch - alg',
    ],
    [
      "S004 a stranger's signature",
      jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY)),
      'JWT verification failed',
    ],
  ])('says that %s needs a refresh', async (_, token, message) => {
    const { core } = await makeEmbeddedCore();
    const result = await verify(core, token);
    expect(result).toEqual({ status: 'TRY_REFRESH_TOKEN', message: expect.stringMatching(`${message}$`) });
  });

  it.each(Object.keys(V5_CLAIMS))(
    'refuses a JWT of the application that lacks the claim %s, although our key signed it (S007)',
    async (name) => {
      const { core } = await makeEmbeddedCore();
      const { [name as keyof typeof V5_CLAIMS]: _, ...payload } = V5_CLAIMS;
      const token = jwt({ ...V5_HEADER, version: undefined }, payload);
      expect(await verify(core, token)).toEqual({
        status: 'TRY_REFRESH_TOKEN',
        message: expect.stringMatching('^Access token does not contain all the information'),
      });
    },
  );

  it('reads a header without version as version 5 (C33)', async () => {
    const { core } = await makeEmbeddedCore();
    const claims = { ...V5_CLAIMS, tId: 't1', rsub: 'recipe-user-1' };
    expect(await verify(core, jwt({ ...V5_HEADER, version: undefined }, claims))).toEqual({
      status: 'OK',
      session: {
        handle: V5_CLAIMS.sessionHandle,
        userId: 'user-1',
        recipeUserId: 'recipe-user-1',
        tenantId: 't1',
        userDataInJWT: {},
      },
    });
  });

  it('refuses an altered payload under the old signature (C31)', async () => {
    const { core } = await makeEmbeddedCore();
    const { accessToken } = await create(core);
    const [header, , signature] = accessToken.token.split('.');
    const { payload } = decoded(accessToken.token);
    const altered = `${header}.${base64url(JSON.stringify({ ...payload, sub: 'user-2' }))}.${signature}`;
    expect(await verify(core, altered)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
  });

  it('asks the store once for an unknown key id of our form, and never for one of another form (S005, C32)', async () => {
    const engine = await makeEmbeddedCore();
    const calls = callsOf(engine);
    await engine.core.start();
    calls.length = 0;
    for (const kid of [
      '../../etc/passwd',
      "d-1'; --",
      'd-',
      's-',
      'x'.repeat(10_000),
      'd-99999999999999999',
    ]) {
      expect(await verify(engine.core, jwt({ ...V5_HEADER, kid }, V5_CLAIMS))).toMatchObject({
        status: 'TRY_REFRESH_TOKEN',
      });
    }
    expect(calls).toEqual([]);
    expect(await verify(engine.core, jwt({ ...V5_HEADER, kid: 'd-1' }, V5_CLAIMS))).toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message: 'Key not found',
    });
    expect(calls).toEqual(['findDynamicKeys']);
    await engine.core.close();
  });

  it('refuses a token of another core (C34)', async () => {
    const { core } = await makeEmbeddedCore();
    const other = await makeEmbeddedCore();
    await other.store.deleteDynamicKeys(TEST_START_MS);
    const { accessToken } = await create(other.core);
    expect(await verify(core, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
  });

  it('reports an expired token as expired (C35)', async () => {
    const { core, clock } = await makeEmbeddedCore();
    const { accessToken } = await create(core);
    clock.advance(3_600_001);
    expect(await verify(core, accessToken.token, { checkDatabase: true })).toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message: 'Access token expired',
    });
  });

  it('asks no store and no key for what is too long (S102)', async () => {
    const engine = await makeEmbeddedCore();
    const calls = callsOf(engine);
    expect(await verify(engine.core, 'a.'.repeat(MAX_ACCESS_TOKEN_LENGTH))).toMatchObject({
      status: 'TRY_REFRESH_TOKEN',
    });
    expect(calls).toEqual([]);
  });
});

describe('verifying the token of an ended session', () => {
  it('is OK until it expires when the database is not checked (C36)', async () => {
    const { core, clock } = await makeEmbeddedCore();
    const { session, accessToken } = await create(core);
    await core.revokeSessions([session.handle]);
    expect(await verify(core, accessToken.token)).toEqual({ status: 'OK', session });
    clock.advance(3_600_001);
    expect(await verify(core, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
  });

  it('is unauthorised at once when the database is checked (C37)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, accessToken } = await create(core);
    await core.revokeSessions([session.handle]);
    expect(await verify(core, accessToken.token, { checkDatabase: true })).toEqual({
      status: 'UNAUTHORISED',
      message: 'Either the session has ended or has been blacklisted',
    });
  });

  it('is unauthorised for the first use of a refreshed token', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const { accessToken } = await refreshed(core, refreshToken.token);
    await core.revokeSessions([session.handle]);
    expect(await verify(core, accessToken.token)).toEqual({
      status: 'UNAUTHORISED',
      message: 'Session missing in db',
    });
  });

  it('is unauthorised when the row has expired and is still there, and promotes nothing (S036)', async () => {
    const { core, clock, store } = await makeEmbeddedCore({
      accessTokenValiditySec: 10,
      refreshTokenValiditySec: 11,
    });
    const { session, refreshToken } = await create(core);
    clock.advanceSeconds(10);
    const next = await refreshed(core, refreshToken.token);
    clock.advance(1001);
    const before = await rowOf(store, session.handle);
    expect(await verify(core, next.accessToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    expect(await verify(core, next.accessToken.token, { checkDatabase: true })).toMatchObject({
      status: 'UNAUTHORISED',
    });
    expect(await rowOf(store, session.handle)).toEqual(before);
  });
});

describe('the anti-CSRF check of a verification', () => {
  const CHECK = { doAntiCsrfCheck: true, enableAntiCsrf: true };

  it('passes with the right value', async () => {
    const { core } = await makeEmbeddedCore();
    const { accessToken, antiCsrfToken } = await create(core, { enableAntiCsrf: true });
    expect(await verify(core, accessToken.token, { ...CHECK, antiCsrfToken })).toMatchObject({
      status: 'OK',
    });
  });

  it.each([undefined, '', 'wrong', 'null'])('refuses %j (C39 S069)', async (antiCsrfToken) => {
    const { core } = await makeEmbeddedCore();
    const { accessToken } = await create(core, { enableAntiCsrf: true });
    expect(await verify(core, accessToken.token, { ...CHECK, antiCsrfToken })).toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message: 'anti-csrf check failed',
    });
  });

  it('refuses the token of another session (S069)', async () => {
    const { core } = await makeEmbeddedCore();
    const mine = await create(core, { enableAntiCsrf: true });
    const { antiCsrfToken } = await create(core, { enableAntiCsrf: true });
    expect(await verify(core, mine.accessToken.token, { ...CHECK, antiCsrfToken })).toMatchObject({
      status: 'TRY_REFRESH_TOKEN',
    });
  });

  it.each([
    ['the request does not want it (C40)', { doAntiCsrfCheck: false, enableAntiCsrf: true }],
    ['the application does not use it (C42)', { doAntiCsrfCheck: true, enableAntiCsrf: false }],
  ])('does not happen when %s', async (_, flags) => {
    const { core } = await makeEmbeddedCore();
    const { accessToken } = await create(core, { enableAntiCsrf: true });
    expect(await verify(core, accessToken.token, { ...flags, antiCsrfToken: 'wrong' })).toMatchObject({
      status: 'OK',
    });
  });

  it('refuses a session that was created without (C41)', async () => {
    const { core } = await makeEmbeddedCore();
    const { accessToken } = await create(core);
    expect(await verify(core, accessToken.token, CHECK)).toEqual({
      status: 'TRY_REFRESH_TOKEN',
      message: expect.stringMatching('^Access token does not contain all the information'),
    });
  });
});

describe('verifying tokens after a refresh', () => {
  it('touches no store for a token that has no parent', async () => {
    const engine = await makeEmbeddedCore();
    const { accessToken } = await create(engine.core);
    const calls = callsOf(engine);
    await verify(engine.core, accessToken.token);
    expect(calls).toEqual([]);
  });

  it('promotes with one statement and replaces the token, whose parent is null (C43)', async () => {
    const engine = await makeEmbeddedCore();
    const { session, refreshToken } = await create(engine.core);
    const next = await refreshed(engine.core, refreshToken.token);
    const calls = callsOf(engine);
    const replacement = await replacementOf(engine.core, next.accessToken.token);
    expect(calls).toEqual(['update refreshTokenHash2']);
    expect(decoded(replacement).payload).toMatchObject({
      parentRefreshTokenHash1: null,
      refreshTokenHash1: refreshTokenHash1(next.refreshToken.token),
    });
    expect(await rowOf(engine.store, session.handle)).toMatchObject({
      refreshTokenHash2: refreshTokenHash2(next.refreshToken.token),
    });
  });

  it('replaces a replacement no more, not even when the database is checked (C44)', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    const replacement = await replacementOf(core, next.accessToken.token);
    for (const checkDatabase of [false, true]) {
      expect(await verify(core, replacement, { checkDatabase })).toEqual({
        status: 'OK',
        session: next.session,
      });
    }
  });

  it('replaces the original again and again until its own end, without a write (C45)', async () => {
    const { core, store, clock } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    await replacementOf(core, next.accessToken.token);
    const before = await rowOf(store, session.handle);
    clock.advanceSeconds(5);
    const again = await replacementOf(core, next.accessToken.token);
    const { exp } = decoded(next.accessToken.token).payload;
    expect(decoded(again).payload).toMatchObject({ iat: 1_760_000_005, exp, parentRefreshTokenHash1: null });
    expect(await rowOf(store, session.handle)).toEqual(before);
  });

  it('keeps verifying a token two refreshes old, without replacing it (C46)', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const y = await refreshed(core, refreshToken.token);
    const g = await refreshed(core, y.refreshToken.token);
    await verify(core, g.accessToken.token);
    expect(await verify(core, y.accessToken.token)).toEqual({ status: 'OK', session: y.session });
  });

  it('keeps the anti-CSRF token in the replacement', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken, antiCsrfToken } = await create(core, { enableAntiCsrf: true });
    const next = await refreshed(core, refreshToken.token, { enableAntiCsrf: true, antiCsrfToken });
    const replacement = await replacementOf(core, next.accessToken.token);
    expect(decoded(replacement).payload['antiCsrfToken']).toBe(next.antiCsrfToken);
  });
});

describe('verifying after the stored payload was changed', () => {
  async function changed(): Promise<TestCore & { accessToken: string; handle: string }> {
    const engine = await makeEmbeddedCore();
    const { session, accessToken } = await create(engine.core, { userDataInJWT: { a: 1, b: [1, 2] } });
    await engine.core.updateAccessTokenPayload(session.handle, { a: 2 });
    return { ...engine, accessToken: accessToken.token, handle: session.handle };
  }

  it('gives the old payload and no new token when the database is not checked (C47)', async () => {
    const { core, accessToken } = await changed();
    const result = await verify(core, accessToken);
    expect(result).toMatchObject({ status: 'OK', session: { userDataInJWT: { a: 1, b: [1, 2] } } });
    expect(result).not.toHaveProperty('accessToken');
  });

  it('gives a new token with the new payload when it is, and the old token keeps the old one (C48 C49)', async () => {
    const { core, accessToken } = await changed();
    const result = await verify(core, accessToken, { checkDatabase: true });
    expect(result).toMatchObject({ status: 'OK', session: { userDataInJWT: { a: 2 } } });
    const replacement = await replacementOf(core, accessToken, { checkDatabase: true });
    expect(decoded(replacement).payload['a']).toBe(2);
    expect(decoded(replacement).payload).not.toHaveProperty('b');
    expect(await verify(core, replacement, { checkDatabase: true })).not.toHaveProperty('accessToken');
    expect(await verify(core, accessToken)).toMatchObject({
      session: { userDataInJWT: { a: 1, b: [1, 2] } },
    });
  });

  it.each<[what: string, stored: string, isReplaced: boolean]>([
    ['the same in another order (C50)', '{"b":[1,2],"a":1}', false],
    ['the same with 1.0 for 1 (C50)', '{"a":1.0,"b":[1,2]}', false],
    ['an array in another order', '{"a":1,"b":[2,1]}', true],
    ['null more', '{"a":1,"b":[1,2],"c":null}', true],
    ['less', '{"a":1}', true],
  ])('replaces the token iff the payload differs: %s', async (_, stored, isReplaced) => {
    const { core, store, handle, accessToken } = await changed();
    const key = { tenantId: 'public', sessionHandle: handle };
    await store.update(key, {}, { accessTokenPayload: stored });
    const result = await verify(core, accessToken, { checkDatabase: true });
    expect(result.status).toBe('OK');
    expect('accessToken' in result).toBe(isReplaced);
  });
});

describe('verifying tokens of every version', () => {
  async function withGoldenSession(tenantId: string, changes: Partial<SessionRow> = {}): Promise<TestCore> {
    const engine = await makeEmbeddedCore();
    await engine.store.insertSession({
      tenantId,
      sessionHandle: GOLDEN_FACTS.sessionHandle,
      userId: 'user-1',
      refreshTokenHash2: refreshTokenHash1(GOLDEN_FACTS.refreshTokenHash1),
      sessionData: '{}',
      accessTokenPayload: JSON.stringify({ role: 'admin' }),
      expiresAtMs: TEST_START_MS + 1e9,
      createdAtMs: TEST_START_MS,
      useStaticKey: false,
      prevRefreshTokenHash2: undefined,
      rotatedAtMs: undefined,
      ...changes,
    });
    return engine;
  }

  it.each([1, 2, 3] as const)(
    'takes a token of version %d and replaces it by one of the same version (C51 C52 S010)',
    async (version) => {
      const { core } = await withGoldenSession('public');
      const result = await verify(core, GOLDEN_ACCESS_TOKENS[version]);
      expect(result).toMatchObject({
        status: 'OK',
        session: {
          handle: GOLDEN_FACTS.sessionHandle,
          userId: 'user-1',
          recipeUserId: 'user-1',
          tenantId: 'public',
          userDataInJWT: { role: 'admin' },
        },
      });
      const replacement = result.status === 'OK' ? (result.accessToken?.token ?? '') : '';
      expect(decoded(replacement).header['version']).toBe(String(Math.max(2, version)));
      expect(decoded(replacement).payload['parentRefreshTokenHash1'] ?? null).toBeNull();
      expect(await verify(core, replacement)).toMatchObject({ status: 'OK' });
    },
  );

  it.each([4, 5] as const)(
    'takes a token of version %d with a tenant and replaces it by one of the same version (C51 C52 S010)',
    async (version) => {
      const sessionHandle = `${GOLDEN_FACTS.sessionHandle}_t1`;
      const { core } = await withGoldenSession('t1', { sessionHandle });
      const { header, payload } = decoded(GOLDEN_ACCESS_TOKENS[version]);
      const replacement = await replacementOf(core, jwt(header, { ...payload, sessionHandle }));
      expect(decoded(replacement).header['version']).toBe(String(version));
      expect(decoded(replacement).payload['tId']).toBe('t1');
    },
  );

  it('refuses a token whose tenant is not that of its handle (S094)', async () => {
    const { core } = await withGoldenSession('public');
    expect(await verify(core, GOLDEN_ACCESS_TOKENS[5])).toEqual({
      status: 'UNAUTHORISED',
      message: 'Session missing in db',
    });
  });

  it('replaces a token of version 2 although the stored payload has names that are reserved later', async () => {
    const { core } = await withGoldenSession('public', { accessTokenPayload: '{"sub":"x","userId":"y"}' });
    const replacement = await replacementOf(core, GOLDEN_ACCESS_TOKENS[2]);
    expect(decoded(replacement).payload['userData']).toEqual({ sub: 'x', userId: 'y' });
  });

  it('reports a payload that no token of version 5 can carry as a bad input', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { session, refreshToken } = await create(core);
    const next = await refreshed(core, refreshToken.token);
    const key = { tenantId: 'public', sessionHandle: session.handle };
    await store.update(key, {}, { accessTokenPayload: '{"rsub":"x"}' });
    await expect(verify(core, next.accessToken.token)).rejects.toThrow(CoreBadInputError);
  });
});

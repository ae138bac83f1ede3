import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { coreTablesSql } from '../fixtures/core-tables.js';
import { GOLDEN_ACCESS_TOKENS, GOLDEN_FACTS } from '../fixtures/golden-access-tokens.js';
import { DYNAMIC_TEST_KEY, STATIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { create, kidOf, refresh, refreshed, verify } from '../support/core-calls.js';
import {
  DYNAMIC_TEST_KID,
  embeddedCoreOn,
  STATIC_TEST_KID,
  TEST_START_MS,
  type TestCore,
} from '../support/embedded.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import { startPostgres } from '../support/postgres.js';
import { holdsPlainKey, SECRET } from '../support/sealed-keys.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

/** The rows that a Core left behind, written out: the known answers of docs/protocol/core.md B2, and rows after C. */
const MASTER_KEY = `1000:${'a1'.repeat(64)}:${'b2'.repeat(64)}`;
const REFRESH_TOKEN =
  'AAECAwQFBgcICQoL9lEYCDox4JACoAwXjiLzdTFBhTaSKvzizkHk8+mci57m9Dsj/mYedNE9HCoi5VBzr2yG4h8HoPCwqMp24XhZmh3mAoYH8P3X' +
  'JMOc/4C6+IMU09zgCDVbQqpmBkh08jz1X2ssGh3+XsdjzH3YCekh8B5qYnse9KG9pGc8D3c6xs8v/iyxJVoqymi+ucSstaWLFfzM3fKAW9MyRWeD' +
  '9FWVPWQZQyCa.bd7662a5eeb41614e720d477abfcb2272e19a8a70a93b7e3bc8560d44ad326e9.V2';
const REFRESH_TOKEN_HASH_2 = '1d19bb556f735e4f254098e861463b6921ee1197c44d3849a6bb59c2a36c4b41';
const HANDLE = GOLDEN_FACTS.sessionHandle;
const OTHER_HANDLE = '6b8c4e21-658e-42ce-863d-c7c1e11ce249';
const TENANT_HANDLE = '1f0d6f9a-64a8-4c8e-8f6c-0c6f3c1c7d11_t1';
const EXPIRED_HANDLE = '2a4f7f0e-1df5-4a8e-9d55-3b1f6c8e2f22';
const EXPIRES_AT_MS = 1_768_640_000_000;
const OF_USER = { userId: 'user-1', includeLinkedAccounts: true };

function rowsOfACore(schema: string): string {
  const session = (tenant: string, handle: string, hash2: string, expiresAtMs = EXPIRES_AT_MS): string =>
    `('public', '${tenant}', '${handle}', 'user-1', '${hash2}', '{"cart":3}', ${expiresAtMs}, ${TEST_START_MS},
      '{"iss":"http://api.local:3000/auth","role":"admin"}', false)`;
  const unknownToken = 'c'.repeat(64);
  return `
    INSERT INTO ${schema}.tenants VALUES ('public', 't1', 0);
    INSERT INTO ${schema}.key_value VALUES ('public', 'public', 'refresh_token_key', '${MASTER_KEY}', 1);
    INSERT INTO ${schema}.session_access_token_signing_keys VALUES ('public', 1759990000000, '${DYNAMIC_TEST_KEY}');
    INSERT INTO ${schema}.jwt_signing_keys VALUES ('public', '${STATIC_TEST_KID}', '${STATIC_TEST_KEY}', 'RS256', 1);
    INSERT INTO ${schema}.session_info (app_id, tenant_id, session_handle, user_id, refresh_token_hash_2,
      session_data, expires_at, created_at_time, jwt_user_payload, use_static_key) VALUES
      ${session('public', HANDLE, REFRESH_TOKEN_HASH_2)},
      ${session('public', OTHER_HANDLE, unknownToken)},
      ${session('t1', TENANT_HANDLE, unknownToken)},
      ${session('public', EXPIRED_HANDLE, unknownToken, TEST_START_MS - 1)};`;
}

postgres.describe('the keys of a SuperTokens Core', () => {
  it('are sealed only once the Core is said to be gone, and its sessions live on (S121)', async () => {
    const schema = postgres.freshSchema();
    const pool = postgres.pool();
    await pool.query(`CREATE SCHEMA ${schema}; ${coreTablesSql(schema)} ${rowsOfACore(schema)}
      CREATE TABLE ${schema}.app_id_to_user_id (app_id VARCHAR(64) NOT NULL DEFAULT 'public', user_id CHAR(36) NOT NULL)`);
    const start = async (coreIsGone: boolean): Promise<TestCore<SessionStore>> => {
      const keyEncryption = { secret: SECRET, coreIsGone };
      const sealing = embeddedCoreOn(postgresStore(pool, { schema }), { keyEncryption });
      await sealing.core.start();
      return sealing;
    };
    const dump = async (): Promise<string> => {
      const tables = ['key_value', 'session_access_token_signing_keys', 'jwt_signing_keys'];
      const rows = await Promise.all(tables.map((table) => pool.query(`SELECT * FROM ${schema}.${table}`)));
      return JSON.stringify(rows.map(({ rows: found }) => found as unknown));
    };
    const before = await dump();
    await expect(start(false)).rejects.toThrow(/coreIsGone/);
    expect(await dump()).toBe(before);
    expect(holdsPlainKey(before)).toBe(true);
    const { core } = await start(true);
    expect(holdsPlainKey(await dump())).toBe(false);
    expect(await dump()).not.toContain(MASTER_KEY);
    expect(await refresh(core, REFRESH_TOKEN)).toMatchObject({ status: 'OK' });
    await core.close();
  });
});

postgres.describe('sessions that a SuperTokens Core made, after it was stopped (S093, S120)', () => {
  const pool = postgres.pool();
  let schema: string;
  let engine: TestCore<SessionStore>;

  beforeAll(async () => {
    schema = postgres.freshSchema();
    await pool.query(`CREATE SCHEMA ${schema}; ${coreTablesSql(schema)} ${rowsOfACore(schema)}`);
    engine = embeddedCoreOn(postgresStore(pool, { schema }));
    await engine.core.start();
  });
  afterAll(() => engine.core.close());

  /** A token of the Core for one of the rows. */
  const tokenOf = (sessionHandle: string, changes: object = {}, header: object = {}): string =>
    jwt({ ...V5_HEADER, ...header }, { ...V5_CLAIMS, role: 'admin', sessionHandle, ...changes });

  describe('keep their access tokens', () => {
    it.each([
      ['of version 5', () => tokenOf(OTHER_HANDLE), OTHER_HANDLE],
      ['of a tenant', () => tokenOf(TENANT_HANDLE, { tId: 't1' }), TENANT_HANDLE],
      ['of version 4', () => tokenOf(OTHER_HANDLE, { rsub: undefined }, { version: '4' }), OTHER_HANDLE],
    ])('%s, without and with a look at the database', async (_, token, handle) => {
      const { core } = engine;
      const session = { handle, userId: 'user-1', recipeUserId: 'user-1' };
      expect(await verify(core, token())).toMatchObject({ status: 'OK', session });
      // The stored payload has one name more: the client gets a token with it.
      expect(await verify(core, token(), { checkDatabase: true })).toMatchObject({
        status: 'OK',
        session: { ...session, userDataInJWT: { iss: 'http://api.local:3000/auth', role: 'admin' } },
      });
    });

    it.each([2, 3] as const)(
      'of version %d, made for a refresh token that is current by now',
      async (version) => {
        for (const checkDatabase of [false, true]) {
          expect(await verify(engine.core, GOLDEN_ACCESS_TOKENS[version], { checkDatabase })).toMatchObject({
            status: 'OK',
            session: { handle: HANDLE, userId: 'user-1' },
            accessToken: { token: expect.any(String) },
          });
        }
      },
    );

    it('and are refused with a token of nobody’s key, or of a session that has expired', async () => {
      const { core } = engine;
      const forged = tokenOf(OTHER_HANDLE, {}, { kid: 'd-1759990000001' });
      expect(await verify(core, forged)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
      expect(await verify(core, tokenOf(EXPIRED_HANDLE), { checkDatabase: true })).toMatchObject({
        status: 'UNAUTHORISED',
      });
    });
  });

  it('are listed by user and tenant, and told of by handle', async () => {
    const { core } = engine;
    const listed = async (tenantId: string | undefined): Promise<string[]> =>
      (await core.getSessionHandlesOfUser({ ...OF_USER, tenantId })).toSorted();
    expect(await listed(undefined)).toEqual([HANDLE, OTHER_HANDLE, TENANT_HANDLE].toSorted());
    expect(await listed('public')).toEqual([HANDLE, OTHER_HANDLE].toSorted());
    expect(await listed('t1')).toEqual([TENANT_HANDLE]);
    expect(await core.getSessionInformation(HANDLE)).toEqual({
      sessionHandle: HANDLE,
      userId: 'user-1',
      recipeUserId: 'user-1',
      tenantId: 'public',
      userDataInDatabase: { cart: 3 },
      userDataInJWT: { iss: 'http://api.local:3000/auth', role: 'admin' },
      expiry: EXPIRES_AT_MS,
      timeCreated: TEST_START_MS,
    });
    expect(await core.getSessionInformation(TENANT_HANDLE)).toMatchObject({ tenantId: 't1' });
    expect(await core.getSessionInformation(EXPIRED_HANDLE)).toBeUndefined();
  });

  it('go on with the keys of the Core: they are published, sign, and get no company', async () => {
    const { core } = engine;
    expect((await core.getJwks()).keys.map(({ kid }) => kid)).toEqual([DYNAMIC_TEST_KID, STATIC_TEST_KID]);
    expect(kidOf((await create(core)).accessToken.token)).toBe(DYNAMIC_TEST_KID);
    const fixed = await create(core, { useDynamicSigningKey: false });
    expect(kidOf(fixed.accessToken.token)).toBe(STATIC_TEST_KID);
    for (const [table, columns, row] of [
      ['key_value', 'name, value', ['refresh_token_key', MASTER_KEY]],
      ['session_access_token_signing_keys', 'created_at_time, value', ['1759990000000', DYNAMIC_TEST_KEY]],
      ['jwt_signing_keys', 'key_id, key_string', [STATIC_TEST_KID, STATIC_TEST_KEY]],
    ] as const) {
      const { rows } = await pool.query({
        text: `SELECT ${columns} FROM ${schema}.${table}`,
        rowMode: 'array',
      });
      expect(rows).toEqual([row]);
    }
  });

  it('refresh with the token that the Core gave, and a replay of it is a theft', async () => {
    const { core } = engine;
    const next = await refreshed(core, REFRESH_TOKEN);
    expect(next.session).toMatchObject({ handle: HANDLE, userDataInJWT: { role: 'admin' } });
    expect(await verify(core, next.accessToken.token)).toMatchObject({ status: 'OK' });
    const { rows } = await pool.query(
      `SELECT prev_refresh_token_hash_2 FROM ${schema}.session_info WHERE session_handle = '${HANDLE}'`,
    );
    expect(rows).toEqual([{ prev_refresh_token_hash_2: REFRESH_TOKEN_HASH_2 }]);
    expect(await refresh(core, REFRESH_TOKEN)).toMatchObject({
      status: 'TOKEN_THEFT_DETECTED',
      session: { handle: HANDLE },
    });
  });

  it('end when they are revoked, and are swept when they have expired', async () => {
    const { core } = engine;
    expect(await core.revokeSessions([OTHER_HANDLE])).toEqual([OTHER_HANDLE]);
    expect(await verify(core, tokenOf(OTHER_HANDLE), { checkDatabase: true })).toMatchObject({
      status: 'UNAUTHORISED',
    });
    await core.sweepExpired();
    const { rows } = await pool.query(`SELECT session_handle FROM ${schema}.session_info`);
    expect(rows).not.toContainEqual({ session_handle: EXPIRED_HANDLE });
    expect(rows).toContainEqual({ session_handle: TENANT_HANDLE });
  });
});

postgres.describe('engines that start at once on PostgreSQL', () => {
  it.each([
    ['an empty schema', (schema: string) => `CREATE SCHEMA ${schema}`],
    ['no schema', () => 'SELECT 1'],
    ['the tables of a Core', (schema: string) => `CREATE SCHEMA ${schema}; ${coreTablesSql(schema)}`],
  ])('share one refresh-token key and one signing key of each kind, on %s (S016)', async (_, setUp) => {
    const schema = postgres.freshSchema();
    const pool = postgres.pool();
    await pool.query(setUp(schema));
    const engines = Array.from({ length: 6 }, () =>
      embeddedCoreOn(postgresStore(postgres.pool({ max: 2 }), { schema })),
    );
    await Promise.all(engines.map(({ core }) => core.start()));
    const [jwks, ...others] = await Promise.all(
      engines.map(async ({ core }) => (await core.getJwks()).keys.map(({ kid }) => kid)),
    );
    expect(jwks).toEqual([`d-${TEST_START_MS}`, expect.stringMatching(/^s-/)]);
    expect(others).toEqual(Array.from({ length: 5 }, () => jwks));
    const made = await Promise.all(engines.map(({ core }) => create(core)));
    for (const [index, { accessToken, refreshToken }] of made.entries()) {
      const { core } = engines[(index + 1) % engines.length] ?? { core: undefined };
      if (core === undefined) throw new Error('There is a next one');
      expect(await verify(core, accessToken.token)).toMatchObject({ status: 'OK' });
      expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'OK' });
    }
    const count = async (table: string): Promise<unknown> =>
      (await pool.query(`SELECT count(*)::int AS n FROM ${schema}.${table}`)).rows;
    expect(await count('key_value')).toEqual([{ n: 1 }]);
    expect(await count('session_access_token_signing_keys')).toEqual([{ n: 1 }]);
    expect(await count('jwt_signing_keys')).toEqual([{ n: 1 }]);
    await Promise.all(engines.map(({ core }) => core.close()));
  });
});

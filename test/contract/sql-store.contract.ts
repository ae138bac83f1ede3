import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CoreBadInputError } from '../../lib/errors.js';
import { StoreSetupError, type SessionRow, type SessionStore } from '../../lib/stores/session-store.js';
import type { SchemaOptions } from '../../lib/stores/store-options.js';
import type { SqlClient, SqlRow } from '../../lib/stores/sql-client.js';
import { SqlStore, type SqlStoreOptions } from '../../lib/stores/sql.store.js';
import { DYNAMIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { create, decoded, refreshed, verify } from '../support/core-calls.js';
import { embeddedCoreOn, seedSigningKeys } from '../support/embedded.js';
import { acknowledgedByKilledWriter, type WriterTarget } from '../support/killed-writer.js';
import { EVERYBODY, KEY, NOW, ROW } from '../support/session-row.js';
import { promote, whileLive } from '../support/store-updates.js';

/** A database without tables that a suite may do with as it likes. */
export interface SqlDatabase {
  /** A client with a connection of its own: another instance of the application, or the first after a restart. */
  connect(): SqlClient;
  /** The options that every store on this database needs. */
  readonly schemaOptions: SchemaOptions;
  /** How statements write a table's name. */
  table(name: string): string;
  /** The error that the driver gives when a repetition may help. */
  transientError(): Error;
  /** How another process finds it. */
  readonly writerTarget: WriterTarget;
}

const HOSTILE = [
  "x' OR '1'='1",
  '"; DROP TABLE session_info; --',
  "\\'; SELECT pg_sleep(9)--",
  '$1 ?1 :a {0} %s',
];
const SEARCH_INDEXES = ['session_info_created_index', 'session_info_tenant_created_index'];
const STATIC_KEY = { kid: 's-1', createdAtMs: NOW, value: DYNAMIC_TEST_KEY, algorithm: 'RS256' };
/** At least as many as the store tries. */
const FAR_TOO_MANY = 100;
const LIVE = whileLive(NOW);

/** The tests that only stores in SQL databases have to pass, beyond those of every store. */
export function describeSqlStore(name: string, makeDatabase: () => Promise<SqlDatabase>): void {
  describe(`sessions ${name}`, () => {
    let database: SqlDatabase;
    let opened: SessionStore[];
    let slept: number[];

    const open = (options: SqlStoreOptions = {}, client = database.connect()): SqlStore => {
      const store = new SqlStore(
        client,
        { ...database.schemaOptions, ...options },
        { attempts: 10, sleep: async (ms) => slept.push(ms), random: () => 1 },
      );
      opened.push(store);
      return store;
    };
    const sql = async (text: string): Promise<readonly SqlRow[]> => {
      const client = database.connect();
      await client.open();
      const rows = await client.query({ text, values: [] });
      await client.close();
      return rows;
    };

    beforeEach(async () => {
      database = await makeDatabase();
      opened = [];
      slept = [];
    });
    afterEach(async () => {
      await Promise.all(opened.map((store) => store.close()));
    });

    describe('keys that a SuperTokens Core cannot read', () => {
      it('stand apart from its tables of keys, which hold RSA keys alone, and are there after a restart', async () => {
        const { core } = embeddedCoreOn(open(), { signingAlgorithm: 'ES256' });
        const inputs = [{ useDynamicSigningKey: true }, { useDynamicSigningKey: false }];
        const made = await Promise.all(inputs.map((input) => create(core, input)));
        const { table } = database;
        expect(await sql(`SELECT value FROM ${table('session_access_token_signing_keys')}`)).toEqual([]);
        expect(await sql(`SELECT key_string FROM ${table('jwt_signing_keys')}`)).toEqual([]);
        await seedSigningKeys(open());
        expect(await sql(`SELECT value FROM ${table('session_access_token_signing_keys')}`)).toHaveLength(1);
        expect(await sql(`SELECT key_string FROM ${table('jwt_signing_keys')}`)).toHaveLength(1);
        const { core: another } = embeddedCoreOn(open());
        for (const { accessToken } of made) {
          expect(decoded(accessToken.token).header['alg']).toBe('ES256');
          expect(await verify(another, accessToken.token)).toMatchObject({ status: 'OK' });
        }
      });
    });

    describe('after a restart', () => {
      it('are there, with their keys: nobody is signed out (S017 S090)', async () => {
        const first = open();
        await seedSigningKeys(first);
        const before = embeddedCoreOn(first);
        const session = await create(before.core, { userDataInDatabase: { cart: 3 } });
        const other = await create(before.core);
        await before.core.revokeSessions([other.session.handle]);
        await before.core.close();

        const { core } = embeddedCoreOn(open(), {}, before.clock);
        expect(await verify(core, session.accessToken.token, { checkDatabase: true })).toMatchObject({
          status: 'OK',
        });
        expect(await verify(core, other.accessToken.token, { checkDatabase: true })).toMatchObject({
          status: 'UNAUTHORISED',
        });
        const next = await refreshed(core, session.refreshToken.token);
        expect(next.session.handle).toBe(session.session.handle);
        expect(decoded(next.accessToken.token).header['kid']).toBe(
          decoded(session.accessToken.token).header['kid'],
        );
        expect(await core.getSessionInformation(session.session.handle)).toMatchObject({
          userDataInDatabase: { cart: 3 },
        });
      });

      it('a repeated refresh gets the successor that was sealed before (S024)', async () => {
        const first = open();
        await seedSigningKeys(first);
        const before = embeddedCoreOn(first);
        const { refreshToken } = await create(before.core);
        const child = await refreshed(before.core, refreshToken.token);
        await before.core.close();
        const { core } = embeddedCoreOn(open(), {}, before.clock);
        expect((await refreshed(core, refreshToken.token)).refreshToken.token).toBe(child.refreshToken.token);
      });

      it('a store that was closed opens again with the next use', async () => {
        const store = open();
        await store.insertSession(ROW);
        await store.close();
        expect(await store.findSession(KEY)).toEqual(ROW);
      });
    });

    describe('on several instances', () => {
      it('are seen by all of them at once', async () => {
        const [one, two] = [open(), open()];
        await one.insertSession(ROW);
        expect(await two.update(KEY, LIVE, { sessionData: '{"n":1}' })).toBeDefined();
        expect(await one.findSession(KEY)).toEqual({ ...ROW, sessionData: '{"n":1}' });
        expect(await two.deleteSessions([KEY])).toEqual(['handle-1']);
        expect(await one.findSession(KEY)).toBeUndefined();
      });

      it('are promoted by exactly one of two that try, 30 times (S022 S087)', async () => {
        const stores = [open(), open()];
        await stores[0]?.insertSession(ROW);
        for (let n = 0, fromHash2 = ROW.refreshTokenHash2; n < 30; n++) {
          const results = await Promise.all(
            stores.map((store, which) =>
              promote(store, {
                ...KEY,
                fromHash2,
                toHash2: `${n}-${which}`,
                expiresAtMs: NOW + 1000,
                nowMs: NOW,
              }),
            ),
          );
          const winners = results.filter((row) => row !== undefined);
          expect(winners).toHaveLength(1);
          fromHash2 = winners[0]?.refreshTokenHash2 ?? '';
        }
      });

      it('share one set of keys when 20 instances start at once on nothing (S016 S093)', async () => {
        const keys = await Promise.all(
          Array.from({ length: 20 }, async (_, n) => {
            const store = open();
            await Promise.all([
              store.addDynamicKey({ createdAtMs: NOW + n, value: `dynamic-${n}` }, NOW),
              store.addStaticKey({ ...STATIC_KEY, kid: `s-${n}` }),
            ]);
            return store.getOrSetRefreshTokenKey(`1000:candidate-${n}:x`, NOW);
          }),
        );
        expect(new Set(keys).size).toBe(1);
        expect(await open().findDynamicKeys(0)).toHaveLength(1);
        expect(await open().findStaticKeys()).toHaveLength(1);
        expect(await sql(`SELECT version FROM ${database.table('nest_sessions_migrations')}`)).toHaveLength(
          1,
        );
      });

      it('are swept by several while they are in use: nothing live goes (S057)', async () => {
        const [first, second] = [open(), open()];
        const stores = [first, second];
        for (let n = 0; n < 60; n++) {
          await stores[n % 2]?.insertSession({
            ...ROW,
            sessionHandle: `h-${n}`,
            expiresAtMs: n % 3 === 0 ? NOW + 1000 : NOW,
          });
        }
        const sweep = async (store: SessionStore): Promise<void> => {
          while ((await store.deleteExpiredSessions(NOW, 7)).mayHaveMore);
        };
        const prolong = (n: number): Promise<SessionRow | undefined> =>
          promote(n % 2 === 0 ? first : second, {
            tenantId: 'public',
            sessionHandle: `h-${n}`,
            fromHash2: ROW.refreshTokenHash2,
            toHash2: 'b',
            expiresAtMs: NOW + 9000,
            nowMs: NOW,
          });
        const [, , ...prolonged] = await Promise.all([
          ...stores.map(sweep),
          ...Array.from({ length: 60 }, (_, n) => prolong(n)),
        ]);
        await sweep(open());
        const left = await open().findSessionHandlesOfUsers({
          userIds: ['user-1'],
          tenantId: 'public',
          nowMs: 0,
        });
        // In its last millisecond a session may be prolonged or swept, whoever is first.
        const expected = prolonged.flatMap((row) => (row ? [row.sessionHandle] : []));
        expect(left.sort()).toEqual(expected.sort());
        expect(left).toEqual(expect.arrayContaining(Array.from({ length: 20 }, (_, n) => `h-${3 * n}`)));
      });
    });

    describe('the data of a session', () => {
      it('loses nothing of 200 merges by 5 parallel writers on two instances (S089)', async () => {
        const store = open();
        await seedSigningKeys(store);
        const one = embeddedCoreOn(store);
        const { core: two } = embeddedCoreOn(open(), {}, one.clock);
        const { session } = await create(one.core, { userDataInDatabase: { start: true } });
        const merged = await Promise.all(
          Array.from({ length: 5 }, async (_, writer) => {
            const core = writer % 2 === 0 ? one.core : two;
            for (let n = 0; n < 40; n++) {
              if (!(await core.mergeSessionData(session.handle, { [`${writer}-${n}`]: n }))) return false;
            }
            return true;
          }),
        );
        expect(merged).not.toContain(false);
        const information = await one.core.getSessionInformation(session.handle);
        expect(Object.keys(information?.userDataInDatabase ?? {})).toHaveLength(201);
      });
    });

    describe('text that strangers write', () => {
      it.each(HOSTILE)('%j is text wherever it stands (S092)', async (text) => {
        const store = open();
        const row: SessionRow = {
          ...ROW,
          userId: text,
          tenantId: text,
          sessionHandle: text,
          refreshTokenHash2: text,
          sessionData: JSON.stringify({ text }),
          accessTokenPayload: JSON.stringify({ text }),
        };
        const key = { tenantId: text, sessionHandle: text };
        await store.insertSession({ ...ROW, sessionHandle: 'bystander' });
        await store.insertSession(row);
        expect(await store.findSession(key)).toEqual(row);
        const users = { userIds: [text, "' OR 1=1"], tenantId: text, nowMs: NOW };
        expect(await store.findSessionHandlesOfUsers(users)).toEqual([text]);
        expect(await store.deleteSessions([key, { ...KEY, sessionHandle: "' OR ''='" }])).toEqual([text]);
        expect(await store.getOrSetRefreshTokenKey(text, NOW)).toBe(text);
        expect(await store.findSession({ ...KEY, sessionHandle: 'bystander' })).toBeDefined();
      });

      it('ids that no database keeps are refused, and belong to nobody (S094)', async () => {
        const store = open();
        await store.insertSession({ ...ROW, userId: 'a\ufffd' });
        for (const userId of ['a\0', 'a\ud800', '\udc00a']) {
          await expect(store.insertSession({ ...ROW, sessionHandle: 'h-2', userId })).rejects.toThrow(
            CoreBadInputError,
          );
          const users = { userIds: [userId], tenantId: undefined, nowMs: NOW };
          expect(await store.findSessionHandlesOfUsers(users)).toEqual([]);
          expect(await store.deleteSessionsOfUsers(users)).toEqual([]);
        }
        expect(await store.findSession(KEY)).toBeDefined();
      });

      it('the same handle in two tenants is two sessions (S094)', async () => {
        const store = open();
        const twin = { ...ROW, tenantId: 't1', sessionData: '{"n":1}' };
        await store.insertSession(ROW);
        await store.insertSession(twin);
        expect(await store.update(KEY, LIVE, { sessionData: '{"n":2}' })).toBeDefined();
        expect(await store.findSession({ ...KEY, tenantId: 't1' })).toEqual(twin);
        expect(await store.deleteSessions([KEY])).toEqual(['handle-1']);
        expect(await store.findSession({ ...KEY, tenantId: 't1' })).toEqual(twin);
      });
    });

    describe('the tables', () => {
      const columns = async (): Promise<string[]> =>
        Object.keys((await sql(`SELECT * FROM ${database.table('session_info')}`))[0] ?? {}).sort();

      it('have the names, columns and formats of a SuperTokens Core', async () => {
        const store = open();
        await store.insertSession({ ...ROW, prevRefreshTokenHash2: 'b', rotatedAtMs: NOW });
        await store.addDynamicKey({ createdAtMs: NOW, value: 'dynamic' }, NOW);
        await store.addStaticKey({ ...STATIC_KEY, value: 'static' });
        await store.getOrSetRefreshTokenKey('1000:key:x', NOW);
        const read = async (table: string): Promise<Record<string, unknown>> =>
          Object.fromEntries(
            Object.entries((await sql(`SELECT * FROM ${database.table(table)}`))[0] ?? {}).map(
              ([column, value]) => [column, typeof value === 'boolean' ? Number(value) : String(value)],
            ),
          );
        expect(await read('session_info')).toEqual({
          app_id: 'public',
          tenant_id: 'public',
          session_handle: 'handle-1',
          user_id: 'user-1',
          refresh_token_hash_2: 'a'.repeat(64),
          session_data: '{}',
          expires_at: String(NOW + 1000),
          created_at_time: String(NOW),
          jwt_user_payload: '{}',
          use_static_key: expect.anything(),
          prev_refresh_token_hash_2: 'b',
          refresh_token_rotated_at: String(NOW),
        });
        expect(await read('session_access_token_signing_keys')).toEqual({
          app_id: 'public',
          created_at_time: String(NOW),
          value: 'dynamic',
        });
        expect(await read('jwt_signing_keys')).toEqual({
          app_id: 'public',
          key_id: 's-1',
          key_string: 'static',
          algorithm: 'RS256',
          created_at: String(NOW),
        });
        expect(await read('key_value')).toEqual({
          app_id: 'public',
          tenant_id: 'public',
          name: 'refresh_token_key',
          value: '1000:key:x',
          created_at_time: String(NOW),
        });
      });

      it('leave rows of other apps alone', async () => {
        const store = open();
        await store.insertSession(ROW);
        const table = database.table('session_info');
        await sql(`UPDATE ${table} SET app_id = 'other', expires_at = 1`);
        expect(await store.findSession(KEY)).toBeUndefined();
        expect(await store.deleteSessions([KEY])).toEqual([]);
        await store.deleteExpiredSessions(NOW, 10);
        expect(await sql(`SELECT session_handle FROM ${table}`)).toHaveLength(1);
      });

      it('of a row that a Core left without texts read as empty objects, and can be merged into', async () => {
        const store = open();
        await store.insertSession(ROW);
        await sql(
          `UPDATE ${database.table('session_info')} SET session_data = NULL, jwt_user_payload = NULL`,
        );
        expect(await store.findSession(KEY)).toEqual(ROW);
        expect(
          await store.update(KEY, { ...LIVE, sessionData: '{}' }, { sessionData: '{"n":1}' }),
        ).toBeDefined();
        expect(await store.findSession(KEY)).toMatchObject({ sessionData: '{"n":1}' });
      });

      it('get the columns that an older version lacks, by instances that start at once, and rows stay (S093)', async () => {
        await open().insertSession(ROW);
        const table = database.table('session_info');
        await sql(`ALTER TABLE ${table} DROP COLUMN prev_refresh_token_hash_2`);
        await sql(`ALTER TABLE ${table} DROP COLUMN refresh_token_rotated_at`);
        await sql(`DELETE FROM ${database.table('nest_sessions_migrations')}`);
        const rows = await Promise.all(Array.from({ length: 5 }, () => open().findSession(KEY)));
        expect(rows).toEqual(Array.from({ length: 5 }, () => ROW));
        expect(await columns()).toContain('refresh_token_rotated_at');
      });

      it('get the indexes for lists that an older version lacks', async () => {
        await open().insertSession(ROW);
        for (const index of SEARCH_INDEXES) await sql(`DROP INDEX ${database.table(index)}`);
        await sql(`DELETE FROM ${database.table('nest_sessions_migrations')} WHERE version > 2`);
        await sql(`INSERT INTO ${database.table('nest_sessions_migrations')} (version) VALUES (2)`);
        expect(await open().searchSessions(EVERYBODY)).toEqual({ rows: [ROW], next: undefined });
      });

      it('without the indexes for lists refuse to read the whole table, and say how they are made', async () => {
        await open().insertSession(ROW);
        for (const index of SEARCH_INDEXES) await sql(`DROP INDEX ${database.table(index)}`);
        const store = open({ migrate: false });
        const failure = await failureOf(store.searchSessions(EVERYBODY));
        expect(failure).toBeInstanceOf(CoreBadInputError);
        expect(await failureOf(store.countSessions(EVERYBODY))).toBeInstanceOf(CoreBadInputError);
        const [, statements = ''] = /Make it once: (.*)/.exec(String(failure)) ?? [];
        for (const statement of statements.split(';')) await sql(statement);
        expect(await store.searchSessions(EVERYBODY)).toEqual({ rows: [ROW], next: undefined });
      });

      it('list no sessions of another app of the Core', async () => {
        const store = open();
        await store.insertSession(ROW);
        await sql(`UPDATE ${database.table('session_info')} SET app_id = 'other'`);
        for (const search of [EVERYBODY, { ...EVERYBODY, userIds: [ROW.userId] }]) {
          expect(await store.searchSessions(search)).toEqual({ rows: [], next: undefined });
          expect(await store.countSessions(search)).toEqual({ count: 0, next: undefined });
        }
      });

      it('serve an older version beside this one: it writes the columns that it knows (S093)', async () => {
        const store = open();
        await store.prepare();
        await sql(
          `INSERT INTO ${database.table('session_info')} (app_id, tenant_id, session_handle, user_id,
            refresh_token_hash_2, session_data, expires_at, created_at_time, jwt_user_payload, use_static_key)
           VALUES ('public', 'public', 'handle-1', 'user-1', '${'a'.repeat(64)}', '{}', ${NOW + 1000}, ${NOW}, '{}', FALSE)`,
        );
        expect(await store.findSession(KEY)).toEqual(ROW);
      });

      it('of a later version are taken as they are (S093)', async () => {
        await open().insertSession(ROW);
        await sql(`UPDATE ${database.table('nest_sessions_migrations')} SET version = 1000`);
        expect(await open().findSession(KEY)).toEqual(ROW);
        expect(await sql(`SELECT version FROM ${database.table('nest_sessions_migrations')}`)).toEqual([
          { version: 1000 },
        ]);
      });

      it('that are somebody else’s are refused by name, and nothing is made', async () => {
        const client = database.connect();
        const store = open({}, client);
        await store.prepare();
        await sql(`DROP TABLE ${database.table('session_info')}`);
        await sql(`DELETE FROM ${database.table('nest_sessions_migrations')}`);
        await sql(`CREATE TABLE ${database.table('session_info')} (id INTEGER)`);
        const failure = await failureOf(open().findSession(KEY));
        expect(inspect(failure)).toContain('session_info is there but lacks app_id');
        expect(await sql(`SELECT version FROM ${database.table('nest_sessions_migrations')}`)).toEqual([]);
      });

      it('are not made with migrate: false; what is missing is a failure of the store', async () => {
        const store = open({ migrate: false });
        await expect(store.findSession(KEY)).rejects.toThrow(/session_info/);
        await open().insertSession(ROW);
        expect(await store.findSession(KEY)).toEqual(ROW);
      });

      it('of a second store with a prefix are its own', async () => {
        const [store, other] = [open(), open({ tablePrefix: 'shop_2' })];
        await store.insertSession(ROW);
        expect(await other.findSession(KEY)).toBeUndefined();
        await other.insertSession({ ...ROW, userId: 'user-2' });
        expect(await store.findSession(KEY)).toEqual(ROW);
      });

      it('are made with the first use after a failure', async () => {
        const flaky = flakyClient(database.connect());
        const store = open({}, flaky.client);
        flaky.fail(1, new Error('connect ECONNREFUSED'));
        await expect(store.findSession(KEY)).rejects.toThrow(/ECONNREFUSED/);
        expect(await store.findSession(KEY)).toBeUndefined();
      });

      it('that cannot be made are a fault of the set-up, and the message says what to do', async () => {
        const flaky = flakyClient(database.connect());
        const store = open({}, flaky.client);
        flaky.fail(1, Object.assign(new Error('permission denied'), { code: '42501', errcode: 3 }));
        const failure = await store.findSession(KEY).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(StoreSetupError);
        expect(failure).toMatchObject({ message: expect.stringMatching(/schemaSql.*permission denied/) });
      });
    });

    describe('when statements collide', () => {
      it('are written in the end: the statement is repeated, with growing pauses (S088)', async () => {
        const flaky = flakyClient(database.connect());
        const store = open({}, flaky.client);
        await store.insertSession(ROW);
        flaky.fail(4, database.transientError());
        expect(await store.update(KEY, LIVE, { sessionData: '{"n":1}' })).toBeDefined();
        expect(slept).toEqual([20, 40, 80, 160]);
        flaky.fail(2, database.transientError());
        await store.addDynamicKey({ createdAtMs: NOW, value: 'v' }, 0);
        expect(await store.findDynamicKeys(0)).toHaveLength(1);
      });

      it('give up after ten attempts, with the failure of the driver (S088)', async () => {
        const flaky = flakyClient(database.connect());
        const store = open({}, flaky.client);
        await store.prepare();
        const error = database.transientError();
        flaky.fail(FAR_TOO_MANY, error);
        await expect(store.findSession(KEY)).rejects.toBe(error);
        expect(slept).toHaveLength(9);
        expect(Math.max(...slept)).toBe(1000);
      });

      it('are not repeated after another failure: nobody knows whether the write happened', async () => {
        const flaky = flakyClient(database.connect());
        const store = open({}, flaky.client);
        await store.prepare();
        flaky.fail(1, new Error('Connection terminated unexpectedly'));
        await expect(store.insertSession(ROW)).rejects.toThrow('terminated');
        expect(slept).toEqual([]);
      });
    });

    it('a transaction that failed leaves no lock and no half of it behind', async () => {
      const store = open();
      await store.prepare();
      await sql(`DROP TABLE ${database.table('jwt_signing_keys')}`);
      await expect(store.addStaticKey(STATIC_KEY)).rejects.toMatchObject({ message: expect.any(String) });
      await store.addDynamicKey({ createdAtMs: NOW, value: 'v' }, NOW);
      await open().insertSession(ROW);
      expect(await store.findSession(KEY)).toEqual(ROW);
    });

    it('show no key, token hash or data when a statement fails (S020 S104)', async () => {
      const store = open();
      await store.addStaticKey(STATIC_KEY);
      const table = database.table('jwt_signing_keys');
      await store.insertSession(ROW);
      await sql(`DROP TABLE ${table}`);
      await sql(`DROP TABLE ${database.table('key_value')}`);
      const secrets = [DYNAMIC_TEST_KEY.slice(100, 140), '1000:secret', ROW.refreshTokenHash2, 'precious'];
      const failures = await Promise.all([
        failureOf(store.addStaticKey(STATIC_KEY)),
        failureOf(store.getOrSetRefreshTokenKey('1000:secret', NOW)),
        failureOf(store.insertSession({ ...ROW, sessionData: '{"precious":1}' })),
      ]);
      for (const failure of failures) {
        const shown = inspect(failure, { depth: Number.POSITIVE_INFINITY, showHidden: true });
        for (const secret of secrets) expect(shown).not.toContain(secret);
      }
    });

    it('survive kill -9 of the process that wrote them: what it acknowledged is there (S090)', async () => {
      await open().prepare();
      const acknowledged = await acknowledgedByKilledWriter(database.writerTarget, 90);
      const store = open();
      // The writer was killed in the midst of something that concerned its last session.
      const certain = acknowledged.slice(0, -1);
      expect(certain.length).toBeGreaterThan(20);
      for (const { sessionHandle, state } of certain) {
        const row = await store.findSession({ tenantId: 'public', sessionHandle });
        expect(row === undefined ? 'revoked' : row.refreshTokenHash2).toBe(state);
      }
    });
  });
}

/** A client whose next calls fail on demand. */
function flakyClient(inner: SqlClient): { client: SqlClient; fail(times: number, error: Error): void } {
  let left = 0;
  let failure: Error | undefined;
  const orFail = async <T>(call: () => Promise<T>): Promise<T> => {
    if (left > 0 && failure) {
      left--;
      throw failure;
    }
    return call();
  };
  const client: SqlClient = {
    dialect: inner.dialect,
    open: () => inner.open(),
    query: (query) => orFail(() => inner.query(query)),
    exclusively: (lock, steps) => orFail(() => inner.exclusively(lock, steps)),
    close: () => inner.close(),
  };
  return {
    client,
    fail(times, error) {
      left = times;
      failure = error;
    },
  };
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail');
}

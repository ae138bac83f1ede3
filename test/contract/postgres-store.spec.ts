import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { CoreBadInputError, CoreUnavailableError } from '../../lib/errors.js';
import { cutOffRevocation, revocationNote } from '../../lib/feed/revocation-feed.js';
import {
  PostgresClient,
  postgresStore,
  type PostgresPool,
  type PostgresPoolClient,
} from '../../lib/stores/postgres.store.js';
import { StoreSetupError, type SessionStore } from '../../lib/stores/session-store.js';
import { schemaSql } from '../../lib/stores/schema.js';
import { SqlStore } from '../../lib/stores/sql.store.js';
import { coreTablesSql } from '../fixtures/core-tables.js';
import { create, refresh, refreshed, replacementOf } from '../support/core-calls.js';
import { coreOnStores } from '../support/core-on-store.js';
import { embeddedCoreOn, seedSigningKeys } from '../support/embedded.js';
import { startPostgres } from '../support/postgres.js';
import { EVERYBODY, KEY, NOW, ROW } from '../support/session-row.js';
import { findAndPromote, promote } from '../support/store-updates.js';
import { describeCoreClient } from './core-client.contract.js';
import { describeEmbeddedCoreOn } from './embedded-core.contract.js';
import { describeRevocationFeed } from './revocation-feed.contract.js';
import { describeSessionSearch } from './session-search.contract.js';
import { describeSessionStore } from './session-store.contract.js';
import { describeSqlStore } from './sql-store.contract.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

/** A pool whose reads return what they do on a hot standby, whose snapshots name no open transaction. */
function asStandby(pool: PostgresPool): PostgresPool {
  const snapshot = `CAST(regexp_replace(CAST(pg_current_snapshot() AS TEXT), '[^:]*$', '') AS pg_snapshot)`;
  return {
    connect: async () => pool.connect(),
    query: async (text, values) =>
      pool.query(
        text.replaceAll('pg_current_snapshot()', () => snapshot).replaceAll('pg_is_in_recovery()', 'TRUE'),
        values,
      ),
  };
}

postgres.describe('on a real server', () => {
  const pool = postgres.pool();

  describeSessionStore('on PostgreSQL', async () => postgresStore(pool, { schema: postgres.freshSchema() }));

  describeSessionSearch('in PostgreSQL', async () => postgresStore(pool, { schema: postgres.freshSchema() }));
  describeRevocationFeed('in PostgreSQL', async () => {
    const schema = postgres.freshSchema();
    const [here, there] = [pool, pool].map((each) => postgresStore(each, { schema }).revocations);
    if (here === undefined || there === undefined) throw new Error('The store has no feed');
    return { here, there, close: async () => {} };
  });

  it('reads the revocations of a server that replaced another from the beginning', async () => {
    const { revocations: feed } = postgresStore(pool, { schema: postgres.freshSchema() });
    await feed?.publish([cutOffRevocation(undefined, revocationNote({}, 1, 1))]);
    const { position = '' } = (await feed?.read(undefined)) ?? {};
    expect((await feed?.read(position))?.records).toEqual([]);
    // The other one had begun at another time, and had come further.
    const ofOther = position.replace(/^\d+\..*$/, '1760000000000.999999999:999999999:');
    expect(ofOther).not.toBe(position);
    expect((await feed?.read(ofOther))?.records).toHaveLength(1);
  });

  it.each(['5:3:', '1:9:9', '1:9:4,2', '1:9:0', '0:9:', '1:2:3:4', '1:', ''])(
    'begins anew at a snapshot that is none: %j',
    async (snapshot) => {
      const { revocations: feed } = postgresStore(pool, { schema: postgres.freshSchema() });
      await feed?.publish([cutOffRevocation(undefined, revocationNote({}, 1, 1))]);
      const { position = '' } = (await feed?.read(undefined)) ?? {};
      const wrong = position.replace(/\..*$/, `.${snapshot}`);
      expect((await feed?.read(wrong))?.records).toHaveLength(1);
    },
  );

  it('reads no revocation twice while a transaction elsewhere is left open', async () => {
    const { revocations: feed } = postgresStore(pool, { schema: postgres.freshSchema() });
    const open = await pool.connect();
    try {
      await open.query('BEGIN');
      await open.query('SELECT pg_current_xact_id()');
      await feed?.publish([cutOffRevocation(undefined, revocationNote({}, 1, 1))]);
      const first = await feed?.read(undefined);
      expect(first?.records).toHaveLength(1);
      const second = await feed?.read(first?.position);
      expect(second?.records).toEqual([]);
      await feed?.publish([cutOffRevocation('t1', revocationNote({}, 1, 1))]);
      expect((await feed?.read(second?.position))?.records).toMatchObject([{ kind: 'tenant', id: 't1' }]);
    } finally {
      await open.query('ROLLBACK');
      open.release();
    }
  });

  it('loses no revocation of a transaction that is open while a standby is read', async () => {
    const schema = postgres.freshSchema();
    const { revocations: feed } = postgresStore(pool, { schema });
    const { revocations: standby } = postgresStore(asStandby(pool), { schema });
    await feed?.publish([cutOffRevocation('t1', revocationNote({}, 1, 1))]);
    const open = await pool.connect();
    try {
      await open.query('BEGIN');
      await open.query(`INSERT INTO ${schema}.nest_sessions_revocations (kind, subject, tenant_id, not_before, ends_at)
        VALUES ('tenant', 't2', 't2', 1, 1)`);
      await feed?.publish([cutOffRevocation('t3', revocationNote({}, 1, 1))]);
      const { position } = (await standby?.read(undefined)) ?? {};
      await open.query('COMMIT');
      const later = [await standby?.read(position), await feed?.read(position)]; // the second one after its promotion
      for (const page of later)
        expect(page?.records).toContainEqual(expect.objectContaining({ kind: 'tenant', id: 't2' }));
    } finally {
      open.release();
    }
  });

  it('writes a revocation whose reason has characters that it does not keep', async () => {
    const { revocations: feed } = postgresStore(pool, { schema: postgres.freshSchema() });
    const note = revocationNote({ reason: 'half a \ud83d', initiator: 'null\0null' }, 1, 1);
    await feed?.publish([cutOffRevocation(undefined, note)]);
    const page = await feed?.read(undefined);
    expect(page?.records).toMatchObject([{ reason: 'half a \ufffd', initiator: 'nullnull' }]);
  });

  describeSqlStore('in PostgreSQL', async () => {
    const schema = postgres.freshSchema();
    return {
      connect: () => new PostgresClient(postgres.pool({ max: 4, idleTimeoutMillis: 500 })),
      schemaOptions: { schema },
      table: (name) => `${schema}.${name}`,
      transientError: () => Object.assign(new Error('could not serialize access'), { code: '40001' }),
      writerTarget: { engine: 'postgres', url: postgres.url, schema },
    };
  });

  const schemaOfCores = postgres.freshSchema();
  describeCoreClient('in this process, on PostgreSQL', async (options) => {
    const openStore = () => postgresStore(pool, { schema: schemaOfCores });
    await openStore().findStaticKeys();
    await pool.query(`DELETE FROM ${schemaOfCores}.session_info`);
    return coreOnStores(openStore, options);
  });

  describeEmbeddedCoreOn('PostgreSQL', async () => postgresStore(pool, { schema: postgres.freshSchema() }));

  describe('a PostgreSQL store', () => {
    it.each(['read committed', 'repeatable read', 'serializable'])(
      'promotes once when 20 try at once, and fails nobody, where the default isolation is %s (S087 S088)',
      async (isolation) => {
        const schema = postgres.freshSchema();
        const strict = postgres.pool({
          options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`,
        });
        const store = postgresStore(strict, { schema });
        await store.insertSession(ROW);
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            promote(store, {
              ...KEY,
              fromHash2: ROW.refreshTokenHash2,
              toHash2: `next-${n}`,
              expiresAtMs: NOW + 1000,
              nowMs: NOW,
            }),
          ),
        );
        expect(results.filter((row) => row !== undefined)).toHaveLength(1);
        // S016: the lock must not be fooled by a snapshot from before it.
        const keys = Array.from({ length: 20 }, (_, n) =>
          store.addDynamicKey({ createdAtMs: NOW + n, value: `key-${n}` }, NOW),
        );
        await Promise.all(keys);
        expect(await store.findDynamicKeys(0)).toHaveLength(1);
      },
    );

    it('repeats a removal that PostgreSQL ended as the victim of a deadlock (S088)', async () => {
      const schema = postgres.freshSchema();
      const slept: number[] = [];
      const victims = postgres.pool({ max: 2, options: '-c deadlock_timeout=200ms' });
      const store = new SqlStore(
        new PostgresClient(victims),
        { schema },
        { attempts: 10, random: () => 1, sleep: async (ms) => slept.push(ms) },
      );
      await store.insertSession(ROW);
      await store.insertSession({ ...ROW, sessionHandle: 'handle-2' });
      const rival = await postgres.pool({ options: '-c deadlock_timeout=60s' }).connect();
      const lock = (handle: string) =>
        rival.query(`SELECT 1 FROM ${schema}.session_info WHERE session_handle = $1 FOR UPDATE`, [handle]);
      try {
        await rival.query('BEGIN');
        await lock('handle-2');
        const removal = store.deleteSessions([KEY, { ...KEY, sessionHandle: 'handle-2' }]);
        // Its failure is looked at below; nobody waits for it until then.
        removal.catch(() => {});
        await waitingFor(schema);
        await lock('handle-1');
        await rival.query('COMMIT');
        expect(slept).toEqual([20]);
        expect((await removal).sort()).toEqual(['handle-1', 'handle-2']);
      } finally {
        rival.release(true);
      }
    });

    it('sweeps a table of many pages in bounded steps, beside traffic (S057)', async () => {
      const schema = postgres.freshSchema();
      const store = postgresStore(pool, { schema });
      await store.insertSession(ROW);
      await pool.query(
        `INSERT INTO ${schema}.session_info (session_handle, user_id, refresh_token_hash_2, session_data,
           expires_at, created_at_time, use_static_key)
         SELECT 'h-' || i, 'u', 'x', repeat('d', 900), i % 2, 0, false FROM generate_series(1, 20000) AS i`,
      );
      let left = 10_000;
      let steps = 0;
      for (let mayHaveMore = true; mayHaveMore; steps++) {
        ({ mayHaveMore } = await store.deleteExpiredSessions(0, 1500));
        const { rows } = await pool.query<{ n: string }>(
          `SELECT count(*) AS n FROM ${schema}.session_info WHERE expires_at = 0`,
        );
        expect(left - Number(rows[0]?.n)).toBeLessThanOrEqual(1500);
        left = Number(rows[0]?.n);
      }
      expect(left).toBe(0);
      expect(steps).toBeGreaterThan(6);
      const { rows } = await pool.query(`SELECT count(*) AS n FROM ${schema}.session_info`);
      expect(rows).toEqual([{ n: '10001' }]);
    });

    it('leaves room in the pages, and no index on what each rotation changes', async () => {
      const schema = postgres.freshSchema();
      await postgresStore(pool, { schema }).findStaticKeys();
      const { rows: options } = await pool.query(
        'SELECT reloptions FROM pg_class WHERE oid = to_regclass($1)',
        [`${schema}.session_info`],
      );
      expect(options).toEqual([{ reloptions: ['fillfactor=85'] }]);
      const { rows: indexes } = await pool.query(
        'SELECT indexname FROM pg_indexes WHERE schemaname = $1 AND tablename = $2 ORDER BY 1',
        [schema, 'session_info'],
      );
      expect(indexes).toEqual([
        { indexname: 'session_info_created_index' },
        { indexname: 'session_info_pkey' },
        { indexname: 'session_info_tenant_created_index' },
        { indexname: 'session_info_user_id_app_id_index' },
      ]);
    });

    it('lists sessions in the order of an index: nothing is sorted, and no other row is read', async () => {
      const schema = postgres.freshSchema();
      const plans: string[] = [];
      const explaining: PostgresPool = {
        connect: async () => pool.connect(),
        query: async (text, values) => {
          if (text.includes('seen')) {
            const { rows } = await pool.query(`EXPLAIN ${text}`, values);
            plans.push(rows.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n'));
          }
          return pool.query(text, values);
        },
      };
      const store = postgresStore(explaining, { schema });
      await store.findStaticKeys();
      await pool.query(
        `INSERT INTO ${schema}.session_info (tenant_id, session_handle, user_id, refresh_token_hash_2, session_data, expires_at,
           created_at_time, use_static_key)
         SELECT CASE WHEN i % 100 = 0 THEN 't1' ELSE 'public' END, 'h-' || i, 'user-' || i % 1000, repeat('x', 64), '{}', 1000, i, FALSE
         FROM generate_series(1, 20000) AS i`,
      );
      await pool.query(`ANALYZE ${schema}.session_info`);
      const search = { createdSinceMs: undefined, nowMs: 0, limit: 50, after: undefined };
      for (const tenantId of [undefined, 'public', 't1']) {
        plans.length = 0;
        const { rows } = await store.searchSessions({ ...search, tenantId, userIds: undefined });
        expect(rows).toHaveLength(50);
        expect(plans.join()).not.toMatch(/Sort|Seq Scan on session_info/);
        expect(plans.join()).toContain(
          tenantId === 't1' ? 'session_info_tenant_created_index' : 'session_info_created_index',
        );
      }
      plans.length = 0;
      await store.searchSessions({ ...search, tenantId: undefined, userIds: ['user-7'] });
      expect(plans.join()).toContain('session_info_user_id_app_id_index');
      expect(plans.join()).not.toMatch(/created_index|Seq Scan on session_info/);
    });

    it('adds an estimate to a count of everybody that is not complete', async () => {
      const schema = postgres.freshSchema();
      const store = postgresStore(pool, { schema });
      for (let n = 0; n < 5; n++)
        await store.insertSession({ ...ROW, sessionHandle: `h-${n}`, createdAtMs: n });
      await pool.query(`ANALYZE ${schema}.session_info`);
      const some = { ...EVERYBODY, limit: 2 };
      const first = await store.countSessions(some);
      expect(first).toMatchObject({ count: 2, estimate: 5 });
      expect(await store.countSessions({ ...some, after: first.next })).not.toHaveProperty('estimate');
      expect(await store.countSessions({ ...some, tenantId: ROW.tenantId })).not.toHaveProperty('estimate');
      expect(await store.countSessions(EVERYBODY)).toEqual({ count: 5, next: undefined });
    });

    it('uses the schema of the connection unless it is told one', async () => {
      const schema = postgres.freshSchema();
      await pool.query(`CREATE SCHEMA ${schema}`);
      const store = postgresStore(postgres.pool({ options: `-c search_path=${schema}` }));
      await store.insertSession(ROW);
      expect((await pool.query(`SELECT 1 FROM ${schema}.session_info`)).rows).toHaveLength(1);
    });

    it('takes the tables that schemaSql made, twice, with an account that may not make any (S093)', async () => {
      const schema = postgres.freshSchema();
      const shared = { schema, tablePrefix: 'st', migrate: false, preparedStatements: undefined };
      const script = schemaSql('postgres', shared);
      await pool.query(script);
      await pool.query(script);
      const role = `reader_${schema}`;
      await pool.query(`CREATE ROLE ${role}`);
      await pool.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
      await pool.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
      const limited = postgres.pool({ options: `-c role=${role}` });
      for (const migrate of [true, false]) {
        const store = postgresStore(limited, { schema, tablePrefix: 'st', migrate });
        await store.deleteSessions([KEY]);
        await store.insertSession(ROW);
        expect(await store.findSession(KEY)).toEqual(ROW);
      }
      await expect(postgresStore(limited, { schema }).findSession(KEY)).rejects.toThrow(/schemaSql/);
      await pool.query(`DROP OWNED BY ${role}`);
      await pool.query(`DROP ROLE ${role}`);
    });

    it.each([
      [{ schema: 'a"; DROP SCHEMA public; --' }],
      [{ schema: '' }],
      [{ schema: 'Shop' }],
      [{ schema: 'pg temp' }],
      [{ schema: 's'.repeat(64) }],
      [{ tablePrefix: "x'" }],
      [{ tablePrefix: '1st' }],
      [{ tablePrefix: 'p'.repeat(30) }],
    ])('refuses the names %p (S092)', (options) => {
      expect(() => postgresStore(pool, options)).toThrow(TypeError);
      expect(() => schemaSql('postgres', options)).toThrow(TypeError);
    });

    it.each([
      [{ preparedStatement: true }, 'did you mean preparedStatements?'],
      [{ Schema: 'x' }, 'did you mean schema?'],
      [{ migrate: 1 }, 'migrate: must be true or false, not 1'],
      [null, 'an object is expected'],
    ])('refuses the options %j: %s', (options, message) => {
      expect(() => Reflect.apply(postgresStore, undefined, [pool, options])).toThrow(TypeError);
      expect(() => Reflect.apply(postgresStore, undefined, [pool, options])).toThrow(message);
    });

    it.each([undefined, null, {}, 'postgresql://localhost', { query: () => undefined }])(
      'refuses %p, which is no pool',
      (notPool) => {
        expect(() => Reflect.apply(postgresStore, undefined, [notPool])).toThrow(/new Pool\(\)/);
      },
    );

    it('says so when it was given a client instead of a pool', async () => {
      const client: PostgresPool = {
        query: (text, values) => pool.query(text, values),
        connect: async () => undefined as never,
      };
      await expect(
        postgresStore(client, { schema: postgres.freshSchema() }).findStaticKeys(),
      ).rejects.toMatchObject({
        cause: { message: expect.stringContaining('not a Client') },
      });
    });

    it('gives back every connection that it borrows, and closes one whose transaction failed', async () => {
      const schema = postgres.freshSchema();
      const own = postgres.pool({ max: 1 });
      const store = postgresStore(own, { schema });
      await store.addStaticKey({ kid: 's-1', createdAtMs: 1, value: 'v', algorithm: 'RS256' });
      const tooLong = { kid: 's'.repeat(130), createdAtMs: 1, value: 'v', algorithm: 'ES256' };
      await expect(store.addStaticKey(tooLong)).rejects.toThrow(/too long/);
      expect(await store.findStaticKeys()).toHaveLength(1);
      expect({ waiting: own.waitingCount, idle: own.idleCount }).toEqual({ waiting: 0, idle: 1 });
    });
  });

  describe('promotions in PostgreSQL that wait for one writer', () => {
    it('look at the row again when it is free, and one of them happens (S022 S087)', async () => {
      const schema = postgres.freshSchema();
      const store = postgresStore(postgres.pool(), { schema });
      await store.insertSession(ROW);
      const writer = await postgres.pool({ max: 1 }).connect();
      await writer.query('BEGIN');
      await writer.query(`UPDATE ${schema}.session_info SET session_data = session_data`);
      const promotions = Promise.all(
        Array.from({ length: 5 }, (_, n) =>
          findAndPromote(store, {
            ...KEY,
            fromHash2: ROW.refreshTokenHash2,
            toHash2: `${n}`.padStart(64, '0'),
            expiresAtMs: NOW + 5000,
            nowMs: NOW,
          }),
        ),
      );
      const waiting = async (): Promise<number> => {
        const { rows } = await pool.query<{ pid: number }>(
          `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`,
        );
        return rows.length;
      };
      while ((await waiting()) < 5) await nextTurn();
      await writer.query('COMMIT');
      writer.release();
      const winners = (await promotions).filter(({ isUpdated }) => isUpdated);
      expect(winners).toHaveLength(1);
      expect(await store.findSession(KEY)).toEqual(winners[0]?.row);
    });
  });

  describe('the prepared statements of a PostgreSQL store', () => {
    const preparedBy = async (own: pg.Pool): Promise<string[]> => {
      const { rows } = await own.query<{ name: string }>('SELECT name FROM pg_prepared_statements');
      return rows.map(({ name }) => name);
    };
    const usedTwice = async (store: SessionStore): Promise<void> => {
      for (let time = 0; time < 2; time++) expect(await store.findSession(KEY)).toEqual(ROW);
    };

    it('have names of ours, one for each statement, and are made once on a connection', async () => {
      const own = postgres.pool({ max: 1 });
      const store = postgresStore(own, { schema: postgres.freshSchema() });
      await store.insertSession(ROW);
      const before = await preparedBy(own);
      await usedTwice(store);
      const names = await preparedBy(own);
      expect(names).toHaveLength(before.length + 1);
      for (const name of names) expect(name).toMatch(/^nest_sessions_[0-9a-f]{32}$/);
    });

    it('are given up when a pooler has lost them, and the statement is done all the same', async () => {
      const own = postgres.pool({ max: 1 });
      const store = postgresStore(own, { schema: postgres.freshSchema() });
      await store.insertSession(ROW);
      await usedTwice(store);
      await own.query('DEALLOCATE ALL'); // what pg does not know of: the next statement meets another connection
      await usedTwice(store);
      expect(await preparedBy(own)).toEqual([]);
    });

    it('are given up when the tables have changed under them', async () => {
      const own = postgres.pool({ max: 1 });
      const schema = postgres.freshSchema();
      const store = postgresStore(own, { schema });
      await store.insertSession(ROW);
      await usedTwice(store);
      await own.query(`ALTER TABLE ${schema}.session_info ALTER COLUMN session_data TYPE VARCHAR(9999)`);
      await usedTwice(store);
      expect(await preparedBy(own)).toEqual([]);
    });

    it('are not made where that is switched off, or the pool is no Pool of pg', async () => {
      const own = postgres.pool({ max: 1 });
      const schema = postgres.freshSchema();
      const off = postgresStore(own, { schema, preparedStatements: false });
      await off.insertSession(ROW);
      await usedTwice(off);
      const asked: unknown[] = [];
      const other: PostgresPool = {
        query: async (text, values) => {
          asked.push(text);
          return own.query(text, values);
        },
        connect: () => own.connect(),
      };
      await usedTwice(postgresStore(other, { schema }));
      expect(await preparedBy(own)).toEqual([]);
      for (const each of asked) expect(typeof each).toBe('string');
      expect(() => postgresStore(own, { preparedStatements: 'yes' as unknown as boolean })).toThrow(
        TypeError,
      );
    });
  });

  describe('work that needs a connection of its own', () => {
    it('is rejected when the connection breaks, and the process lives on (S030)', async () => {
      const own = postgres.pool({ max: 2 });
      own.on('error', () => undefined);
      const lent: { connection: { stream: Duplex } }[] = [];
      own.on('acquire', (connection) => lent.push(connection as unknown as (typeof lent)[number]));
      const client = new PostgresClient(own);
      const onBrokenConnection = function* () {
        lent.at(-1)?.connection.stream.destroy(new Error('cut'));
        yield { text: 'SELECT 1', values: [] };
      };
      for (let time = 0; time < 3; time++) {
        await expect(client.exclusively('test', onBrokenConnection)).rejects.toThrow(/cut|connection/i);
        await nextTurn();
      }
      expect(await client.query({ text: 'SELECT 1 AS one', values: [] })).toEqual([{ one: 1 }]);
      expect(own.totalCount).toBeLessThanOrEqual(2);
    });

    it('takes one connection at a time for one lock, so that others are served meanwhile (S038)', async () => {
      const own = postgres.pool({ max: 2 });
      const client = new PostgresClient(own);
      let lent = 0;
      own.on('acquire', () => lent++);
      const slow = function* () {
        yield { text: 'SELECT pg_sleep(0.05)', values: [] };
      };
      const writers = Array.from({ length: 8 }, () => client.exclusively('one lock', slow));
      expect(await client.query({ text: 'SELECT 1 AS one', values: [] })).toEqual([{ one: 1 }]);
      expect(lent).toBeLessThan(4);
      await Promise.all(writers);
    });
  });

  describe('the tables that a SuperTokens Core made', () => {
    const coreSchema = async (): Promise<string> => {
      const schema = postgres.freshSchema();
      await pool.query(`CREATE SCHEMA ${schema}`);
      await pool.query(coreTablesSql(schema));
      return schema;
    };

    it('are taken over as they are, with the columns of 5.6 added, and their sessions go on (S093)', async () => {
      // A Core would have left this: tokens that its own formats made.
      const source = postgres.freshSchema();
      const past = postgresStore(pool, { schema: source });
      await seedSigningKeys(past);
      const before = embeddedCoreOn(past);
      const { refreshToken, session } = await create(before.core, { userDataInJWT: { role: 'admin' } });
      const schema = await coreSchema();
      for (const [table, columns] of Object.entries({
        session_info:
          'app_id, tenant_id, session_handle, user_id, refresh_token_hash_2, session_data, expires_at, created_at_time, jwt_user_payload, use_static_key',
        session_access_token_signing_keys: 'app_id, created_at_time, value',
        jwt_signing_keys: 'app_id, key_id, key_string, algorithm, created_at',
        key_value: 'app_id, tenant_id, name, value, created_at_time',
      })) {
        await pool.query(
          `INSERT INTO ${schema}.${table} (${columns}) SELECT ${columns} FROM ${source}.${table}`,
        );
      }

      const { core } = embeddedCoreOn(postgresStore(pool, { schema }), {}, before.clock);
      const next = await refreshed(core, refreshToken.token);
      expect(next.session).toEqual(session);
      await replacementOf(core, next.accessToken.token);
      const { rows } = await pool.query(`SELECT * FROM ${schema}.session_info`);
      expect(rows).toMatchObject([{ prev_refresh_token_hash_2: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
      expect((await create(core)).session.tenantId).toBe('public');
    });

    it('are not hidden by new ones where the search_path comes to another schema first', async () => {
      const theirs = await coreSchema();
      const empty = postgres.freshSchema();
      await pool.query(`CREATE ROLE ${empty}`);
      await pool.query(`GRANT USAGE ON SCHEMA ${theirs} TO ${empty}`);
      await pool.query(`CREATE SCHEMA ${empty} AUTHORIZATION ${empty}`);
      for (const options of [
        `-c search_path=${empty},${theirs}`,
        `-c role=${empty} -c search_path="$user",${theirs}`,
      ]) {
        const onPath = postgres.pool({ options, max: 2 });
        const failure = await postgresStore(onPath)
          .findSession(KEY)
          .catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(StoreSetupError);
        expect(failure).toMatchObject({ message: expect.stringContaining(`schema: '${theirs}'`) });
        expect(failure).toMatchObject({ message: expect.stringContaining(`schema: '${empty}'`) });
      }
      const { rows } = await pool.query('SELECT 1 FROM pg_tables WHERE schemaname = $1', [empty]);
      expect(rows).toEqual([]);
      // Told which, or with the path the other way round, it takes what is there; on its own it makes tables of its own.
      const onPath = postgres.pool({ options: `-c search_path=${empty},${theirs}` });
      await postgresStore(onPath, { schema: theirs }).insertSession(ROW);
      const turned = postgres.pool({ options: `-c search_path=${theirs},${empty}` });
      expect(await postgresStore(turned).findSession(KEY)).toEqual(ROW);
      expect(await postgresStore(onPath, { schema: empty }).findSession(KEY)).toBeUndefined();
      await pool.query(`DROP OWNED BY ${empty} CASCADE`);
      await pool.query(`DROP ROLE ${empty}`);
    });

    it.each(['key_value', 'nest_sessions_migrations'])(
      'are made beside a table %s of somebody else further down the search_path',
      async (name) => {
        const [own, other] = [postgres.freshSchema(), postgres.freshSchema()];
        await pool.query(`CREATE SCHEMA ${own}; CREATE SCHEMA ${other}`);
        await pool.query(`CREATE TABLE ${other}.${name} (version INTEGER PRIMARY KEY)`);
        await pool.query(`INSERT INTO ${other}.${name} VALUES (1)`);
        const store = postgresStore(postgres.pool({ options: `-c search_path=${own},${other}` }));
        await store.insertSession(ROW);
        expect(await store.getOrSetRefreshTokenKey('key', NOW)).toBe('key');
        expect((await pool.query(`SELECT 1 FROM ${own}.session_info`)).rows).toHaveLength(1);
        expect((await pool.query(`SELECT 1 FROM ${own}.${name}`)).rows).toHaveLength(1);
        expect((await pool.query(`SELECT 1 FROM ${other}.${name}`)).rows).toHaveLength(1);
      },
    );

    it('refuse a session of a tenant that the Core does not know, and say so', async () => {
      const store = postgresStore(pool, { schema: await coreSchema() });
      const row = { ...ROW, tenantId: 't9', sessionHandle: 'handle_t9' };
      const failure = await store.insertSession(row).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CoreBadInputError);
      expect(failure).toMatchObject({ message: expect.stringContaining('The tenant t9') });
      expect(await store.findSession(row)).toBeUndefined();
    });

    it('keep their sessions and tenants apart from other apps of that Core', async () => {
      const schema = await coreSchema();
      await pool.query(`INSERT INTO ${schema}.apps VALUES ('shop', 0)`);
      await pool.query(`INSERT INTO ${schema}.tenants VALUES ('shop', 'public', 0)`);
      const store = postgresStore(pool, { schema });
      await store.insertSession(ROW);
      await pool.query(
        `INSERT INTO ${schema}.session_info (app_id, tenant_id, session_handle, user_id, refresh_token_hash_2,
           expires_at, created_at_time, use_static_key)
         VALUES ('shop', 'public', 'handle-1', 'user-1', 'x', ${NOW + 1000}, 0, false)`,
      );
      const users = { userIds: ['user-1'], tenantId: undefined, nowMs: NOW };
      expect(await store.deleteSessionsOfUsers(users)).toEqual(['handle-1']);
      const { rows } = await pool.query(`SELECT app_id FROM ${schema}.session_info`);
      expect(rows).toEqual([{ app_id: 'shop' }]);
    });
  });

  describe('a pool as the README makes it', () => {
    it('ends no process when the server ends its idle connections (S030)', async () => {
      const schema = postgres.freshSchema();
      const own = new pg.Pool({ connectionString: postgres.url });
      const store = postgresStore(own, { schema });
      await store.findStaticKeys();
      const isGone = new Promise((resolve) => own.once('remove', resolve));
      const { rows } = await own.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await isGone;
      expect(await store.findStaticKeys()).toEqual([]);
      await own.end();
    });

    it('gives up a server that says nothing, and has its connections back when it talks again (S030)', async () => {
      const path = await silentServer(new URL(postgres.url));
      const own = new pg.Pool({ connectionString: path.url, max: 2 });
      const store = postgresStore(own, { schema: postgres.freshSchema() });
      await store.findStaticKeys();
      path.isSilent = true;
      for (const socket of path.sockets) socket.destroy();
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
      const asked = Array.from({ length: 5 }, () => store.findStaticKeys().catch((error: unknown) => error));
      while (path.sockets.length < 2) await nextTurn();
      for (let second = 0; second < 60; second++) {
        await jest.advanceTimersByTimeAsync(1000);
        await nextTurn();
      }
      jest.useRealTimers();
      for (const response of await Promise.all(asked)) expect(response).toBeInstanceOf(Error);
      path.isSilent = false;
      expect(await store.findStaticKeys()).toEqual([]);
      expect(own.waitingCount).toBe(0);
      await own.end();
      path.server.close();
    });

    it.each([
      [{}, 5000],
      [{ connectionTimeoutMillis: 300 }, 300],
      [{ connectionTimeoutMillis: 0 }, 0],
    ])('with %j waits %i ms for a connection', (options, timeoutMs) => {
      const own = new pg.Pool(options);
      for (let time = 0; time < 20; time++) postgresStore(own);
      expect(own.options.connectionTimeoutMillis).toBe(timeoutMs);
      expect(own.listenerCount('error')).toBe(1);
    });
  });

  describe('a pool that is not one of pg and says nothing', () => {
    it('is given up, and what it lends too late goes back (S030)', async () => {
      let lend: (late: PostgresPoolClient) => void = () => {};
      const lending = new Promise<PostgresPoolClient>((resolve) => (lend = resolve));
      const silent: PostgresPool = { query: async () => new Promise(() => {}), connect: async () => lending };
      jest.useFakeTimers();
      const client = new PostgresClient(silent);
      const failures = [
        client.query({ text: 'SELECT 1', values: [] }),
        client.exclusively('test', function* () {}),
      ].map(async (work) => work.then(String, String));
      await jest.advanceTimersByTimeAsync(15_000);
      jest.useRealTimers();
      expect(await Promise.all(failures)).toEqual([
        'Error: No response within 15000 ms',
        'Error: No connection within 5000 ms',
      ]);
      const release = jest.fn();
      lend({ query: async () => ({ rows: [] }), release });
      await nextTurn();
      expect(release).toHaveBeenCalledWith();
    });
  });

  postgres.describeKilled('when the server dies', () => {
    it('a write that it acknowledged under load holds after it, and the store goes on by itself (S090)', async () => {
      const store = postgresStore(postgres.pool(), { schema: postgres.freshSchema() });
      await seedSigningKeys(store);
      const { core } = embeddedCoreOn(store);
      /** A session as it was acknowledged; unknown: something was asked, and has not returned yet. */
      interface Fate {
        readonly handle: string;
        readonly tokens: string[];
        state: 'created' | 'promoted' | 'revoked' | 'unknown';
      }
      const fates: Fate[] = [];
      const inState = (state: Fate['state']): Fate[] => fates.filter((fate) => fate.state === state);
      const untilItDies = async (): Promise<void> => {
        for (let n = 0; ; n++) {
          const { session, refreshToken } = await create(core);
          const fate: Fate = { handle: session.handle, tokens: [refreshToken.token], state: 'created' };
          fates.push(fate);
          if (n % 3 === 0) continue;
          const next = await refreshed(core, refreshToken.token);
          fate.tokens.push(next.refreshToken.token);
          fate.state = 'unknown';
          await replacementOf(core, next.accessToken.token);
          fate.state = 'promoted';
          if (n % 3 === 1) continue;
          fate.state = 'unknown';
          await core.revokeSessions([session.handle]);
          fate.state = 'revoked';
        }
      };
      const ends = Array.from({ length: 12 }, () => untilItDies().catch((error: unknown) => error));
      while (inState('revoked').length < 30) await nextTurn();
      await postgres.crash(async () => {
        for (const end of await Promise.all(ends)) expect(end).toBeInstanceOf(CoreUnavailableError);
        await expect(create(core)).rejects.toThrow(CoreUnavailableError);
      });
      const statusesOf = async ({ tokens }: Fate): Promise<string[]> =>
        Promise.all(tokens.map(async (token) => (await refresh(core, token)).status));
      for (const fate of inState('created')) expect(await statusesOf(fate)).toEqual(['OK']);
      for (const fate of inState('promoted')) {
        expect(await statusesOf(fate)).toEqual(['TOKEN_THEFT_DETECTED', 'OK']);
      }
      for (const fate of inState('revoked')) {
        expect(await statusesOf(fate)).toEqual(['UNAUTHORISED', 'UNAUTHORISED']);
        expect(await core.getSessionInformation(fate.handle)).toBeUndefined();
      }
      const [first] = inState('promoted');
      expect(await core.revokeSessions([first?.handle ?? ''])).toEqual([first?.handle]);
    }, 60_000);
  });

  /** Until a statement on this schema waits for a lock. */
  async function waitingFor(schema: string): Promise<void> {
    for (;;) {
      const { rows } = await pool.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`,
        [`DELETE FROM "${schema}"%`],
      );
      if (rows.length > 0) return;
    }
  }
});

/** A way to a server that can fall silent: connections are accepted, and nothing is said on them. */
async function silentServer(to: URL) {
  const path = { url: '', isSilent: false, sockets: [] as Socket[], server: createServer() };
  path.server.on('connection', (socket) => {
    path.sockets.push(socket);
    socket.on('error', () => {}).on('close', () => path.sockets.splice(path.sockets.indexOf(socket), 1));
    if (path.isSilent) return;
    const onward = connect(Number(to.port), to.hostname).on('error', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  path.server.listen(0, '127.0.0.1');
  await once(path.server, 'listening');
  const url = new URL(to);
  url.port = String((path.server.address() as AddressInfo).port);
  path.url = url.href;
  return path;
}

import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { sessionRevocation, revocationNote } from '../../lib/feed/revocation-feed.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { schemaSql } from '../../lib/stores/schema.js';
import { StoreSetupError, type SessionStore } from '../../lib/stores/session-store.js';
import { coreTablesSql } from '../fixtures/core-tables.js';
import { startPostgres } from '../support/postgres.js';
import { KEY, NOW, ROW } from '../support/session-row.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

/** The script of the first version, which made its tables where the connection led. */
const FIRST_VERSION = readFileSync(
  new URL('../fixtures/releases/0.1.0/schema.postgres.sql', import.meta.url),
  'utf8',
);
const GUIDE = readFileSync(new URL('../../docs/guides/cores-and-stores.md', import.meta.url), 'utf8');
const [, MOVING = ''] = /```sql\n([\s\S]*?)```/.exec(GUIDE) ?? [];
const TABLES = [
  'jwt_signing_keys',
  'key_value',
  'nest_sessions_audit',
  'nest_sessions_migrations',
  'nest_sessions_revocations',
  'session_access_token_signing_keys',
  'session_info',
];

postgres.describe('the place of the tables in PostgreSQL, where no option says one', () => {
  let url: string;
  let pool: pg.Pool;
  beforeAll(async () => {
    url = await postgres.freshDatabase();
    pool = postgres.pool({ connectionString: url });
  });
  beforeEach(async () => {
    await pool.query('DROP SCHEMA IF EXISTS nest_sessions, public, app CASCADE; CREATE SCHEMA public');
  });

  const tablesIn = async (schema: string): Promise<string[]> => {
    const { rows } = await pool.query<{ name: string }>(
      'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1',
      [schema],
    );
    return rows.map(({ name }) => name);
  };
  const failureOf = async (store: SessionStore): Promise<unknown> =>
    store.findSession(KEY).catch((error: unknown) => error);

  it('is a schema of their own in a fresh database, and nothing is in public', async () => {
    await postgresStore(pool).insertSession(ROW);
    expect(await tablesIn('nest_sessions')).toEqual(TABLES);
    expect(await tablesIn('public')).toEqual([]);
    expect(await postgresStore(pool).findSession(KEY)).toEqual(ROW);
    expect(await postgresStore(pool, { schema: 'nest_sessions' }).findSession(KEY)).toEqual(ROW);
  });

  it('is public where an earlier version has put them there, and nothing else is made', async () => {
    await pool.query(FIRST_VERSION);
    const store = postgresStore(pool);
    await store.insertSession(ROW);
    expect(await postgresStore(pool, { schema: 'public' }).findSession(KEY)).toEqual(ROW);
    expect(await tablesIn('public')).toEqual(TABLES);
    expect(await tablesIn('nest_sessions')).toEqual([]);
  });

  it('is the new one after the move that the guide describes, with the trigger made again', async () => {
    await pool.query(schemaSql('postgres', { schema: 'public', deletionTrigger: true }));
    await postgresStore(pool).insertSession(ROW);
    await pool.query(MOVING);
    await pool.query(schemaSql('postgres', { deletionTrigger: true }));
    expect(await tablesIn('nest_sessions')).toEqual(TABLES);
    expect(await postgresStore(pool).findSession(KEY)).toEqual(ROW);
    await pool.query(`UPDATE nest_sessions.session_info SET expires_at = ${Number.MAX_SAFE_INTEGER}`);
    await pool.query('DELETE FROM nest_sessions.session_info');
    expect((await postgresStore(pool).revocations?.read(undefined))?.records).toHaveLength(1);
  });

  it('is public where a SuperTokens Core has put them there', async () => {
    await pool.query(coreTablesSql('public'));
    await postgresStore(pool).insertSession(ROW);
    expect((await pool.query('SELECT 1 FROM public.session_info')).rows).toHaveLength(1);
    expect(await tablesIn('nest_sessions')).toEqual([]);
  });

  it.each([true, false])(
    'is not guessed where both have sessions, with migrate: %s, and nothing is lost',
    async (migrate) => {
      await postgresStore(pool).insertSession(ROW);
      await pool.query(FIRST_VERSION);
      const failure = await failureOf(postgresStore(pool, { migrate }));
      expect(failure).toBeInstanceOf(StoreSetupError);
      expect(failure).toMatchObject({
        message: expect.stringMatching(/two tables session_info.*schema: 'nest_sessions'.*schema: 'public'/),
      });
      expect(await postgresStore(pool, { schema: 'nest_sessions' }).findSession(KEY)).toEqual(ROW);
      expect(await postgresStore(pool, { schema: 'public' }).findSession(KEY)).toBeUndefined();
    },
  );

  it('is the first schema of a search_path that leads away from public, whatever others have', async () => {
    await postgresStore(pool).insertSession(ROW);
    await pool.query('CREATE SCHEMA app');
    const theirs = postgres.pool({ connectionString: url, options: '-c search_path=app,public' });
    expect(await postgresStore(theirs).findSession(KEY)).toBeUndefined();
    expect(await tablesIn('app')).toEqual(TABLES);
  });

  it.each(['nest_sessions', 'nest_sessions,public', ''])(
    'is the same for a connection whose search_path is "%s"',
    async (path) => {
      await postgresStore(pool).insertSession(ROW);
      const other = postgres.pool({ connectionString: url, options: `-c search_path=${path}` });
      expect(await postgresStore(other).findSession(KEY)).toEqual(ROW);
    },
  );

  it('is one when many instances start at once', async () => {
    const stores = Array.from({ length: 8 }, () =>
      postgresStore(postgres.pool({ connectionString: url, max: 2 })),
    );
    const [first] = stores;
    await Promise.all(stores.map(async (store) => store.findStaticKeys()));
    await first?.insertSession(ROW);
    for (const store of stores) expect(await store.findSession(KEY)).toEqual(ROW);
  });

  it('is that of an earlier version which makes its tables at the same moment', async () => {
    const earlier = await pool.connect();
    await earlier.query('BEGIN');
    await earlier.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      'nest-sessions "nest_sessions_migrations"',
    ]);
    const inserted = postgresStore(pool).insertSession(ROW);
    const waiting = async (): Promise<number> =>
      (await pool.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rows.length;
    while ((await waiting()) === 0) await nextTurn();
    await earlier.query(FIRST_VERSION);
    await earlier.query('COMMIT');
    earlier.release();
    await inserted;
    expect((await pool.query('SELECT 1 FROM public.session_info')).rows).toHaveLength(1);
    expect(await tablesIn('nest_sessions')).toEqual([]);
  });

  it.each([
    ['findSession', [KEY]],
    ['update', [KEY, {}, { sessionData: '{}' }]],
    ['findAndUpdate', [KEY, { where: {}, change: { sessionData: '{}' }, unlessMentioned: [] }]],
    ['deleteSessions', [[KEY], revocationNote({}, 1, 1)]],
    ['deleteSessionsOfUsers', [{ userIds: ['user-1'], tenantId: undefined, nowMs: NOW }]],
    ['findSessionHandlesOfUsers', [{ userIds: ['user-1'], tenantId: undefined, nowMs: NOW }]],
    ['deleteExpiredSessions', [NOW, 10]],
    [
      'insertSessionWithinLimit',
      [ROW, { userIds: ['user-1'], max: 1, whenExceeded: 'end-oldest', nowMs: NOW }],
    ],
    ['endSessionsCreatedBefore', [{ tenantId: undefined, createdBeforeMs: NOW, includesPresent: true }]],
    ['searchSessions', [{ nowMs: NOW, limit: 5 }]],
    ['countSessions', [{ nowMs: NOW, limit: 5 }]],
    ['getOrSetRefreshTokenKey', ['key', NOW]],
    ['findDynamicKeys', [0]],
    ['addDynamicKey', [{ createdAtMs: 1, value: 'v' }, 0]],
    ['deleteDynamicKeys', [0]],
    ['addStaticKey', [{ kid: 's-1', createdAtMs: 1, value: 'v', algorithm: 'RS256' }]],
    ['replaceKey', [{ kind: 'refresh-token' }, 'a', 'b']],
    ['hasCoreTables', []],
  ])('is known to %s, as the first call of all', async (name, values) => {
    const store = postgresStore(pool) as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    await store[name]?.(...values);
    expect(await tablesIn('nest_sessions')).toEqual(TABLES);
  });

  it('is known to the feed, as the first call of all, and to a connection that listens', async () => {
    const [here, there] = [postgresStore(pool).revocations, postgresStore(pool).revocations];
    if (here === undefined || there === undefined) throw new Error('The store has no feed');
    let wake: () => void = () => {};
    const unsubscribe = there.subscribe(() => wake());
    while (!there.isPushing) await nextTurn();
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const record = sessionRevocation(KEY, revocationNote({}, 1, NOW + 1000));
    await here.publish([record]);
    await woken;
    await unsubscribe();
    expect((await there.read(undefined)).records).toEqual([record]);
    await postgresStore(pool).revocations?.sweep(0);
  });

  describe('for an account with few rights', () => {
    let role: string;
    let limited: pg.Pool;
    beforeEach(async () => {
      role = postgres.freshSchema().replace('test', 'role');
      await pool.query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA public TO ${role}`);
      limited = postgres.pool({ connectionString: url, options: `-c role=${role}` });
    });
    const dropRole = async (): Promise<void> => {
      await pool.query(`DROP OWNED BY ${role} CASCADE`);
      await pool.query(`DROP ROLE ${role}`);
    };

    it('is not made without the right to make schemas: the error says two ways, and both work', async () => {
      const failure = await failureOf(postgresStore(limited));
      expect(failure).toBeInstanceOf(StoreSetupError);
      const [, remedy = ''] = /(CREATE SCHEMA .*), or name/.exec(String(failure)) ?? [];
      expect(String(failure)).toMatch(
        /account role_\S+ may not make the schema nest_sessions in the database test_.*schema: 'public'/,
      );
      expect(await tablesIn('public')).toEqual([]);
      await pool.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
      await postgresStore(limited, { schema: 'public', tablePrefix: 'st' }).insertSession(ROW);
      await pool.query(remedy);
      await postgresStore(limited).insertSession(ROW);
      expect(await tablesIn('nest_sessions')).toEqual(TABLES);
      await dropRole();
    });

    it('is refused where the schema belongs to another account, without a word about tables of others', async () => {
      await postgresStore(pool).insertSession(ROW);
      const failure = await failureOf(postgresStore(limited));
      expect(failure).toBeInstanceOf(StoreSetupError);
      expect(String(failure)).toContain('permission denied for schema nest_sessions');
      await dropRole();
    });
  });

  describe('in the script of schemaSql', () => {
    it('is the same, and the script may be run again', async () => {
      const script = schemaSql('postgres', { deletionTrigger: true });
      await pool.query(script);
      await pool.query(script);
      expect(await tablesIn('nest_sessions')).toEqual(TABLES);
      expect(await tablesIn('public')).toEqual([]);
      await postgresStore(pool, { migrate: false }).insertSession(ROW);
      await pool.query('DELETE FROM nest_sessions.session_info');
      const page = await postgresStore(pool).revocations?.read(undefined);
      expect(page?.records).toEqual([]); // ROW had expired, so there was nothing to record
    });

    it('is refused where the sessions are in public, before anything is made', async () => {
      await pool.query(FIRST_VERSION);
      await expect(pool.query(schemaSql('postgres'))).rejects.toThrow(
        'There is a table session_info in the schema public already: give schemaSql and postgresStore the option schema',
      );
      expect(await tablesIn('nest_sessions')).toEqual([]);
      await pool.query(schemaSql('postgres', { schema: 'public' }));
      await postgresStore(pool, { migrate: false }).insertSession(ROW);
    });

    it('has a channel of its own in each schema, so that databases with several do not wake each other', () => {
      const channels = ['nest_sessions', 'public', 'shop'].map(
        (schema) => /pg_notify\('(\w+)'/.exec(schemaSql('postgres', { schema, deletionTrigger: true }))?.[1],
      );
      const [ofDefault] = /pg_notify\('\w+'/.exec(schemaSql('postgres', { deletionTrigger: true })) ?? [];
      expect(new Set(channels).size).toBe(3);
      expect(ofDefault).toContain(channels[0]);
    });
  });
});

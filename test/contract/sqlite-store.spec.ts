import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { schemaSql } from '../../lib/stores/schema.js';
import type { SessionSearch } from '../../lib/stores/session-store.js';
import { SqlStore } from '../../lib/stores/sql.store.js';
import { loadDriver, SqliteClient, sqliteStore, type SqliteDatabase } from '../../lib/stores/sqlite.store.js';
import { create } from '../support/core-calls.js';
import { embeddedCoreOn } from '../support/embedded.js';
import { holdsPlainKey, SECRET } from '../support/sealed-keys.js';
import { coreOnStores } from '../support/core-on-store.js';
import { NOW, ROW } from '../support/session-row.js';
import { describeCoreClient } from './core-client.contract.js';
import { describeEmbeddedCoreOn } from './embedded-core.contract.js';
import { describeRevocationFeed } from './revocation-feed.contract.js';
import { describeSessionSearch } from './session-search.contract.js';
import { describeSessionStore } from './session-store.contract.js';
import { describeSqlStore } from './sql-store.contract.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-sqlite-'));
let files = 0;
const freshFile = (): string => join(folder, `${++files}.db`);
const Database = await loadDriver();

afterAll(() => {
  rmSync(folder, { recursive: true });
});

for (const module of ['node:sqlite', 'libsql', 'better-sqlite3']) {
  const Driver = await loadDriver((name) =>
    name === module ? import(name) : Promise.reject(new Error()),
  ).catch(() => undefined);
  // Which of them are there depends on the version of Node and on what is installed; one always is.
  if (Driver === undefined) continue;
  describeSessionStore(`on SQLite in memory, by ${module}`, async () => sqliteStore(new Driver(':memory:')));
}
describeSessionStore('on a SQLite file', async () => sqliteStore(freshFile()));
describeSessionSearch('in a SQLite file', async () => sqliteStore(freshFile()));

describeRevocationFeed('in a SQLite file', async () => {
  const file = freshFile();
  const stores = [sqliteStore(file), sqliteStore(file)];
  const [here, there] = stores.map(({ revocations }) => revocations);
  if (here === undefined || there === undefined) throw new Error('The store has no feed');
  return { here, there, close: async () => void (await Promise.all(stores.map((store) => store.close()))) };
});

describeSqlStore('in a SQLite file', async () => {
  const file = freshFile();
  return {
    connect: () => new SqliteClient(file, { synchronous: 'NORMAL' }),
    schemaOptions: {},
    table: (name) => name,
    transientError: () => Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' }),
    writerTarget: { engine: 'sqlite', file },
  };
});

describeCoreClient('in this process, on SQLite in memory', async (options) => {
  const database = new Database(':memory:');
  const underTest = await coreOnStores(() => sqliteStore(database), options);
  return {
    ...underTest,
    close: async () => {
      await underTest.close();
      database.close();
    },
  };
});

describeEmbeddedCoreOn('SQLite in memory', async () => sqliteStore(':memory:'));

describe('a SQLite store', () => {
  const pragma = (database: SqliteDatabase, name: string): unknown =>
    Object.values(database.prepare(`PRAGMA ${name}`).all()[0] as Record<string, unknown>)[0];

  it.each([
    [undefined, 2],
    ['FULL', 2],
    ['NORMAL', 1],
  ] as const)(
    'writes ahead, and waits for the disk as told: synchronous %p',
    async (synchronous, expected) => {
      const database = new Database(freshFile());
      await new SqliteClient(database, synchronous === undefined ? {} : { synchronous }).open();
      expect(pragma(database, 'journal_mode')).toBe('wal');
      expect(pragma(database, 'synchronous')).toBe(expected);
      expect(pragma(database, 'busy_timeout')).toBe(0);
      database.close();
    },
  );

  it('waits for another writer as long as it is told', async () => {
    const database = new Database(freshFile());
    await new SqliteClient(database, { busyTimeoutMs: 7 }).open();
    expect(pragma(database, 'busy_timeout')).toBe(7);
    database.close();
  });

  it('leaves a database that it was given open', async () => {
    const database = new Database(freshFile());
    const store = sqliteStore(database);
    await store.findStaticKeys();
    await store.close();
    expect(database.prepare('SELECT 1 AS one').all()).toEqual([{ one: 1 }]);
    database.close();
  });

  it('leaves no file open after the last close, also when it was used while it was being closed (S086)', async () => {
    const used = jest.spyOn(Database.prototype, 'exec');
    const closed = jest.spyOn(Database.prototype, 'close');
    const store = sqliteStore(freshFile());
    const first = store.findStaticKeys().catch(() => []);
    const closing = store.close();
    const second = store.findStaticKeys().catch(() => []);
    await Promise.all([first, closing, second]);
    await store.close();
    const client = new SqliteClient(freshFile());
    const openings = Promise.allSettled([client.open(), client.open()]);
    await client.close();
    await openings;
    expect(used.mock.contexts.length).toBeGreaterThan(0);
    expect(used.mock.contexts.filter((database) => !closed.mock.contexts.includes(database))).toEqual([]);
    jest.restoreAllMocks();
  });

  it('holds no plain private key in any of its files when the keys are sealed from the first start on (S121)', async () => {
    const bytesOf = async (options: { keyEncryption?: { secret: string } }): Promise<string> => {
      const file = freshFile();
      const { core } = embeddedCoreOn(sqliteStore(file), { ...options, signingAlgorithm: 'ES256' });
      await core.start();
      await core.getJwks();
      await create(core, { useDynamicSigningKey: false });
      const texts = [file, `${file}-wal`].map((name) => readFileSync(name, 'latin1'));
      await core.close();
      return texts.join('');
    };
    expect(holdsPlainKey(await bytesOf({}))).toBe(true);
    expect(holdsPlainKey(await bytesOf({ keyEncryption: { secret: SECRET } }))).toBe(false);
  });

  it('makes a file that only its owner reads: the signing keys are in it (S021)', async () => {
    const file = freshFile();
    const store = sqliteStore(file);
    await store.findStaticKeys();
    for (const name of [file, `${file}-wal`]) expect(statSync(name).mode & 0o077).toBe(0);
    await store.close();
  });

  it.each<[string, (blocker: InstanceType<typeof Database>) => Promise<void> | void]>([
    ['go on with reads, and write when it has ended', (blocker) => void blocker.exec('COMMIT')],
    ['give up as a store that is unavailable', () => undefined],
  ])('has writers that wait without a busy wait for another process, which %s (S090)', async (_, end) => {
    const file = freshFile();
    const client = new SqliteClient(file);
    const tries = jest.spyOn(client, 'query');
    let pauses = 0;
    const store = new SqlStore(
      client,
      {},
      {
        attempts: 20,
        random: () => 1,
        sleep: async () => {
          if (++pauses === 10) await end(blocker);
        },
      },
    );
    await store.prepare();
    const blocker = new Database(file);
    await store.addStaticKey({ kid: 's-1', createdAtMs: 1, value: 'v', algorithm: 'RS256' });
    blocker.exec('BEGIN IMMEDIATE');
    tries.mockClear();
    const row = (n: number) => ({ ...ROW, sessionHandle: `handle-${n}` });
    const writes = Promise.allSettled(
      Array.from({ length: 200 }, (_value, n) => store.insertSession(row(n))),
    );
    expect(await store.findStaticKeys()).toHaveLength(1);
    const outcomes = new Set((await writes).map(({ status }) => status));
    const hasEnded = pauses === 10;
    expect([...outcomes]).toEqual([hasEnded ? 'fulfilled' : 'rejected']);
    // Each looks once whether the file is free; after that only the first one does, and the others wait behind it.
    expect(tries.mock.calls.length).toBeLessThan(200 + (hasEnded ? 10 + 200 + 2 : 25));
    blocker.close();
    await store.close();
  });

  it('lets no other process write between the first look of a write and its end, so that none is left with an old view (S047)', async () => {
    const file = freshFile();
    const [own, other] = [new Database(file), new Database(file)];
    const intrusions: string[] = [];
    const intrude = (sql: string): void => {
      try {
        other.exec('BEGIN IMMEDIATE');
        other.exec('COMMIT');
        intrusions.push(sql);
      } catch {
        // The lock is taken.
      }
    };
    const watched = {
      exec: (sql: string) => own.exec(sql),
      close: () => undefined,
      prepare: (sql: string) => {
        const statement = own.prepare(sql);
        const isWrite = /^\s*(?:INSERT|UPDATE|DELETE)/i.test(sql);
        const run =
          (method: 'all' | 'run') =>
          (...values: (string | number | null)[]): unknown => {
            if (isWrite) intrude(sql);
            return statement[method](...values);
          };
        return {
          ...(statement.reader === undefined ? {} : { reader: statement.reader }),
          all: run('all') as () => unknown[],
          run: run('run'),
        };
      },
    };
    const store = new SqlStore(new SqliteClient(watched));
    await store.insertSession(ROW);
    const key = { tenantId: ROW.tenantId, sessionHandle: ROW.sessionHandle };
    expect(await store.update(key, {}, { sessionData: '{"a":1}' })).toMatchObject({ sessionData: '{"a":1}' });
    expect(await store.deleteSessions([key])).toEqual([ROW.sessionHandle]);
    expect(intrusions).toEqual([]);
    for (const each of [own, other]) each.close();
  });

  it('outlasts another process that is writing (S088)', async () => {
    const file = freshFile();
    const blocker = new Database(file);
    let pauses = 0;
    const store = new SqlStore(
      new SqliteClient(file, { busyTimeoutMs: 0 }),
      {},
      {
        attempts: 10,
        random: () => 1,
        sleep: async () => {
          if (++pauses === 3) blocker.exec('COMMIT');
        },
      },
    );
    await store.prepare();
    blocker.exec('BEGIN IMMEDIATE');
    await store.addDynamicKey({ createdAtMs: 1, value: 'v' }, 0);
    expect(await store.findDynamicKeys(0)).toHaveLength(1);
    expect(pauses).toBe(3);
    blocker.exec('BEGIN IMMEDIATE');
    pauses = 0;
    await store.deleteDynamicKeys(2);
    expect(await store.findDynamicKeys(0)).toEqual([]);
    expect(pauses).toBe(3);
    blocker.close();
    await store.close();
  });

  it.each([
    [{ code: 'SQLITE_BUSY' }, true],
    [{ code: 'SQLITE_BUSY_SNAPSHOT' }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 5 }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 517 }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 6 }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 2067 }, false],
    [{ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' }, false],
    ['a text', false],
  ])('knows what a driver says when another one writes: %p is transient: %p (S088)', (error, isTransient) => {
    expect(new SqliteClient('x.db').dialect.isTransient(error)).toBe(isTransient);
  });

  it('takes the tables that schemaSql made (S093)', async () => {
    const database = new Database(freshFile());
    const options = { migrate: false, tablePrefix: 'st', synchronous: 'NORMAL', busyTimeoutMs: 50 } as const;
    database.exec(schemaSql('sqlite', options));
    const store = sqliteStore(database, options);
    await store.addDynamicKey({ createdAtMs: 1, value: 'v' }, 0);
    expect(database.prepare('SELECT value FROM st_session_access_token_signing_keys').all()).toEqual([
      { value: 'v' },
    ]);
    expect(await sqliteStore(database, { tablePrefix: 'st' }).findDynamicKeys(0)).toHaveLength(1);
    database.close();
  });

  it('sweeps 30,000 sessions in steps that look at 200 of them, so that requests get their turn (S057)', async () => {
    const database = new Database(':memory:');
    const store = sqliteStore(database);
    await store.findStaticKeys();
    database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
      INSERT INTO session_info (session_handle, user_id, refresh_token_hash_2, expires_at, created_at_time, use_static_key)
      SELECT 'h-' || i, 'u', 'x', i % 2, 0, 0 FROM n`);
    const texts: string[] = [];
    const sweeping = sqliteStore(withTexts(database, texts), { migrate: false });
    let steps = 1;
    while ((await sweeping.deleteExpiredSessions(0, 5000)).mayHaveMore) steps++;
    expect(steps).toBe(151);
    const plans = plansOfTexts(database, texts);
    const ofSessions = plans.filter((plan) => !plan.includes('key_value')).join();
    expect(ofSessions).not.toMatch(/USING (COVERING )?INDEX|SCAN session_info/);
    expect(ofSessions).toContain('USING INTEGER PRIMARY KEY');
    expect(database.prepare('SELECT count(*) AS n, min(expires_at) AS m FROM session_info').all()).toEqual([
      { n: 15_000, m: 1 },
    ]);
    database.close();
  });

  it('lists sessions in the order of an index: nothing is sorted, and no other row is read', async () => {
    const database = new Database(':memory:');
    const texts: string[] = [];
    await sqliteStore(database).insertSession(ROW);
    const store = sqliteStore(withTexts(database, texts), { migrate: false });
    const search = {
      tenantId: undefined,
      userIds: undefined,
      createdSinceMs: 5,
      nowMs: NOW,
      after: undefined,
    };
    const planOf = async (conditions: Partial<SessionSearch>): Promise<string> => {
      texts.length = 0;
      await store.searchSessions({ ...search, limit: 1, ...conditions });
      return plansOfTexts(database, texts)
        .filter((plan) => !/key_value|sqlite_master|json_each/.test(plan))
        .join();
    };
    for (const tenantId of [undefined, 'public', 't1']) {
      const plan = await planOf({ tenantId });
      expect(plan).not.toMatch(/TEMP B-TREE|SCAN session_info/);
      expect(plan).toContain(
        tenantId === 't1'
          ? 'INDEX session_info_tenant_created_index (tenant_id=? AND created_at_time>? AND created_at_time<?)'
          : 'INDEX session_info_created_index (created_at_time>? AND created_at_time<?)',
      );
    }
    const ofUser = await planOf({ userIds: ['user-1'] });
    expect(ofUser).toContain('INDEX session_info_user_id_app_id_index (user_id=? AND app_id=?)');
    expect(ofUser).not.toContain('created_index');
    database.close();
  });

  it.each([undefined, 'public', 't1'])(
    'ends the sessions of tenant %s at once by an index, and goes over no other row',
    async (tenantId) => {
      const database = new Database(':memory:');
      const texts: string[] = [];
      const cutOff = { tenantId, createdBeforeMs: NOW, includesPresent: true };
      await sqliteStore(withTexts(database, texts)).endSessionsCreatedBefore(cutOff);
      const removals = texts.filter((each) => each.startsWith('DELETE FROM "session_info"'));
      const plans = plansOfTexts(database, removals);
      expect(plans).toEqual([
        expect.stringMatching(
          /^SEARCH session_info USING (COVERING )?INDEX session_info_created_index \(created_at_time>\?\)$/,
        ),
      ]);
      database.close();
    },
  );

  it.each([
    ['', {}],
    [5, {}],
    [undefined, {}],
    [{}, {}],
    ['x.db', { synchronous: 'OFF' }],
    ['x.db', { busyTimeoutMs: -1 }],
    ['x.db', { busyTimeoutMs: Number.NaN }],
    ['x.db', { tablePrefix: 'a"; DROP TABLE x; --' }],
    ['x.db', { tablePrefix: 'Shop' }],
    ['x.db', { tablePrefix: '' }],
    ['x.db', { tablePrefix: 'p'.repeat(40) }],
    ['x.db', { migrate: 'no' }],
    ['x.db', null],
  ])('refuses %p with %p before it opens anything (S092)', (source, options) => {
    expect(() => Reflect.apply(sqliteStore, undefined, [source, options])).toThrow(TypeError);
  });

  it('refuses a schema: SQLite has none (S092)', () => {
    expect(() => schemaSql('sqlite', { schema: 'x' })).toThrow(/tablePrefix/);
    expect(() => sqliteStore('x.db', Object({ schema: 'x' }))).toThrow(
      new TypeError('sqliteStore: schema: SQLite has none; use tablePrefix'),
    );
  });

  it('refuses an option that there is not, and says which may be meant', async () => {
    expect(() => sqliteStore('x.db', Object({ migrat: false, sync: 'FULL' }))).toThrow(
      new TypeError(
        'sqliteStore: migrat: there is no such option; did you mean migrate?; sync: there is no such option',
      ),
    );
    const accepted = sqliteStore(':memory:', Object({ migrat: undefined, schema: undefined }));
    expect(await accepted.findStaticKeys()).toEqual([]);
    await accepted.close();
    expect(() => schemaSql('sqlite', Object({ prefix: 'st' }))).toThrow(TypeError);
    expect(() => Reflect.apply(schemaSql, undefined, ['sqlite3'])).toThrow(TypeError);
  });
});

describe('the driver of a SQLite file', () => {
  const driver = () => undefined;
  const another = () => undefined;
  const installed = (names: Record<string, object>) => async (name: string) => {
    const found = names[name];
    if (found === undefined) throw new Error(`Cannot find package '${name}'`);
    return found;
  };

  it.each([
    [{ 'node:sqlite': { DatabaseSync: driver }, libsql: { default: another } }],
    [{ libsql: { default: driver }, 'better-sqlite3': { default: another } }],
    [{ 'better-sqlite3': { default: driver } }],
    [{ 'node:sqlite': {}, libsql: { default: driver } }],
  ])('is the first that is there: %p', async (modules) => {
    expect(await loadDriver(installed(modules))).toBe(driver);
  });

  it('when there is none, says what to install and why each failed', async () => {
    const failure = await loadDriver(installed({})).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringContaining('npm install libsql'),
      cause: { errors: [expect.any(Error), expect.any(Error), expect.any(Error)] },
    });
  });
});

/** The same database; the statements that are compiled are noted. */
function withTexts(database: SqliteDatabase, texts: string[]): SqliteDatabase {
  return {
    prepare: (text) => {
      texts.push(text);
      return database.prepare(text);
    },
    exec: (text) => database.exec(text),
    close: () => database.close(),
  };
}

/** Returns how the database would run statements. Asked afterwards, because an open plan keeps a transaction from its end. */
function plansOfTexts(database: SqliteDatabase, texts: readonly string[]): string[] {
  return [...new Set(texts)].flatMap((text) => {
    const parameters = Array<number>(text.split('?').length - 1).fill(1);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...parameters);
    return (plan as { detail: string }[]).map(({ detail }) => detail);
  });
}

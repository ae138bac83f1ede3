import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { CoreUnavailableError } from '../../lib/errors.js';
import type { PostgresStoreOptions } from '../../lib/stores/store-options.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { schemaSql } from '../../lib/stores/schema.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seedSigningKeys, TEST_START_MS } from '../support/embedded.js';
import { instance, signIn, type Instance } from '../support/feed-instance.js';
import { freePort } from '../support/free-port.mjs';
import { startPostgres } from '../support/postgres.js';
import { NOW, ROW } from '../support/session-row.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

/** Far above what a busy machine needs, and below the interval of the feed: what comes in time was announced. */
const AT_ONCE_MS = 20_000;

async function until(condition: () => boolean | Promise<boolean>, withinMs = AT_ONCE_MS): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Not within ${withinMs} ms`);
    await delay(5);
  }
}

postgres.describe('revocations on PostgreSQL', () => {
  const open: Instance[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  async function start(
    schema: string,
    { pollMs = 60_000, ...options }: PostgresStoreOptions & { pollMs?: number } = {},
    pool = postgres.pool({ max: 3 }),
  ): Promise<Instance> {
    const store = postgresStore(pool, { schema, ...options });
    await seedSigningKeys(store);
    const made = await instance(store, new TestClock(TEST_START_MS), { pollMs });
    open.push(made);
    return made;
  }

  it('reach the other instance at once, where a connection listens (S047)', async () => {
    const schema = postgres.freshSchema();
    const [a, b] = [await start(schema), await start(schema)];
    await until(() => a.watch.state === 'live' && b.watch.state === 'live');
    const { handle, accessToken } = await signIn(a);
    expect(await b.accepts(accessToken)).toBe(true);
    await a.sessions.revokeSession(handle);
    await until(async () => !(await b.accepts(accessToken)));
    const other = await signIn(a);
    await b.sessions.revokeSessions({ all: true });
    await until(async () => !(await a.accepts(other.accessToken)));
  });

  it('reach it by the next read, where nothing listens', async () => {
    const schema = postgres.freshSchema();
    const [a, b] = [
      await start(schema, { listen: false }),
      await start(schema, { listen: false, pollMs: 50 }),
    ];
    expect(b.watch.state).toBe('polling');
    const { handle, accessToken } = await signIn(a);
    await a.sessions.revokeSession(handle);
    await until(async () => !(await b.accepts(accessToken)));
  });

  it('are not lost when the listening connection is killed: it connects again by itself (S048)', async () => {
    const schema = postgres.freshSchema();
    const [a, b] = [await start(schema), await start(schema)];
    await until(() => b.watch.state === 'live');
    const admin = postgres.pool({ max: 1 });
    const killed = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()`,
    );
    expect(killed.rows.length).toBeGreaterThan(0);
    const { handle, accessToken } = await signIn(a);
    await a.sessions.revokeSession(handle);
    await until(() => b.watch.state === 'live');
    await until(async () => !(await b.accepts(accessToken)));
  });

  it('are found by reading while a listener that was killed cannot connect, and announced again when it can', async () => {
    const schema = postgres.freshSchema();
    const network = { isCut: false, attempts: 0 };
    const listen = (): pg.Client => {
      const client = new pg.Client({ connectionString: postgres.url, application_name: schema });
      const connect = client.connect.bind(client) as () => Promise<never>;
      client.connect = async (): Promise<never> => {
        network.attempts += 1;
        if (network.isCut) throw new Error('no route to host');
        return connect();
      };
      return client;
    };
    const [a, b] = [await start(schema), await start(schema, { listen })];
    await until(() => b.watch.state === 'live');
    const [first, second, third] = [await signIn(a), await signIn(a), await signIn(a)];
    expect(await b.accepts(first.accessToken)).toBe(true);

    network.isCut = true;
    await postgres
      .pool({ max: 1 })
      .query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [schema]);
    await until(() => b.watch.state === 'polling');
    await a.sessions.revokeSession(first.handle);
    await until(() => network.attempts > 2); // it goes on trying
    await b.watch.read();
    expect([await b.accepts(first.accessToken), await b.accepts(second.accessToken)]).toEqual([false, true]);

    await a.sessions.revokeSession(second.handle);
    network.isCut = false;
    await until(() => b.watch.state === 'live');
    await until(async () => !(await b.accepts(second.accessToken)));
    await a.sessions.revokeSession(third.handle);
    await until(async () => !(await b.accepts(third.accessToken)));
    const states = (await b.events()).flatMap((event) =>
      event.type === 'revocations.state' ? [event.state] : [],
    );
    expect(states.slice(-2)).toEqual(['polling', 'live']);
    expect(states).not.toContain('stale');
  });

  it('are written although another transaction, which began before, is committed later', async () => {
    const schema = postgres.freshSchema();
    const a = await start(schema, { listen: false });
    const b = await start(schema, { listen: false });
    const [slow, quick] = [await signIn(a), await signIn(a)];
    const writer = await postgres.pool({ max: 1 }).connect();
    await writer.query('BEGIN');
    await writer.query(
      `INSERT INTO ${schema}.nest_sessions_revocations (kind, subject, tenant_id, not_before, ends_at)
       VALUES ('session', $1, 'public', $2, $3)`,
      [slow.handle, TEST_START_MS, TEST_START_MS + 3_600_000],
    );
    await a.sessions.revokeSession(quick.handle);
    await b.watch.read();
    expect([await b.accepts(slow.accessToken), await b.accepts(quick.accessToken)]).toEqual([true, false]);
    await writer.query('COMMIT');
    writer.release();
    await b.watch.read();
    expect(await b.accepts(slow.accessToken)).toBe(false);
  });

  it('by a program that knows nothing of records are told by the trigger that schemaSql prints', async () => {
    const schema = postgres.freshSchema();
    const [a, b] = [await start(schema), await start(schema)];
    await until(() => b.watch.state === 'live');
    const admin = postgres.pool({ max: 1 });
    const { handle, accessToken } = await signIn(a);
    await admin.query(schemaSql('postgres', { schema, deletionTrigger: true }));
    await admin.query(`UPDATE ${schema}.session_info SET expires_at = 4102444800000`); // the server's clock is not the test's
    await admin.query(`DELETE FROM ${schema}.session_info WHERE session_handle = $1`, [handle]);
    await until(async () => !(await b.accepts(accessToken)));
    expect(b.watch.state).toBe('live');
  });
});

postgres.describeKilled('revocations on a PostgreSQL that is frozen for half a minute', () => {
  it('make the state stale before anything is accepted, and arrive when it goes on (S048)', async () => {
    const schema = postgres.freshSchema();
    const pools = [postgres.pool({ max: 3 }), postgres.pool({ max: 3 })] as const;
    const stores = pools.map((pool) => postgresStore(pool, { schema }));
    await seedSigningKeys(stores[0]!);
    const clock = new TestClock(TEST_START_MS);
    const a = await instance(stores[0]!, clock, { pollMs: 1000 });
    const b = await instance(stores[1]!, clock, { pollMs: 1000, whenStale: 'refuse' });
    const { handle, accessToken } = await signIn(a);
    const { accessToken: other } = await signIn(a);
    expect(await b.accepts(accessToken)).toBe(true);
    const { rows } = await pools[0].query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    const freeze = (signal: 'SIGSTOP' | 'SIGCONT'): void => {
      for (const { pid } of rows) process.kill(pid, signal);
    };
    freeze('SIGSTOP');
    try {
      const revoking = a.sessions.revokeSession(handle);
      clock.advance(30_000);
      await expect(b.accepts(accessToken)).rejects.toBeInstanceOf(CoreUnavailableError);
      expect(b.watch.state).toBe('stale');
      freeze('SIGCONT');
      expect(await revoking).toBe(true);
    } finally {
      freeze('SIGCONT');
    }
    await until(() => b.watch.state !== 'stale');
    await until(async () => !(await b.accepts(accessToken)));
    expect(await b.accepts(other)).toBe(true);
    await Promise.all([a.close(), b.close()]);
  });
});

const BOUNCER = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((path) => existsSync(path));
if (BOUNCER === undefined && process.env['PG_REQUIRED'] === '1')
  throw new Error('PG_REQUIRED: pgbouncer is not installed');
const describeBouncer: typeof postgres.describeKilled =
  BOUNCER === undefined
    ? // oxlint-disable-next-line jest/no-disabled-tests, jest/valid-describe-callback -- the title says the reason
      (name, suite) => describe.skip(`${name} [SKIPPED: pgbouncer is not installed]`, suite)
    : postgres.describeKilled;

describeBouncer('revocations through pgbouncer', () => {
  it.each(['session', 'transaction'] as const)(
    'in %s mode reach the other instance, and the state tells how',
    async (mode) => {
      const bouncer = await startBouncer(postgres.url, mode);
      const schema = postgres.freshSchema();
      const instances: Instance[] = [];
      try {
        for (let n = 0; n < 2; n++) {
          const pool = new pg.Pool({ connectionString: bouncer.url, max: 3 });
          pool.on('error', () => {});
          const store = postgresStore(pool, { schema, preparedStatements: false });
          await seedSigningKeys(store);
          const made = await instance(store, new TestClock(TEST_START_MS), {
            pollMs: mode === 'session' ? 60_000 : 50,
          });
          instances.push(made);
        }
        const [a, b] = instances as [Instance, Instance];
        const state = mode === 'session' ? 'live' : 'polling';
        await until(() => b.watch.state === state);
        const { handle, accessToken } = await signIn(a);
        await a.sessions.revokeSession(handle);
        await until(async () => !(await b.accepts(accessToken)));
        expect(b.watch.state).toBe(state);
      } finally {
        for (const each of instances) await each.close();
        await bouncer.stop();
      }
    },
  );

  it.each(['session', 'transaction'] as const)(
    'in %s mode: the store behind it, with its defaults, keeps limits of sessions and lists them',
    async (mode) => {
      const bouncer = await startBouncer(postgres.url, mode);
      const pool = new pg.Pool({ connectionString: bouncer.url, max: 8 });
      pool.on('error', () => {});
      const store = postgresStore(pool, { schema: postgres.freshSchema(), listen: false });
      const limit = { userIds: [ROW.userId], max: 5, whenExceeded: 'end-oldest', nowMs: NOW } as const;
      try {
        await Promise.all(
          Array.from({ length: 40 }, async (_, n) =>
            store.insertSessionWithinLimit({ ...ROW, sessionHandle: `h-${n}`, createdAtMs: NOW + n }, limit),
          ),
        );
        const search = {
          tenantId: undefined,
          createdSinceMs: undefined,
          nowMs: NOW,
          after: undefined,
          limit: 50,
        };
        expect((await store.searchSessions({ ...search, userIds: undefined })).rows).toHaveLength(5);
        expect((await store.searchSessions({ ...search, userIds: [ROW.userId] })).rows).toHaveLength(5);
      } finally {
        await store.close();
        await pool.end();
        await bouncer.stop();
      }
    },
  );

  it('in transaction mode are announced by the server itself, whose address is given', async () => {
    const bouncer = await startBouncer(postgres.url, 'transaction');
    const schema = postgres.freshSchema();
    const pool = new pg.Pool({ connectionString: bouncer.url, max: 3 });
    const store = postgresStore(pool, { schema, preparedStatements: false, listen: postgres.url });
    await seedSigningKeys(store);
    const b = await instance(store, new TestClock(TEST_START_MS), { pollMs: 60_000 });
    try {
      await until(() => b.watch.state === 'live');
      expect(b.watch.ageMs).toBeLessThan(60_000);
    } finally {
      await b.close();
      await pool.end();
      await bouncer.stop();
    }
  });
});

/** Starts Debian's pgbouncer in front of a server. */
async function startBouncer(url: string, mode: string): Promise<{ url: string; stop(): Promise<void> }> {
  const server = new URL(url);
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-bouncer-'));
  const port = await freePort();
  writeFileSync(join(folder, 'users.txt'), `"${server.username}" "${server.password}"\n`);
  writeFileSync(
    join(folder, 'bouncer.ini'),
    [
      '[databases]',
      `* = host=${server.hostname} port=${server.port}`,
      '[pgbouncer]',
      `listen_addr = 127.0.0.1\nlisten_port = ${port}\nauth_type = plain`,
      `auth_file = ${join(folder, 'users.txt')}\npool_mode = ${mode}\nunix_socket_dir =`,
      'ignore_startup_parameters = extra_float_digits',
    ].join('\n'),
  );
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  if (asUser.length > 0) await once(spawn('chmod', ['-R', 'a+rX', folder]), 'exit');
  const bouncer: ChildProcess = spawn(BOUNCER ?? 'pgbouncer', [...asUser, join(folder, 'bouncer.ini')], {
    stdio: 'ignore',
  });
  const address = new URL(url);
  address.port = String(port);
  await until(async () => {
    const client = new pg.Client({ connectionString: address.href });
    client.on('error', () => {});
    return client.connect().then(
      async () => client.end().then(() => true),
      () => false,
    );
  });
  return {
    url: address.href,
    stop: async () => {
      const ended = once(bouncer, 'exit');
      bouncer.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

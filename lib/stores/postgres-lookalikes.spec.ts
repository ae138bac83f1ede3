import { describe, expect, it } from '@jest/globals';
import { postgresStore, type PostgresPool } from './postgres.store.js';
import { StoreSetupError } from './session-store.js';

const COCKROACH = 'CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/24 00:00:00, go1.23.7)';
const YUGABYTE = 'PostgreSQL 15.12-YB-2025.2.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17.0.6';
const POSTGRES = 'PostgreSQL 17.2 (Debian 17.2-1) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit';

type LockResult = (text: string) => unknown[];

/** A pool that responds as a server of some version does; both connections of it ask `lock` for the lock. */
function poolOf(version: string, lock: LockResult) {
  const asked: string[] = [];
  let lent = 0;
  const query = async (text: string): Promise<{ rows: unknown[] }> => {
    asked.push(text);
    if (text.includes('version()')) return { rows: [{ version }] };
    return { rows: text.includes('pg_try_advisory') ? lock(text) : [] };
  };
  const pool: PostgresPool = {
    query,
    connect: async () => {
      lent += 1;
      return { query, release: () => (lent -= 1) };
    },
  };
  return { asked, store: postgresStore(pool, { migrate: false }), lentNow: () => lent };
}

/** Locks as PostgreSQL does: the first one who asks has it. */
function locking(): LockResult {
  let isTaken = false;
  return () => {
    const locked = !isTaken;
    isTaken = true;
    return [{ locked }];
  };
}

const stub: LockResult = () => [{ locked: true }];
const unknown =
  (code: string): LockResult =>
  () => {
    throw Object.assign(new Error('unknown function: pg_try_advisory_xact_lock()'), { code });
  };

describe('a database that looks like PostgreSQL', () => {
  it.each([
    ['CockroachDB that gives everybody the lock', COCKROACH, stub, 'two connections got the same one'],
    ['CockroachDB that does not know the lock', COCKROACH, unknown('42883'), 'it does not know them'],
    ['YugabyteDB that does not support it', YUGABYTE, unknown('0A000'), 'it does not know them'],
    ['CockroachDB that returns nothing', COCKROACH, () => [], 'two connections got the same one'],
  ])('is refused before the first statement: %s', async (_, version, lock, reason) => {
    const { asked, store, lentNow } = poolOf(version, lock);
    const failure: unknown = await store.findStaticKeys().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreSetupError);
    expect(String(failure)).toContain(`${version.slice(0, 60)} has no working advisory locks: ${reason}`);
    expect(asked.some((text) => text.includes('SELECT key_id'))).toBe(false);
    expect(lentNow()).toBe(0);
  });

  it.each([COCKROACH, YUGABYTE])('is used if it locks: %s', async (version) => {
    const { asked, store, lentNow } = poolOf(version, locking());
    expect(await store.findStaticKeys()).toEqual([]);
    expect(asked.filter((text) => text.includes('pg_try_advisory'))).toHaveLength(2);
    expect(lentNow()).toBe(0);
  });

  it('is asked for its version once, and PostgreSQL for no lock', async () => {
    const { asked, store } = poolOf(POSTGRES, stub);
    await store.findStaticKeys();
    await store.findStaticKeys();
    expect(asked.filter((text) => text.includes('version()'))).toHaveLength(1);
    expect(asked.filter((text) => text.includes('advisory'))).toEqual([]);
  });

  it('is asked again when it did not respond', async () => {
    let isDown = true;
    const { store } = poolOf(COCKROACH, (text) => {
      if (isDown) throw Object.assign(new Error('connection reset'), { code: 'ECONNRESET' });
      return locker(text);
    });
    const locker = locking();
    await expect(store.findStaticKeys()).rejects.toThrow('connection reset');
    isDown = false;
    expect(await store.findStaticKeys()).toEqual([]);
  });
});

import { randomUUID } from 'node:crypto';
import { StoreSetupError } from './session-store.js';
import type { SqlQuery, SqlRow } from './sql-client.js';

type Run = (query: SqlQuery) => Promise<readonly SqlRow[]>;

/** A database with PostgreSQL's protocol, whose advisory locks have to be tried. */
const LOOKALIKE = /CockroachDB|-YB-/i;
const LOCK = 'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS locked';

/**
 * Refuses a look-alike that only seems to lock: some versions of CockroachDB accept the call and do nothing, and then limits of sessions and
 * signing keys would not hold with several instances.
 *
 * @param inTransaction lends a connection on which a transaction is open, and rolls it back
 * @throws {StoreSetupError} two connections got the same lock, or the server does not know the lock
 */
export async function refuseWithoutLocks(
  query: Run,
  inTransaction: (work: (run: Run) => Promise<void>) => Promise<void>,
): Promise<void> {
  const [server] = await query({ text: 'SELECT version() AS version', values: [] });
  const version = server?.['version'];
  if (typeof version !== 'string' || !LOOKALIKE.test(version)) return;
  const attempt: SqlQuery = { text: LOCK, values: [`nest-sessions probe ${randomUUID()}`] };
  let isExclusive = false;
  try {
    await inTransaction(async (run) => {
      const [first] = await run(attempt);
      const [second] = await query(attempt);
      isExclusive = first?.['locked'] === true && second?.['locked'] === false;
    });
  } catch (error) {
    if (isUnknown(error)) throw withoutLocks(version, 'it does not know them', error);
    throw error;
  }
  if (!isExclusive) throw withoutLocks(version, 'two connections got the same one');
}

/** No such function, or one that is there by name only. */
function isUnknown(error: unknown): boolean {
  const { code }: { code?: unknown } = typeof error === 'object' && error !== null ? error : {};
  return code === '42883' || code === '0A000';
}

function withoutLocks(version: string, reason: string, cause?: unknown): StoreSetupError {
  return new StoreSetupError(
    `postgresStore: ${version.slice(0, 60)} has no working advisory locks: ${reason}. Without them limits of sessions and signing ` +
      'keys do not hold with several instances. Use PostgreSQL 14 or newer, or a version of this database whose ' +
      'pg_advisory_xact_lock locks',
    { cause },
  );
}

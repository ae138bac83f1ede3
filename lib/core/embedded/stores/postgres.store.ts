import type { SessionStore } from '../session-store.js';
import type { SqlClient, SqlQuery, SqlRow, SqlSteps } from './sql-client.js';
import { postgresDialect } from './sql-dialect.js';
import { SqlStore, type SqlStoreOptions } from './sql.store.js';

/**
 * A pool of connections to PostgreSQL: a `Pool` of `pg`, or anything with these two methods.
 *
 * @publicApi
 */
export interface PostgresPool {
  /** Runs one statement on any connection, in a transaction of its own. */
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>;
  /** Lends one connection. */
  connect(): Promise<PostgresPoolClient>;
}

/**
 * A lent connection.
 *
 * @publicApi
 */
export interface PostgresPoolClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>;
  /** Gives the connection back; with true it is closed instead. */
  release(destroy?: boolean): unknown;
}

/**
 * Options of `postgresStore`.
 *
 * @publicApi
 */
export type PostgresStoreOptions = SqlStoreOptions;

/**
 * Sessions in PostgreSQL 14 or newer, for any number of application instances. The tables are those of a SuperTokens
 * Core's PostgreSQL plugin: a database that a Core filled can be taken over, and the other way round.
 *
 * The pool stays yours: size it (each request holds a connection for one statement), listen to its `error` event, and
 * end it after the application. What PostgreSQL acknowledges is kept; with `synchronous_commit = off` in the server, a
 * crash of it may take back the last moments.
 *
 * @throws {TypeError} the pool or an option is wrong
 *
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * SessionModule.forRoot({ appInfo, core: embeddedCore({ store: postgresStore(pool, { schema: 'sessions' }) }) })
 * @publicApi
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): SessionStore {
  return new SqlStore(new PostgresClient(pool), options);
}

/** A pool of the application, as the SQL store wants it. */
export class PostgresClient implements SqlClient {
  readonly dialect = postgresDialect;

  /** @throws {TypeError} this is no pool */
  constructor(private readonly pool: PostgresPool) {
    if (!isPool(pool)) {
      throw new TypeError(
        'postgresStore: give it a pool of connections, for example new Pool() of the package pg',
      );
    }
  }

  /** The pool connects by itself. */
  async open(): Promise<void> {}

  async query({ text, values }: SqlQuery): Promise<readonly SqlRow[]> {
    return rowsOf(await this.pool.query(text, [...values]));
  }

  /**
   * READ COMMITTED is asked for by name: under a stricter default the statements after the lock would still see what
   * was there before it.
   */
  async exclusively<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    const client = await this.pool.connect();
    if (typeof client?.query !== 'function') {
      throw new TypeError(
        'postgresStore: connect() gave no connection; a Pool of pg is needed, not a Client',
      );
    }
    try {
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED', []);
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`nest-sessions ${lock}`]);
      const result = await drive(client, steps());
      await client.query('COMMIT', []);
      client.release();
      return result;
    } catch (error) {
      // Closing the connection ends the transaction in any state that it may be in.
      client.release(true);
      throw error;
    }
  }

  /** The pool is the application's. */
  async close(): Promise<void> {}
}

function isPool(pool: unknown): boolean {
  const { query, connect }: { query?: unknown; connect?: unknown } =
    typeof pool === 'object' && pool !== null ? pool : {};
  return typeof query === 'function' && typeof connect === 'function';
}

async function drive<T>(client: PostgresPoolClient, steps: SqlSteps<T>): Promise<T> {
  for (let step = steps.next(); ;) {
    if (step.done === true) return step.value;
    const { text, values } = step.value;
    step = steps.next(rowsOf(await client.query(text, [...values])));
  }
}

function rowsOf({ rows }: { readonly rows: unknown[] }): readonly SqlRow[] {
  return rows as SqlRow[];
}

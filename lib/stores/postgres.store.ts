import { createHash } from 'node:crypto';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { withTimeout } from '../util/with-timeout.js';
import type { SessionStore } from './session-store.js';
import { drive, type SqlClient, type SqlQuery, type SqlRow, type SqlSteps } from './sql-client.js';
import { postgresDialect } from './sql-dialect.js';
import { assertStoreOptions } from './store-options.js';
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
  /** Of `pg`: how a connection that breaks while nobody uses it tells so. It ends the process where nobody listens. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
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
  /** Of `pg`: how a lent connection that breaks tells so. It ends the process where nobody listens. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
  removeListener?(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Options of `postgresStore`.
 *
 * @publicApi
 */
export interface PostgresStoreOptions extends SqlStoreOptions {
  /**
   * Whether each connection keeps the statements that it has prepared, under names that begin with `nest_sessions_`. That
   * saves PostgreSQL the parsing and planning of each, about half of its work. Default: with a `Pool` of `pg`, yes; with
   * anything else, which may not know `pg`'s notation for it, no.
   *
   * A pooler that gives each statement another connection (pgbouncer in transaction mode, unless its
   * `max_prepared_statements` is set) loses the names. The first time that happens the statement is repeated without a
   * name, and so are all from then on; false saves the attempt.
   */
  preparedStatements?: boolean;
}

/**
 * Sessions in PostgreSQL 14 or newer, for any number of application instances. The tables are those of a SuperTokens
 * Core's PostgreSQL plugin: a database that a Core filled can be taken over, and the other way round.
 *
 * The pool stays yours: size it (each request holds a connection for one statement) and end it after the application. A
 * `Pool` of `pg` gets two things that it does not bring: somebody who listens to its `error` event, and, unless you have set
 * `connectionTimeoutMillis`, 5 seconds for it, so that a server that says nothing ends in a 503. What PostgreSQL acknowledges is kept; with `synchronous_commit = off` in the server, a
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
  assertStoreOptions('postgresStore', options, ['preparedStatements', 'migrate', 'schema', 'tablePrefix']);
  const { preparedStatements, ...storeOptions } = options;
  return new SqlStore(new PostgresClient(pool, preparedStatements), storeOptions);
}

/** Nobody waits longer for a connection, be it that the pool has none to lend or that the server says nothing. */
const CONNECTION_TIMEOUT_MS = 5000;
/** A server that says nothing for so long will not; `pg` then closes the connection, and the next use gets another. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** A statement in a transaction may wait for the lock of another instance, or change a large table. */
const STEP_TIMEOUT_MS = 60_000;

/** What `pg` takes instead of a text. */
interface PgQuery {
  /** With it the statement is prepared once on each connection. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
  readonly query_timeout: number;
}

/** A pool of the application, as the SQL store wants it. */
export class PostgresClient implements SqlClient {
  readonly dialect = postgresDialect;
  private readonly names = new Map<string, string>();
  private readonly turns = new KeyedMutex();
  private readonly isOfPg: boolean;
  private isPreparing: boolean;

  /**
   * @param preparedStatements default: if the pool is one of `pg`
   * @throws {TypeError} this is no pool, or the option no boolean
   */
  constructor(
    private readonly pool: PostgresPool,
    preparedStatements?: boolean,
  ) {
    if (!isPool(pool)) {
      throw new TypeError(
        'postgresStore: give it a pool of connections, for example new Pool() of the package pg',
      );
    }
    if (preparedStatements !== undefined && typeof preparedStatements !== 'boolean') {
      throw new TypeError('postgresStore: preparedStatements must be true or false');
    }
    this.isOfPg = isPoolOfPg(pool);
    this.isPreparing = preparedStatements ?? this.isOfPg;
    if (this.isOfPg) secure(pool);
  }

  /** The pool connects by itself. */
  async open(): Promise<void> {}

  async query({ text, values }: SqlQuery): Promise<readonly SqlRow[]> {
    if (this.isPreparing) {
      try {
        return await this.run(
          this.pool,
          { name: this.statementName(text), text, values },
          STATEMENT_TIMEOUT_MS,
        );
      } catch (error) {
        if (!isNameLost(error)) throw error;
        this.isPreparing = false; // nothing has been done yet
      }
    }
    return this.run(this.pool, { text, values }, STATEMENT_TIMEOUT_MS);
  }

  /** Who waits for the others of this process holds no connection meanwhile. */
  async exclusively<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    return this.turns.run(lock, async () => this.transaction(lock, steps));
  }

  /** The pool is the application's. */
  async close(): Promise<void> {}

  /**
   * READ COMMITTED is asked for by name: under a stricter default the statements after the lock would still see what
   * was there before it.
   */
  private async transaction<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    const client = await this.borrow();
    if (typeof client?.query !== 'function') {
      throw new TypeError(
        'postgresStore: connect() gave no connection; a Pool of pg is needed, not a Client',
      );
    }
    const run = async (text: string, values: SqlQuery['values'] = []): Promise<readonly SqlRow[]> =>
      this.run(client, { text, values }, STEP_TIMEOUT_MS);
    client.on?.('error', ignore);
    try {
      await run('BEGIN ISOLATION LEVEL READ COMMITTED');
      await run('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`nest-sessions ${lock}`]);
      const result = await drive(steps(), async ({ text, values }) => run(text, values));
      await run('COMMIT');
      client.release();
      return result;
    } catch (error) {
      // Closing the connection ends the transaction in any state that it may be in.
      client.release(true);
      throw error;
    } finally {
      client.removeListener?.('error', ignore); // a pool listens again to what it has got back
    }
  }

  /** A connection that comes too late is given back. */
  private async borrow(): Promise<PostgresPoolClient> {
    const lending = this.pool.connect();
    if (this.isOfPg) return lending; // gives up by itself
    try {
      return await withTimeout(
        lending,
        CONNECTION_TIMEOUT_MS,
        `No connection within ${CONNECTION_TIMEOUT_MS} ms`,
      );
    } catch (error) {
      lending.then((late) => late.release(), ignore);
      throw error;
    }
  }

  /** Only `pg` is known to take more than a text and values. */
  private async run(
    on: Pick<PostgresPool, 'query'>,
    { name, text, values }: SqlQuery & { readonly name?: string },
    timeoutMs: number,
  ): Promise<readonly SqlRow[]> {
    if (!this.isOfPg && name === undefined) {
      const asked = on.query(text, [...values]);
      return resultRows(await withTimeout(asked, timeoutMs, `No answer within ${timeoutMs} ms`));
    }
    const ofPg = on as unknown as { query(query: PgQuery): Promise<{ readonly rows: unknown[] }> };
    const named = name === undefined ? {} : { name };
    return resultRows(await ofPg.query({ ...named, text, values: [...values], query_timeout: timeoutMs }));
  }

  /** The same text has the same name everywhere: connections may be shared with other applications. */
  private statementName(text: string): string {
    let name = this.names.get(text);
    if (name === undefined) {
      name = `nest_sessions_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
      this.names.set(text, name);
    }
    return name;
  }
}

/** Recognised by the class of its connections, which other pools do not show. */
function isPoolOfPg(pool: PostgresPool): boolean {
  const { Client: client }: { Client?: unknown } = pool as { Client?: unknown };
  return typeof client === 'function' && 'Query' in client;
}

/** Pools may serve several stores. */
const secured = new WeakSet<PostgresPool>();

/**
 * What an application leaves open, `pg` takes for no limit: a server that says nothing would keep the pool's connections
 * for ever, and one that restarts would end the process. Zero is the application's word for "no limit".
 */
function secure(pool: PostgresPool): void {
  if (secured.has(pool)) return;
  secured.add(pool);
  pool.on?.('error', ignore);
  const { options }: { options?: { connectionTimeoutMillis?: number } } = pool as object;
  if (options !== undefined) options.connectionTimeoutMillis ??= CONNECTION_TIMEOUT_MS;
}

/**
 * The name is unknown to the connection, or taken on it, because a pooler has swapped that; or the statement that it
 * stands for no longer fits the tables. Said before anything is executed.
 */
function isNameLost(error: unknown): boolean {
  const { code, routine }: { code?: unknown; routine?: unknown } =
    typeof error === 'object' && error !== null ? error : {};
  // The message would be in the server's language; the routine is the one that finds a cached plan out of date.
  return code === '26000' || code === '42P05' || (code === '0A000' && routine === 'RevalidateCachedQuery');
}

function isPool(pool: unknown): boolean {
  const { query, connect }: { query?: unknown; connect?: unknown } =
    typeof pool === 'object' && pool !== null ? pool : {};
  return typeof query === 'function' && typeof connect === 'function';
}

/** The statement under way, or the next one, is rejected with it; a pool lends another connection. */
function ignore(): void {}

function resultRows({ rows }: { readonly rows: unknown[] }): readonly SqlRow[] {
  return rows as SqlRow[];
}

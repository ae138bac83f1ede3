import { createHash } from 'node:crypto';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { withTimeout } from '../util/with-timeout.js';
import type { SessionStore } from './session-store.js';
import { refuseWithoutLocks } from './postgres-lookalikes.js';
import { PostgresAnnouncements, type PostgresListener } from './postgres-announcements.js';
import {
  drive,
  type SqlClient,
  type SqlQuery,
  type SqlRow,
  type SqlSteps,
  postgresDialect,
} from './sql-client.js';
import {
  POSTGRES_STORE_OPTIONS,
  readStoreOptions,
  type ListenOption,
  type PostgresStoreOptions,
} from './store-options.js';
import { SqlStore } from './sql.store.js';

/**
 * A pool of connections to PostgreSQL: a `Pool` of `pg`, or anything with these two methods.
 *
 * @publicApi
 */
export interface PostgresPool {
  /** Runs one statement on any connection, in its own transaction. */
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>;
  /** Lends one connection. */
  connect(): Promise<PostgresPoolClient>;
  /** `pg` only: reports an idle connection that breaks. Without a listener that ends the process. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * A lent connection.
 *
 * @publicApi
 */
export interface PostgresPoolClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>;
  /** Returns the connection to the pool, or closes it if `destroy` is true. */
  release(destroy?: boolean): unknown;
  /** `pg` only: reports a lent connection that breaks. Without a listener that ends the process. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
  removeListener?(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Makes a store that keeps sessions in PostgreSQL 14 or newer, for any number of application instances. The tables are those
 * of a SuperTokens Core's PostgreSQL plugin: a database that a Core filled can be taken over, and the other way round.
 *
 * The pool stays yours: size it (each request holds a connection for one statement), and end it after the application. The
 * store adds two things to a `Pool` of `pg`: a listener to its `error` event, and a `connectionTimeoutMillis` of 5 seconds
 * unless you have set one, so that a silent server leads to a 503. A write that PostgreSQL acknowledged is kept; with
 * `synchronous_commit = off` in the server, a crash of the server may undo the last moments.
 *
 * @throws {TypeError} the pool or an option is wrong
 *
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * SessionModule.forRoot({ appInfo, core: embeddedCore({ store: postgresStore(pool, { schema: 'sessions' }) }) })
 * @publicApi
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): SessionStore {
  const { preparedStatements, listen, ...tables } = readStoreOptions(
    'postgresStore',
    POSTGRES_STORE_OPTIONS,
    options,
  );
  return new SqlStore(new PostgresClient(pool, preparedStatements, listen), tables);
}

/** The longest wait for a connection, whether the pool has none to lend or the server is silent. */
const CONNECTION_TIMEOUT_MS = 5000;
/** The longest wait for a statement; `pg` then closes the connection, and the next use gets another. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** The longest wait for a statement in a transaction, which may wait for another instance's lock or change a large table. */
const STEP_TIMEOUT_MS = 60_000;

/** The query object of `pg`. */
interface PgQuery {
  /** Lets `pg` prepare the statement once on each connection. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
  readonly query_timeout: number;
}

/** The SQL store's port to a pool of the application. */
export class PostgresClient implements SqlClient {
  readonly dialect = postgresDialect;
  readonly description: string;
  private readonly names = new Map<string, string>();
  private readonly turns = new KeyedMutex();
  private readonly isOfPg: boolean;
  private isPreparing: boolean;
  readonly announcements: PostgresAnnouncements;

  /**
   * @param preparedStatements default: whether the pool is one of `pg`
   * @param listen default: by a further connection to the same database, if the pool is one of `pg`
   * @throws {TypeError} the pool is none
   */
  constructor(
    private readonly pool: PostgresPool,
    preparedStatements?: boolean,
    listen?: ListenOption,
  ) {
    if (!isPool(pool)) {
      throw new TypeError(
        'postgresStore: give it a pool of connections, for example new Pool() of the package pg',
      );
    }
    this.description = describePool(pool);
    this.isOfPg = isPoolOfPg(pool);
    this.isPreparing = preparedStatements ?? this.isOfPg;
    if (this.isOfPg) secure(pool);
    this.announcements = new PostgresAnnouncements(listenerOf(pool, this.isOfPg, listen), async (query) =>
      this.query(query),
    );
  }

  /** The pool connects by itself, so this only asks which server it is. */
  async open(): Promise<void> {
    await refuseWithoutLocks(
      async (query) => this.query(query),
      async (work) => this.tried(work),
    );
  }

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
        this.isPreparing = false; // the statement has had no effect
      }
    }
    return this.run(this.pool, { text, values }, STATEMENT_TIMEOUT_MS);
  }

  /** Waits for other calls of this process before it borrows a connection. */
  async exclusively<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    return this.turns.run(lock, async () => this.transaction(lock, steps));
  }

  /** Leaves the pool open, because it belongs to the application. */
  async close(): Promise<void> {
    await this.announcements.settled();
  }

  /**
   * Sets READ COMMITTED by name, because under a stricter default the statements after the lock would read a snapshot from
   * before it.
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
      // Closing the connection ends the transaction, whatever its state.
      client.release(true);
      throw error;
    } finally {
      client.removeListener?.('error', ignore); // the pool listens to a returned connection itself
    }
  }

  /** Runs work in a transaction that is rolled back, by the end of its connection. */
  private async tried(
    work: (run: (query: SqlQuery) => Promise<readonly SqlRow[]>) => Promise<void>,
  ): Promise<void> {
    const client = await this.borrow();
    client.on?.('error', ignore);
    try {
      await this.run(client, { text: 'BEGIN', values: [] }, STEP_TIMEOUT_MS);
      await work(async (query) => this.run(client, query, STEP_TIMEOUT_MS));
    } finally {
      client.release(true);
      client.removeListener?.('error', ignore);
    }
  }

  /** Borrows a connection; one that comes too late is returned to the pool. */
  private async borrow(): Promise<PostgresPoolClient> {
    const lending = this.pool.connect();
    if (this.isOfPg) return lending; // has its own timeout
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

  /** Uses `pg`'s query object with `pg` only, because other pools may take a text and values alone. */
  private async run(
    on: Pick<PostgresPool, 'query'>,
    { name, text, values }: SqlQuery & { readonly name?: string },
    timeoutMs: number,
  ): Promise<readonly SqlRow[]> {
    if (!this.isOfPg && name === undefined) {
      const asked = on.query(text, [...values]);
      return resultRows(await withTimeout(asked, timeoutMs, `No response within ${timeoutMs} ms`));
    }
    const ofPg = on as unknown as { query(query: PgQuery): Promise<{ readonly rows: unknown[] }> };
    const named = name === undefined ? {} : { name };
    return resultRows(await ofPg.query({ ...named, text, values: [...values], query_timeout: timeoutMs }));
  }

  /** Returns a name that depends on the text alone, because other applications may share the connections. */
  private statementName(text: string): string {
    let name = this.names.get(text);
    if (name === undefined) {
      name = `nest_sessions_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
      this.names.set(text, name);
    }
    return name;
  }
}

/** @returns undefined for a store that does not listen */
function listenerOf(
  pool: PostgresPool,
  isOfPg: boolean,
  listen: ListenOption | undefined,
): (() => PostgresListener) | undefined {
  if (listen === false || typeof listen === 'function') return listen || undefined;
  if (!isOfPg) return undefined;
  const { Client: PgClient, options } = pool as unknown as {
    Client: new (options: unknown) => PostgresListener;
    options: object;
  };
  return () => new PgClient(listen === undefined ? options : { connectionString: listen, keepAlive: true });
}

/** Recognises a pool of `pg` by the class of its connections, which other pools do not have. */
function isPoolOfPg(pool: PostgresPool): boolean {
  const { Client: client }: { Client?: unknown } = pool as { Client?: unknown };
  return typeof client === 'function' && 'Query' in client;
}

/** The pools that are secured already, because a pool may serve several stores. */
const secured = new WeakSet<PostgresPool>();

/**
 * Adds the timeout and the listener that `pg` does not have by default: a silent server would keep the pool's connections
 * for ever, and a restarting one would end the process. A timeout of zero, `pg`'s value for no limit, stays.
 */
function secure(pool: PostgresPool): void {
  if (secured.has(pool)) return;
  secured.add(pool);
  pool.on?.('error', ignore);
  const { options }: { options?: { connectionTimeoutMillis?: number } } = pool as object;
  if (options !== undefined) options.connectionTimeoutMillis ??= CONNECTION_TIMEOUT_MS;
}

/**
 * Returns whether PostgreSQL refused a name before it executed the statement: the connection does not know the name or has
 * it already, because a pooler swapped connections, or the prepared statement no longer fits the tables.
 */
function isNameLost(error: unknown): boolean {
  const { code, routine }: { code?: unknown; routine?: unknown } =
    typeof error === 'object' && error !== null ? error : {};
  // The message is in the server's language; the routine is the one that finds a cached plan out of date.
  return code === '26000' || code === '42P05' || (code === '0A000' && routine === 'RevalidateCachedQuery');
}

function isPool(pool: unknown): boolean {
  const { query, connect }: { query?: unknown; connect?: unknown } =
    typeof pool === 'object' && pool !== null ? pool : {};
  return typeof query === 'function' && typeof connect === 'function';
}

/** Names the server as far as a pool of `pg` says it: never the user, the password or the parameters. */
function describePool(pool: object): string {
  const { options = {} }: { options?: { host?: unknown; port?: unknown; connectionString?: unknown } } = pool;
  const { connectionString, host, port = 5432 } = options;
  if (typeof connectionString === 'string' && URL.canParse(connectionString)) {
    return `PostgreSQL at ${new URL(connectionString).host || 'this machine'}`;
  }
  return typeof host === 'string' ? `PostgreSQL at ${host}:${String(port)}` : 'PostgreSQL';
}

/** Ignores the error of a connection, because the statement under way or the next one is rejected with it. */
function ignore(): void {}

function resultRows({ rows }: { readonly rows: unknown[] }): readonly SqlRow[] {
  return rows as SqlRow[];
}

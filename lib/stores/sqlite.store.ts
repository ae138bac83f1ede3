import { closeSync, openSync } from 'node:fs';
import { SingleFlight } from '../util/single-flight.js';
import { StoreSetupError, type SessionStore } from './session-store.js';
import {
  type SqlClient,
  type SqlQuery,
  type SqlRow,
  type SqlSteps,
  type SqlValue,
  sqliteDialect,
} from './sql-client.js';
import { readStoreOptions, SQLITE_STORE_OPTIONS, type SqliteStoreOptions } from './store-options.js';
import { SQLITE_RETRY } from './sql-connection.js';
import { SqlStore } from './sql.store.js';

/**
 * An open SQLite database, with the methods that the store calls: a `DatabaseSync` of `node:sqlite`, or a `Database` of
 * `libsql` or `better-sqlite3`.
 *
 * @publicApi
 */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
}

/**
 * A prepared statement of such a database.
 *
 * @publicApi
 */
export interface SqliteStatement {
  /** False for a statement that returns no rows; `node:sqlite` does not have this property. */
  readonly reader?: boolean;
  all(...values: (string | number | null)[]): unknown[];
  run(...values: (string | number | null)[]): unknown;
}

/**
 * Makes a store that keeps sessions in a SQLite file: they survive a restart, and no server is needed. Several processes on
 * one machine may share the file; it must not be on a network drive. Only its owner may read it, because it holds the
 * signing keys.
 *
 * When the store is first used, it opens a file with `node:sqlite` (Node 22.13 or newer), or else with the installed
 * package `libsql` or `better-sqlite3`. You may also give it a database that you opened: use it for the store only, and
 * close it yourself. The store sets the journal mode (WAL), `synchronous` and the busy timeout on either.
 *
 * @param fileOrDatabase name of the file, which is made if it is missing; `:memory:` keeps the sessions in memory
 * @throws {TypeError} an option is wrong
 *
 * @example
 * SessionModule.forRoot({ appInfo, core: embeddedCore({ store: sqliteStore('sessions.db') }) })
 * @publicApi
 */
export function sqliteStore(
  fileOrDatabase: string | SqliteDatabase,
  options: SqliteStoreOptions = {},
): SessionStore {
  if (Reflect.get(Object(options) as object, 'schema') !== undefined) {
    throw new TypeError('sqliteStore: schema: SQLite has none; use tablePrefix');
  }
  const { migrate, tablePrefix, ...pragmas } = readStoreOptions('sqliteStore', SQLITE_STORE_OPTIONS, options);
  return new SqlStore(new SqliteClient(fileOrDatabase, pragmas), { migrate, tablePrefix }, SQLITE_RETRY);
}

const WRITE = /^\s*(?:INSERT|UPDATE|DELETE)\b/i;

/** The SQL store's port to a file or to a database of the application. */
export class SqliteClient implements SqlClient {
  readonly dialect = sqliteDialect;
  readonly description = 'SQLite';
  private readonly statements = new Map<string, CompiledStatement>();
  private readonly pragmas: readonly string[];
  private readonly opening = new SingleFlight(async () => this.openSource(), { keepsValue: true });
  private database: SqliteDatabase | undefined;

  /** @throws {TypeError} an option is wrong */
  constructor(
    private readonly source: string | SqliteDatabase,
    {
      synchronous = 'FULL',
      busyTimeoutMs = 0,
    }: Pick<SqliteStoreOptions, 'synchronous' | 'busyTimeoutMs'> = {},
  ) {
    assertUsableSource(source);
    this.pragmas = [
      `PRAGMA busy_timeout = ${busyTimeoutMs}`,
      'PRAGMA journal_mode = WAL',
      `PRAGMA synchronous = ${synchronous}`,
    ];
  }

  async open(): Promise<void> {
    const opening = this.opening.run();
    const database = await opening;
    if (this.opening.current !== opening)
      throw new Error('The SQLite database was closed while it was being opened');
    this.database = database;
    for (const pragma of this.pragmas) database.exec(pragma);
  }

  /**
   * A write takes the write lock first: a statement of libsql that finds another writer after its own first look at the database is
   * not reset, and this process would go on to see the database as it was then until the statement runs again.
   */
  async query(query: SqlQuery): Promise<readonly SqlRow[]> {
    if (!WRITE.test(query.text)) return this.execute(query);
    return this.exclusively('', function* (): SqlSteps<readonly SqlRow[]> {
      return yield query;
    });
  }

  /** Takes the one write lock of the database from the beginning, for any `lock`; no other call of this process runs meanwhile. */
  async exclusively<T>(_lock: string, steps: () => SqlSteps<T>): Promise<T> {
    const database = this.opened();
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = this.drive(steps());
      database.exec('COMMIT');
      return result;
    } catch (error) {
      rollBack(database);
      throw error;
    }
  }

  /** libsql up to 0.5.29 releases the file only when its statements have been garbage collected; the others do at once. */
  async close(): Promise<void> {
    const { current } = this.opening;
    this.opening.forget();
    this.database = undefined;
    this.statements.clear();
    // A database that is being opened is closed once it is open; a failed opening leaves none to close.
    const database = await current?.catch(() => undefined);
    if (typeof this.source === 'string') database?.close();
  }

  private async openSource(): Promise<SqliteDatabase> {
    return typeof this.source === 'string' ? openFile(this.source) : this.source;
  }

  private drive<T>(steps: SqlSteps<T>): T {
    for (let step = steps.next(); ; step = steps.next(this.execute(step.value))) {
      if (step.done === true) return step.value;
    }
  }

  private execute({ text, values }: SqlQuery): SqlRow[] {
    const { statement, order } = this.compiled(text);
    const given = order.map((index) => asStored(values[index] ?? null));
    if (statement.reader === false) {
      statement.run(...given);
      return [];
    }
    return statement.all(...given) as SqlRow[];
  }

  private compiled(text: string): CompiledStatement {
    const known = this.statements.get(text);
    if (known) return known;
    // Plain `?` is the only notation that all three drivers fill by position.
    const order = Array.from(text.matchAll(/\$(\d+)/g), ([, position]) => Number(position) - 1);
    const compiled = { statement: this.opened().prepare(text.replaceAll(/\$\d+/g, '?')), order };
    this.statements.set(text, compiled);
    return compiled;
  }

  private opened(): SqliteDatabase {
    if (this.database === undefined) throw new Error('The SQLite database is closed');
    return this.database;
  }
}

interface CompiledStatement {
  readonly statement: SqliteStatement;
  /** The index of the value for each question mark. */
  readonly order: readonly number[];
}

interface Driver {
  readonly module: string;
  readonly exportName: string;
}

type DatabaseClass = new (file: string) => SqliteDatabase;

const DRIVERS: readonly Driver[] = [
  { module: 'node:sqlite', exportName: 'DatabaseSync' },
  { module: 'libsql', exportName: 'default' },
  { module: 'better-sqlite3', exportName: 'default' },
];

/** Opens a file with the first driver that can be loaded. */
async function openFile(file: string): Promise<SqliteDatabase> {
  const Database = await loadDriver();
  if (!file.startsWith(':')) makePrivateFile(file);
  return new Database(file);
}

/**
 * Loads the first SQLite driver that is installed.
 *
 * @param importModule replaces `import()` in tests
 * @throws {StoreSetupError} none is installed
 */
export async function loadDriver(
  importModule: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<DatabaseClass> {
  const failures: unknown[] = [];
  for (const { module, exportName } of DRIVERS) {
    try {
      const namespace = (await importModule(module)) as Readonly<Record<string, unknown>>;
      const found = namespace[exportName];
      if (typeof found === 'function') return found as DatabaseClass;
      failures.push(new Error(`${module} has no ${exportName}`));
    } catch (error) {
      failures.push(error);
    }
  }
  throw new StoreSetupError(
    'sqliteStore needs a SQLite driver: use Node 22.13 or newer, or install one: npm install libsql (or better-sqlite3)',
    { cause: new AggregateError(failures, 'None of node:sqlite, libsql and better-sqlite3 could be loaded') },
  );
}

/** Makes the file readable by its owner only; SQLite gives its other files the same rights. */
function makePrivateFile(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // SQLite ends some failed transactions itself; the first failure is the one to report.
  }
}

/** Converts a boolean, because SQLite has none. */
function asStored(value: SqlValue): string | number | null {
  return typeof value === 'boolean' ? Number(value) : value;
}

function assertUsableSource(source: unknown): void {
  const isUsable =
    typeof source === 'string'
      ? source !== ''
      : typeof source === 'object' && source !== null && 'prepare' in source && 'exec' in source;
  if (!isUsable) {
    throw new TypeError(
      'sqliteStore: give it a file name, or an open database of node:sqlite, libsql or better-sqlite3',
    );
  }
}

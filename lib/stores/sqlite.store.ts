import { closeSync, openSync } from 'node:fs';
import { StoreSetupError, type SessionStore } from './session-store.js';
import type { SchemaOptions } from './schema.js';
import type { SqlClient, SqlQuery, SqlRow, SqlSteps, SqlValue } from './sql-client.js';
import { sqliteDialect } from './sql-dialect.js';
import { assertStoreOptions } from './store-options.js';
import { SqlStore, type SqlStoreOptions } from './sql.store.js';

/**
 * An open SQLite database: a `DatabaseSync` of `node:sqlite`, or a `Database` of `libsql` or `better-sqlite3`, of which
 * these methods are used.
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
  /** False for a statement that answers no rows; `node:sqlite` does not say. */
  readonly reader?: boolean;
  all(...values: (string | number | null)[]): unknown[];
  run(...values: (string | number | null)[]): unknown;
}

/**
 * Options of `sqliteStore`.
 *
 * @publicApi
 */
export interface SqliteStoreOptions extends Pick<SqlStoreOptions, 'migrate' | 'tablePrefix'> {
  /**
   * When a write counts as done. Default `FULL`: when the disk has it, so that nothing acknowledged is ever lost. With
   * `NORMAL` a crash of the process still loses nothing, but a power cut may take back the last moments: sessions that
   * were just created are then gone, and ones that were just revoked are there again. It is about ten times faster.
   */
  synchronous?: 'FULL' | 'NORMAL';
  /**
   * How long one attempt waits for another process that is writing, milliseconds. The process does nothing else
   * meanwhile; after it, the attempt is repeated up to nine times with pauses in which it does. Default 100.
   */
  busyTimeoutMs?: number;
}

/**
 * Sessions in a SQLite file: they survive a restart, and no server is needed. Several processes on one machine may
 * share the file; it must not be on a network drive. It is made readable by its owner only, for it holds the signing keys.
 *
 * A file name is opened with `node:sqlite` (Node 22.13 or newer) or else with the package `libsql` or `better-sqlite3`,
 * whichever is installed, when the store is first used. A database that you opened yourself serves too: leave it to
 * the store alone, and close it yourself. Journal mode (WAL), `synchronous` and the busy timeout are set on either.
 *
 * @param fileOrDatabase name of the file, made if it is missing; `:memory:` keeps it in memory
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
  if ((Object(options) as SchemaOptions).schema !== undefined) {
    throw new TypeError('sqliteStore: schema: SQLite has none; use tablePrefix');
  }
  assertStoreOptions('sqliteStore', options, ['synchronous', 'busyTimeoutMs', 'migrate', 'tablePrefix']);
  return new SqlStore(new SqliteClient(fileOrDatabase, options), toStoreOptions(options));
}

/** A file, or a database of the application, as the SQL store wants it. */
export class SqliteClient implements SqlClient {
  readonly dialect = sqliteDialect;
  private readonly statements = new Map<string, CompiledStatement>();
  private readonly pragmas: readonly string[];
  private opening: Promise<SqliteDatabase> | undefined;
  private database: SqliteDatabase | undefined;

  /** @throws {TypeError} an option is wrong */
  constructor(
    private readonly source: string | SqliteDatabase,
    { synchronous = 'FULL', busyTimeoutMs = 100 }: SqliteStoreOptions = {},
  ) {
    assertUsableSource(source);
    if (synchronous !== 'FULL' && synchronous !== 'NORMAL') {
      throw new TypeError(`sqliteStore: synchronous must be 'FULL' or 'NORMAL', not ${String(synchronous)}`);
    }
    if (!Number.isSafeInteger(busyTimeoutMs) || busyTimeoutMs < 0 || busyTimeoutMs > 2 ** 31 - 1) {
      throw new TypeError(
        `sqliteStore: busyTimeoutMs must be a whole number from 0, not ${String(busyTimeoutMs)}`,
      );
    }
    this.pragmas = [
      `PRAGMA busy_timeout = ${busyTimeoutMs}`,
      'PRAGMA journal_mode = WAL',
      `PRAGMA synchronous = ${synchronous}`,
    ];
  }

  async open(): Promise<void> {
    const opening = (this.opening ??= this.openSource());
    const database = await opening.catch((error: unknown) => {
      if (this.opening === opening) this.opening = undefined;
      throw error;
    });
    if (this.opening !== opening) throw new Error('The SQLite database was closed while it was being opened');
    this.database = database;
    for (const pragma of this.pragmas) database.exec(pragma);
  }

  async query(query: SqlQuery): Promise<readonly SqlRow[]> {
    return this.execute(query);
  }

  /** Holds the one write lock of the database from the beginning, whatever `lock` says; nothing else runs meanwhile. */
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

  /** libsql up to 0.5.29 lets go of the file only when the statements on it have been collected; the others do at once. */
  async close(): Promise<void> {
    const { opening } = this;
    this.opening = undefined;
    this.database = undefined;
    this.statements.clear();
    // One that is being opened is closed as soon as it is there; where that fails there is nothing to close.
    const database = await opening?.catch(() => undefined);
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
    // Plain `?` is the one notation that all three drivers fill by position.
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
  /** Which value goes to each question mark. */
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
 * The first of the SQLite drivers that is there.
 *
 * @param importModule stands for `import()` in tests
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

/** SQLite gives its other files the rights of this one. */
function makePrivateFile(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // SQLite has ended some failed transactions itself; the first failure is the one to report.
  }
}

/** SQLite has no booleans. */
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

function toStoreOptions({ migrate, tablePrefix }: SqliteStoreOptions): SqlStoreOptions {
  return {
    ...(migrate === undefined ? {} : { migrate }),
    ...(tablePrefix === undefined ? {} : { tablePrefix }),
  };
}

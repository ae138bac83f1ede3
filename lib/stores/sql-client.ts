/** A value of a statement. Lists are passed as JSON text. */
export type SqlValue = string | number | boolean | null;

/** One statement; `$1`, `$2`, … stand for the values. */
export interface SqlQuery {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** A row as the driver returns it: column names to values of unknown type. */
export type SqlRow = Readonly<Record<string, unknown>>;

/**
 * Statements that may depend on the results of earlier ones: yields a statement, receives its rows. A generator runs with a
 * synchronous driver as well as with an asynchronous one.
 */
export type SqlSteps<T> = Generator<SqlQuery, T, readonly SqlRow[]>;

/** Runs the statements of steps one after the other. */
export async function drive<T>(
  steps: SqlSteps<T>,
  run: (query: SqlQuery) => Promise<readonly SqlRow[]>,
): Promise<T> {
  for (let step = steps.next(); ;) {
    if (step.done === true) return step.value;
    step = steps.next(await run(step.value));
  }
}

/** A SQL store's port to a database. */
export interface SqlClient {
  readonly dialect: SqlDialect;
  /** The database and its host, without secrets. */
  readonly description?: string;

  /** Prepares the database for statements; called before the first one, and again after a failure. */
  open(): Promise<void>;

  /** Runs one statement in a transaction of its own. */
  query(query: SqlQuery): Promise<readonly SqlRow[]>;

  /**
   * Runs steps in one transaction, and only one transaction at a time for each `lock`. Each statement sees the rows that
   * other transactions committed before it began.
   */
  exclusively<T>(lock: string, steps: () => SqlSteps<T>): Promise<T>;

  /** Releases the resources that `open` opened. */
  close(): Promise<void>;

  /** The database's own channel between its clients; undefined where it has none. */
  readonly announcements?: Announcements | undefined;
}

/** A channel of a database on which one client tells the others that there is something to read. */
export interface Announcements {
  /** True while what others announce is certain to be heard. */
  readonly isHeard: boolean;
  /** Tells the others, soon and without a failure: they look by themselves every now and then. */
  announce(channel: string): void;
  /** Begins to listen, once the name of the channel is known. @returns the function that ends it */
  listen(channel: () => Promise<string>, wake: () => void): () => Promise<void>;
}

/** A table: its bare name, and its name in statements. */
export interface SqlTable {
  readonly name: string;
  readonly sql: string;
}

/** One step of cleaning. */
export interface SweepInput {
  readonly nowMs: number;
  readonly limit: number;
  /** The end of the last step; undefined at the beginning of the table. */
  readonly position: number | undefined;
  /** The condition of further rows to remove; undefined where there are none. */
  readonly alsoEnded: string | undefined;
  /** The columns of the removed rows that are returned for the records of them. */
  readonly returning: string;
  run(query: SqlQuery): Promise<readonly SqlRow[]>;
  /** Runs a statement that returns the rows it removes, and records them in the same transaction. */
  remove(query: SqlQuery): Promise<readonly SqlRow[]>;
  /** Returns the subqueries that record the rows of another one, each with a comma in front, and adds their values. */
  recording(rows: string, values: SqlValue[]): string;
}

/** The differences between SQLite and PostgreSQL. All other statements are the same for both. */
export interface SqlDialect {
  readonly name: 'sqlite' | 'postgres';

  /** The options at the end of `CREATE TABLE` for the table of the sessions. */
  readonly sessionTableOptions: string;

  /** Whether one transaction at a time may write, and others fail instead of waiting. */
  readonly hasOneWriter: boolean;

  /** Whether one statement can change a row and read another. */
  readonly canWriteInSubqueries: boolean;

  /** The function that returns the greatest of its arguments. */
  readonly greatest: string;

  /** The columns that give a record of the revocations its place among the others. */
  readonly recordPosition: string;

  /** Returns the condition that a column is one of the texts in a JSON array. */
  inList(column: string, parameter: string): string;

  /** Returns the condition that two columns are one of the pairs in a JSON array of arrays of two texts. */
  inPairs(columns: readonly [string, string], parameter: string): string;

  /**
   * Returns the query for the objects in a JSON array, column by column.
   *
   * @param members their members in the order of the columns; a name that ends in `Ms` is of a number, any other of a text
   */
  recordsOf(parameter: string, members: readonly string[]): string;

  /** Returns the query for a table's columns: one row with `name` each, none if there is no such table. */
  listColumns(table: SqlTable): SqlQuery;

  /** Returns the query for one row: `own` (schema of a new table), `found` (that of this one) and `is_apart`. Undefined without schemas. */
  readSearchPath(table: SqlTable, apart: string): SqlQuery | undefined;

  /** Returns the statement that adds a column unless it is there; undefined where SQL has none. */
  addColumnIfMissing(table: SqlTable, column: string): string | undefined;

  /** Removes expired rows in one bounded step. @returns the position for the next step, or undefined at the end of the table */
  sweep(table: SqlTable, input: SweepInput): Promise<number | undefined>;

  /** Returns whether the statement had no effect and a repetition may succeed. */
  isTransient(error: unknown): boolean;

  /** Returns whether a row refers to an absent one. */
  isForeignKeyViolation(error: unknown): boolean;

  /** Returns whether a repetition is certain to fail as well: no such table, no such account. */
  isSetupFault(error: unknown): boolean;
}

/** Reads a column of text. @throws {TypeError} it holds another value */
export function readText(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`The column ${column} holds no text`);
  return value;
}

/** Reads a column of text; undefined for NULL. @throws {TypeError} it holds another value */
export function readOptionalText(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : readText(row, column);
}

/** Reads a column of whole numbers, which some drivers return as text. @throws {TypeError} it holds another value */
export function readNumber(row: SqlRow, column: string): number {
  const value = Number(row[column]);
  if (!Number.isSafeInteger(value)) throw new TypeError(`The column ${column} holds no whole number`);
  return value;
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
/** SQLITE_ERROR (no such table), PERM, READONLY, CANTOPEN, AUTH and NOTADB. */
const SQLITE_SETUP_FAULTS = [1, 3, 8, 14, 23, 26];

/** The number of rows in one step of cleaning in SQLite: some milliseconds in a file of millions. */
const SWEPT_ROWS = 200;

/** SQLite 3.35 or newer. */
export const sqliteDialect: SqlDialect = {
  name: 'sqlite',
  sessionTableOptions: '',
  hasOneWriter: true,
  canWriteInSubqueries: false,
  greatest: 'MAX',
  // One transaction writes at a time, so the order of the numbers is that of the commits.
  recordPosition: 'position INTEGER PRIMARY KEY AUTOINCREMENT',

  inList(column, parameter) {
    return `${column} IN (SELECT value FROM json_each(${parameter}))`;
  },

  inPairs(columns, parameter) {
    const pairs = `SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(${parameter})`;
    return `(${columns.join(', ')}) IN (${pairs})`;
  },

  recordsOf(parameter, members) {
    const columns = members.map((name) => `json_extract(value, '$.${name}')`);
    return `SELECT ${columns.join(', ')} FROM json_each(${parameter})`;
  },

  listColumns(table) {
    return { text: 'SELECT name FROM pragma_table_info($1)', values: [table.name] };
  },

  readSearchPath() {
    return undefined;
  },

  addColumnIfMissing() {
    return undefined;
  },

  /**
   * Looks at few rows, expired or not, because statements run on the main thread. `NOT INDEXED` keeps SQLite from a walk
   * through a whole index, as all rows have the same app.
   */
  async sweep(table, { nowMs, limit, position = 0, alsoEnded = 'FALSE', ...input }) {
    const rows = Math.min(limit, SWEPT_ROWS);
    const [window] = await input.run({
      text: `SELECT max(rowid) AS last, count(*) AS rows FROM (
        SELECT rowid FROM ${table.sql} NOT INDEXED WHERE rowid > $1 ORDER BY rowid LIMIT $2)`,
      values: [position, rows],
    });
    const last = window?.['last'];
    if (typeof last !== 'number') return undefined;
    await input.remove({
      text: `DELETE FROM ${table.sql} NOT INDEXED WHERE rowid > $1 AND rowid <= $2
        AND app_id = 'public' AND (expires_at <= $3 OR ${alsoEnded}) RETURNING ${input.returning}`,
      values: [position, last, nowMs],
    });
    return Number(window?.['rows']) < rows ? undefined : last;
  },

  isTransient(error) {
    const { code, errcode } = errorFields(error);
    if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true;
    // node:sqlite reports the extended code only; its low byte is the primary code.
    return typeof errcode === 'number' && [SQLITE_BUSY, SQLITE_LOCKED].includes(errcode & 0xff);
  },

  /** Our tables have no foreign keys, and a Core does not use SQLite. */
  isForeignKeyViolation() {
    return false;
  },

  /** Includes the errors of the file system when the file is made. */
  isSetupFault(error) {
    const { code, errcode } = errorFields(error);
    if (typeof errcode === 'number') return SQLITE_SETUP_FAULTS.includes(errcode & 0xff);
    return (
      typeof code === 'string' &&
      /^(SQLITE_(ERROR|PERM|READONLY|CANTOPEN|AUTH|NOTADB)|ENOENT|EACCES|EPERM|EISDIR|ENOTDIR|EROFS)/.test(
        code,
      )
    );
  },
};

/** The number of pages in one step of cleaning: 8 MB, some 20,000 sessions. */
const SWEPT_PAGES = 1024;

/** PostgreSQL 14 or newer; older versions clean slowly. */
export const postgresDialect: SqlDialect = {
  name: 'postgres',
  // Room in each page lets an update stay on it, and then no index has to change.
  sessionTableOptions: ' WITH (fillfactor = 85)',
  hasOneWriter: false,
  canWriteInSubqueries: true,
  greatest: 'GREATEST',
  recordPosition: `position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  written_by xid8 NOT NULL DEFAULT pg_current_xact_id()`,

  // Arrays, because PostgreSQL estimates a hundred rows for a subquery and then scans a small table as a whole.
  inList(column, parameter) {
    return `${column} = ANY (ARRAY(SELECT json_array_elements_text(CAST(${parameter} AS JSON))))`;
  },

  inPairs(columns, parameter) {
    const pairs = `json_array_elements(CAST(${parameter} AS JSON)) AS pair`;
    const inIndex = columns.map((column, i) => `${column} = ANY (ARRAY(SELECT pair->>${i} FROM ${pairs}))`);
    return `${inIndex.join(' AND ')} AND (${columns.join(', ')}) IN (SELECT pair->>0, pair->>1 FROM ${pairs})`;
  },

  recordsOf(parameter, members) {
    const columns = members.map((name) =>
      name.endsWith('Ms') ? `CAST(record->>'${name}' AS BIGINT)` : `record->>'${name}'`,
    );
    return `SELECT ${columns.join(', ')} FROM json_array_elements(CAST(${parameter} AS JSON)) AS record`;
  },

  listColumns(table) {
    return {
      text: `SELECT attname AS name FROM pg_attribute
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
      values: [table.sql],
    };
  },

  // The catalog is read, because `to_regclass` fails on a schema to which the account has no right.
  readSearchPath(table, apart) {
    const named = 'FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE';
    return {
      text: `SELECT CAST(current_schema() AS TEXT) AS own,
        (SELECT CAST(nspname AS TEXT) ${named} pg_class.oid = to_regclass($1)) AS found,
        EXISTS (SELECT 1 ${named} nspname = $2 AND relname = $3) AS is_apart`,
      values: [`"${table.name}"`, apart, table.name],
    };
  },

  addColumnIfMissing(table, column) {
    return `ALTER TABLE ${table.sql} ADD COLUMN IF NOT EXISTS ${column}`;
  },

  /**
   * One statement that looks at some pages: over the whole table each step would read the dead rows of the earlier steps. A
   * row that is promoted meanwhile has moved and no longer matches its place.
   */
  async sweep(table, { nowMs, limit, position = 0, alsoEnded = 'FALSE', ...input }) {
    const isExpired = `app_id = 'public' AND (expires_at <= $1 OR ${alsoEnded})`;
    const next = position + SWEPT_PAGES;
    const values: SqlValue[] = [nowMs, limit, `(${position},0)`, `(${next},0)`, table.sql];
    const [step] = await input.run({
      text: `WITH expired AS (
          SELECT ctid AS place FROM ${table.sql}
          WHERE ctid >= CAST($3 AS tid) AND ctid < CAST($4 AS tid) AND ${isExpired} LIMIT $2),
        removed AS (
          DELETE FROM ${table.sql} WHERE ctid = ANY (ARRAY(SELECT place FROM expired)) AND ${isExpired}
          RETURNING ${input.returning})${input.recording('removed', values)}
        SELECT count(*) AS rows,
          pg_relation_size(to_regclass($5)) / CAST(current_setting('block_size') AS BIGINT) AS pages
        FROM expired`,
      values,
    });
    if (Number(step?.['rows']) >= limit) return position;
    return Number(step?.['pages']) > next ? next : undefined;
  },

  isTransient(error) {
    const { code } = errorFields(error);
    // serialization_failure, deadlock_detected
    return code === '40001' || code === '40P01';
  },

  isForeignKeyViolation(error) {
    return errorFields(error).code === '23503';
  },

  /** Unknown account or password (28), no such database (3D) or schema (3F), no such table or no right to it (42). */
  isSetupFault(error) {
    const { code } = errorFields(error);
    return typeof code === 'string' && /^(28|3D|3F|42)...$/.test(code);
  },
};

function errorFields(error: unknown): { readonly code?: unknown; readonly errcode?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}

import type { SqlQuery, SqlRow } from './sql-client.js';

/** A table: its bare name, and how statements write it. */
export interface SqlTable {
  readonly name: string;
  readonly sql: string;
}

/** One step of cleaning, and where the step before it ended. */
export interface SweepInput {
  readonly nowMs: number;
  readonly limit: number;
  /** undefined: at the beginning of the table. */
  readonly position: number | undefined;
}

/** Where SQLite and PostgreSQL differ. Everything else of the stores is the same text for both. */
export interface SqlDialect {
  readonly name: 'sqlite' | 'postgres';

  /** Options at the end of `CREATE TABLE` for the table of the sessions. */
  readonly sessionTableOptions: string;

  /** Whether one statement can change a row and read another. */
  readonly canWriteInSubqueries: boolean;

  /** The condition that a column is one of the texts in a JSON array. */
  inList(column: string, parameter: string): string;

  /** The condition that two columns are one of the pairs in a JSON array of arrays of two texts. */
  inPairs(columns: readonly [string, string], parameter: string): string;

  /** Asks for a table's columns, one row with `name` each; none if there is no such table. */
  listColumns(table: SqlTable): SqlQuery;

  /**
   * Asks whether statements find a table elsewhere than where `CREATE` would make it, one row with `name`, `schema` and
   * `own` then; undefined where there is one place only.
   */
  tableElsewhere(table: SqlTable): SqlQuery | undefined;

  /** Adds a column that may be there already, in the notation of scripts; undefined where there is none. */
  addColumnIfMissing(table: SqlTable, column: string): string | undefined;

  /**
   * Removes expired rows in one bounded step.
   *
   * @returns where the next step begins, or undefined if the end of the table is reached
   */
  sweep(
    run: (query: SqlQuery) => Promise<readonly SqlRow[]>,
    table: SqlTable,
    input: SweepInput,
  ): Promise<number | undefined>;

  /** True for failures after which nothing has happened and a repetition may succeed. */
  isTransient(error: unknown): boolean;

  /** True when a row refers to one that is not there. */
  isForeignKeyViolation(error: unknown): boolean;

  /** True when the database answers that this cannot work, however often it is tried: no such table, no such account. */
  isSetupFault(error: unknown): boolean;
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
/** SQLITE_ERROR (no such table), PERM, READONLY, CANTOPEN, AUTH and NOTADB. */
const SQLITE_SETUP_FAULTS = [1, 3, 8, 14, 23, 26];

/** Rows that one step of cleaning looks at in SQLite: some milliseconds in a file of millions. */
const SWEPT_ROWS = 200;

/** SQLite 3.35 or newer. */
export const sqliteDialect: SqlDialect = {
  name: 'sqlite',
  sessionTableOptions: '',
  canWriteInSubqueries: false,

  inList(column, parameter) {
    return `${column} IN (SELECT value FROM json_each(${parameter}))`;
  },

  inPairs(columns, parameter) {
    const pairs = `SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(${parameter})`;
    return `(${columns.join(', ')}) IN (${pairs})`;
  },

  listColumns(table) {
    return { text: 'SELECT name FROM pragma_table_info($1)', values: [table.name] };
  },

  tableElsewhere() {
    return undefined;
  },

  addColumnIfMissing() {
    return undefined;
  },

  /**
   * Looks at few rows, expired or not: statements run on the main thread, so none of them may take long. Left to
   * itself, SQLite would walk through a whole index, for all rows have the same app.
   */
  async sweep(run, table, { nowMs, limit, position = 0 }) {
    const rows = Math.min(limit, SWEPT_ROWS);
    const [window] = await run({
      text: `SELECT max(rowid) AS last, count(*) AS rows FROM (
        SELECT rowid FROM ${table.sql} NOT INDEXED WHERE rowid > $1 ORDER BY rowid LIMIT $2)`,
      values: [position, rows],
    });
    const last = window?.['last'];
    if (typeof last !== 'number') return undefined;
    await run({
      text: `DELETE FROM ${table.sql} NOT INDEXED WHERE rowid > $1 AND rowid <= $2
        AND app_id = 'public' AND expires_at <= $3`,
      values: [position, last, nowMs],
    });
    return Number(window?.['rows']) < rows ? undefined : last;
  },

  isTransient(error) {
    const { code, errcode } = errorFields(error);
    if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true;
    // node:sqlite gives the extended number only; its low byte is the kind.
    return typeof errcode === 'number' && [SQLITE_BUSY, SQLITE_LOCKED].includes(errcode & 0xff);
  },

  /** The tables that we make refer to none, and a Core keeps none in SQLite. */
  isForeignKeyViolation() {
    return false;
  },

  /** Also what the file system says when the file is made. */
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

/** Pages that one step of cleaning looks at: 8 MB, some 20,000 sessions. */
const SWEPT_PAGES = 1024;

/** PostgreSQL 14 or newer; older ones clean slowly. */
export const postgresDialect: SqlDialect = {
  name: 'postgres',
  // Room in each page keeps rotations in place: without an index on a changed column they need no index work.
  sessionTableOptions: ' WITH (fillfactor = 85)',
  canWriteInSubqueries: true,

  // As arrays: of a subquery PostgreSQL guesses a hundred rows, and then reads a small table from end to end.
  inList(column, parameter) {
    return `${column} = ANY (ARRAY(SELECT json_array_elements_text(CAST(${parameter} AS JSON))))`;
  },

  inPairs(columns, parameter) {
    const pairs = `json_array_elements(CAST(${parameter} AS JSON)) AS pair`;
    const inIndex = columns.map((column, i) => `${column} = ANY (ARRAY(SELECT pair->>${i} FROM ${pairs}))`);
    return `${inIndex.join(' AND ')} AND (${columns.join(', ')}) IN (SELECT pair->>0, pair->>1 FROM ${pairs})`;
  },

  listColumns(table) {
    return {
      text: `SELECT attname AS name FROM pg_attribute
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
      values: [table.sql],
    };
  },

  tableElsewhere(table) {
    return {
      text: `SELECT relname AS name, nspname AS schema, current_schema() AS own
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass($1) AND nspname <> current_schema()`,
      values: [table.sql],
    };
  },

  addColumnIfMissing(table, column) {
    return `ALTER TABLE ${table.sql} ADD COLUMN IF NOT EXISTS ${column}`;
  },

  /**
   * One statement, which looks at a stretch of pages: over the whole table each step would wade through the rows that
   * the others removed. A row that is promoted meanwhile has moved and no longer matches its place.
   */
  async sweep(run, table, { nowMs, limit, position = 0 }) {
    const isExpired = `app_id = 'public' AND expires_at <= $1`;
    const next = position + SWEPT_PAGES;
    const [step] = await run({
      text: `WITH expired AS (
          SELECT ctid AS place FROM ${table.sql}
          WHERE ctid >= CAST($3 AS tid) AND ctid < CAST($4 AS tid) AND ${isExpired} LIMIT $2),
        removed AS (
          DELETE FROM ${table.sql} WHERE ctid = ANY (ARRAY(SELECT place FROM expired)) AND ${isExpired})
        SELECT count(*) AS rows,
          pg_relation_size(to_regclass($5)) / CAST(current_setting('block_size') AS BIGINT) AS pages
        FROM expired`,
      values: [nowMs, limit, `(${position},0)`, `(${next},0)`, table.sql],
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

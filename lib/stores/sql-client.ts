import type { SqlDialect } from './sql-dialect.js';

/** What a statement is given. Lists travel as JSON text. */
export type SqlValue = string | number | boolean | null;

/** One statement; `$1`, `$2`, … stand for the values. */
export interface SqlQuery {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** A row as the driver gives it: column names to values of unknown type. */
export type SqlRow = Readonly<Record<string, unknown>>;

/**
 * Statements of which each may depend on the answers before it: yields a statement, gets its rows. Written once, driven
 * by a synchronous driver or an asynchronous one.
 */
export type SqlSteps<T> = Generator<SqlQuery, T, readonly SqlRow[]>;

/** Runs steps one after the other, each with the rows of the one before it. */
export async function drive<T>(
  steps: SqlSteps<T>,
  run: (query: SqlQuery) => Promise<readonly SqlRow[]>,
): Promise<T> {
  for (let step = steps.next(); ;) {
    if (step.done === true) return step.value;
    step = steps.next(await run(step.value));
  }
}

/** What a SQL store needs of a database. */
export interface SqlClient {
  readonly dialect: SqlDialect;

  /** Makes the database ready for statements; called before the first one, and again after a failure. */
  open(): Promise<void>;

  /** Runs one statement in a transaction of its own. */
  query(query: SqlQuery): Promise<readonly SqlRow[]>;

  /**
   * Runs steps in one transaction, of which there is only one at a time for each `lock`; each statement sees what
   * other transactions committed before it began.
   */
  exclusively<T>(lock: string, steps: () => SqlSteps<T>): Promise<T>;

  /** Releases what `open` opened. */
  close(): Promise<void>;
}

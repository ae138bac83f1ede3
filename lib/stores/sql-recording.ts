import { Parameters, RECORDED_COLUMNS } from './sql-conditions.js';
import type { SqlDialect, SqlQuery, SqlRow, SqlSteps, SweepInput } from './sql-client.js';
import type { SqlConnection } from './sql-connection.js';

/** Writes records of the rows that a statement changes, in the same transaction. */
export interface RowRecorder {
  /** Returns the insertion for a database whose statements can write in subqueries. @param rows name of the subquery with the changed rows */
  insertFrom(rows: string, parameters: Parameters): string;
  /** Returns the insertion for others. @param rows what the statement returned; at least one */
  insertRows(rows: readonly SqlRow[]): SqlQuery;
}

/** Returns the subqueries that write the records of the subquery `rows`, each with a comma in front. */
export function recordingSubqueries(
  recorders: readonly RowRecorder[],
  rows: string,
  parameters: Parameters,
): string {
  return recorders
    .map((recorder, n) => `, recorded_${n} AS (${recorder.insertFrom(rows, parameters)})`)
    .join('');
}

/** Returns the end of a statement whose changed rows are read for their records alone; empty without records. */
export function returningClause(recorders: readonly RowRecorder[]): string {
  return recorders.length === 0 ? '' : ` RETURNING ${RECORDED_COLUMNS}`;
}

/**
 * Runs a statement that returns the rows it changes, and records them.
 *
 * @param query returns at least `RECORDED_COLUMNS`, or with no recorder anything
 */
export async function runRecorded(
  connection: SqlConnection,
  query: SqlQuery,
  recorders: readonly RowRecorder[],
): Promise<readonly SqlRow[]> {
  if (recorders.length > 0 && !connection.dialect.canWriteInSubqueries)
    return connection.exclusiveSteps('', () => recordedSteps(connection.dialect, query, recorders));
  const { text, values } = recordedQuery(query, recorders);
  return connection.run(text, ...values);
}

/** Returns the parts of a step of cleaning that record what it removes. */
export function recordedRemoval(
  connection: SqlConnection,
  recorders: readonly RowRecorder[],
): Pick<SweepInput, 'returning' | 'run' | 'remove' | 'recording'> {
  return {
    returning: RECORDED_COLUMNS,
    run: async ({ text, values }) => connection.run(text, ...values),
    remove: async (query) => runRecorded(connection, query, recorders),
    recording: (rows, values) => {
      const parameters = new Parameters(...values);
      const text = recordingSubqueries(recorders, rows, parameters);
      values.push(...parameters.values.slice(values.length));
      return text;
    },
  };
}

/** The same as a step of a transaction. */
export function* recordedSteps(
  { canWriteInSubqueries }: SqlDialect,
  query: SqlQuery,
  recorders: readonly RowRecorder[],
): SqlSteps<readonly SqlRow[]> {
  if (canWriteInSubqueries) return yield recordedQuery(query, recorders);
  const rows = yield query;
  if (rows.length > 0) for (const recorder of recorders) yield recorder.insertRows(rows);
  return rows;
}

function recordedQuery(query: SqlQuery, recorders: readonly RowRecorder[]): SqlQuery {
  if (recorders.length === 0) return query;
  const parameters = new Parameters(...query.values);
  const subqueries = recordingSubqueries(recorders, 'changed', parameters);
  return {
    text: `WITH changed AS (${query.text})${subqueries} SELECT * FROM changed`,
    values: parameters.values,
  };
}

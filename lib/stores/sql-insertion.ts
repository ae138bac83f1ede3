import { cutOffName, endedBefore } from './cut-offs.js';
import type { SessionTables } from './session-tables.js';
import type { SqlDialect, SqlQuery } from './sql-client.js';
import { returningClause, type RowRecorder } from './sql-recording.js';
import { COLUMNS } from './sql-rows.js';
import type { SessionRow } from './session-store.js';

/** Returns the statement that inserts a session, created at the cut-off at least. @param recorders of the inserted row */
export function insertion(
  tables: SessionTables,
  { greatest }: SqlDialect,
  row: SessionRow,
  recorders: readonly RowRecorder[],
): SqlQuery {
  const createdAt = `${greatest}($8, ${endedBefore(tables, 'CAST($12 AS TEXT)')})`;
  return {
    text: `INSERT INTO ${tables.sessions.sql} (app_id, ${COLUMNS})
         VALUES ('public', $1, $2, $3, $4, $5, $6, $7, ${createdAt}, $9, $10, $11)${returningClause(recorders)}`,
    values: [
      row.tenantId,
      row.sessionHandle,
      row.userId,
      row.refreshTokenHash2,
      row.sessionData,
      row.accessTokenPayload,
      row.expiresAtMs,
      row.createdAtMs,
      row.useStaticKey,
      row.prevRefreshTokenHash2 ?? null,
      row.rotatedAtMs ?? null,
      cutOffName(row.tenantId),
    ],
  };
}

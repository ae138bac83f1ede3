import { cutOffName, endedBefore, endedBeforeOfRow } from './cut-offs.js';
import { isStorableText, type SessionKey, type SessionRow, type SessionsOfUsers } from './session-store.js';
import type { SessionTables } from './session-tables.js';
import type { SqlDialect, SqlQuery, SqlValue } from './sql-client.js';
import { returningClause, type RowRecorder } from './sql-recording.js';
import { COLUMNS, OURS } from './sql-rows.js';

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

/** Returns the condition of one session that no cut-off has ended; `$1` to `$3` are {@link keyValues}. */
export function keyCondition(tables: SessionTables): string {
  return `${OURS} AND tenant_id = $1 AND session_handle = $2
      AND created_at_time >= ${endedBefore(tables, 'CAST($3 AS TEXT)')}`;
}

/** Returns the values of the condition of one session. */
export function keyValues({ tenantId, sessionHandle }: SessionKey): [string, string, string] {
  return [tenantId, sessionHandle, cutOffName(tenantId)];
}

/** Returns the condition that a row is one of these sessions, and no cut-off has ended it. */
export function keysCondition(
  tables: SessionTables,
  dialect: SqlDialect,
  keys: readonly SessionKey[],
): [condition: string, values: SqlValue[]] {
  const pairs = JSON.stringify(keys.map(({ tenantId, sessionHandle }) => [tenantId, sessionHandle]));
  const isNamed = dialect.inPairs(['tenant_id', 'session_handle'], '$1');
  return [`${OURS} AND ${isNamed} AND created_at_time >= ${endedBeforeOfRow(tables)}`, [pairs]];
}

/** Returns the condition that a row is a live session of these users. */
export function usersCondition(
  tables: SessionTables,
  dialect: SqlDialect,
  { userIds, tenantId, nowMs }: SessionsOfUsers,
): { condition: string; values: SqlValue[] } {
  // An id that cannot be stored has no sessions, and a driver could turn it into another user's id.
  const condition = `${OURS} AND ${dialect.inList('user_id', '$1')} AND expires_at >= $2
      AND created_at_time >= ${endedBeforeOfRow(tables)}`;
  const values = [JSON.stringify(userIds.filter(isStorableText)), nowMs];
  return tenantId === undefined
    ? { condition, values }
    : { condition: `${condition} AND tenant_id = $3`, values: [...values, tenantId] };
}

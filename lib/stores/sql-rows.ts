import type { SessionKey, SessionRow } from './session-store.js';
import type { SqlRow } from './sql-client.js';

/** The app of all rows; a Core with several apps keeps others beside it. */
export const OURS = `app_id = 'public'`;

const COLUMN_NAMES = [
  'tenant_id',
  'session_handle',
  'user_id',
  'refresh_token_hash_2',
  'session_data',
  'jwt_user_payload',
  'expires_at',
  'created_at_time',
  'use_static_key',
  'prev_refresh_token_hash_2',
  'refresh_token_rotated_at',
];
/** The columns of a session, in the order in which a row is inserted. */
export const COLUMNS = COLUMN_NAMES.join(', ');
/** The same, of the table `s`. */
export const COLUMNS_OF_S = COLUMN_NAMES.map((name) => `s.${name}`).join(', ');

/** BOOLEAN arrives as 0 or 1 from some drivers; a Core's own rows may lack the texts. */
export function sessionOf(row: SqlRow): SessionRow {
  const rotatedAt = row['refresh_token_rotated_at'];
  return {
    tenantId: textOf(row, 'tenant_id'),
    sessionHandle: handleOf(row),
    userId: textOf(row, 'user_id'),
    refreshTokenHash2: textOf(row, 'refresh_token_hash_2'),
    sessionData: optionalTextOf(row, 'session_data') ?? '{}',
    accessTokenPayload: optionalTextOf(row, 'jwt_user_payload') ?? '{}',
    expiresAtMs: numberOf(row, 'expires_at'),
    createdAtMs: numberOf(row, 'created_at_time'),
    useStaticKey: Boolean(row['use_static_key']),
    prevRefreshTokenHash2: optionalTextOf(row, 'prev_refresh_token_hash_2'),
    rotatedAtMs: rotatedAt === null ? undefined : numberOf(row, 'refresh_token_rotated_at'),
  };
}

export function keyOf(row: SqlRow): SessionKey {
  return { tenantId: textOf(row, 'tenant_id'), sessionHandle: handleOf(row) };
}

export function handleOf(row: SqlRow): string {
  return textOf(row, 'session_handle');
}

export function textOf(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`The column ${column} holds no text`);
  return value;
}

export function optionalTextOf(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}

/** BIGINT arrives as text from some drivers. */
export function numberOf(row: SqlRow, column: string): number {
  const value = Number(row[column]);
  if (!Number.isSafeInteger(value)) throw new TypeError(`The column ${column} holds no whole number`);
  return value;
}

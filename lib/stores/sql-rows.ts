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
export function toSessionRow(row: SqlRow): SessionRow {
  const rotatedAt = row['refresh_token_rotated_at'];
  return {
    tenantId: readText(row, 'tenant_id'),
    sessionHandle: toSessionHandle(row),
    userId: readText(row, 'user_id'),
    refreshTokenHash2: readText(row, 'refresh_token_hash_2'),
    sessionData: readOptionalText(row, 'session_data') ?? '{}',
    accessTokenPayload: readOptionalText(row, 'jwt_user_payload') ?? '{}',
    expiresAtMs: readNumber(row, 'expires_at'),
    createdAtMs: readNumber(row, 'created_at_time'),
    useStaticKey: Boolean(row['use_static_key']),
    prevRefreshTokenHash2: readOptionalText(row, 'prev_refresh_token_hash_2'),
    rotatedAtMs: rotatedAt === null ? undefined : readNumber(row, 'refresh_token_rotated_at'),
  };
}

export function toSessionKey(row: SqlRow): SessionKey {
  return { tenantId: readText(row, 'tenant_id'), sessionHandle: toSessionHandle(row) };
}

export function toSessionHandle(row: SqlRow): string {
  return readText(row, 'session_handle');
}

export function readText(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`The column ${column} holds no text`);
  return value;
}

export function readOptionalText(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : readText(row, column);
}

/** BIGINT arrives as text from some drivers. */
export function readNumber(row: SqlRow, column: string): number {
  const value = Number(row[column]);
  if (!Number.isSafeInteger(value)) throw new TypeError(`The column ${column} holds no whole number`);
  return value;
}

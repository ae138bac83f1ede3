import type { SessionKey, SessionRow } from './session-store.js';
import { readNumber, readOptionalText, readText, type SqlRow } from './sql-client.js';

/** The condition for the app of all our rows; a Core with several apps keeps others beside it. */
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
/** The columns of a session, in the order of an insertion. */
export const COLUMNS = COLUMN_NAMES.join(', ');
/** The columns of a session in the table `s`. */
export const COLUMNS_OF_S = COLUMN_NAMES.map((name) => `s.${name}`).join(', ');

/** Reads a session. Some drivers return BOOLEAN as 0 or 1, and a Core's own rows may lack the two texts. */
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

/** Reads the key of a session. */
export function toSessionKey(row: SqlRow): SessionKey {
  return { tenantId: readText(row, 'tenant_id'), sessionHandle: toSessionHandle(row) };
}

/** Reads the handle of a session. */
export function toSessionHandle(row: SqlRow): string {
  return readText(row, 'session_handle');
}

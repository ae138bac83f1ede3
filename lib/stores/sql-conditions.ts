import type { SessionChange, SessionCondition } from './session-store.js';
import type { SqlValue } from './sql-client.js';

type SessionColumnsChange = Omit<SessionChange, 'audit'>;

/** The columns of `SessionChange` and `SessionCondition`, with their SQL types. */
const CHANGEABLE = {
  refreshTokenHash2: ['refresh_token_hash_2', 'TEXT'],
  prevRefreshTokenHash2: ['prev_refresh_token_hash_2', 'TEXT'],
  rotatedAtMs: ['refresh_token_rotated_at', 'BIGINT'],
  expiresAtMs: ['expires_at', 'BIGINT'],
  useStaticKey: ['use_static_key', 'BOOLEAN'],
  sessionData: ['session_data', 'TEXT'],
  accessTokenPayload: ['jwt_user_payload', 'TEXT'],
} as const satisfies Record<keyof SessionColumnsChange, readonly [column: string, type: string]>;

/** The columns of a changed row that a statement returns for the records of it. */
export const RECORDED_COLUMNS = 'tenant_id, session_handle, user_id, created_at_time, expires_at';

/** The values of a statement under construction. */
export class Parameters {
  readonly values: SqlValue[];

  constructor(...values: SqlValue[]) {
    this.values = values;
  }

  /** Adds a value. @returns its placeholder, with a type that does not depend on the context */
  add(value: SqlValue, type: string): string {
    this.values.push(value);
    return `CAST($${this.values.length} AS ${type})`;
  }
}

/** Writes the SET clause; equal sets of members give equal texts, so that a prepared statement is used again. */
export function assignments(change: SessionChange, parameters: Parameters): string {
  const members = Object.keys(CHANGEABLE) as (keyof SessionColumnsChange)[];
  return members
    .flatMap((member) => {
      const [column, type] = CHANGEABLE[member];
      const value = change[member];
      return value === undefined ? [] : [`${column} = ${parameters.add(value, type)}`];
    })
    .join(', ');
}

/** Writes the conditions on a row. A Core's own rows may lack the two texts. */
export function conditions(where: SessionCondition, parameters: Parameters, table = ''): string[] {
  const { refreshTokenHash2, sessionData, accessTokenPayload, minExpiresAtMs } = where;
  const compare = (left: string, value: SqlValue | undefined, type: string): string[] =>
    value === undefined ? [] : [`${left} ${parameters.add(value, type)}`];
  return [
    ...compare(`${table}refresh_token_hash_2 =`, refreshTokenHash2, 'TEXT'),
    ...compare(`COALESCE(${table}session_data, '{}') =`, sessionData, 'TEXT'),
    ...compare(`COALESCE(${table}jwt_user_payload, '{}') =`, accessTokenPayload, 'TEXT'),
    ...compare(`${table}expires_at >=`, minExpiresAtMs, 'BIGINT'),
  ];
}

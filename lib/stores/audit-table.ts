import type { SqlDialect, SqlTable } from './sql-client.js';

/** Returns the statements of the audit trail's table. As for the revocations, a reader goes by the transaction of a record; within one session also by its number. */
export function createAuditTable(dialect: SqlDialect, audit: SqlTable): string[] {
  const index = (ending: string, columns: string): string =>
    `CREATE INDEX IF NOT EXISTS "${audit.name}_${ending}" ON ${audit.sql} (${columns})`;
  return [
    `CREATE TABLE IF NOT EXISTS ${audit.sql} (
  ${dialect.recordPosition},
  kind VARCHAR(32) NOT NULL,
  noted_at BIGINT NOT NULL,
  keep_until BIGINT NOT NULL,
  session_handle VARCHAR(255),
  tenant_id VARCHAR(64),
  user_id VARCHAR(128),
  created_at BIGINT,
  expires_at BIGINT,
  details TEXT
)`,
    ...(dialect.name === 'postgres' ? [index('written_by', 'written_by')] : []),
    index('session', 'session_handle, position'),
    index('user', 'user_id, position'),
    index('keep', 'keep_until'),
  ];
}

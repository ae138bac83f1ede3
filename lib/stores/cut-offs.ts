import { createHash } from 'node:crypto';
import { MAX_CLOCK_DIFFERENCE_MS } from '../feed/revocation-feed.js';
import type { SqlDialect, SqlQuery, SqlTable } from './sql-client.js';
import { RECORDED_COLUMNS } from './sql-conditions.js';
import { OURS } from './sql-rows.js';

/** The tables that cut-offs are about. */
interface CutOffTables {
  readonly sessions: SqlTable;
  readonly keyValue: SqlTable;
  readonly revocations: SqlTable;
}

/** The name of the row of `key_value` with the cut-off of all tenants; that of one tenant ends in an underscore and its id. */
const ENDED_BEFORE = 'nest_sessions_ended_before';

/** Returns the name of the row of `key_value` that holds a cut-off. */
export function cutOffName(tenantId: string | undefined): string {
  return tenantId === undefined ? ENDED_BEFORE : `${ENDED_BEFORE}_${tenantId}`;
}

/**
 * Returns the expression of the moment before which sessions have ended, 0 where there is none. Cut-offs are rows of
 * `key_value`, which every version of the tables has.
 *
 * @param tenantName expression of the name of the tenant's row
 */
export function endedBefore({ keyValue }: CutOffTables, tenantName: string): string {
  return `COALESCE((SELECT MAX(c.created_at_time) FROM ${keyValue.sql} AS c WHERE c.app_id = 'public'
    AND c.tenant_id = 'public' AND c.name IN ('${ENDED_BEFORE}', ${tenantName})), 0)`;
}

/** As {@link endedBefore}, for the tenant of each row of the sessions, or of a query that has another name. */
export function endedBeforeOfRow(tables: CutOffTables, rows: string = tables.sessions.sql): string {
  return endedBefore(tables, `'${ENDED_BEFORE}_' || ${rows}.tenant_id`);
}

/** Returns the query for whether there are cut-offs. */
export function anyCutOff({ keyValue }: CutOffTables): string {
  return `SELECT name FROM ${keyValue.sql} WHERE app_id = 'public' AND tenant_id = 'public'
    AND SUBSTR(name, 1, ${ENDED_BEFORE.length}) = '${ENDED_BEFORE}' LIMIT 1`;
}

/** Returns the statement that sets a cut-off unless it is later already. */
export function cutOffQuery(
  { keyValue }: CutOffTables,
  { greatest }: SqlDialect,
  { tenantId, createdBeforeMs }: { readonly tenantId: string | undefined; readonly createdBeforeMs: number },
): SqlQuery {
  return {
    text: `INSERT INTO ${keyValue.sql} AS known (app_id, tenant_id, name, value, created_at_time)
      VALUES ('public', 'public', $1, '', $2)
      ON CONFLICT (app_id, tenant_id, name)
      DO UPDATE SET created_at_time = ${greatest}(known.created_at_time, excluded.created_at_time)`,
    values: [cutOffName(tenantId), createdBeforeMs],
  };
}

/**
 * Returns the statement that removes the rows of a cut-off which seem to be created after it. They are few, so they are looked for by
 * their creation. SQLite would rather go over the table by its key, which begins with the app, unless it is told that this excludes
 * hardly any row.
 */
export function removalOfLater(
  { sessions }: CutOffTables,
  { name }: SqlDialect,
  { tenantId, createdBeforeMs }: { readonly tenantId: string | undefined; readonly createdBeforeMs: number },
): SqlQuery {
  const likely = name === 'sqlite' ? 'likely' : '';
  const ofTenant = tenantId === undefined ? '' : ` AND ${likely}(tenant_id = $2)`;
  return {
    text: `DELETE FROM ${sessions.sql} WHERE ${likely}(${OURS}) AND created_at_time >= $1${ofTenant}
      RETURNING ${RECORDED_COLUMNS}`,
    values: [createdBeforeMs, ...(tenantId === undefined ? [] : [tenantId])],
  };
}

/** Access tokens live as long as this at most, for a trigger that cannot know it. */
const DAY_SEC = 86_400;

/**
 * Returns the statements of a trigger that records the live sessions which any program removes. It runs once for each statement. Those
 * that a cut-off has ended are recorded already, as one.
 *
 * @param lifetime of an access token, seconds; true: at most a day
 */
export function createDeletionTrigger(tables: CutOffTables, lifetime: number | true): string[] {
  const { sessions, revocations } = tables;
  const name = revocations.sql.replace(/"([^"]*)"$/, '"$1_of_deleted"');
  const trigger = `"${revocations.name}_of_deleted"`;
  const lifetimeMs = (lifetime === true ? DAY_SEC : lifetime) * 1000;
  const isLive = `removed.app_id = 'public' AND removed.expires_at > now_ms
    AND removed.created_at_time >= ${endedBefore(tables, `'${ENDED_BEFORE}_' || removed.tenant_id`)}`;
  return [
    `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE now_ms BIGINT := CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT);
BEGIN
  INSERT INTO ${revocations.sql} (kind, subject, tenant_id, not_before, ends_at, reason)
  SELECT 'session', removed.session_handle, removed.tenant_id, now_ms, now_ms + ${lifetimeMs + MAX_CLOCK_DIFFERENCE_MS}, 'deleted'
  FROM removed WHERE ${isLive};
  IF FOUND THEN PERFORM pg_notify('${channelOf(tables)}', ''); END IF;
  RETURN NULL;
END $$`,
    `DROP TRIGGER IF EXISTS ${trigger} ON ${sessions.sql}`,
    `CREATE TRIGGER ${trigger} AFTER DELETE ON ${sessions.sql} REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION ${name}()`,
  ];
}

/** Returns the name of the channel on which changes of the table are announced. */
export function channelOf({ revocations }: CutOffTables): string {
  return `nest_sessions_${createHash('sha256').update(revocations.sql).digest('hex').slice(0, 16)}`;
}

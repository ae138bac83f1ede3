import {
  RevocationFeed,
  type Revocation,
  type RevocationNote,
  type RevocationPage,
} from '../feed/revocation-feed.js';
import { OURS, type SessionTables } from './schema.js';
import {
  readNumber,
  readOptionalText,
  readText,
  type SqlDialect,
  type SqlQuery,
  type SqlRow,
  type SqlValue,
} from './sql-client.js';
import type { SqlConnection } from './sql-connection.js';

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
export function endedBefore({ keyValue }: SessionTables, tenantName: string): string {
  return `COALESCE((SELECT MAX(c.created_at_time) FROM ${keyValue.sql} AS c WHERE c.app_id = 'public'
    AND c.tenant_id = 'public' AND c.name IN ('${ENDED_BEFORE}', ${tenantName})), 0)`;
}

/** As {@link endedBefore}, for the tenant of each row of the sessions. */
export function endedBeforeOfRow(tables: SessionTables): string {
  return endedBefore(tables, `'${ENDED_BEFORE}_' || ${tables.sessions.sql}.tenant_id`);
}

/** Returns the query for whether there are cut-offs. */
export function anyCutOff({ keyValue }: SessionTables): string {
  return `SELECT name FROM ${keyValue.sql} WHERE ${OURS} AND tenant_id = 'public'
    AND SUBSTR(name, 1, ${ENDED_BEFORE.length}) = '${ENDED_BEFORE}' LIMIT 1`;
}

/** Returns the statement that sets a cut-off unless it is later already. */
export function cutOffQuery(
  { keyValue }: SessionTables,
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

const COLUMNS = 'kind, subject, tenant_id, not_before, ends_at, reason, initiator';

/** The table of revocations as a feed: each instance reads what the others have written. */
export class SqlFeed extends RevocationFeed {
  constructor(
    private readonly connection: SqlConnection,
    private readonly tables: SessionTables,
  ) {
    super();
  }

  override get description(): string {
    return this.connection.description;
  }

  override get isPushing(): boolean {
    return this.connection.announcements?.isHeard === true;
  }

  override async publish(records: readonly Revocation[]): Promise<void> {
    if (records.length === 0) return;
    const { text, values } = this.insertion(records);
    await this.connection.run(text, ...values);
    this.announce();
  }

  /** Lets the other instances know of records that have been committed. */
  announce(): void {
    this.connection.announcements?.announce();
  }

  /** Returns the statement that writes records. */
  insertion(records: readonly Revocation[]): SqlQuery {
    return { text: this.insertionText('$1'), values: [JSON.stringify(records)] };
  }

  /**
   * Returns the statement that removes sessions and, with a note, writes a record of each in the same step.
   *
   * @param condition of the rows
   */
  deletion(condition: string, values: readonly SqlValue[], note: RevocationNote | undefined): SqlQuery {
    const text = `DELETE FROM ${this.tables.sessions.sql} WHERE ${condition} RETURNING tenant_id, session_handle`;
    if (note === undefined || !this.connection.dialect.canWriteInSubqueries) return { text, values };
    const { notBeforeMs, untilMs, reason = null, initiator = null } = note;
    const given = ['BIGINT', 'BIGINT', 'TEXT', 'TEXT'].map(
      (type, index) => `CAST($${values.length + 1 + index} AS ${type})`,
    );
    return {
      text: `WITH removed AS (${text}), noted AS (
          INSERT INTO ${this.tables.revocations.sql} (${COLUMNS})
          SELECT 'session', session_handle, tenant_id, ${given.join(', ')} FROM removed)
        SELECT tenant_id, session_handle FROM removed`,
      values: [...values, notBeforeMs, untilMs, reason, initiator],
    };
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    const { dialect } = this.connection;
    const query = dialect.name === 'postgres' ? this.readByTransaction(after) : this.readByNumber(after);
    const rows = await this.connection.readOfFeed(query);
    const position = readText(rows[0] ?? {}, 'reached');
    return { records: rows.filter((row) => row['kind'] !== null).map(toRevocation), position };
  }

  override subscribe(wake: () => void): () => Promise<void> {
    return this.connection.announcements?.listen(wake) ?? super.subscribe(wake);
  }

  override async sweep(beforeMs: number): Promise<void> {
    await this.connection.run(`DELETE FROM ${this.tables.revocations.sql} WHERE ends_at < $1`, beforeMs);
  }

  /**
   * Reads what was written by transactions that were not complete at the last read. A number in a row would not do, because a
   * lower one may be committed later. An open transaction that writes elsewhere makes records come again, and loses none.
   */
  private readByTransaction(after: string | undefined): SqlQuery {
    return {
      text: `SELECT now.reached, r.* FROM (SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS reached) AS now
        LEFT JOIN (SELECT written_by, ${COLUMNS} FROM ${this.tables.revocations.sql}) AS r
        ON r.written_by >= CAST(CAST($1 AS TEXT) AS xid8)`,
      values: [after ?? '0'],
    };
  }

  private readByNumber(after: string | undefined): SqlQuery {
    return {
      text: `SELECT now.reached, r.* FROM (
          SELECT CAST(MAX(COALESCE(MAX(position), 0), $1) AS TEXT) AS reached FROM ${this.tables.revocations.sql}) AS now
        LEFT JOIN (SELECT position, ${COLUMNS} FROM ${this.tables.revocations.sql}) AS r ON r.position > $1`,
      values: [Number(after ?? 0)],
    };
  }

  private insertionText(json: string): string {
    return `INSERT INTO ${this.tables.revocations.sql} (${COLUMNS}) ${this.connection.dialect.recordsOf(json)}`;
  }
}

/** Reads a record; numbers may come as text. What else is in the row is the reader's to check. */
function toRevocation(row: SqlRow): unknown {
  const [tenantId, reason, initiator] = ['tenant_id', 'reason', 'initiator'].map((name) =>
    readOptionalText(row, name),
  );
  return {
    kind: row['kind'],
    id: row['subject'],
    tenantId,
    notBeforeMs: readNumber(row, 'not_before'),
    untilMs: readNumber(row, 'ends_at'),
    ...(reason === undefined ? {} : { reason }),
    ...(initiator === undefined ? {} : { initiator }),
  };
}

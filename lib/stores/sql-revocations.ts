import {
  RevocationFeed,
  type Revocation,
  type RevocationNote,
  type RevocationPage,
} from '../feed/revocation-feed.js';
import { channelOf } from './cut-offs.js';
import type { SessionTables } from './schema.js';
import {
  readNumber,
  readOptionalText,
  readText,
  type SqlQuery,
  type SqlRow,
  type SqlValue,
} from './sql-client.js';
import type { SqlConnection } from './sql-connection.js';

/** A snapshot of no transaction. */
const NOTHING_VISIBLE = '1:1:';

const COLUMNS = 'kind, subject, tenant_id, not_before, ends_at, reason, initiator';

/** The table of revocations as a feed: each instance reads what the others have written. */
export class SqlFeed extends RevocationFeed {
  /** Instances whose tables have the same name in several schemas of one database wake each other, which does no harm. */
  private readonly channel: string;

  constructor(
    private readonly connection: SqlConnection,
    private readonly tables: SessionTables,
  ) {
    super();
    this.channel = channelOf(tables);
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
    this.connection.announcements?.announce(this.channel);
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
    return this.connection.announcements?.listen(this.channel, wake) ?? super.subscribe(wake);
  }

  override async sweep(beforeMs: number): Promise<void> {
    await this.connection.run(`DELETE FROM ${this.tables.revocations.sql} WHERE ends_at < $1`, beforeMs);
  }

  /**
   * Reads what has become visible since the snapshot of the last read. A number in a row would not do, because a lower one may be
   * committed later.
   *
   * The position is the start of the server, in milliseconds since the epoch, and a snapshot. The start is there because another one, such as a promoted standby or a restored backup, may have
   * given the numbers of transactions to others: there everything is read again.
   */
  private readByTransaction(after: string | undefined): SqlQuery {
    const [server = '', snapshot = ''] = (after ?? '').split('.');
    return {
      text: `SELECT now.server || '.' || CAST(pg_current_snapshot() AS TEXT) AS reached, r.* FROM (
          SELECT server, CAST(CASE WHEN server = CAST($1 AS TEXT) THEN CAST($2 AS TEXT) ELSE '${NOTHING_VISIBLE}' END AS pg_snapshot) AS last
          FROM (SELECT CAST(CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000 AS BIGINT) AS TEXT) AS server) AS this
        ) AS now
        LEFT JOIN (SELECT written_by, ${COLUMNS} FROM ${this.tables.revocations.sql}) AS r
        ON r.written_by >= pg_snapshot_xmin(now.last) AND NOT pg_visible_in_snapshot(r.written_by, now.last)`,
      values: isSnapshot(snapshot) ? [server, snapshot] : ['', NOTHING_VISIBLE],
    };
  }

  /**
   * SQLite keeps the highest number that was given, also when its record has been swept. A position beyond it is of another file,
   * or of this one before a backup was restored: there everything is read again.
   */
  private readByNumber(after: string | undefined): SqlQuery {
    const [position = '0'] = /^\d{1,15}$/.exec(after ?? '') ?? [];
    const { name, sql } = this.tables.revocations;
    return {
      text: `SELECT CAST(now.highest AS TEXT) AS reached, r.* FROM (
          SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = $1), 0) AS highest) AS now
        LEFT JOIN (SELECT position, ${COLUMNS} FROM ${sql}) AS r
        ON r.position > CASE WHEN $2 > now.highest THEN 0 ELSE $2 END`,
      values: [name, Number(position)],
    };
  }

  private insertionText(json: string): string {
    return `INSERT INTO ${this.tables.revocations.sql} (${COLUMNS}) ${this.connection.dialect.recordsOf(json)}`;
  }
}

/** Returns whether PostgreSQL reads a text as a snapshot: `xmin:xmax:`, and what was open in between. */
function isSnapshot(text: string): boolean {
  const found = /^([1-9]\d{0,17}):([1-9]\d{0,17}):((?:\d{1,18}(?:,\d{1,18})*)?)$/.exec(text);
  if (found === null) return false;
  const [first, last, ...open] = [found[1], found[2], ...(found[3] ?? '').split(',')].map((n) =>
    BigInt(n ?? 0),
  );
  if (first === undefined || last === undefined || first > last) return false;
  return found[3] === '' || open.every((each, n) => each >= (open[n - 1] ?? first) && each < last);
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

import {
  RECORDS_OF_A_PAGE,
  RevocationFeed,
  sessionRevocation,
  type Revocation,
  type RevocationNote,
  type RevocationPage,
} from '../feed/revocation-feed.js';
import { channelOf } from './cut-offs.js';
import type { SessionTables } from './session-tables.js';
import { readNumber, readOptionalText, readText, type SqlQuery, type SqlRow } from './sql-client.js';
import type { SqlConnection } from './sql-connection.js';
import type { RowRecorder } from './sql-recording.js';
import { toSessionKey } from './sql-rows.js';

/** A snapshot of no transaction. */
export const NOTHING_VISIBLE = '1:1:';
/** The start of the server, milliseconds since the epoch, as text. */
export const SERVER_START =
  'CAST(CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000 AS BIGINT) AS TEXT)';
/** A longer snapshot is shortened while a position holds two. */
const LONGEST_SNAPSHOT = 8000;

/** The members of a revocation in the order of their columns. */
const MEMBERS = ['kind', 'id', 'tenantId', 'notBeforeMs', 'untilMs', 'reason', 'initiator'];
const COLUMNS = 'kind, subject, tenant_id, not_before, ends_at, reason, initiator';

/** The table of revocations as a feed: each instance reads what the others have written. */
export class SqlFeed extends RevocationFeed {
  constructor(private readonly connection: SqlConnection) {
    super();
  }

  /** Known once the connection is prepared. */
  private get tables(): SessionTables {
    return this.connection.tables;
  }

  override get description(): string {
    return this.connection.description;
  }

  override get isPushing(): boolean {
    return this.connection.announcements?.isHeard === true;
  }

  override async publish(records: readonly Revocation[]): Promise<void> {
    if (records.length === 0) return;
    await this.connection.prepare();
    const { text, values } = this.insertion(records);
    await this.connection.run(text, ...values);
    this.announce();
  }

  /** Lets the other instances know of records that have been committed. */
  announce(): void {
    this.connection.announcements?.announce(channelOf(this.tables));
  }

  /** Returns the statement that writes records. */
  insertion(records: readonly Revocation[]): SqlQuery {
    return { text: this.insertionText('$1'), values: [JSON.stringify(records)] };
  }

  /** Returns what writes a record of each removed session; none without a note. */
  recorders(note: RevocationNote | undefined): RowRecorder[] {
    if (note === undefined) return [];
    const { notBeforeMs, untilMs, reason = null, initiator = null } = note;
    return [
      {
        insertFrom: (rows, parameters) =>
          `INSERT INTO ${this.tables.revocations.sql} (${COLUMNS})
          SELECT 'session', session_handle, tenant_id, ${parameters.add(notBeforeMs, 'BIGINT')},
            ${parameters.add(untilMs, 'BIGINT')}, ${parameters.add(reason, 'TEXT')}, ${parameters.add(initiator, 'TEXT')}
          FROM ${rows}`,
        insertRows: (rows) =>
          this.insertion(Array.from(rows, (row) => sessionRevocation(toSessionKey(row), note))),
      },
    ];
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    await this.connection.prepare();
    return this.connection.dialect.name === 'postgres'
      ? this.readByTransaction(after)
      : this.readByNumber(after);
  }

  override subscribe(wake: () => void): () => Promise<void> {
    const channel = async (): Promise<string> => {
      await this.connection.prepare();
      return channelOf(this.tables);
    };
    return this.connection.announcements?.listen(channel, wake) ?? super.subscribe(wake);
  }

  override async sweep(beforeMs: number): Promise<void> {
    await this.connection.prepare();
    await this.connection.run(`DELETE FROM ${this.tables.revocations.sql} WHERE ends_at < $1`, beforeMs);
  }

  /**
   * Reads what has become visible since the snapshot of the last read. A number in a row would not do, because a lower one may be
   * committed later.
   *
   * Between two pages the position also holds the last transaction of the page, and the snapshot that counts after the last page: the
   * one of the first page, because what has become visible since may stand in front of that transaction.
   *
   * The snapshots of a standby do not name open transactions, so what these commit later would be lost: there every read is of
   * everything. After its promotion it has begun at the same time as before, so even a position of the standby could be taken.
   */
  private async readByTransaction(after: string | undefined): Promise<RevocationPage> {
    const place = parsePlace(after);
    const rows = await this.connection.readOfFeed(this.pageByTransaction(place));
    const [now = {}] = rows;
    const [server, snapshot] = [readText(now, 'server'), readText(now, 'snapshot')];
    const found = rows.filter((row) => row['kind'] !== null);
    const records = found.map(toRevocation);
    const { seen, target = snapshot } = server === place.server ? place : NO_PLACE;
    const last = found.length < RECORDS_OF_A_PAGE ? undefined : found.at(-1);
    if (last === undefined)
      return { records, position: `${server}.${target}`, mayHaveMore: target !== snapshot };
    const position = [server, shortened(seen), shortened(target), readText(last, 'writer')].join('.');
    return { records, position, mayHaveMore: true };
  }

  /**
   * A page ends with a transaction, and its order is that of an index, so that it reads no more than it returns, however many records
   * there are. The upper limit excludes no record; by it the planner knows that the range may be short, also before it has statistics.
   */
  private pageByTransaction({ server, seen, writer }: Place): SqlQuery {
    return {
      text: `WITH now AS MATERIALIZED (
          SELECT server, pg_current_snapshot() AS current, pg_is_in_recovery() AS is_standby,
            CAST(CASE WHEN server = CAST($1 AS TEXT) THEN CAST($2 AS TEXT) ELSE '${NOTHING_VISIBLE}' END AS pg_snapshot) AS seen,
            CAST(CASE WHEN server = CAST($1 AS TEXT) THEN CAST($3 AS TEXT) ELSE '0' END AS xid8) AS writer
          FROM (SELECT ${SERVER_START} AS server) AS this)
        SELECT now.server, r.*,
          CASE WHEN now.is_standby THEN '${NOTHING_VISIBLE}' ELSE CAST(now.current AS TEXT) END AS snapshot FROM now LEFT JOIN (
          SELECT CAST(written_by AS TEXT) AS writer, ${COLUMNS} FROM ${this.tables.revocations.sql}
          WHERE written_by >= (SELECT GREATEST(pg_snapshot_xmin(seen), writer) FROM now)
            AND written_by < (SELECT pg_snapshot_xmax(current) FROM now)
            AND written_by <> (SELECT writer FROM now)
            AND NOT pg_visible_in_snapshot(written_by, (SELECT seen FROM now))
          ORDER BY written_by FETCH FIRST ${RECORDS_OF_A_PAGE} ROWS WITH TIES) AS r ON TRUE`,
      values: [server, seen, writer],
    };
  }

  /**
   * SQLite keeps the highest number that was given, also when its record has been swept. A position beyond it is of another file,
   * or of this one before a backup was restored: there everything is read again.
   */
  private async readByNumber(after: string | undefined): Promise<RevocationPage> {
    const [position = '0'] = /^\d{1,15}$/.exec(after ?? '') ?? [];
    const { name, sql } = this.tables.revocations;
    const rows = await this.connection.readOfFeed({
      text: `SELECT CAST(now.highest AS TEXT) AS reached, r.* FROM (
          SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = $1), 0) AS highest) AS now
        LEFT JOIN (SELECT position, ${COLUMNS} FROM ${sql}) AS r
        ON r.position > CASE WHEN $2 > now.highest THEN 0 ELSE $2 END
        ORDER BY r.position LIMIT ${RECORDS_OF_A_PAGE}`,
      values: [name, Number(position)],
    });
    const records = rows.filter((row) => row['kind'] !== null);
    const mayHaveMore = records.length === RECORDS_OF_A_PAGE;
    return {
      records: records.map(toRevocation),
      position: mayHaveMore
        ? String(readNumber(rows.at(-1) ?? {}, 'position'))
        : readText(rows[0] ?? {}, 'reached'),
      mayHaveMore,
    };
  }

  private insertionText(json: string): string {
    return `INSERT INTO ${this.tables.revocations.sql} (${COLUMNS}) ${this.connection.dialect.recordsOf(json, MEMBERS)}`;
  }
}

/** The position of a reader of PostgreSQL. */
interface Place {
  /** The start of the server, milliseconds since the epoch: another one, such as a promoted standby, may give the numbers of transactions to others. */
  readonly server: string;
  /** The snapshot whose records are known. */
  readonly seen: string;
  /** Between two pages: the snapshot whose records are known after the last page. */
  readonly target: string | undefined;
  /** Between two pages: the transaction of the last record; 0 otherwise. */
  readonly writer: string;
}

const NO_PLACE: Place = { server: '', seen: NOTHING_VISIBLE, target: undefined, writer: '0' };

/** Reads a position; where it is none of ours, reading begins anew. */
function parsePlace(text = ''): Place {
  const [server = '', seen = '', target, writer = '0', ...rest] = text.split('.');
  const isPlace =
    rest.length === 0 &&
    isSnapshot(seen) &&
    (target === undefined || isSnapshot(target)) &&
    /^\d{1,18}$/.test(writer);
  return isPlace ? { server, seen, target, writer } : NO_PLACE;
}

/** Returns a snapshot that fits into a position beside another one; of a long one without what was committed beside open transactions, which is read twice then. */
export function shortened(snapshot: string): string {
  if (snapshot.length <= LONGEST_SNAPSHOT) return snapshot;
  const [first = ''] = snapshot.split(':');
  return `${first}:${first}:`;
}

/** Returns whether PostgreSQL reads a text as a snapshot: `xmin:xmax:`, and what was open in between. */
export function isSnapshot(text: string): boolean {
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

import {
  noteOfRemoved,
  parseDetails,
  type AuditEntry,
  type AuditKind,
  type AuditNote,
  type AuditRecord,
} from '../audit/audit-record.js';
import { AuditTrail, type AuditPage, type AuditSearch } from '../audit/audit-trail.js';
import type { SessionTables } from './session-tables.js';
import { readNumber, readOptionalText, readText, type SqlQuery, type SqlRow } from './sql-client.js';
import type { Parameters } from './sql-conditions.js';
import type { SqlConnection } from './sql-connection.js';
import { readByNumber, readBySnapshot, readNewest } from './sql-audit-pages.js';
import type { RowRecorder } from './sql-recording.js';

const COLUMNS =
  'kind, noted_at, keep_until, session_handle, tenant_id, user_id, created_at, expires_at, details';
/** The members of an entry in the order of the columns. */
const MEMBERS = [
  'kind',
  'timeMs',
  'keepUntilMs',
  'sessionHandle',
  'tenantId',
  'recipeUserId',
  'sessionCreatedAtMs',
  'sessionExpiresAtMs',
  'details',
];

/** The table of the audit trail. */
export class SqlTrail extends AuditTrail {
  constructor(private readonly connection: SqlConnection) {
    super();
  }

  /** Known once the connection is prepared. */
  private get tables(): SessionTables {
    return this.connection.tables;
  }

  override async append(entries: readonly AuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.connection.prepare();
    const { text, values } = this.insertion(entries);
    await this.connection.run(text, ...values);
  }

  /** Returns the statement that writes entries. */
  insertion(entries: readonly AuditEntry[]): SqlQuery {
    const rows = entries.map(({ subject, details, ...note }) => ({
      ...note,
      ...subject,
      details: JSON.stringify(details),
    }));
    return {
      text: `INSERT INTO ${this.tables.audit.sql} (${COLUMNS}) ${this.connection.dialect.recordsOf('$1', MEMBERS)}`,
      values: [JSON.stringify(rows)],
    };
  }

  /** Returns what writes a record of each changed row; none without a note. */
  recorders(note: AuditNote | undefined): RowRecorder[] {
    if (note === undefined) return [];
    return [
      {
        insertFrom: (rows, parameters) => this.insertFrom(rows, parameters, note),
        insertRows: (rows) => this.insertion(rows.map((row) => entryOfRow(row, note))),
      },
    ];
  }

  private insertFrom(rows: string, parameters: Parameters, note: AuditNote): string {
    const [kind, at, keep, details] = [
      parameters.add(note.kind, 'TEXT'),
      parameters.add(note.timeMs, 'BIGINT'),
      parameters.add(note.keepUntilMs, 'BIGINT'),
      parameters.add(JSON.stringify(note.details), 'TEXT'),
    ];
    const ifOver = (over: string, other: string): string =>
      note.kind === 'session.revoked'
        ? `CASE WHEN expires_at <= ${at} THEN ${over} ELSE ${other} END`
        : other;
    return `INSERT INTO ${this.tables.audit.sql} (${COLUMNS})
      SELECT ${ifOver(`'session.expired'`, kind)}, ${at}, ${keep}, session_handle, tenant_id, user_id, created_at_time,
        expires_at, ${ifOver(`'{}'`, details)} FROM ${rows}`;
  }

  override async read(search: AuditSearch): Promise<AuditPage> {
    await this.connection.prepare();
    const { dialect } = this.connection;
    const readPage = search.newestFirst
      ? readNewest
      : dialect.name === 'postgres'
        ? readBySnapshot
        : readByNumber;
    const { rows, next, mayHaveMore } = await readPage(
      { run: async (query) => this.connection.readOfFeed(query), table: this.tables.audit.sql, dialect },
      search,
    );
    return { records: rows.map(toRecord), mayHaveMore, ...(next === undefined ? {} : { next }) };
  }

  override async sweep(nowMs: number, limit: number): Promise<{ mayHaveMore: boolean }> {
    await this.connection.prepare();
    const table = this.tables.audit.sql;
    const removed = await this.connection.run(
      `DELETE FROM ${table} WHERE position IN (
        SELECT position FROM ${table} WHERE keep_until <= $1 ORDER BY keep_until LIMIT $2) RETURNING position`,
      nowMs,
      limit,
    );
    return { mayHaveMore: removed.length >= limit };
  }
}

function entryOfRow(row: SqlRow, note: AuditNote): AuditEntry {
  const sessionExpiresAtMs = readNumber(row, 'expires_at');
  return {
    ...noteOfRemoved(note, sessionExpiresAtMs),
    subject: {
      sessionHandle: readText(row, 'session_handle'),
      tenantId: readText(row, 'tenant_id'),
      recipeUserId: readText(row, 'user_id'),
      sessionCreatedAtMs: readNumber(row, 'created_at_time'),
      sessionExpiresAtMs,
    },
  };
}

/** The time is part of the id, because a database that was restored from a backup gives numbers again. */
function toRecord(row: SqlRow): AuditRecord {
  const timeMs = readNumber(row, 'noted_at');
  const text = (name: string, column: string): object => {
    const value = readOptionalText(row, column);
    return value === undefined ? {} : { [name]: value };
  };
  const number = (name: string, column: string): object =>
    row[column] === null ? {} : { [name]: readNumber(row, column) };
  return {
    ...parseDetails(readOptionalText(row, 'details') ?? '{}'),
    id: `${timeMs.toString(36)}-${readNumber(row, 'position').toString(36)}`,
    kind: readText(row, 'kind') as AuditKind,
    timeMs,
    ...text('sessionHandle', 'session_handle'),
    ...text('tenantId', 'tenant_id'),
    ...text('recipeUserId', 'user_id'),
    ...number('sessionCreatedAtMs', 'created_at'),
    ...number('sessionExpiresAtMs', 'expires_at'),
  };
}

import { CoreBadInputError } from '../errors.js';
import { cutOffEntry, noteOfCutOff, type AuditNote } from '../audit/audit-record.js';
import { cutOffRevocation, type RevocationNote } from '../feed/revocation-feed.js';
import { selectSurplus } from '../util/session-cap.js';
import {
  isStorableText,
  type FoundSession,
  type LimitedInsert,
  type RowLimit,
  type SessionChange,
  type SessionCondition,
  type SessionCountStep,
  type SessionCutOff,
  type SessionKey,
  type SessionPage,
  type SessionRow,
  type SessionSearch,
  type SessionsOfUsers,
  type UpdateOnRead,
} from './session-store.js';
import type { TableNames } from './session-tables.js';
import { COLUMNS, COLUMNS_OF_S, toSessionHandle, toSessionKey, toSessionRow } from './sql-rows.js';
import type { SqlClient, SqlQuery, SqlSteps, SqlValue } from './sql-client.js';
import { SqlConnection } from './sql-connection.js';
import { DEFAULT_RETRY, type RetryPolicy } from '../util/retries.js';
import { assignments, conditions, Parameters, RECORDED_COLUMNS } from './sql-conditions.js';
import { SqlKeyStore } from './sql-keys.js';
import { anyCutOff, cutOffQuery, endedBeforeOfRow, removalOfLater } from './cut-offs.js';
import { SqlTrail } from './sql-audit.js';
import { SqlValues } from './sql-values.js';
import { SqlFeed } from './sql-revocations.js';
import {
  recordedSteps,
  recordedRemoval,
  recordingSubqueries,
  runRecorded,
  type RowRecorder,
} from './sql-recording.js';
import { SqlSearch } from './sql-search.js';
import { insertion, keyCondition, keysCondition, keyValues, usersCondition } from './sql-statements.js';

/** The checked options that all SQL stores have. */
export interface SqlStoreOptions extends TableNames {
  readonly migrate?: boolean | undefined;
}

/**
 * Sessions in the tables of a SuperTokens Core, on any SQL database that has a client.
 *
 * Each method is one statement on its happy path. READ COMMITTED, PostgreSQL's default, is strict enough: each statement
 * decides about the one row that it changes in its WHERE clause, and PostgreSQL evaluates that again after a wait for
 * another writer of the row. Stricter levels only add failures to retry. SQLite has one writer at a time. The few methods
 * that depend on the *absence* of rows take a lock (`exclusively`).
 *
 * @see docs/protocol/core.md B15, C
 */
export class SqlStore extends SqlKeyStore {
  private readonly feed: SqlFeed;
  private readonly trail: SqlTrail;
  private readonly search: SqlSearch;
  private sweepPosition: number | undefined;

  constructor(client: SqlClient, options: SqlStoreOptions = {}, retry: RetryPolicy = DEFAULT_RETRY) {
    const { migrate: isMigrating = true, ...names } = options;
    super(new SqlConnection(client, names, { isMigrating, retry }));
    this.feed = new SqlFeed(this.connection);
    this.trail = new SqlTrail(this.connection);
    this.search = new SqlSearch(this.connection);
  }

  override get revocations(): SqlFeed {
    return this.feed;
  }

  override get audit(): SqlTrail {
    return this.trail;
  }

  override get sharedValues(): SqlValues {
    return new SqlValues(this.connection);
  }

  override get description(): string {
    return this.connection.description;
  }

  /** Opens the database and brings the tables up to date: once, and again only after a failure. */
  async prepare(): Promise<void> {
    return this.connection.prepare();
  }

  /** @internal Leaves the tables as they are, whatever the option `migrate` says: for tools that look at a store. */
  keepTables(): void {
    this.connection.keepTables();
  }

  /** @internal Returns the statements that {@link migrate} would run; none where the tables are up to date. */
  async planMigration(): Promise<readonly string[]> {
    return this.connection.planMigration();
  }

  /** @internal Brings the tables up to date. */
  async migrate(): Promise<void> {
    await this.connection.prepare();
    return this.connection.migrate();
  }

  /** Leaves it to the primary key to refuse a handle that exists. */
  override async insertSession(row: SessionRow, audit?: AuditNote): Promise<void> {
    await this.connection.prepare();
    const recorders = this.trail.recorders(audit);
    const query = insertion(this.tables, this.connection.dialect, row, recorders);
    await this.insertChecked(row, () => runRecorded(this.connection, query, recorders));
  }

  /**
   * Takes a lock for these users in this tenant, because no row can guard a number of rows; sign-ins of other users do not
   * wait. It is two or three statements, and each sees the rows that were committed before it.
   */
  override async insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    await this.connection.prepare();
    const userIds = [...new Set(limit.userIds)].sort();
    const lock = JSON.stringify([this.tables.sessions.sql, row.tenantId, userIds]);
    const inserted = await this.insertChecked(row, () =>
      this.connection.exclusiveSteps(lock, () => this.insertWithin({ ...limit, userIds }, row)),
    );
    if (limit.note && inserted.isInserted && inserted.removedHandles.length > 0) this.feed.announce();
    return inserted;
  }

  private *insertWithin(limit: RowLimit, row: SessionRow): SqlSteps<LimitedInsert> {
    const { condition, values } = this.conditionForUsers({ ...limit, tenantId: row.tenantId });
    const live = yield {
      text: `SELECT tenant_id, session_handle FROM ${this.tables.sessions.sql}
        WHERE ${condition} ORDER BY created_at_time, session_handle`,
      values,
    };
    const surplus = selectSurplus(live, limit.max);
    if (surplus.length > 0 && limit.whenExceeded === 'refuse') return { isInserted: false };
    const removed =
      surplus.length === 0
        ? []
        : yield* recordedSteps(
            this.connection.dialect,
            this.deletion(...this.conditionForKeys(Array.from(surplus, toSessionKey))),
            this.recorders(limit.note, limit.audit?.ended),
          );
    const recorders = this.trail.recorders(limit.audit?.created);
    const { dialect } = this.connection;
    yield* recordedSteps(dialect, insertion(this.tables, dialect, row, recorders), recorders);
    return { isInserted: true, removedHandles: Array.from(removed, toSessionHandle) };
  }

  /** Inserts a row. @throws {CoreBadInputError} its user id or its tenant cannot be stored */
  private async insertChecked<T>(row: SessionRow, insert: () => Promise<T>): Promise<T> {
    if (!isStorableText(row.userId)) {
      throw new CoreBadInputError(
        'The user id contains NUL or half a surrogate pair, which no database can keep',
      );
    }
    try {
      return await insert();
    } catch (error) {
      if (!this.connection.dialect.isForeignKeyViolation(error)) throw error;
      throw new CoreBadInputError(
        `The tenant ${row.tenantId} is not in the table of tenants that the SuperTokens Core made: create it there first`,
        { cause: error },
      );
    }
  }

  /** Reads one row by its primary key. */
  override async findSession(key: SessionKey): Promise<SessionRow | undefined> {
    await this.connection.prepare();
    const [row] = await this.connection.run(
      `SELECT ${COLUMNS} FROM ${this.tables.sessions.sql} WHERE ${this.theSession}`,
      ...keyValues(key),
    );
    return row && toSessionRow(row);
  }

  /** Concurrent updates of a row wait for each other, and then check the condition again. */
  override async update(
    key: SessionKey,
    where: SessionCondition,
    change: SessionChange,
  ): Promise<SessionRow | undefined> {
    await this.connection.prepare();
    const parameters = new Parameters(...keyValues(key));
    const text = `UPDATE ${this.tables.sessions.sql} SET ${assignments(change, parameters)}
       WHERE ${[this.theSession, ...conditions(where, parameters)].join(' AND ')} RETURNING ${COLUMNS}`;
    const query = { text, values: parameters.values };
    const [row] = await runRecorded(this.connection, query, this.trail.recorders(change.audit));
    return row && toSessionRow(row);
  }

  /**
   * One statement on PostgreSQL. It reads by its snapshot: where the update waits for another writer and then does not
   * happen, the returned row is the one before that write, and the caller reads again. The row is read first, so that the
   * usual refresh, which updates no row, does not search for one to update.
   */
  override async findAndUpdate(key: SessionKey, update: UpdateOnRead): Promise<FoundSession> {
    await this.connection.prepare();
    if (!this.connection.dialect.canWriteInSubqueries) return super.findAndUpdate(key, update);
    const { where, change, unlessMentioned } = update;
    const table = this.tables.sessions.sql;
    const parameters = new Parameters(...keyValues(key));
    const isWanted = [
      ...conditions(where, parameters, 'found.'),
      // `_` stands for any character here: at worst a row is updated by a statement of its own.
      ...unlessMentioned.map(
        (name) => `COALESCE(found.jwt_user_payload, '{}') NOT LIKE ${parameters.add(`%"${name}"%`, 'TEXT')}`,
      ),
      `s.app_id = 'public' AND s.tenant_id = $1 AND s.session_handle = $2`,
      ...conditions(where, parameters, 's.'),
    ];
    const [row] = await this.connection.run(
      `WITH found AS (SELECT ${COLUMNS} FROM ${table} WHERE ${this.theSession}),
       updated AS (
         UPDATE ${table} AS s SET ${assignments(change, parameters)}
         FROM found WHERE ${isWanted.join(' AND ')}
         RETURNING ${COLUMNS_OF_S})${recordingSubqueries(this.trail.recorders(change.audit), 'updated', parameters)}
       SELECT ${COLUMNS}, TRUE AS is_updated FROM updated
       UNION ALL SELECT ${COLUMNS}, FALSE FROM found WHERE NOT EXISTS (SELECT 1 FROM updated)`,
      ...parameters.values,
    );
    return { row: row && toSessionRow(row), isUpdated: row?.['is_updated'] === true };
  }

  /** Of concurrent calls one removes a row and returns its handle. They may deadlock, and then one is repeated. */
  override async deleteSessions(
    keys: readonly SessionKey[],
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    await this.connection.prepare();
    return this.remove(this.deletion(...this.conditionForKeys(keys)), note, audit);
  }

  /** A session that begins after the statement stays. */
  override async deleteSessionsOfUsers(
    input: SessionsOfUsers,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    await this.connection.prepare();
    const { condition, values } = this.conditionForUsers(input);
    const { createdBeforeMs } = input;
    if (createdBeforeMs === undefined) return this.remove(this.deletion(condition, values), note, audit);
    const isBefore = `${condition} AND created_at_time < $${values.length + 1}`;
    return this.remove(this.deletion(isBefore, [...values, createdBeforeMs]), note, audit);
  }

  /** One row is written, and one record. A cut-off that is there already stays if it is later. */
  override async endSessionsCreatedBefore(
    cutOff: SessionCutOff,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<void> {
    await this.connection.prepare();
    const { tenantId, includesPresent } = cutOff;
    const { tables, feed, trail } = this;
    const { dialect } = this.connection;
    await this.connection.exclusiveSteps(`${tables.keyValue.sql} cut-offs`, function* () {
      yield cutOffQuery(tables, dialect, cutOff);
      if (audit) yield trail.insertion([cutOffEntry(audit, tenantId)]);
      const recorders = trail.recorders(audit && noteOfCutOff(audit));
      if (includesPresent) yield* recordedSteps(dialect, removalOfLater(tables, dialect, cutOff), recorders);
      if (note) yield feed.insertion([cutOffRevocation(tenantId, note)]);
    });
    if (note) feed.announce();
  }

  /** Removes rows, and writes the records of them in the same transaction. */
  private async remove(
    deletion: SqlQuery,
    note: RevocationNote | undefined,
    audit: AuditNote | undefined,
  ): Promise<string[]> {
    const rows = await runRecorded(this.connection, deletion, this.recorders(note, audit));
    if (note && rows.length > 0) this.feed.announce();
    return Array.from(rows, toSessionHandle);
  }

  private deletion(condition: string, values: readonly SqlValue[]): SqlQuery {
    return {
      text: `DELETE FROM ${this.tables.sessions.sql} WHERE ${condition} RETURNING ${RECORDED_COLUMNS}`,
      values,
    };
  }

  private recorders(note: RevocationNote | undefined, audit: AuditNote | undefined): RowRecorder[] {
    return [...this.feed.recorders(note), ...this.trail.recorders(audit)];
  }

  private conditionForKeys(keys: readonly SessionKey[]): [condition: string, values: SqlValue[]] {
    return keysCondition(this.tables, this.connection.dialect, keys);
  }

  /** Reads a snapshot of committed rows. */
  override async findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]> {
    await this.connection.prepare();
    const { condition, values } = this.conditionForUsers(input);
    const rows = await this.connection.run(
      `SELECT session_handle FROM ${this.tables.sessions.sql} WHERE ${condition}`,
      ...values,
    );
    return Array.from(rows, toSessionHandle);
  }

  override async searchSessions(search: SessionSearch): Promise<SessionPage> {
    return this.search.page(search);
  }

  override async countSessions(search: SessionSearch): Promise<SessionCountStep> {
    return this.search.count(search);
  }

  /** Begins where the last step ended. Each row is checked again when it is removed, so several instances may sweep at once. */
  override async deleteExpiredSessions(
    nowMs: number,
    limit: number,
    audit?: AuditNote,
  ): Promise<{ mayHaveMore: boolean }> {
    await this.connection.prepare();
    const { connection } = this;
    const position = this.sweepPosition;
    const cutOffs = await this.connection.run(anyCutOff(this.tables));
    const isCutOff = `created_at_time < ${endedBeforeOfRow(this.tables)}`;
    this.sweepPosition = await connection.dialect.sweep(this.tables.sessions, {
      nowMs,
      limit,
      position,
      alsoEnded: cutOffs.length > 0 ? isCutOff : undefined,
      ...recordedRemoval(connection, this.trail.recorders(audit)),
    });
    return { mayHaveMore: this.sweepPosition !== undefined };
  }

  private get theSession(): string {
    return keyCondition(this.tables);
  }

  private conditionForUsers(input: SessionsOfUsers): { condition: string; values: SqlValue[] } {
    return usersCondition(this.tables, this.connection.dialect, input);
  }
}

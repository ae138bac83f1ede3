import { CoreBadInputError } from '../errors.js';
import {
  SessionStore,
  type FoundSession,
  type LimitedInsert,
  type Promotion,
  type RowLimit,
  type SessionKey,
  type SessionRow,
  type SessionsOfUsers,
  type StoredDynamicKey,
  type StoredStaticKey,
} from './session-store.js';
import { sessionTables, type SchemaOptions, type SessionTables } from './schema.js';
import type { SqlClient, SqlQuery, SqlSteps, SqlValue } from './sql-client.js';
import { SqlConnection } from './sql-connection.js';
import { SqlKeys } from './sql-keys.js';
import { DEFAULT_RETRY, type RetryPolicy } from './sql-retry.js';
import { COLUMNS, COLUMNS_OF_S, toSessionHandle, toSessionKey, OURS, toSessionRow } from './sql-rows.js';

/** What the SQL stores have in common. */
export interface SqlStoreOptions extends SchemaOptions {
  /**
   * Makes and completes the tables before the first statement. Default true. With false the store takes what is there;
   * `schemaSql` gives the statements.
   */
  migrate?: boolean;
}

const THE_SESSION = `${OURS} AND tenant_id = $1 AND session_handle = $2`;
/** What a promotion changes in the row `s`; the values are those of `promotionValues`. */
const PROMOTED = `
  refresh_token_hash_2 = $4,
  prev_refresh_token_hash_2 = CAST($3 AS TEXT),
  refresh_token_rotated_at = CAST($7 AS BIGINT),
  expires_at = $5,
  use_static_key = COALESCE(CAST($6 AS BOOLEAN), s.use_static_key)`;

/**
 * Sessions in the tables of a SuperTokens Core, on any SQL database there is a client for.
 *
 * Each method is one statement on its happy path. READ COMMITTED, PostgreSQL's default, suffices for them: each decides
 * on the one row that it changes, in its WHERE clause, which PostgreSQL evaluates again when it had to wait for
 * another writer of that row; stricter levels only add failures to retry. SQLite has one writer at a time. The few
 * cases in which rows that are *not* there decide take a lock (`exclusively`).
 *
 * @see docs/protocol/core.md B15, C
 */
export class SqlStore extends SessionStore {
  private readonly tables: SessionTables;
  private readonly connection: SqlConnection;
  private readonly keys: SqlKeys;
  private sweepPosition: number | undefined;

  /** @throws {TypeError} an option cannot be used */
  constructor(client: SqlClient, options: SqlStoreOptions = {}, retry: RetryPolicy = DEFAULT_RETRY) {
    super();
    const { migrate: isMigrating = true } = options;
    if (typeof isMigrating !== 'boolean') {
      throw new TypeError(`migrate: must be true or false, not ${JSON.stringify(isMigrating)}`);
    }
    this.tables = sessionTables(options);
    this.connection = new SqlConnection(client, this.tables, { isMigrating, retry });
    this.keys = new SqlKeys(this.connection, this.tables);
  }

  /** Opens the database and brings the tables up to date: once, and again only after a failure. */
  async prepare(): Promise<void> {
    return this.connection.prepare();
  }

  /** The primary key refuses a handle that exists. */
  override async insertSession(row: SessionRow): Promise<void> {
    const { text, values } = this.insertQuery(row);
    await this.inserting(row, () => this.connection.run(text, ...values));
  }

  /**
   * Locked for these users in this tenant: how many rows there are is nothing a row could guard. Two or three statements,
   * of which each sees what was committed before it; sign-ins of others do not wait.
   */
  override async insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    const userIds = [...new Set(limit.userIds)].sort();
    const lock = JSON.stringify([this.tables.sessions.sql, row.tenantId, userIds]);
    return this.inserting(row, () =>
      this.connection.exclusiveSteps(lock, () => this.insertWithin({ ...limit, userIds }, row)),
    );
  }

  private *insertWithin(limit: RowLimit, row: SessionRow): SqlSteps<LimitedInsert> {
    const { condition, values } = this.ofUsers({ ...limit, tenantId: row.tenantId });
    const live = yield {
      text: `SELECT tenant_id, session_handle FROM ${this.tables.sessions.sql}
        WHERE ${condition} ORDER BY created_at_time, session_handle`,
      values,
    };
    const surplus = live.slice(0, Math.max(0, live.length - limit.max + 1));
    if (surplus.length > 0 && limit.whenExceeded === 'refuse') return { isInserted: false };
    const removed = surplus.length === 0 ? [] : yield this.deletionQuery(Array.from(surplus, toSessionKey));
    yield this.insertQuery(row);
    return { isInserted: true, removedHandles: Array.from(removed, toSessionHandle) };
  }

  private insertQuery(row: SessionRow): SqlQuery {
    return {
      text: `INSERT INTO ${this.tables.sessions.sql} (app_id, ${COLUMNS})
         VALUES ('public', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      values: [
        row.tenantId,
        row.sessionHandle,
        row.userId,
        row.refreshTokenHash2,
        row.sessionData,
        row.accessTokenPayload,
        row.expiresAtMs,
        row.createdAtMs,
        row.useStaticKey,
        row.prevRefreshTokenHash2 ?? null,
        row.rotatedAtMs ?? null,
      ],
    };
  }

  /** What is wrong with a row in the words of the caller. */
  private async inserting<T>(row: SessionRow, insert: () => Promise<T>): Promise<T> {
    if (!isStorable(row.userId)) {
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

  /** A read of one row by its primary key. */
  override async findSession(key: SessionKey): Promise<SessionRow | undefined> {
    const [row] = await this.connection.run(
      `SELECT ${COLUMNS} FROM ${this.tables.sessions.sql} WHERE ${THE_SESSION}`,
      key.tenantId,
      key.sessionHandle,
    );
    return row && toSessionRow(row);
  }

  /** Compare-and-set: of two at once the second waits, looks again, and finds another hash. */
  override async promote(promotion: Promotion): Promise<SessionRow | undefined> {
    const [row] = await this.connection.run(
      `UPDATE ${this.tables.sessions.sql} AS s SET ${PROMOTED}
       WHERE ${THE_SESSION} AND refresh_token_hash_2 = CAST($3 AS TEXT) AND expires_at >= CAST($7 AS BIGINT)
       RETURNING ${COLUMNS}`,
      ...promotionValues(promotion),
    );
    return row && toSessionRow(row);
  }

  /**
   * On PostgreSQL one statement. It reads by its snapshot: where the update had to wait for another writer and did not
   * happen then, the row is the one from before that, and the caller looks again. The row that is read first keeps the
   * usual refresh, which promotes nothing, from looking for a row to change.
   */
  override async findAndPromote(
    promotion: Promotion,
    unlessMentioned: readonly string[],
  ): Promise<FoundSession> {
    if (!this.connection.dialect.canWriteInSubqueries)
      return super.findAndPromote(promotion, unlessMentioned);
    const table = this.tables.sessions.sql;
    // `_` stands for any character here: at the worst a row is promoted by a statement of its own.
    const isLimited = unlessMentioned.map(
      (_, i) => ` AND COALESCE(found.jwt_user_payload, '') NOT LIKE CAST($${8 + i} AS TEXT)`,
    );
    const [row] = await this.connection.run(
      `WITH found AS (SELECT ${COLUMNS} FROM ${table} WHERE ${THE_SESSION}),
       promoted AS (
         UPDATE ${table} AS s SET ${PROMOTED}
         FROM found
         WHERE found.refresh_token_hash_2 = CAST($3 AS TEXT)${isLimited.join('')}
           AND s.app_id = 'public' AND s.tenant_id = $1 AND s.session_handle = $2
           AND s.refresh_token_hash_2 = CAST($3 AS TEXT) AND s.expires_at >= CAST($7 AS BIGINT)
         RETURNING ${COLUMNS_OF_S})
       SELECT ${COLUMNS}, TRUE AS is_promoted FROM promoted
       UNION ALL SELECT ${COLUMNS}, FALSE FROM found WHERE NOT EXISTS (SELECT 1 FROM promoted)`,
      ...promotionValues(promotion),
      ...unlessMentioned.map((name) => `%"${name}"%`),
    );
    return { row: row && toSessionRow(row), isPromoted: row?.['is_promoted'] === true };
  }

  /** Sets one column of one row, whatever it was. */
  override async setUseStaticKey(key: SessionKey, useStaticKey: boolean): Promise<void> {
    await this.connection.run(
      `UPDATE ${this.tables.sessions.sql} SET use_static_key = $3 WHERE ${THE_SESSION}`,
      key.tenantId,
      key.sessionHandle,
      useStaticKey,
    );
  }

  /** Sets one column of one row if that is live; the last of several wins. */
  override async updateSessionData(key: SessionKey, sessionData: string, nowMs: number): Promise<boolean> {
    const rows = await this.connection.run(
      `UPDATE ${this.tables.sessions.sql} SET session_data = $3
       WHERE ${THE_SESSION} AND expires_at > $4 RETURNING session_handle`,
      key.tenantId,
      key.sessionHandle,
      sessionData,
      nowMs,
    );
    return rows.length > 0;
  }

  /** Compare-and-set, as `promote`. */
  override async replaceSessionData(
    key: SessionKey,
    change: { readonly from: string; readonly to: string },
    nowMs: number,
  ): Promise<boolean> {
    const rows = await this.connection.run(
      `UPDATE ${this.tables.sessions.sql} SET session_data = $3
       WHERE ${THE_SESSION} AND COALESCE(session_data, '{}') = $4 AND expires_at > $5 RETURNING session_handle`,
      key.tenantId,
      key.sessionHandle,
      change.to,
      change.from,
      nowMs,
    );
    return rows.length > 0;
  }

  /** Sets one column of one row if that is live; the last of several wins. */
  override async updateAccessTokenPayload(
    key: SessionKey,
    accessTokenPayload: string,
    nowMs: number,
  ): Promise<SessionRow | undefined> {
    const [row] = await this.connection.run(
      `UPDATE ${this.tables.sessions.sql} SET jwt_user_payload = $3
       WHERE ${THE_SESSION} AND expires_at > $4 RETURNING ${COLUMNS}`,
      key.tenantId,
      key.sessionHandle,
      accessTokenPayload,
      nowMs,
    );
    return row && toSessionRow(row);
  }

  /** Compare-and-set, as `promote`. */
  override async replaceAccessTokenPayload(
    key: SessionKey,
    change: { readonly from: string; readonly to: string },
    nowMs: number,
  ): Promise<SessionRow | undefined> {
    const [row] = await this.connection.run(
      `UPDATE ${this.tables.sessions.sql} SET jwt_user_payload = $3
       WHERE ${THE_SESSION} AND COALESCE(jwt_user_payload, '{}') = $4 AND expires_at > $5 RETURNING ${COLUMNS}`,
      key.tenantId,
      key.sessionHandle,
      change.to,
      change.from,
      nowMs,
    );
    return row && toSessionRow(row);
  }

  /** Each row is removed, and answered, by one of several at once. They may deadlock, and then one is repeated. */
  override async deleteSessions(keys: readonly SessionKey[]): Promise<string[]> {
    const { text, values } = this.deletionQuery(keys);
    return Array.from(await this.connection.run(text, ...values), toSessionHandle);
  }

  private deletionQuery(keys: readonly SessionKey[]): SqlQuery {
    const pairs = JSON.stringify(keys.map(({ tenantId, sessionHandle }) => [tenantId, sessionHandle]));
    return {
      text: `DELETE FROM ${this.tables.sessions.sql}
       WHERE ${OURS} AND ${this.connection.dialect.inPairs(['tenant_id', 'session_handle'], '$1')}
       RETURNING session_handle`,
      values: [pairs],
    };
  }

  /** A session that the user starts meanwhile may stay: it began after the removal. Otherwise as above. */
  override async deleteSessionsOfUsers(input: SessionsOfUsers): Promise<string[]> {
    const { condition, values } = this.ofUsers(input);
    const rows = await this.connection.run(
      `DELETE FROM ${this.tables.sessions.sql} WHERE ${condition} RETURNING session_handle`,
      ...values,
    );
    return Array.from(rows, toSessionHandle);
  }

  /** A snapshot of committed rows. */
  override async findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]> {
    const { condition, values } = this.ofUsers(input);
    const rows = await this.connection.run(
      `SELECT session_handle FROM ${this.tables.sessions.sql} WHERE ${condition}`,
      ...values,
    );
    return Array.from(rows, toSessionHandle);
  }

  /** Rows are checked again as they are removed, so several may sweep at once. Each step begins where the last ended. */
  override async deleteExpiredSessions(nowMs: number, limit: number): Promise<{ mayHaveMore: boolean }> {
    const position = this.sweepPosition;
    this.sweepPosition = await this.connection.dialect.sweep(
      ({ text, values }) => this.connection.run(text, ...values),
      this.tables.sessions,
      { nowMs, limit, position },
    );
    return { mayHaveMore: this.sweepPosition !== undefined };
  }

  override async getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string> {
    return this.keys.getOrSetRefreshTokenKey(candidate, nowMs);
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    return this.keys.findDynamicKeys(sinceMs);
  }

  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    return this.keys.addDynamicKey(key, unlessSinceMs);
  }

  override async deleteDynamicKeys(beforeMs: number): Promise<void> {
    return this.keys.deleteDynamicKeys(beforeMs);
  }

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    return this.keys.findStaticKeys();
  }

  override async addStaticKey(key: StoredStaticKey): Promise<void> {
    return this.keys.addStaticKey(key);
  }

  /** What the store opened itself; the next statement would open it again. */
  override async close(): Promise<void> {
    return this.connection.close();
  }

  private ofUsers({ userIds, tenantId, nowMs }: SessionsOfUsers): { condition: string; values: SqlValue[] } {
    // What cannot be stored belongs to nobody, and a driver might turn it into somebody else's id.
    const condition = `${OURS} AND ${this.connection.dialect.inList('user_id', '$1')} AND expires_at >= $2`;
    const values = [JSON.stringify(userIds.filter(isStorable)), nowMs];
    return tenantId === undefined
      ? { condition, values }
      : { condition: `${condition} AND tenant_id = $3`, values: [...values, tenantId] };
  }
}

function promotionValues(promotion: Promotion): SqlValue[] {
  const { tenantId, sessionHandle, fromHash2, toHash2, expiresAtMs, useStaticKey, nowMs } = promotion;
  return [tenantId, sessionHandle, fromHash2, toHash2, expiresAtMs, useStaticKey ?? null, nowMs];
}

/** NUL is refused by PostgreSQL; half a surrogate pair has no UTF-8 and would come back as another character. */
function isStorable(text: string): boolean {
  return !/\0|\p{Surrogate}/u.test(text);
}

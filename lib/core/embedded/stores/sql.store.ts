import { CoreBadInputError } from '../../../errors/core.error.js';
import {
  SessionStore,
  StoreSetupError,
  type FoundSession,
  type LimitedInsert,
  type Promotion,
  type RowLimit,
  type SessionKey,
  type SessionRow,
  type SessionsOfUsers,
  type StoredDynamicKey,
  type StoredStaticKey,
} from '../session-store.js';
import { isUpToDate, migrate, sessionTables, type SchemaOptions, type SessionTables } from './schema.js';
import type { SqlClient, SqlQuery, SqlRow, SqlSteps, SqlValue } from './sql-client.js';
import { DEFAULT_RETRY, withRetries, type RetryPolicy } from './sql-retry.js';

/** What the SQL stores have in common. */
export interface SqlStoreOptions extends SchemaOptions {
  /**
   * Makes and completes the tables before the first statement. Default true. With false the store takes what is there;
   * `schemaSql` gives the statements.
   */
  migrate?: boolean;
}

/** The app of all rows; a Core with several apps keeps others beside it. */
const OURS = `app_id = 'public'`;
const THE_SESSION = `${OURS} AND tenant_id = $1 AND session_handle = $2`;
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
const COLUMNS = COLUMN_NAMES.join(', ');
const COLUMNS_OF_S = COLUMN_NAMES.map((name) => `s.${name}`).join(', ');
/** Name of the row of `key_value`, as a Core calls it. */
const REFRESH_TOKEN_KEY = 'refresh_token_key';
/** How the names of keys begin that a Core does not know. */
const OWN_KEYS = { dynamic: 'nest_sessions_dynamic_key_', static: 'nest_sessions_static_key_' };
const ALGORITHM_NAME = /^[A-Z0-9]{1,10}$/;

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
  private readonly isMigrating: boolean;
  private ready: Promise<void> | undefined;
  private sweepPosition: number | undefined;

  /** @throws {TypeError} a name in the options cannot be used */
  constructor(
    private readonly client: SqlClient,
    options: SqlStoreOptions = {},
    private readonly retry: RetryPolicy = DEFAULT_RETRY,
  ) {
    super();
    this.tables = sessionTables(options);
    this.isMigrating = options.migrate ?? true;
  }

  /** Opens the database and brings the tables up to date: once, and again only after a failure. */
  async prepare(): Promise<void> {
    this.ready ??= this.open().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    return this.ready;
  }

  /** The primary key refuses a handle that exists. */
  override async insertSession(row: SessionRow): Promise<void> {
    const { text, values } = this.insertOf(row);
    await this.inserting(row, () => this.run(text, ...values));
  }

  /**
   * Locked for these users in this tenant: how many rows there are is nothing a row could guard. Two or three statements,
   * of which each sees what was committed before it; sign-ins of others do not wait.
   */
  override async insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    const userIds = [...new Set(limit.userIds)].sort();
    const lock = JSON.stringify([this.tables.sessions.sql, row.tenantId, userIds]);
    return this.inserting(row, () =>
      this.exclusiveSteps(lock, () => this.insertWithin({ ...limit, userIds }, row)),
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
    const removed = surplus.length === 0 ? [] : yield this.deletionOf(Array.from(surplus, keyOf));
    yield this.insertOf(row);
    return { isInserted: true, removedHandles: Array.from(removed, handleOf) };
  }

  private insertOf(row: SessionRow): SqlQuery {
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
      if (!this.client.dialect.isForeignKeyViolation(error)) throw error;
      throw new CoreBadInputError(
        `The tenant ${row.tenantId} is not in the table of tenants that the SuperTokens Core made: create it there first`,
        { cause: error },
      );
    }
  }

  /** A read of one row by its primary key. */
  override async findSession(key: SessionKey): Promise<SessionRow | undefined> {
    const [row] = await this.run(
      `SELECT ${COLUMNS} FROM ${this.tables.sessions.sql} WHERE ${THE_SESSION}`,
      key.tenantId,
      key.sessionHandle,
    );
    return row && sessionOf(row);
  }

  /** Compare-and-set: of two at once the second waits, looks again, and finds another hash. */
  override async promote(promotion: Promotion): Promise<SessionRow | undefined> {
    const [row] = await this.run(
      `UPDATE ${this.tables.sessions.sql} SET
         refresh_token_hash_2 = $4,
         prev_refresh_token_hash_2 = CAST($3 AS TEXT),
         refresh_token_rotated_at = CAST($7 AS BIGINT),
         expires_at = $5,
         use_static_key = COALESCE(CAST($6 AS BOOLEAN), use_static_key)
       WHERE ${THE_SESSION} AND refresh_token_hash_2 = CAST($3 AS TEXT) AND expires_at >= CAST($7 AS BIGINT)
       RETURNING ${COLUMNS}`,
      ...promotionValues(promotion),
    );
    return row && sessionOf(row);
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
    if (!this.client.dialect.canWriteInSubqueries) return super.findAndPromote(promotion, unlessMentioned);
    const table = this.tables.sessions.sql;
    // `_` stands for any character here: at the worst a row is promoted by a statement of its own.
    const isLimited = unlessMentioned.map(
      (_, i) => ` AND COALESCE(found.jwt_user_payload, '') NOT LIKE CAST($${8 + i} AS TEXT)`,
    );
    const [row] = await this.run(
      `WITH found AS (SELECT ${COLUMNS} FROM ${table} WHERE ${THE_SESSION}),
       promoted AS (
         UPDATE ${table} AS s SET
           refresh_token_hash_2 = $4,
           prev_refresh_token_hash_2 = CAST($3 AS TEXT),
           refresh_token_rotated_at = CAST($7 AS BIGINT),
           expires_at = $5,
           use_static_key = COALESCE(CAST($6 AS BOOLEAN), s.use_static_key)
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
    return { row: row && sessionOf(row), isPromoted: row?.['is_promoted'] === true };
  }

  /** Sets one column of one row, whatever it was. */
  override async setUseStaticKey(key: SessionKey, useStaticKey: boolean): Promise<void> {
    await this.run(
      `UPDATE ${this.tables.sessions.sql} SET use_static_key = $3 WHERE ${THE_SESSION}`,
      key.tenantId,
      key.sessionHandle,
      useStaticKey,
    );
  }

  /** Sets one column of one row if that is live; the last of several wins. */
  override async updateSessionData(key: SessionKey, sessionData: string, nowMs: number): Promise<boolean> {
    const rows = await this.run(
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
    const rows = await this.run(
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
    const [row] = await this.run(
      `UPDATE ${this.tables.sessions.sql} SET jwt_user_payload = $3
       WHERE ${THE_SESSION} AND expires_at > $4 RETURNING ${COLUMNS}`,
      key.tenantId,
      key.sessionHandle,
      accessTokenPayload,
      nowMs,
    );
    return row && sessionOf(row);
  }

  /** Each row is removed, and answered, by one of several at once. They may deadlock, and then one is repeated. */
  override async deleteSessions(keys: readonly SessionKey[]): Promise<string[]> {
    const { text, values } = this.deletionOf(keys);
    return Array.from(await this.run(text, ...values), handleOf);
  }

  private deletionOf(keys: readonly SessionKey[]): SqlQuery {
    const pairs = JSON.stringify(keys.map(({ tenantId, sessionHandle }) => [tenantId, sessionHandle]));
    return {
      text: `DELETE FROM ${this.tables.sessions.sql}
       WHERE ${OURS} AND ${this.client.dialect.isPairOf(['tenant_id', 'session_handle'], '$1')}
       RETURNING session_handle`,
      values: [pairs],
    };
  }

  /** A session that the user starts meanwhile may stay: it began after the removal. Otherwise as above. */
  override async deleteSessionsOfUsers(input: SessionsOfUsers): Promise<string[]> {
    const { condition, values } = this.ofUsers(input);
    const rows = await this.run(
      `DELETE FROM ${this.tables.sessions.sql} WHERE ${condition} RETURNING session_handle`,
      ...values,
    );
    return Array.from(rows, handleOf);
  }

  /** A snapshot of committed rows. */
  override async findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]> {
    const { condition, values } = this.ofUsers(input);
    const rows = await this.run(
      `SELECT session_handle FROM ${this.tables.sessions.sql} WHERE ${condition}`,
      ...values,
    );
    return Array.from(rows, handleOf);
  }

  /** Rows are checked again as they are removed, so several may sweep at once. Each step begins where the last ended. */
  override async deleteExpiredSessions(nowMs: number, limit: number): Promise<{ mayHaveMore: boolean }> {
    const position = this.sweepPosition;
    this.sweepPosition = await this.client.dialect.sweep(
      ({ text, values }) => this.run(text, ...values),
      this.tables.sessions,
      { nowMs, limit, position },
    );
    return { mayHaveMore: this.sweepPosition !== undefined };
  }

  /** The primary key lets one candidate in; a statement after that sees it, whoever it came from. */
  override async getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string> {
    const known = await this.findRefreshTokenKey();
    if (known !== undefined) return known;
    await this.run(
      `INSERT INTO ${this.tables.keyValue.sql} (app_id, tenant_id, name, value, created_at_time)
       VALUES ('public', 'public', $1, $2, $3) ON CONFLICT DO NOTHING`,
      REFRESH_TOKEN_KEY,
      candidate,
      nowMs,
    );
    const stored = await this.findRefreshTokenKey();
    if (stored === undefined) throw new Error('The refresh-token key is gone right after it was set');
    return stored;
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    const rows = await this.run(
      `SELECT created_at_time, value, NULL AS name FROM ${this.tables.dynamicKeys.sql}
         WHERE ${OURS} AND created_at_time >= $1
       UNION ALL SELECT created_at_time, value, name FROM ${this.tables.keyValue.sql}
         WHERE ${isOwnKey('dynamic')} AND created_at_time >= $1
       ORDER BY 1 DESC`,
      sinceMs,
    );
    return Array.from(rows, (row) => {
      const key = { createdAtMs: numberOf(row, 'created_at_time'), value: textOf(row, 'value') };
      const name = optionalTextOf(row, 'name');
      return name === undefined ? key : { ...key, algorithm: ownKeyOf(name).algorithm };
    });
  }

  /** Locked: that no newer key is there is nothing a row could guard. */
  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    const { createdAtMs, value, algorithm = 'RS256' } = key;
    const { dynamicKeys, keyValue } = this.tables;
    const values = [createdAtMs, value, unlessSinceMs];
    // Of any algorithm: the time is the key's name.
    const isNew = `NOT EXISTS (SELECT 1 FROM ${dynamicKeys.sql} WHERE ${OURS} AND created_at_time = CAST($1 AS BIGINT))
        AND NOT EXISTS (
          SELECT 1 FROM ${keyValue.sql} WHERE ${isOwnKey('dynamic')} AND created_at_time = CAST($1 AS BIGINT))`;
    const rsa = {
      text: `INSERT INTO ${dynamicKeys.sql} (app_id, created_at_time, value)
        SELECT 'public', CAST($1 AS BIGINT), CAST($2 AS TEXT) WHERE ${isNew}
        AND NOT EXISTS (SELECT 1 FROM ${dynamicKeys.sql} WHERE ${OURS} AND created_at_time >= $3)
        ON CONFLICT DO NOTHING`,
      values,
    };
    const other = {
      text: `INSERT INTO ${keyValue.sql} (app_id, tenant_id, name, value, created_at_time)
        SELECT 'public', 'public', CAST($4 AS TEXT), CAST($2 AS TEXT), CAST($1 AS BIGINT) WHERE ${isNew}
        AND NOT EXISTS (
          SELECT 1 FROM ${keyValue.sql} WHERE ${isOwnKey('dynamic', algorithm)} AND created_at_time >= $3)
        ON CONFLICT DO NOTHING`,
      values: [...values, ownKeyName('dynamic', algorithm, String(createdAtMs))],
    };
    await this.exclusively(dynamicKeys.sql, algorithm === 'RS256' ? rsa : other);
  }

  override async deleteDynamicKeys(beforeMs: number): Promise<void> {
    const { dynamicKeys, keyValue } = this.tables;
    await this.exclusiveSteps(dynamicKeys.sql, function* () {
      yield {
        text: `DELETE FROM ${dynamicKeys.sql} WHERE ${OURS} AND created_at_time < $1`,
        values: [beforeMs],
      };
      yield {
        text: `DELETE FROM ${keyValue.sql} WHERE ${isOwnKey('dynamic')} AND created_at_time < $1`,
        values: [beforeMs],
      };
    });
  }

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    const rows = await this.run(
      `SELECT key_id, key_string, algorithm, created_at FROM ${this.tables.staticKeys.sql} WHERE ${OURS}
       UNION ALL SELECT name, value, NULL, created_at_time FROM ${this.tables.keyValue.sql}
         WHERE ${isOwnKey('static')}
       ORDER BY 4 DESC`,
    );
    return Array.from(rows, (row) => {
      const [createdAtMs, value] = [numberOf(row, 'created_at'), textOf(row, 'key_string')];
      const name = textOf(row, 'key_id');
      const algorithm = optionalTextOf(row, 'algorithm');
      return algorithm === undefined
        ? { createdAtMs, value, ...ownKeyOf(name) }
        : { createdAtMs, value, kid: name, algorithm };
    });
  }

  /** Locked, as `addDynamicKey`. */
  override async addStaticKey({ kid, value, algorithm, createdAtMs }: StoredStaticKey): Promise<void> {
    const { staticKeys, keyValue } = this.tables;
    const rsa = {
      text: `INSERT INTO ${staticKeys.sql} (app_id, key_id, key_string, algorithm, created_at)
        SELECT 'public', CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT)
        WHERE NOT EXISTS (SELECT 1 FROM ${staticKeys.sql} WHERE ${OURS} AND algorithm = CAST($3 AS TEXT))
        ON CONFLICT DO NOTHING`,
      values: [kid, value, algorithm, createdAtMs],
    };
    const other = {
      text: `INSERT INTO ${keyValue.sql} (app_id, tenant_id, name, value, created_at_time)
        SELECT 'public', 'public', CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT)
        WHERE NOT EXISTS (SELECT 1 FROM ${keyValue.sql} WHERE ${isOwnKey('static', algorithm)})
        ON CONFLICT DO NOTHING`,
      values: [ownKeyName('static', algorithm, kid), value, createdAtMs],
    };
    await this.exclusively(staticKeys.sql, algorithm === 'RS256' ? rsa : other);
  }

  /** What the store opened itself; the next statement would open it again. */
  override async close(): Promise<void> {
    const { ready } = this;
    this.ready = undefined;
    // An opening that failed has left nothing to close, and its caller knows.
    await ready?.catch(() => undefined);
    await this.client.close();
  }

  private async open(): Promise<void> {
    await this.retried(() => this.client.open());
    if (!this.isMigrating) return;
    const { dialect } = this.client;
    try {
      if (await this.drive(isUpToDate(dialect, this.tables))) return;
      await this.retried(() =>
        this.client.exclusively(this.tables.migrations.sql, () => migrate(dialect, this.tables)),
      );
    } catch (error) {
      if (!(error instanceof StoreSetupError)) throw error; // nobody answered, or not to the end
      throw new StoreSetupError(
        'The tables for the sessions could not be made or completed. If this account may not, run what schemaSql() ' +
          `gives by hand and set migrate: false. The reason: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** Runs steps of which each may be a transaction of its own. */
  private async drive<T>(steps: SqlSteps<T>): Promise<T> {
    for (let step = steps.next(); ;) {
      if (step.done === true) return step.value;
      const query = step.value;
      step = steps.next(await this.retried(() => this.client.query(query)));
    }
  }

  private async run(text: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.prepare();
    return this.retried(() => this.client.query({ text, values }));
  }

  private async exclusively(lock: string, query: SqlQuery): Promise<void> {
    await this.exclusiveSteps(lock, function* () {
      yield query;
    });
  }

  private async exclusiveSteps<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    await this.prepare();
    return this.retried(() => this.client.exclusively(lock, steps));
  }

  private async retried<T>(work: () => Promise<T>): Promise<T> {
    const { dialect } = this.client;
    try {
      return await withRetries(work, (error) => dialect.isTransient(error), this.retry);
    } catch (error) {
      if (!(error instanceof TypeError) && !dialect.isSetupFault(error)) throw error;
      const reason = error instanceof Error ? error.message : 'it cannot be used';
      throw new StoreSetupError(reason, { cause: error });
    }
  }

  private async findRefreshTokenKey(): Promise<string | undefined> {
    const [row] = await this.run(
      `SELECT value FROM ${this.tables.keyValue.sql} WHERE ${OURS} AND tenant_id = 'public' AND name = $1`,
      REFRESH_TOKEN_KEY,
    );
    return row && textOf(row, 'value');
  }

  private ofUsers({ userIds, tenantId, nowMs }: SessionsOfUsers): { condition: string; values: SqlValue[] } {
    // What cannot be stored belongs to nobody, and a driver might turn it into somebody else's id.
    const condition = `${OURS} AND ${this.client.dialect.isOneOf('user_id', '$1')} AND expires_at >= $2`;
    const values = [JSON.stringify(userIds.filter(isStorable)), nowMs];
    return tenantId === undefined
      ? { condition, values }
      : { condition: `${condition} AND tenant_id = $3`, values: [...values, tenantId] };
  }
}

/**
 * Keys for other algorithms than RS256 stand in `key_value`, by a name of ours: a SuperTokens Core reads the two tables of
 * keys as a whole, takes each for an RSA key, and fails of one that is not.
 */
function ownKeyName(kind: 'dynamic' | 'static', algorithm: string, id: string): string {
  if (!ALGORITHM_NAME.test(algorithm)) throw new TypeError('This is no name of an algorithm');
  return `${OWN_KEYS[kind]}${algorithm}_${id}`;
}

/** The condition that a row of `key_value` is such a key, of one algorithm or of any. */
function isOwnKey(kind: 'dynamic' | 'static', algorithm?: string): string {
  const prefix = algorithm === undefined ? OWN_KEYS[kind] : ownKeyName(kind, algorithm, '');
  return `${OURS} AND tenant_id = 'public' AND SUBSTR(name, 1, ${prefix.length}) = '${prefix}'`;
}

function ownKeyOf(name: string): { kid: string; algorithm: string } {
  const [, , , , algorithm = '', kid = ''] = name.split('_');
  return { kid, algorithm };
}

function promotionValues(promotion: Promotion): SqlValue[] {
  const { tenantId, sessionHandle, fromHash2, toHash2, expiresAtMs, useStaticKey, nowMs } = promotion;
  return [tenantId, sessionHandle, fromHash2, toHash2, expiresAtMs, useStaticKey ?? null, nowMs];
}

/** BOOLEAN arrives as 0 or 1 from some drivers; a Core's own rows may lack the texts. */
function sessionOf(row: SqlRow): SessionRow {
  const rotatedAt = row['refresh_token_rotated_at'];
  return {
    tenantId: textOf(row, 'tenant_id'),
    sessionHandle: handleOf(row),
    userId: textOf(row, 'user_id'),
    refreshTokenHash2: textOf(row, 'refresh_token_hash_2'),
    sessionData: optionalTextOf(row, 'session_data') ?? '{}',
    accessTokenPayload: optionalTextOf(row, 'jwt_user_payload') ?? '{}',
    expiresAtMs: numberOf(row, 'expires_at'),
    createdAtMs: numberOf(row, 'created_at_time'),
    useStaticKey: Boolean(row['use_static_key']),
    prevRefreshTokenHash2: optionalTextOf(row, 'prev_refresh_token_hash_2'),
    rotatedAtMs: rotatedAt === null ? undefined : numberOf(row, 'refresh_token_rotated_at'),
  };
}

function keyOf(row: SqlRow): SessionKey {
  return { tenantId: textOf(row, 'tenant_id'), sessionHandle: handleOf(row) };
}

function handleOf(row: SqlRow): string {
  return textOf(row, 'session_handle');
}

function textOf(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`The column ${column} holds no text`);
  return value;
}

function optionalTextOf(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}

/** BIGINT arrives as text from some drivers. */
function numberOf(row: SqlRow, column: string): number {
  const value = Number(row[column]);
  if (!Number.isSafeInteger(value)) throw new TypeError(`The column ${column} holds no whole number`);
  return value;
}

/** NUL is refused by PostgreSQL; half a surrogate pair has no UTF-8 and would come back as another character. */
function isStorable(text: string): boolean {
  return !/\0|\p{Surrogate}/u.test(text);
}

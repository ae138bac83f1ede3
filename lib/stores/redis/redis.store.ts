import type { AuditNote } from '../../audit/audit-record.js';
import { CoreBadInputError } from '../../errors.js';
import type { ReplayStore } from '../../options/replay-store.js';
import type { RevocationNote } from '../../feed/revocation-feed.js';
import { selectSurplus } from '../../util/session-cap.js';
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
  type SessionStore,
  type SessionsOfUsers,
  type UpdateOnRead,
} from '../session-store.js';
import { readStoreOptions, REDIS_STORE_OPTIONS, type RedisStoreOptions } from '../store-options.js';
import { redisPort, type RedisClient } from './redis-client.js';
import { RedisConnection, replyList, replyNumber, replyText, replyTexts } from './redis-connection.js';
import { RedisKeyStore } from './redis-keys.js';
import {
  decodeRow,
  encodeHash,
  encodeRow,
  indexMember,
  parseRowName,
  RedisLayout,
  tenantRowNames,
} from './redis-layout.js';
import { RedisCutOffs } from './redis-cut-offs.js';
import { auditArgument, RedisTrail } from './redis-audit.js';
import { noteArguments, RedisFeed } from './redis-feed.js';
import { KEPT_AFTER_EXPIRY_MS } from './redis-script.js';
import { CHANGE, FIND, INSERT, INSERT_WITHIN } from './redis-scripts.js';
import { RedisValues } from './redis-values.js';
import { UserLocks } from './redis-locks.js';
import { RedisRows, type UserRow } from './redis-rows.js';
import { RedisSearch } from './redis-search.js';

/**
 * Makes a store that keeps sessions in Redis 7 or newer, or in Valkey 8 or newer, for any number of application instances: a single
 * server, one behind Sentinels, or a cluster.
 *
 * The client stays yours: close it after the application. The store connects it if it is not connected, closes it then, and
 * listens to its `error` event, because a client of node-redis ends the process without a listener.
 *
 * The store does not start on a server that may evict keys (`maxmemory-policy` other than `noeviction`). What a crash and a
 * fail-over lose depends on the server's persistence and on the options: see the guide on Redis.
 *
 * @throws {TypeError} the client or an option is wrong
 *
 * @example
 * const client = createClient({ url: process.env.REDIS_URL });
 * SessionModule.forRoot({ appInfo, core: embeddedCore({ store: redisStore(client) }) })
 * @publicApi
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): SessionStore {
  const { keyPrefix, clusterKeys, ...connection } = readStoreOptions(
    'redisStore',
    REDIS_STORE_OPTIONS,
    options,
  );
  const port = redisPort(client);
  return new RedisStore(
    new RedisConnection(port, connection),
    new RedisLayout(keyPrefix, clusterKeys ?? port.isCluster),
  );
}

/**
 * Sessions in Redis: a text for each, and two sorted sets for each partition with all its sessions, by user and by creation. Each method is one
 * script, and so atomic and one round trip; calls about many sessions take one script for each 500. A row that lies in
 * another partition than its user's index (see `RedisLayout`) takes a second script.
 */
export class RedisStore extends RedisKeyStore {
  private readonly locks: UserLocks;
  private readonly rows: RedisRows;
  private readonly feed: RedisFeed;
  private readonly trail: RedisTrail;
  private readonly cutOffs: RedisCutOffs;
  private readonly search: RedisSearch;

  constructor(connection: RedisConnection, layout: RedisLayout) {
    super(connection, layout);
    this.rows = new RedisRows(connection, layout);
    this.feed = new RedisFeed(connection, layout);
    this.trail = new RedisTrail(connection, layout);
    this.cutOffs = new RedisCutOffs(connection, layout, this.feed);
    this.locks = new UserLocks(connection, layout);
    this.search = new RedisSearch(connection, layout, this.rows, async (key) => this.findSession(key));
  }

  override get description(): string {
    return this.connection.port.description;
  }

  override get revocations(): RedisFeed {
    return this.feed;
  }

  override get audit(): RedisTrail {
    return this.trail;
  }

  override get sharedValues(): RedisValues {
    return new RedisValues(this.connection, this.layout);
  }

  override get replays(): ReplayStore {
    return {
      add: async (proof, untilMs, nowMs) => {
        const [key, lifeMs] = [this.layout.proofKey(proof), Math.max(1, Math.ceil(untilMs - nowMs))];
        return (await this.connection.command(key, 'SET', key, '1', 'PX', lifeMs, 'NX')) !== null;
      },
    };
  }

  override get tagsHandles(): boolean {
    return this.layout.isPartitioned;
  }

  override async insertSession(row: SessionRow, audit?: AuditNote): Promise<void> {
    assertStorable(row);
    await this.insert(row, '', audit);
  }

  /** Adds the row before its member of the index, because a sweep removes members without a row. */
  private async insert(row: SessionRow, lockToken: string, audit: AuditNote | undefined): Promise<void> {
    const { layout } = this;
    const partition = layout.handlePartition(row.sessionHandle);
    const userPartition = layout.userPartition(row.userId);
    const isTogether = partition === userPartition;
    const member = indexMember(row);
    const reply = await this.connection.run(
      INSERT,
      [layout.indexKey(partition), layout.rowKey(row), ...(isTogether ? [layout.lockKey(row.userId)] : [])],
      [
        encodeRow(row),
        rowTtlMs(row),
        isTogether ? member : '',
        isTogether ? lockToken : '',
        auditArgument(audit),
      ],
    );
    const outcome = replyNumber(reply);
    if (outcome === -1) throw new Error('Another call has taken over the lock of the user');
    if (outcome !== 1) throw new Error('The session handle exists already');
    if (!isTogether) {
      const index = layout.indexKey(userPartition);
      await this.connection.command(index, 'ZADD', index, 0, member);
    }
  }

  /** One script if all the users' sessions are in the partition of the new one; else a lock for each user. */
  override async insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    assertStorable(row);
    const userIds = [...new Set(limit.userIds)].filter(isStorableText);
    const partition = this.layout.handlePartition(row.sessionHandle);
    const isTogether = [row.userId, ...userIds].every((id) => this.layout.userPartition(id) === partition);
    const inserted = isTogether
      ? await this.insertWithinHere(row, { ...limit, userIds }, partition)
      : 'foreign';
    return inserted === 'foreign' ? this.insertWithinLocks(row, { ...limit, userIds }) : inserted;
  }

  private async insertWithinHere(
    row: SessionRow,
    { userIds, max, whenExceeded, nowMs, note, audit }: RowLimit,
    partition: number,
  ): Promise<LimitedInsert | 'foreign'> {
    const { layout } = this;
    const reply = await this.connection.run(
      INSERT_WITHIN,
      [layout.indexKey(partition), layout.rowKey(row)],
      [
        layout.partitionTag(partition),
        encodeRow(row),
        rowTtlMs(row),
        indexMember(row),
        max,
        whenExceeded,
        nowMs,
        tenantRowNames(row.tenantId),
        ...noteArguments(note),
        auditArgument(audit?.ended),
        auditArgument(audit?.created),
        ...userIds,
      ],
    );
    const [outcome, ...names] = replyTexts(reply);
    if (outcome === 'foreign') return outcome;
    if (outcome === 'full') return { isInserted: false };
    if (outcome !== 'ok') throw new Error('The session handle exists already');
    const removed = names.map(parseRowName);
    if (removed.length > 0) await this.rows.confirm(partition, removed, { note, audit: audit?.ended });
    return { isInserted: true, removedHandles: removed.map(({ sessionHandle }) => sessionHandle) };
  }

  private async insertWithinLocks(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    const users = { userIds: limit.userIds, tenantId: row.tenantId, nowMs: limit.nowMs };
    return this.locks.run([row.userId, ...limit.userIds], async (token) => {
      const live = (await this.rows.ofUsers(users, 'look')).sort(byOldest);
      const surplus = selectSurplus(live, limit.max);
      if (surplus.length > 0 && limit.whenExceeded === 'refuse') return { isInserted: false };
      if ((await this.findSession(row)) !== undefined) throw new Error('The session handle exists already');
      const removedHandles = await this.deleteSessions(surplus, limit.note, limit.audit?.ended);
      await this.insert(row, token, limit.audit?.created);
      return { isInserted: true, removedHandles };
    });
  }

  override async findSession(key: SessionKey): Promise<SessionRow | undefined> {
    const text = await this.connection.run(FIND, this.keysOf(key), []);
    return text === null ? undefined : decodeRow(key, replyText(text));
  }

  override async update(
    key: SessionKey,
    where: SessionCondition,
    change: SessionChange,
  ): Promise<SessionRow | undefined> {
    const { row, isUpdated } = await this.findAndUpdate(key, { where, change, unlessMentioned: [] });
    return isUpdated ? row : undefined;
  }

  override async findAndUpdate(key: SessionKey, update: UpdateOnRead): Promise<FoundSession> {
    const reply = await this.connection.run(CHANGE, this.keysOf(key), changeArguments(update));
    if (reply === null) return { row: undefined, isUpdated: false };
    const [isUpdated, text] = replyList(reply);
    return { row: decodeRow(key, replyText(text)), isUpdated: replyNumber(isUpdated) === 1 };
  }

  private keysOf(key: SessionKey): [cutOffs: string, row: string] {
    const partition = this.layout.handlePartition(key.sessionHandle);
    return [this.layout.cutOffsKey(partition), this.layout.rowKey(key)];
  }

  override async deleteSessions(
    keys: readonly SessionKey[],
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    const rows = await this.rows.byKeys(keys, 'end', { notes: { note, audit } });
    return rows.map(({ sessionHandle }) => sessionHandle);
  }

  override async deleteSessionsOfUsers(
    input: SessionsOfUsers,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    const rows = await this.rows.ofUsers(input, 'end', { note, audit });
    return rows.map(({ sessionHandle }) => sessionHandle);
  }

  override async endSessionsCreatedBefore(
    cutOff: SessionCutOff,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<void> {
    await this.cutOffs.set(cutOff, note, audit);
  }

  override async findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]> {
    return (await this.rows.ofUsers(input, 'look')).map(({ sessionHandle }) => sessionHandle);
  }

  override async searchSessions(search: SessionSearch): Promise<SessionPage> {
    return this.search.page(search);
  }

  override async countSessions(search: SessionSearch): Promise<SessionCountStep> {
    return this.search.count(search);
  }

  override async deleteExpiredSessions(
    nowMs: number,
    limit: number,
    audit?: AuditNote,
  ): Promise<{ mayHaveMore: boolean }> {
    return this.rows.sweep(nowMs, limit, audit);
  }

  override async close(): Promise<void> {
    await this.connection.close();
  }
}

/** The arguments of the script CHANGE. An empty one is an absent member. */
function changeArguments({ where, change, unlessMentioned }: UpdateOnRead): string[] {
  const given = (value: string | number | undefined): string => (value === undefined ? '' : `=${value}`);
  const hash = (value: string | undefined): string =>
    given(value === undefined ? undefined : encodeHash(value));
  const { useStaticKey } = change;
  return [
    hash(where.refreshTokenHash2),
    given(where.sessionData),
    given(where.accessTokenPayload),
    given(where.minExpiresAtMs),
    hash(change.refreshTokenHash2),
    hash(change.prevRefreshTokenHash2),
    given(change.rotatedAtMs),
    given(change.expiresAtMs),
    given(useStaticKey === undefined ? undefined : Number(useStaticKey)),
    given(change.sessionData),
    given(change.accessTokenPayload),
    auditArgument(change.audit),
    ...unlessMentioned,
  ];
}

/** Counts from the creation, by the clock of the engine, because the server's may differ. */
function rowTtlMs({ expiresAtMs, createdAtMs }: SessionRow): number {
  return Math.max(expiresAtMs - createdAtMs, 0) + KEPT_AFTER_EXPIRY_MS;
}

function assertStorable({ userId }: SessionRow): void {
  if (isStorableText(userId)) return;
  throw new CoreBadInputError(
    'The user id contains NUL or half a surrogate pair, which no database can keep',
  );
}

const byOldest = (a: UserRow, b: UserRow): number =>
  a.createdAtMs - b.createdAtMs || (a.sessionHandle < b.sessionHandle ? -1 : 1);

import type { AuditEntry, AuditNote } from '../../audit/audit-record.js';
import { AuditTrail, type AuditPage, type AuditSearch } from '../../audit/audit-trail.js';
import type { SharedValues } from '../../audit/shared-values.js';
import { CoreBadInputError, CoreError, CoreUnavailableError } from '../../errors.js';
import type { ReplayStore } from '../../options/replay-store.js';
import type { RevocationFeed, RevocationNote } from '../../feed/revocation-feed.js';
import {
  SessionStore,
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
  type StoredDynamicKey,
  type StoredKeyPlace,
  type StoredStaticKey,
  type UpdateOnRead,
} from '../../stores/session-store.js';
import { withTimeout } from '../../util/with-timeout.js';
import type { CoreCalls } from '../core-calls.js';

/**
 * The longest wait for a store, so that callers who share a result that never comes try again. Drivers give up earlier;
 * this is longer than the minute that the longest of them allows a step of a migration, for which the first calls wait.
 */
export const STORE_TIMEOUT_MS = 90_000;

/**
 * The engine's access to its store. Each call has a timeout, is published and counted as an outage when it fails, and fails
 * with a `CoreUnavailableError` only, so that a request ends in a retryable 503 and never in a decision about the session.
 * After {@link shut} no call reaches the store, because a store that is called opens itself again.
 *
 * Retries after transient failures are up to the store: only its driver knows that a statement had no effect.
 */
export class GuardedStore extends SessionStore {
  private isOpen = true;
  private underWay = 0;
  private whenIdle: (() => void)[] = [];

  constructor(
    private readonly store: SessionStore,
    private readonly calls: CoreCalls,
  ) {
    super();
  }

  override get description(): string {
    return this.store.description;
  }

  override get tagsHandles(): boolean {
    return this.store.tagsHandles;
  }

  /** Whether the last call got a response; undefined before the first one. */
  get isResponding(): boolean | undefined {
    return this.calls.isResponding;
  }

  open(): void {
    this.isOpen = true;
  }

  /** Refuses calls from now on. @returns when the calls under way have ended */
  async shut(): Promise<void> {
    this.isOpen = false;
    if (this.underWay > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  /** Closes the store itself; call {@link shut} first. */
  override async close(): Promise<void> {
    return this.call('close', async () => this.store.close());
  }

  override async insertSession(row: SessionRow, audit?: AuditNote): Promise<void> {
    return this.pass('insertSession', async () => this.store.insertSession(row, audit));
  }

  override async insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    return this.pass('insertSessionWithinLimit', async () => this.store.insertSessionWithinLimit(row, limit));
  }

  override async findSession(key: SessionKey): Promise<SessionRow | undefined> {
    return this.pass('findSession', async () => this.store.findSession(key));
  }

  override async update(
    key: SessionKey,
    where: SessionCondition,
    change: SessionChange,
  ): Promise<SessionRow | undefined> {
    return this.pass('update', async () => this.store.update(key, where, change));
  }

  override async findAndUpdate(key: SessionKey, update: UpdateOnRead): Promise<FoundSession> {
    return this.pass('findAndUpdate', async () => this.store.findAndUpdate(key, update));
  }

  override get revocations(): RevocationFeed | undefined {
    return this.store.revocations;
  }

  override get audit(): AuditTrail | undefined {
    const { audit } = this.store;
    return audit && new GuardedTrail(audit, async (work) => this.pass('audit', work));
  }

  override get sharedValues(): SharedValues | undefined {
    const { sharedValues: values } = this.store;
    return (
      values && {
        read: async (...args) => this.pass('sharedValues', async () => values.read(...args)),
        replace: async (...args) => this.pass('sharedValues', async () => values.replace(...args)),
      }
    );
  }

  override get replays(): ReplayStore | undefined {
    const { replays } = this.store;
    return (
      replays && {
        add: async (key, untilMs, nowMs) =>
          this.pass('replays', async () => replays.add(key, untilMs, nowMs)),
      }
    );
  }

  override async deleteSessions(
    keys: readonly SessionKey[],
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    return this.pass('deleteSessions', async () => this.store.deleteSessions(keys, note, audit));
  }

  override async deleteSessionsOfUsers(
    input: SessionsOfUsers,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    return this.pass('deleteSessionsOfUsers', async () =>
      this.store.deleteSessionsOfUsers(input, note, audit),
    );
  }

  override async endSessionsCreatedBefore(
    cutOff: SessionCutOff,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<void> {
    return this.pass('endSessionsCreatedBefore', async () =>
      this.store.endSessionsCreatedBefore(cutOff, note, audit),
    );
  }

  override async findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]> {
    return this.pass('findSessionHandlesOfUsers', async () => this.store.findSessionHandlesOfUsers(input));
  }

  override async searchSessions(search: SessionSearch): Promise<SessionPage> {
    return this.pass('searchSessions', async () => this.store.searchSessions(search));
  }

  override async countSessions(search: SessionSearch): Promise<SessionCountStep> {
    return this.pass('countSessions', async () => this.store.countSessions(search));
  }

  override async deleteExpiredSessions(
    nowMs: number,
    limit: number,
    audit?: AuditNote,
  ): Promise<{ mayHaveMore: boolean }> {
    return this.pass('deleteExpiredSessions', async () =>
      this.store.deleteExpiredSessions(nowMs, limit, audit),
    );
  }

  override async getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string> {
    return this.pass('getOrSetRefreshTokenKey', async () =>
      this.store.getOrSetRefreshTokenKey(candidate, nowMs),
    );
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    return this.pass('findDynamicKeys', async () => this.store.findDynamicKeys(sinceMs));
  }

  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    return this.pass('addDynamicKey', async () => this.store.addDynamicKey(key, unlessSinceMs));
  }

  override async deleteDynamicKeys(beforeMs: number): Promise<void> {
    return this.pass('deleteDynamicKeys', async () => this.store.deleteDynamicKeys(beforeMs));
  }

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    return this.pass('findStaticKeys', async () => this.store.findStaticKeys());
  }

  override async addStaticKey(key: StoredStaticKey): Promise<void> {
    return this.pass('addStaticKey', async () => this.store.addStaticKey(key));
  }

  override async replaceKey(place: StoredKeyPlace, from: string, to: string): Promise<boolean> {
    return this.pass('replaceKey', async () => this.store.replaceKey(place, from, to));
  }

  override async hasCoreTables(): Promise<boolean> {
    return this.pass('hasCoreTables', async () => this.store.hasCoreTables());
  }

  /** Makes a call unless the store is shut, and counts it while it is under way. A refused call is no outage. */
  private async pass<T>(method: keyof SessionStore, work: () => Promise<T>): Promise<T> {
    if (!this.isOpen) throw new CoreUnavailableError('The core was closed');
    this.underWay += 1;
    try {
      return await this.call(method, work);
    } finally {
      this.underWay -= 1;
      if (this.underWay === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
    }
  }

  private async call<T>(method: keyof SessionStore, work: () => Promise<T>): Promise<T> {
    return this.calls.run(`store.${method}`, async () => {
      try {
        const message = `No response within ${STORE_TIMEOUT_MS / 1000} s`;
        return await withTimeout(work(), STORE_TIMEOUT_MS, message, { keepsProcess: false });
      } catch (error) {
        if (error instanceof CoreError) throw error; // the store's own, more precise error
        throw new CoreUnavailableError(`The session store failed at ${method}`, { cause: error });
      }
    });
  }
}

/** The engine's access to the audit trail of its store, as guarded as the rest of the store. */
class GuardedTrail extends AuditTrail {
  constructor(
    private readonly trail: AuditTrail,
    private readonly pass: <T>(work: () => Promise<T>) => Promise<T>,
  ) {
    super();
  }

  override async append(entries: readonly AuditEntry[]): Promise<void> {
    return this.pass(async () => this.trail.append(entries));
  }

  /** @throws {CoreBadInputError} `after` is no position, which often comes from a client */
  override async read(search: AuditSearch): Promise<AuditPage> {
    return this.pass(async () => {
      try {
        return await this.trail.read(search);
      } catch (error) {
        if (error instanceof TypeError && error.message.startsWith('after:'))
          throw new CoreBadInputError(error.message);
        throw error;
      }
    });
  }

  override async sweep(nowMs: number, limit: number): Promise<{ readonly mayHaveMore: boolean }> {
    return this.pass(async () => this.trail.sweep(nowMs, limit));
  }
}

import type { RevocationDetails, RevocationNote } from '../../feed/revocation-feed.js';
import { MAX_CLOCK_DIFFERENCE_MS } from '../../feed/revocation-index.js';
import type { SessionsOfUsers, SessionStore } from '../../stores/session-store.js';
import type { CoreContext } from '../core-provider.js';
import type { BulkRevocationInput, BulkRevocationResult, UserSessionsInput } from '../core.types.js';
import { inMs, type EmbeddedCoreConfig } from './embedded-core-config.js';
import { parseSessionHandle } from './session-handle.js';

export interface RevocationParts {
  readonly store: SessionStore;
  readonly config: Pick<EmbeddedCoreConfig, 'accessTokenValiditySec'>;
  readonly context: Pick<CoreContext, 'clock' | 'recordsRevocations'>;
  selectUserSessions(input: UserSessionsInput): Promise<SessionsOfUsers>;
}

/** Ends sessions, with a record for the other instances where that is wanted. */
export class Revocations {
  constructor(private readonly parts: RevocationParts) {}

  async byHandles(sessionHandles: readonly string[], details?: RevocationDetails): Promise<string[]> {
    const keys = [...new Set(sessionHandles)].map(parseSessionHandle).filter((key) => key !== undefined);
    return keys.length === 0 ? [] : this.parts.store.deleteSessions(keys, this.note(details));
  }

  async ofUser(input: UserSessionsInput, details?: RevocationDetails): Promise<string[]> {
    const sessions = await this.parts.selectUserSessions(input);
    return this.parts.store.deleteSessionsOfUsers(sessions, this.note(details));
  }

  /** Users are few, so their sessions are removed; those of a tenant or of everybody are cut off with one write, and swept later. */
  async inBulk(input: BulkRevocationInput): Promise<BulkRevocationResult> {
    const { tenantId, userIds, createdBeforeMs } = input;
    const { store, context } = this.parts;
    const note = this.note(input);
    const nowMs = context.clock.now();
    if (userIds === undefined) {
      const cutOff = { tenantId, createdBeforeMs: createdBeforeMs ?? nowMs };
      await store.endSessionsCreatedBefore(
        { ...cutOff, includesPresent: createdBeforeMs === undefined },
        note,
      );
      return { sessionHandles: undefined };
    }
    const selected = userIds.map(async (userId) =>
      this.parts.selectUserSessions({ userId, tenantId, includeLinkedAccounts: true }),
    );
    const logins = new Set((await Promise.all(selected)).flatMap((each) => each.userIds));
    const sessions = { userIds: [...logins], tenantId, nowMs, createdBeforeMs };
    return { sessionHandles: await store.deleteSessionsOfUsers(sessions, note) };
  }

  /** @returns undefined where revocations are not recorded */
  note({ reason, initiator }: RevocationDetails = {}): RevocationNote | undefined {
    const { config, context } = this.parts;
    if (context.recordsRevocations !== true) return undefined;
    const now = context.clock.now();
    const untilMs = now + inMs(config.accessTokenValiditySec) + MAX_CLOCK_DIFFERENCE_MS;
    return { notBeforeMs: now, untilMs, reason, initiator };
  }
}

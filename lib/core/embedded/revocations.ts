import {
  MAX_CLOCK_DIFFERENCE_MS,
  revocationNote,
  type RevocationDetails,
  type RevocationNote,
} from '../../feed/revocation-feed.js';
import type { UserContext } from '../../util/user-context.js';
import type { SessionSearch, SessionsOfUsers, SessionStore } from '../../stores/session-store.js';
import type { CoreContext } from '../core-provider.js';
import type {
  BulkRevocationInput,
  BulkRevocationResult,
  CoreSessionSearch,
  UserSessionsInput,
} from '../core.types.js';
import type { AuditNotes } from './audit-notes.js';
import { inMs, type EmbeddedCoreConfig } from './embedded-core-config.js';
import { parseSessionHandle } from './session-handle.js';

export interface RevocationParts {
  readonly store: SessionStore;
  readonly config: Pick<EmbeddedCoreConfig, 'accessTokenValiditySec' | 'accountLinking'>;
  readonly context: Pick<CoreContext, 'clock' | 'recordsRevocations'>;
  readonly audit: AuditNotes;
}

/** Ends sessions, with a record for the other instances where that is wanted. */
export class Revocations {
  constructor(private readonly parts: RevocationParts) {}

  /** Returns the sessions that a question about a user means, with those of linked accounts. */
  async select({ userId, tenantId, includeLinkedAccounts }: UserSessionsInput): Promise<SessionsOfUsers> {
    const { accountLinking } = this.parts.config;
    const linked = includeLinkedAccounts ? await accountLinking?.getLinkedRecipeUserIds(userId) : undefined;
    const userIds = [...new Set([userId, ...(linked ?? [])])];
    return { userIds, tenantId, nowMs: this.parts.context.clock.now() };
  }

  /** Returns the sessions that a search means; as everywhere, a session in its last millisecond has ended. */
  async selectAll({ userId, tenantId, ...rest }: CoreSessionSearch): Promise<SessionSearch> {
    const nowMs = this.parts.context.clock.now() + 1;
    if (userId === undefined) return { ...rest, tenantId, userIds: undefined, nowMs };
    const { userIds } = await this.select({ userId, tenantId, includeLinkedAccounts: true });
    return { ...rest, tenantId, userIds, nowMs };
  }

  async byHandles(
    sessionHandles: readonly string[],
    details: RevocationDetails = {},
    userContext?: UserContext,
  ): Promise<string[]> {
    const { store, audit } = this.parts;
    const keys = [...new Set(sessionHandles)].map(parseSessionHandle).filter((key) => key !== undefined);
    if (keys.length === 0) return [];
    return store.deleteSessions(keys, this.note(details), audit.ended(details, userContext));
  }

  async ofUser(
    input: UserSessionsInput,
    details: RevocationDetails = {},
    userContext?: UserContext,
  ): Promise<string[]> {
    const { store, audit } = this.parts;
    const sessions = await this.select(input);
    return store.deleteSessionsOfUsers(sessions, this.note(details), audit.ended(details, userContext));
  }

  /** Users are few, so their sessions are removed; those of a tenant or of everybody are cut off with one write, and swept later. */
  async inBulk(input: BulkRevocationInput, userContext?: UserContext): Promise<BulkRevocationResult> {
    const { tenantId, userIds, createdBeforeMs } = input;
    const { store, context, audit } = this.parts;
    const nowMs = context.clock.now();
    assertNotAhead(createdBeforeMs, nowMs);
    const note = this.note(input);
    if (userIds === undefined) {
      const cutOff = { tenantId, createdBeforeMs: createdBeforeMs ?? nowMs };
      await store.endSessionsCreatedBefore(
        { ...cutOff, includesPresent: createdBeforeMs === undefined },
        note,
        audit.endedBefore(cutOff.createdBeforeMs, input, userContext),
      );
      return { sessionHandles: undefined };
    }
    const selected = userIds.map(async (userId) =>
      this.select({ userId, tenantId, includeLinkedAccounts: true }),
    );
    const logins = new Set((await Promise.all(selected)).flatMap((each) => each.userIds));
    const sessions = { userIds: [...logins], tenantId, nowMs, createdBeforeMs };
    return {
      sessionHandles: await store.deleteSessionsOfUsers(sessions, note, audit.ended(input, userContext)),
    };
  }

  /** @returns undefined where revocations are not recorded */
  note(details: RevocationDetails = {}): RevocationNote | undefined {
    const { config, context } = this.parts;
    if (context.recordsRevocations !== true) return undefined;
    return revocationNote(details, context.clock.now(), inMs(config.accessTokenValiditySec));
  }
}

/**
 * Refuses a moment ahead of the clocks of all instances: a cut-off never goes back, so that it would end what signs in until then, and
 * later cut-offs would end nothing.
 */
function assertNotAhead(createdBeforeMs: number | undefined, nowMs: number): void {
  if (createdBeforeMs === undefined || createdBeforeMs <= nowMs + MAX_CLOCK_DIFFERENCE_MS) return;
  const date = new Date(createdBeforeMs);
  const seen = Number.isNaN(date.getTime()) ? String(createdBeforeMs) : date.toISOString();
  throw new TypeError(
    `revokeSessions: createdBefore: ${seen} is no moment that has passed, with 5 minutes for clocks that differ: ` +
      'leave it out to end all sessions up to now',
  );
}

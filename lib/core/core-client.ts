import {
  refuseAudit,
  type AuditPage,
  type AuditSearchByAccount,
  type AuditTrail,
} from '../audit/audit-trail.js';
import type { SharedValues } from '../audit/shared-values.js';
import { CoreBadInputError, CoreError } from '../errors.js';
import type { ReplayStore } from '../options/replay-store.js';
import { reservedContext, type UserContext } from '../util/user-context.js';
import { applyChange, type JsonObject, type NamesChange } from '../util/json.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { selectSurplus } from '../util/session-cap.js';
import type { RevocationDetails, RevocationFeed } from '../feed/revocation-feed.js';
import type { SessionCountStep } from '../util/session-cursor.js';
import type { VerificationKeys } from '../util/verification-keys.js';
import type {
  BulkRevocationInput,
  BulkRevocationResult,
  CoreSessionInformation,
  CoreSessionPage,
  CoreSessionSearch,
  CoreSessionTokens,
  CoreUserRoles,
  CoreJwtInput,
  CoreJwtResult,
  CreateSessionInput,
  CreationLimit,
  JwksResult,
  LimitedCreationResult,
  RefreshSessionInput,
  RefreshSessionResult,
  RegenerateInput,
  RegenerateResult,
  UserSessionsInput,
  VerifySessionInput,
  VerifySessionResult,
} from './core.types.js';

const CANNOT_SEARCH =
  'This core finds sessions by their handles and by users only, so it lists and counts no others';

/**
 * The authority that issues sessions: our engine inside this process, or a SuperTokens Core over HTTP. Also the
 * injection token.
 *
 * Expected outcomes are values. Every method may throw `CoreUnavailableError` (no response; no decision was made),
 * `CoreResponseError` (a response that cannot be parsed) and `CoreBadInputError` (the call is wrong in itself). Those of this
 * package reject with a `TypeError` where an argument has the wrong type, or a name that they do not know.
 *
 * @see docs/protocol/core.md A6 for the CDI calls behind each method
 * @publicApi
 */
export abstract class CoreClient {
  /** Makes a session with a new handle and new tokens. Reserved claim names in the payload are a bad input. */
  abstract createSession(input: CreateSessionInput, userContext: UserContext): Promise<CoreSessionTokens>;

  /**
   * Creates a session while the account has a limit of sessions in the tenant. An embedded core does that in one
   * atomic step. This emulation, which the CDI does not offer either, runs the sign-ins of one account one at a time
   * in this process. With several processes a few sessions more can be left. If the creation fails after old sessions
   * were revoked, they stay revoked, and the result names them and the reason.
   */
  async createSessionWithinLimit(
    input: CreateSessionInput,
    { max, whenExceeded }: CreationLimit,
    userContext: UserContext,
  ): Promise<LimitedCreationResult> {
    const { tenantId } = input;
    const userId = await this.getPrimaryUserId(input.recipeUserId, userContext);
    return this.limitedCreations.run(JSON.stringify([tenantId, userId]), async () => {
      const reading = withFreshReads(userContext);
      const live = await this.getSessionHandlesOfUser(
        { userId, tenantId, includeLinkedAccounts: true },
        reading,
      );
      const surplus = selectSurplus(live, max).length;
      if (surplus > 0 && whenExceeded === 'refuse') return { status: 'TOO_MANY_SESSIONS' };
      const oldest = surplus === 0 ? [] : await this.byAge(live, reading);
      const ending = selectSurplus(oldest, max); // some may have ended since the list was read
      let endedHandles: readonly string[] = [];
      try {
        if (ending.length > 0) endedHandles = await this.revokeSessions(ending, userContext);
        return { status: 'OK', created: await this.createSession(input, userContext), endedHandles };
      } catch (failure) {
        if (failure instanceof CoreError) endedHandles = failure.endedHandles ?? endedHandles;
        if (endedHandles.length === 0) throw failure;
        // The revoked handles are returned although the creation failed, because their clients have to be notified.
        return { status: 'CREATION_FAILED', endedHandles, failure };
      }
    });
  }

  /** Checks an access token and, where it is the first use of a refreshed one, promotes its refresh token. */
  abstract verifySession(input: VerifySessionInput, userContext: UserContext): Promise<VerifySessionResult>;

  /**
   * Returns the session and user of a refresh token, if they can be read without a call; only for counting attempts,
   * because the session itself is not checked. Undefined for any other text, and if only another process can decrypt
   * it.
   */
  async readRefreshToken(
    _refreshToken: string,
  ): Promise<{ readonly sessionHandle: string; readonly recipeUserId: string } | undefined> {
    return undefined;
  }

  /** Exchanges a refresh token for a new pair. Theft is reported, not acted upon: the caller revokes. */
  abstract refreshSession(
    input: RefreshSessionInput,
    userContext: UserContext,
  ): Promise<RefreshSessionResult>;

  /**
   * Stores a new payload and re-issues the access token with its old expiry; no token if it has expired. With a `change`
   * parallel writers keep each other's names as far as the core can promise it, as for {@link mergeSessionData}.
   */
  abstract regenerateAccessToken(input: RegenerateInput, userContext: UserContext): Promise<RegenerateResult>;

  /** @returns the stored facts, or undefined when the session is unknown or has expired */
  abstract getSessionInformation(
    sessionHandle: string,
    userContext: UserContext,
  ): Promise<CoreSessionInformation | undefined>;

  /** Handles of the user's live sessions, in no particular order; unknown users have none. */
  abstract getSessionHandlesOfUser(input: UserSessionsInput, userContext: UserContext): Promise<string[]>;

  /**
   * Ends sessions.
   *
   * @returns the handles that existed; an unknown handle is no error
   * @throws {CoreError} whose `endedHandles` names what ended before the failure
   */
  abstract revokeSessions(
    sessionHandles: readonly string[],
    userContext: UserContext,
    details?: RevocationDetails,
  ): Promise<string[]>;

  /** Ends the user's live sessions. @returns their handles */
  abstract revokeSessionsOfUser(
    input: UserSessionsInput,
    userContext: UserContext,
    details?: RevocationDetails,
  ): Promise<string[]>;

  /**
   * Ends many sessions at once. This default ends those of users one user after the other, as the CDI allows.
   *
   * @throws {CoreBadInputError} no user is named, or a moment is, and this core cannot do that
   * @throws {CoreError} whose `endedHandles` names what ended before the failure
   */
  async revokeInBulk(input: BulkRevocationInput, userContext: UserContext): Promise<BulkRevocationResult> {
    const { userIds, tenantId, createdBeforeMs, reason, initiator } = input;
    if (userIds === undefined || createdBeforeMs !== undefined) {
      throw new CoreBadInputError(
        'This core ends sessions by their handles and by users only: name userIds, and no createdBefore',
      );
    }
    const sessionHandles: string[] = [];
    try {
      for (const userId of userIds) {
        const sessions = { userId, tenantId, includeLinkedAccounts: true };
        sessionHandles.push(
          ...(await this.revokeSessionsOfUser(sessions, userContext, { reason, initiator })),
        );
      }
    } catch (error) {
      if (error instanceof CoreError && sessionHandles.length > 0) error.endedHandles = sessionHandles;
      throw error;
    }
    return { sessionHandles };
  }

  /** Lists live sessions of any user, the newest first. @throws {CoreBadInputError} this core, or its store, cannot do that */
  async searchSessions(_search: CoreSessionSearch, _userContext: UserContext): Promise<CoreSessionPage> {
    throw new CoreBadInputError(CANNOT_SEARCH);
  }

  /** Counts what {@link searchSessions} finds among the next `limit` sessions. @throws as there */
  async countSessions(_search: CoreSessionSearch, _userContext: UserContext): Promise<SessionCountStep> {
    throw new CoreBadInputError(CANNOT_SEARCH);
  }

  /** The audit trail, if this core was made to keep one and can. */
  get auditTrail(): AuditTrail | undefined {
    return undefined;
  }

  /** Returns a page of the audit trail. @throws {CoreBadInputError} there is none, or `after` is no position */
  async readAudit(_search: AuditSearchByAccount, _userContext: UserContext): Promise<AuditPage> {
    return refuseAudit();
  }

  /** The feed by which instances on this core learn of ended sessions; undefined where it has none. */
  get revocationFeed(): RevocationFeed | undefined {
    return undefined;
  }

  /** Replaces the session data. @returns false when the session is unknown or has expired */
  abstract updateSessionData(
    sessionHandle: string,
    data: JsonObject,
    userContext: UserContext,
  ): Promise<boolean>;

  /**
   * Merges top-level keys into the session data; null removes a key. Parallel writers keep each other's keys as far
   * as the core can promise it: an embedded core does, over HTTP the CDI knows no merge.
   *
   * @returns false when the session is unknown or has expired
   */
  abstract mergeSessionData(
    sessionHandle: string,
    update: JsonObject,
    userContext: UserContext,
  ): Promise<boolean>;

  /**
   * Changes the session data by a function, which may be called several times. Parallel writers keep each other's keys as far as the
   * core can promise it, as for {@link mergeSessionData}. This default reads and then writes, so a write of another
   * process between the two is lost.
   *
   * @param change returns the new data, or undefined if the data can stay as it is
   * @returns as above
   */
  async changeSessionData(
    sessionHandle: string,
    change: (stored: JsonObject) => JsonObject | undefined,
    userContext: UserContext,
  ): Promise<boolean> {
    const known = await this.getSessionInformation(sessionHandle, withFreshReads(userContext));
    if (known === undefined) return false;
    const data = change(known.userDataInDatabase);
    return data === undefined || this.updateSessionData(sessionHandle, data, userContext);
  }

  /** Replaces the stored access token payload; issued tokens keep theirs. @returns as above */
  abstract updateAccessTokenPayload(
    sessionHandle: string,
    payload: JsonObject,
    userContext: UserContext,
  ): Promise<boolean>;

  /**
   * Changes some names of the stored payload, whatever they are there. Parallel writers keep each other's names as far as
   * the core can promise it, as for {@link mergeSessionData}. This default reads and then writes, so a write of
   * another process between the two is lost.
   *
   * @returns as above
   */
  async changeAccessTokenPayload(
    sessionHandle: string,
    change: NamesChange,
    userContext: UserContext,
  ): Promise<boolean> {
    const known = await this.getSessionInformation(sessionHandle, withFreshReads(userContext));
    if (known === undefined) return false;
    const payload = applyChange(known.userDataInJWT, change);
    return this.updateAccessTokenPayload(sessionHandle, payload, userContext);
  }

  /** The primary user id of a login method; the same id where accounts are not linked. */
  abstract getPrimaryUserId(recipeUserId: string, userContext: UserContext): Promise<string>;

  /** Signs a JWT of the application's own. */
  abstract createJwt(input: CoreJwtInput, userContext: UserContext): Promise<CoreJwtResult>;

  /** The published verification keys. */
  abstract getJwks(userContext: UserContext): Promise<JwksResult>;

  /** Keys for verifying tokens in this process, without asking the core for each token. */
  abstract readonly verificationKeys: VerificationKeys;

  /** The core's own user-roles recipe, for `UserRoleClaim` and `PermissionClaim`; undefined where it has none. */
  readonly userRoles: CoreUserRoles | undefined;

  /**
   * Reads the keys again, so that one that was removed at the core stops verifying in this process at once. Other
   * processes do the same by themselves at an interval.
   */
  async reloadSigningKeys(): Promise<void> {}

  /**
   * Returns a secret of this core, the same in every process that uses its store, for keys that the module needs itself; undefined
   * for a core that cannot.
   *
   * @param purpose gives each use a secret of its own
   */
  deriveSecret?(purpose: string): Promise<string>;

  /** Small texts that all instances on this core share; undefined where it has no place for them. */
  get sharedValues(): SharedValues | undefined {
    return undefined;
  }

  /** Where used DPoP proofs are kept for all instances on this core; undefined where it has no such place. */
  get replays(): ReplayStore | undefined {
    return undefined;
  }

  /**
   * Whether the core rotates refresh tokens with the refresh itself where a call asks for `rotation: 'at-once'`, and takes
   * `accessTokenValidityMs`. Only such a core can be served as CDI 5.6.
   */
  get canRotateAtOnce(): boolean {
    return false;
  }

  /** Describes the core for the lines at the start: names and hosts, never a secret. */
  get description(): string {
    return this.constructor.name;
  }

  /** Whether the last call got a response; undefined before the first, and for a core that does not keep it. */
  get isResponding(): boolean | undefined {
    return undefined;
  }

  /** Makes a call that decides nothing, to learn whether the core responds. @throws {CoreUnavailableError} it does not */
  async ping(): Promise<void> {}

  /** Called once before the application takes requests. */
  async start(): Promise<void> {}

  /** Closes what was opened, at the end of the application. */
  async close(): Promise<void> {}

  private readonly limitedCreations = new KeyedMutex();

  /** Sorts by age, oldest first, and leaves out the sessions that have ended meanwhile. */
  private async byAge(sessionHandles: readonly string[], userContext: UserContext): Promise<string[]> {
    const found = await Promise.all(
      sessionHandles.map(async (handle) => this.getSessionInformation(handle, userContext)),
    );
    return found
      .filter((information) => information !== undefined)
      .sort((a, b) => a.timeCreated - b.timeCreated)
      .map(({ sessionHandle }) => sessionHandle);
  }
}

/** Returns the same context with a reserved place of its own, so that no earlier read of the caller is reused. */
function withFreshReads(userContext: UserContext): UserContext {
  return { ...userContext, _default: { ...reservedContext(userContext) } };
}

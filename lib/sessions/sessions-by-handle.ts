import type { SessionClaim } from '../claims/session-claim.js';
import { checkArguments } from '../options/call-arguments.js';
import { SERVICE_CALLS } from './call-inputs.js';
import type { JsonObject } from '../util/json.js';
import type { DataUpdate, DefaultPayload, NewData, PayloadUpdate } from '../util/session-types.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { PrepareContext, UserContext } from '../util/user-context.js';
import type { OverrideValidatorsForHandle } from './claims.js';
import type {
  GetClaimValueResult,
  SessionInformation,
  ValidateClaimsForSessionHandleResult,
} from './stored-sessions.interface.js';
import { revokeOtherSessions } from './revoke.js';
import type { SessionRecipe } from './session-recipe.js';

/** The user context of one call. */
export interface WithUserContext {
  /** Passed unchanged to every overridden function. Default: a new one for each call. */
  userContext?: UserContext;
}

/**
 * The user whose sessions a call works with.
 *
 * @publicApi
 */
export interface UserSessionsQuery extends WithUserContext {
  userId: string;
  /** Default: all tenants. */
  tenantId?: string;
  /** Includes the sessions of linked accounts. Default true. */
  includeLinkedAccounts?: boolean;
}

/**
 * The sessions that `SessionService.revokeSessions` ends.
 *
 * @publicApi
 */
export interface BulkRevocation extends WithUserContext, RevocationDetails {
  /** Only sessions of this tenant. */
  tenantId?: string;
  /** Only sessions of these users and of the accounts linked to them. */
  userIds?: readonly string[];
  /** Only sessions that were created before: a moment that has passed, with 5 minutes for clocks that differ. */
  createdBefore?: Date;
  /** The sessions of everybody, in all tenants. */
  all?: boolean;
}

/**
 * The functions of `SessionService` for sessions that are named by their handle or by their user. They need no request, and no
 * token of the session.
 */
export abstract class SessionsByHandle {
  /** @internal */
  protected constructor(
    private readonly recipe: SessionRecipe,
    private readonly prepareContext: PrepareContext,
  ) {}

  /**
   * Ends a session. Its access tokens stay valid until they expire, except on routes with `checkDatabase`.
   *
   * @returns whether there was one
   */
  @checkArguments(SERVICE_CALLS.revokeSession)
  async revokeSession(
    sessionHandle: string,
    userContext?: UserContext,
    details?: RevocationDetails,
  ): Promise<boolean> {
    return this.recipe.revokeSession({ sessionHandle, userContext: this.context(userContext), ...details });
  }

  /**
   * Ends several sessions.
   *
   * @returns the handles of those that existed
   * @throws {CoreError} core or store failed. With `remoteCore` the sessions of other tenants may have ended by then: `endedHandles` of
   *   the error names them, and their events were sent. A repeat is safe, and names only those that it ends
   */
  @checkArguments(SERVICE_CALLS.revokeMultipleSessions)
  async revokeMultipleSessions(
    sessionHandles: readonly string[],
    userContext?: UserContext,
    details?: RevocationDetails,
  ): Promise<string[]> {
    return this.recipe.revokeMultipleSessions({
      sessionHandles,
      userContext: this.context(userContext),
      ...details,
    });
  }

  /**
   * Ends many sessions at once: those of a tenant, of everybody (`all: true`), of users, or what was created before a moment; with
   * several conditions the sessions that fulfil all of them. Without `userIds` that is one write, however many sessions there
   * are: a cut-off, which every read, refresh and list respects from then on. Access tokens stay valid until they expire, except on
   * routes with `checkDatabase`, unless the option `revocationFeed` tells all instances. With a SuperTokens Core only `userIds` can be
   * named, with or without `tenantId`.
   *
   * @returns the handles of the sessions that were ended; undefined for a cut-off, which names none
   * @throws {TypeError} no condition is given; `all` beside `tenantId` or `userIds`; `createdBefore` is more than 5 minutes ahead
   * @throws {CoreBadInputError} the core cannot do that
   */
  @checkArguments(SERVICE_CALLS.revokeSessions)
  async revokeSessions({
    userContext,
    createdBefore,
    ...input
  }: BulkRevocation): Promise<string[] | undefined> {
    const { tenantId, userIds, all, reason, initiator } = input;
    const isNamed = tenantId !== undefined || userIds !== undefined;
    if (!isNamed && all !== true && createdBefore === undefined) {
      throw new TypeError(
        'revokeSessions: say which sessions: tenantId, userIds, createdBefore, or all: true for everybody',
      );
    }
    if (isNamed && all === true)
      throw new TypeError('revokeSessions: all is everybody, so name no tenantId and no userIds');
    const { sessionHandles } = await this.recipe.verbs.revoke.revokeInBulk(
      { tenantId, userIds, createdBeforeMs: createdBefore?.getTime(), reason, initiator },
      this.context(userContext),
    );
    return sessionHandles;
  }

  /**
   * Signs a user out everywhere, in one step of core or store.
   *
   * @returns the handles of the sessions that were ended
   * @throws {CoreError} core or store failed. If only the response was lost, a repeat ends nothing more and names nothing
   */
  @checkArguments(SERVICE_CALLS.revokeAllSessionsForUser)
  async revokeAllSessionsForUser({
    userId,
    tenantId,
    includeLinkedAccounts = true,
    userContext,
    reason,
    initiator,
  }: UserSessionsQuery & RevocationDetails): Promise<string[]> {
    return this.recipe.revokeAllSessionsForUser({
      userId,
      reason,
      initiator,
      tenantId: tenantId ?? DEFAULT_TENANT_ID,
      revokeAcrossAllTenants: tenantId === undefined,
      revokeSessionsForLinkedAccounts: includeLinkedAccounts,
      userContext: this.context(userContext),
    });
  }

  /**
   * Signs a user out everywhere except in one session, after a change of the password for example. Sign-ins that happen
   * meanwhile stay. A session container has `revokeAllOtherSessions()` for this.
   *
   * @param input `sessionHandle`: the session that stays; `userId`: whose sessions end
   * @returns the handles of the sessions that were ended
   */
  @checkArguments(SERVICE_CALLS.revokeAllOtherSessions)
  async revokeAllOtherSessions({
    sessionHandle,
    userId,
    tenantId,
    includeLinkedAccounts = true,
    userContext,
    reason,
    initiator,
  }: UserSessionsQuery & RevocationDetails & { sessionHandle: string }): Promise<string[]> {
    return revokeOtherSessions(
      this.recipe,
      { sessionHandle, userId, tenantId, includeLinkedAccounts, mustExist: false, reason, initiator },
      this.context(userContext),
    );
  }

  /** Lists sessions. @returns the handles of the user's live sessions, in no particular order; empty for an unknown user */
  @checkArguments(SERVICE_CALLS.getAllSessionHandlesForUser)
  async getAllSessionHandlesForUser({
    userId,
    tenantId,
    includeLinkedAccounts = true,
    userContext,
  }: UserSessionsQuery): Promise<string[]> {
    return this.recipe.getAllSessionHandlesForUser({
      userId,
      tenantId: tenantId ?? DEFAULT_TENANT_ID,
      fetchAcrossAllTenants: tenantId === undefined,
      fetchSessionsForAllLinkedAccounts: includeLinkedAccounts,
      userContext: this.context(userContext),
    });
  }

  /** Looks a session up. @returns its stored facts, or undefined when it is unknown or has expired */
  @checkArguments(SERVICE_CALLS.getSessionInformation)
  async getSessionInformation<Payload extends object = DefaultPayload>(
    sessionHandle: string,
    userContext?: UserContext,
  ): Promise<SessionInformation<Payload> | undefined> {
    const information = await this.recipe.getSessionInformation({
      sessionHandle,
      userContext: this.context(userContext),
    });
    return information as SessionInformation<never> | undefined;
  }

  /**
   * Replaces the server-side JSON of a session; null and undefined become `{}`.
   *
   * @returns false when the session does not exist
   * @throws {TypeError} the data is no object with names, but a list for example
   */
  @checkArguments(SERVICE_CALLS.updateSessionDataInDatabase)
  async updateSessionDataInDatabase(
    sessionHandle: string,
    newSessionData: NewData | null | undefined,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.recipe.updateSessionDataInDatabase({
      sessionHandle,
      newSessionData: newSessionData as JsonObject | null | undefined,
      userContext: this.context(userContext),
    });
  }

  /**
   * Merges top-level keys into the server-side JSON of a session; null removes a key. Unlike
   * {@link updateSessionDataInDatabase}, parallel writers keep each other's keys; with `remoteCore` only those of this
   * process do, because the CDI knows no merge.
   *
   * @returns false when the session does not exist
   * @throws {TypeError} the update is no object with names, but a list for example
   */
  @checkArguments(SERVICE_CALLS.mergeSessionDataInDatabase)
  async mergeSessionDataInDatabase(
    sessionHandle: string,
    sessionDataUpdate: DataUpdate,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.recipe.mergeSessionDataInDatabase({
      sessionHandle,
      sessionDataUpdate: sessionDataUpdate as JsonObject,
      userContext: this.context(userContext),
    });
  }

  /**
   * Merges top-level keys into a session's stored payload; null removes a key, other names stay as they are. Clients see it
   * with their next refresh, or when the payload is changed through their session.
   *
   * @returns false when the session does not exist
   * @throws {TypeError} the update sets a name that belongs to the session (`sub`, `exp`, …)
   */
  @checkArguments(SERVICE_CALLS.mergeIntoAccessTokenPayload)
  async mergeIntoAccessTokenPayload(
    sessionHandle: string,
    accessTokenPayloadUpdate: PayloadUpdate,
    userContext?: UserContext,
  ): Promise<boolean> {
    const ctx = this.context(userContext);
    const { payload } = this.recipe.verbs;
    const update = await payload.checkedUpdate(sessionHandle, accessTokenPayloadUpdate, ctx);
    return this.recipe.mergeIntoAccessTokenPayload({
      sessionHandle,
      accessTokenPayloadUpdate: update as JsonObject,
      userContext: ctx,
    });
  }

  /** Fetches a claim's value again and stores it. @returns false when the session does not exist */
  @checkArguments(SERVICE_CALLS.fetchAndSetClaim)
  async fetchAndSetClaim(
    sessionHandle: string,
    claim: SessionClaim<unknown>,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.recipe.fetchAndSetClaim({
      sessionHandle,
      claim,
      userContext: this.context(userContext),
    });
  }

  /** Stores a claim's value. @returns false when the session does not exist */
  @checkArguments(SERVICE_CALLS.setClaimValue)
  async setClaimValue<T>(
    sessionHandle: string,
    claim: SessionClaim<T>,
    value: NoInfer<T>,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.recipe.setClaimValue({
      sessionHandle,
      claim,
      value,
      userContext: this.context(userContext),
    });
  }

  /** Returns a claim's stored value, undefined if it is not set; or the status of an unknown session. */
  @checkArguments(SERVICE_CALLS.getClaimValue)
  async getClaimValue<T>(
    sessionHandle: string,
    claim: SessionClaim<T>,
    userContext?: UserContext,
  ): Promise<GetClaimValueResult<T>> {
    return this.recipe.getClaimValue({
      sessionHandle,
      claim,
      userContext: this.context(userContext),
    });
  }

  /** Removes a claim's value. @returns false when the session does not exist */
  @checkArguments(SERVICE_CALLS.removeClaim)
  async removeClaim(
    sessionHandle: string,
    claim: SessionClaim<unknown>,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.recipe.removeClaim({ sessionHandle, claim, userContext: this.context(userContext) });
  }

  /**
   * Runs validators against a session's stored payload. Refetched values are stored.
   *
   * @param overrideGlobalClaimValidators replaces the list of validators; receives the global ones
   */
  @checkArguments(SERVICE_CALLS.validateClaimsForSessionHandle)
  async validateClaimsForSessionHandle(
    sessionHandle: string,
    overrideGlobalClaimValidators?: OverrideValidatorsForHandle,
    userContext?: UserContext,
  ): Promise<ValidateClaimsForSessionHandleResult> {
    return this.recipe.verbs.claims.validateByHandle(
      sessionHandle,
      overrideGlobalClaimValidators,
      this.context(userContext),
    );
  }

  /** Completes the user context of one call. */
  protected context(userContext: UserContext | undefined): UserContext {
    return this.prepareContext(userContext);
  }
}

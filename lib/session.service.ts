import { Inject, Injectable } from '@nestjs/common';
import type { SessionClaimValidator } from './claims/claim-validator.js';
import type { SessionClaim } from './claims/session-claim.js';
import type { SessionLifetime } from './options/feature-options.js';
import type { ClaimValidationError } from './errors.js';
import type {
  CreateJWTResult,
  GetClaimValueResult,
  JWKS,
  OpenIdDiscoveryConfiguration,
  SessionInformation,
  ValidateClaimsForSessionHandleResult,
  VerifySessionOptions,
} from './sessions/recipe.interface.js';
import { revokeOtherSessions } from './sessions/revoke-other-sessions.js';
import type { SessionContainer } from './sessions/session-container.js';
import { ensureRequestState, getExchange } from './sessions/request-state.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import { SESSION_RUNTIME } from './session.constants.js';
import type { JsonObject } from './util/json.js';
import { DEFAULT_TENANT_ID } from './util/tenant-id.js';
import type { UserContext } from './util/user-context.js';
import { createSessionRequest, type SessionRequest } from './http/session-request.js';

interface WithUserContext {
  /** Handed untouched to every overridden function. Default: a fresh one for each call. */
  userContext?: UserContext;
}

/**
 * Who signs in, and what the session carries.
 *
 * @publicApi
 */
export interface CreateNewSessionInput extends WithUserContext {
  /** The user, as the application knows him: 1 to 128 characters. Never take it from the request unchecked. */
  userId: string;
  /** The login method, where the core has linked several to one account. Default: `userId`. */
  recipeUserId?: string;
  /** Default `public`. */
  tenantId?: string;
  /** Goes into the access token, which the client can read. Names of the session itself (`sub`, …) are left out. */
  accessTokenPayload?: object;
  /** Kept on the server, never sent to the client. */
  sessionDataInDatabase?: object;
  /**
   * Limits of this session, laid one by one over the option `lifetime` of the module, which must be set: a shorter one
   * where the user does not want to be remembered, for example. A `TypeError` otherwise.
   */
  lifetime?: SessionLifetime;
  /**
   * When the user proved who they are, milliseconds since the epoch: for sign-ins that an identity provider vouches for
   * (`auth_time` of its ID token). Default now. Needs the option `lifetime`, or `AuthenticationTimeClaim` in `claims`.
   */
  authenticatedAtMs?: number;
}

/**
 * Whose sessions a call is about.
 *
 * @publicApi
 */
export interface UserSessionsQuery extends WithUserContext {
  userId: string;
  /** Default: all tenants. */
  tenantId?: string;
  /** Whether sessions of linked accounts count. Default true. */
  includeLinkedAccounts?: boolean;
}

/**
 * The functions of the session recipe. The request-bound ones take the request and response as Nest injects them
 * (`@Req()`, `@Res({ passthrough: true })`) and read and write tokens there; the others take one object.
 *
 * Besides what is said of each, all of them may throw `CoreUnavailableError` and `CoreResponseError`, which
 * `SessionExceptionFilter` answers with 503 and 502.
 *
 * @publicApi
 */
@Injectable()
export class SessionService {
  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {}

  /**
   * Signs a user in: makes a session with a new handle and new tokens, and writes the tokens to the response. A session
   * that the request brought along is replaced in the client; on the server it stays until it is revoked or expires.
   *
   * @throws {CoreBadInputError} the user or tenant id cannot be stored
   * @throws {TypeError} `req` and `res` are of no known framework, `userId` is no text, payload or data are no objects
   *   with names, the core knows `recipeUserId` as a login method of somebody else, or the session would be refused here by
   *   `accessTokenIssuers` or `accessTokenAudience`
   */
  async createNewSession<Payload extends object = JsonObject>(
    req: unknown,
    res: unknown,
    input: CreateNewSessionInput,
  ): Promise<SessionContainer<Payload>> {
    const session = await this.runtime.creation.inRequest(
      this.request(req, res, input.userContext),
      newSessionInput(input),
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * The same without a request. The application hands the tokens of `getAllSessionTokensDangerously` to the client, or
   * calls `attachToRequestResponse`.
   *
   * @param input `disableAntiCsrf`: no anti-CSRF token, for clients that use headers. Default false
   */
  async createNewSessionWithoutRequestResponse<Payload extends object = JsonObject>(
    input: CreateNewSessionInput & { disableAntiCsrf?: boolean },
  ): Promise<SessionContainer<Payload>> {
    const session = await this.runtime.creation.withoutRequest(
      { ...newSessionInput(input), disableAntiCsrf: input.disableAntiCsrf ?? false },
      this.context(input.userContext),
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * The session of a request, verified; what `SessionGuard` does, by hand.
   *
   * @returns undefined only with `sessionRequired: false` and without a usable token
   * @throws {UnauthorisedError} there is no session
   * @throws {TryRefreshTokenError} the access token cannot be used (any more)
   * @throws {InvalidClaimsError} a claim validator failed
   */
  async getSession<Payload extends object = JsonObject>(
    req: unknown,
    res: unknown,
    options: VerifySessionOptions & { sessionRequired: false },
    userContext?: UserContext,
  ): Promise<SessionContainer<Payload> | undefined>;
  async getSession<Payload extends object = JsonObject>(
    req: unknown,
    res: unknown,
    options?: VerifySessionOptions & { sessionRequired?: true },
    userContext?: UserContext,
  ): Promise<SessionContainer<Payload>>;
  async getSession(
    req: unknown,
    res: unknown,
    options: VerifySessionOptions = {},
    userContext?: UserContext,
  ): Promise<SessionContainer | undefined> {
    return this.runtime.verification.fromRequest(this.request(req, res, userContext), options);
  }

  /**
   * The session of an access token. Anti-CSRF is checked unless `antiCsrfCheck` is false.
   *
   * @returns and throws as {@link getSession}
   */
  async getSessionWithoutRequestResponse<Payload extends object = JsonObject>(
    input: WithUserContext &
      VerifySessionOptions & {
        accessToken: string | undefined;
        antiCsrfToken?: string;
        sessionRequired: false;
      },
  ): Promise<SessionContainer<Payload> | undefined>;
  async getSessionWithoutRequestResponse<Payload extends object = JsonObject>(
    input: WithUserContext &
      VerifySessionOptions & {
        accessToken: string | undefined;
        antiCsrfToken?: string;
        sessionRequired?: true;
      },
  ): Promise<SessionContainer<Payload>>;
  async getSessionWithoutRequestResponse(
    input: WithUserContext &
      VerifySessionOptions & { accessToken: string | undefined; antiCsrfToken?: string },
  ): Promise<SessionContainer | undefined> {
    const { accessToken, antiCsrfToken, userContext, ...options } = input;
    return this.runtime.verification.fromToken(
      { accessToken, antiCsrfToken, options },
      this.context(userContext),
    );
  }

  /**
   * Exchanges the refresh token of a request for new tokens and writes them to the response. The refresh route does
   * this by itself.
   *
   * @throws {UnauthorisedError} there is no refresh token, or its session is unknown, expired or revoked
   * @throws {TokenTheftDetectedError} the token's replacement is already in use; the session has been revoked, unless
   *   `errorHandlers.onTokenTheftDetected` is there to decide that
   */
  async refreshSession<Payload extends object = JsonObject>(
    req: unknown,
    res: unknown,
    userContext?: UserContext,
  ): Promise<SessionContainer<Payload>> {
    const session = await this.runtime.refreshing.inRequest(this.request(req, res, userContext));
    return session as SessionContainer<Payload>;
  }

  /**
   * The same from a token: nothing is read from or written to a response.
   *
   * @param input `disableAntiCsrf`: do not compare the anti-CSRF token, for tokens that came by header. Default false
   * @throws as {@link refreshSession}
   */
  async refreshSessionWithoutRequestResponse<Payload extends object = JsonObject>(
    input: WithUserContext & { refreshToken: string; antiCsrfToken?: string; disableAntiCsrf?: boolean },
  ): Promise<SessionContainer<Payload>> {
    const { refreshToken, antiCsrfToken, disableAntiCsrf = false, userContext } = input;
    const session = await this.runtime.refreshing.withToken(
      { refreshToken, antiCsrfToken, disableAntiCsrf },
      this.context(userContext),
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * Ends a session. Its access tokens stay valid until they expire, except on routes with `checkDatabase`.
   *
   * @returns whether there was one
   */
  async revokeSession(sessionHandle: string, userContext?: UserContext): Promise<boolean> {
    return this.runtime.recipe.revokeSession({ sessionHandle, userContext: this.context(userContext) });
  }

  /** Ends several sessions. @returns the handles of those that existed */
  async revokeMultipleSessions(
    sessionHandles: readonly string[],
    userContext?: UserContext,
  ): Promise<string[]> {
    return this.runtime.recipe.revokeMultipleSessions({
      sessionHandles,
      userContext: this.context(userContext),
    });
  }

  /** Signs a user out everywhere. @returns the handles of the sessions that were ended */
  async revokeAllSessionsForUser({
    userId,
    tenantId,
    includeLinkedAccounts = true,
    userContext,
  }: UserSessionsQuery): Promise<string[]> {
    return this.runtime.recipe.revokeAllSessionsForUser({
      userId,
      tenantId: tenantId ?? DEFAULT_TENANT_ID,
      revokeAcrossAllTenants: tenantId === undefined,
      revokeSessionsForLinkedAccounts: includeLinkedAccounts,
      userContext: this.context(userContext),
    });
  }

  /**
   * Signs a user out everywhere but in one session, after a change of the password for example. Sign-ins that happen
   * meanwhile stay. With a session at hand, `session.revokeAllOtherSessions()` does the same.
   *
   * @param input `sessionHandle`: the session that stays; `userId`: whose sessions end
   * @returns the handles of the sessions that were ended
   */
  async revokeAllOtherSessions({
    sessionHandle,
    userId,
    tenantId,
    includeLinkedAccounts = true,
    userContext,
  }: UserSessionsQuery & { sessionHandle: string }): Promise<string[]> {
    return revokeOtherSessions(
      this.runtime.recipe,
      { sessionHandle, userId, tenantId, includeLinkedAccounts, mustExist: false },
      this.context(userContext),
    );
  }

  /** @returns the handles of the user's live sessions, in no particular order; empty for an unknown user */
  async getAllSessionHandlesForUser({
    userId,
    tenantId,
    includeLinkedAccounts = true,
    userContext,
  }: UserSessionsQuery): Promise<string[]> {
    return this.runtime.recipe.getAllSessionHandlesForUser({
      userId,
      tenantId: tenantId ?? DEFAULT_TENANT_ID,
      fetchAcrossAllTenants: tenantId === undefined,
      fetchSessionsForAllLinkedAccounts: includeLinkedAccounts,
      userContext: this.context(userContext),
    });
  }

  /** @returns the stored facts of a session, or undefined when it is unknown or has expired */
  async getSessionInformation<Payload extends object = JsonObject>(
    sessionHandle: string,
    userContext?: UserContext,
  ): Promise<SessionInformation<Payload> | undefined> {
    const information = await this.runtime.recipe.getSessionInformation({
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
  async updateSessionDataInDatabase(
    sessionHandle: string,
    newSessionData: object | null | undefined,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.runtime.recipe.updateSessionDataInDatabase({
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
  async mergeSessionDataInDatabase(
    sessionHandle: string,
    sessionDataUpdate: object,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.runtime.recipe.mergeSessionDataInDatabase({
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
  async mergeIntoAccessTokenPayload(
    sessionHandle: string,
    accessTokenPayloadUpdate: object,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.runtime.recipe.mergeIntoAccessTokenPayload({
      sessionHandle,
      accessTokenPayloadUpdate: accessTokenPayloadUpdate as JsonObject,
      userContext: this.context(userContext),
    });
  }

  /** Fetches a claim's value anew and stores it. @returns false when the session does not exist */
  async fetchAndSetClaim(
    sessionHandle: string,
    claim: SessionClaim<unknown>,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.runtime.recipe.fetchAndSetClaim({
      sessionHandle,
      claim,
      userContext: this.context(userContext),
    });
  }

  /** @returns false when the session does not exist */
  async setClaimValue<T>(
    sessionHandle: string,
    claim: SessionClaim<T>,
    value: NoInfer<T>,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.runtime.recipe.setClaimValue({
      sessionHandle,
      claim,
      value,
      userContext: this.context(userContext),
    });
  }

  async getClaimValue<T>(
    sessionHandle: string,
    claim: SessionClaim<T>,
    userContext?: UserContext,
  ): Promise<GetClaimValueResult<T>> {
    return this.runtime.recipe.getClaimValue({
      sessionHandle,
      claim,
      userContext: this.context(userContext),
    });
  }

  /** @returns false when the session does not exist */
  async removeClaim(
    sessionHandle: string,
    claim: SessionClaim<unknown>,
    userContext?: UserContext,
  ): Promise<boolean> {
    return this.runtime.recipe.removeClaim({ sessionHandle, claim, userContext: this.context(userContext) });
  }

  /**
   * Runs validators against a session's stored payload. Refetched values are stored.
   *
   * @param overrideGlobalClaimValidators replaces the list of validators; receives the global ones
   */
  async validateClaimsForSessionHandle(
    sessionHandle: string,
    overrideGlobalClaimValidators?: (
      globalClaimValidators: readonly SessionClaimValidator[],
      information: SessionInformation,
      userContext: UserContext,
    ) => Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[],
    userContext?: UserContext,
  ): Promise<ValidateClaimsForSessionHandleResult> {
    return this.runtime.claimChecks.ofSessionHandle(
      sessionHandle,
      overrideGlobalClaimValidators,
      this.context(userContext),
    );
  }

  /**
   * Runs validators against the payload of a JWT that was verified elsewhere. Nothing is stored.
   *
   * @param overrideGlobalClaimValidators replaces the list of validators; receives the global ones
   */
  async validateClaimsInJWTPayload(
    input: WithUserContext & { userId: string; recipeUserId?: string; jwtPayload: object },
    overrideGlobalClaimValidators?: (
      globalClaimValidators: readonly SessionClaimValidator[],
      userContext: UserContext,
    ) => Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[],
  ): Promise<{ status: 'OK'; invalidClaims: readonly ClaimValidationError[] }> {
    const { userId, recipeUserId = userId, jwtPayload, userContext } = input;
    return this.runtime.claimChecks.ofJwtPayload(
      { userId, recipeUserId, jwtPayload: jwtPayload as JsonObject },
      overrideGlobalClaimValidators,
      this.context(userContext),
    );
  }

  /**
   * Signs a JWT of the application's own, for another service to verify with the published keys. Nothing revokes it: without
   * `validitySeconds` it is good for a hundred years. Do not copy a session's whole payload into it: with `sessionHandle`
   * and `refreshTokenHash1` it is an access token of that session.
   *
   * @param input `payload`: its `iss` wins over the issuer. `validitySeconds`: default 3 153 600 000, greater than 0.
   *   `useStaticSigningKey`: default true, because a rotating key leaves the published set some time
   * @throws {CoreBadInputError} the validity is not greater than 0
   * @throws {TypeError} the payload is no object with names, or that of a session and `validitySeconds` is missing
   */
  async createJWT(
    input: WithUserContext & {
      payload?: object;
      validitySeconds?: number;
      useStaticSigningKey?: boolean;
    } = {},
  ): Promise<CreateJWTResult> {
    const { payload, userContext, ...rest } = input;
    return this.runtime.recipe.createJWT({
      ...rest,
      payload: payload as JsonObject | undefined,
      userContext: this.context(userContext),
    });
  }

  /** The keys with which others verify our tokens, and for how long that answer may be cached. */
  async getJWKS(userContext?: UserContext): Promise<JWKS> {
    return this.runtime.recipe.getJWKS({ userContext: this.context(userContext) });
  }

  /** What `GET <base>/.well-known/openid-configuration` answers, and a status. */
  async getOpenIdDiscoveryConfiguration(
    userContext?: UserContext,
  ): Promise<{ status: 'OK' } & OpenIdDiscoveryConfiguration> {
    return this.runtime.recipe.getOpenIdDiscoveryConfiguration({ userContext: this.context(userContext) });
  }

  private context(userContext: UserContext | undefined): UserContext {
    return this.runtime.prepareContext(userContext);
  }

  private request(req: unknown, res: unknown, userContext: UserContext | undefined): SessionRequest {
    const exchange = getExchange(req, res);
    // An application may have several modules; the filter reads here which one an error belongs to.
    ensureRequestState(req).errorResponder = this.runtime.errorResponder;
    return createSessionRequest(exchange, this.context(userContext));
  }
}

function newSessionInput(input: CreateNewSessionInput) {
  if (typeof input.userId !== 'string') {
    throw new TypeError(`createNewSession: userId must be the id of a user, not ${typeof input.userId}`);
  }
  return {
    recipeUserId: input.recipeUserId ?? input.userId,
    userId: input.recipeUserId === undefined ? undefined : input.userId,
    tenantId: input.tenantId ?? DEFAULT_TENANT_ID,
    accessTokenPayload: input.accessTokenPayload,
    sessionDataInDatabase: input.sessionDataInDatabase,
    lifetime: input.lifetime,
    authenticatedAtMs: input.authenticatedAtMs,
  };
}

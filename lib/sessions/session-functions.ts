import type { AuditPage } from '../audit/audit-trail.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionActor } from '../delegation/delegations.js';
import type { ClaimValidationError } from '../errors.js';
import type { SessionLifetime } from '../options/feature-options.js';
import { checkArguments } from '../options/call-arguments.js';
import { SERVICE_CALLS } from './call-inputs.js';
import { readAudit, type ReadAuditInput } from './audit.js';
import type { NewSessionInput } from './create.js';
import type { CountSessionsInput, FindSessionsInput, SessionCount, SessionInformationPage } from './find.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import type { CreateJWTResult, JWKS, OpenIdDiscoveryConfiguration } from './stored-sessions.interface.js';
import type { SessionContainer } from './session-container.js';
import type { ProviderSignIn } from '../signals/provider-sessions.js';
import type { SessionRuntime } from './session-runtime.js';
import { SessionsFromOthers } from './delegated-sessions.js';
import type { WithUserContext } from './sessions-by-handle.js';
import type { JsonObject } from '../util/json.js';
import type { DefaultPayload, NewData, NewPayload } from '../util/session-types.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';

/**
 * The user who signs in, and the content of the session.
 *
 * @publicApi
 */
export interface CreateNewSessionInput extends WithUserContext {
  /** The application's id of the user: 1 to 128 characters. Never take it from the request unchecked. */
  userId: string;
  /** The login method, if the core has linked several to one account. Default: `userId`. */
  recipeUserId?: string;
  /** Default `public`. */
  tenantId?: string;
  /** Goes into the access token, which the client can read. Names of the session itself (`sub`, …) are left out. */
  accessTokenPayload?: NewPayload;
  /** Kept on the server, never sent to the client. */
  sessionDataInDatabase?: NewData;
  /**
   * Limits of this session, each in place of that of the module's option `lifetime`, which must be set, or a `TypeError` is
   * thrown. Example: a shorter one if the user does not want to be remembered.
   */
  lifetime?: SessionLifetime;
  /**
   * When the user proved who they are, milliseconds since the epoch: for sign-ins by an identity provider
   * (`auth_time` of its ID token). Default now. Needs the option `lifetime`, or `AuthenticationTimeClaim` in `claims`.
   */
  authenticatedAtMs?: number;
  /**
   * Life of the first access token in whole seconds, at most the core's `accessTokenValiditySec`, which is also the default.
   * The next refresh gives one of the default life, unless the refresh sets another. A longer one is refused, and so is any by
   * a SuperTokens Core that does not speak CDI 5.6: `CoreBadInputError`.
   */
  accessTokenValiditySec?: number;
  /**
   * The sign-in at an OpenID provider that the session ends with. Needs the option `backChannelLogout`. If the user has signed out
   * there meanwhile, the session is refused with `UnauthorisedError`.
   */
  provider?: ProviderSignIn;
  /**
   * The person who uses the session for the user, by their own session: an administrator who sees what the user sees. The payload
   * names them (`act`, RFC 8693), no claim of freshness passes, and the session ends with the actor's. Check first that they may.
   */
  actor?: SessionActor;
}

/**
 * The functions of the session recipe: what `SessionService` is in a Nest application, and `sessions.service` without Nest.
 * The request-bound ones take a request and its response, and read and write tokens there; the others take one object.
 *
 * Besides the errors of each, all of them may throw `CoreUnavailableError` and `CoreResponseError`, whose responses are 503
 * and 502.
 *
 * @publicApi
 */
export class SessionFunctions extends SessionsFromOthers {
  constructor(runtime: SessionRuntime) {
    super(runtime);
  }

  /**
   * Signs a user in: makes a session with a new handle and new tokens, and writes the tokens to the response. A session
   * that the request brought along is replaced in the client; on the server it stays until it is revoked or expires.
   *
   * @throws {CoreBadInputError} the user or tenant id cannot be stored, or the core refuses `accessTokenValiditySec`
   * @throws {TypeError} `req` and `res` are of no known framework, `userId` is no text, payload or data are no objects
   *   with names, the core knows `recipeUserId` as a login method of another user, or the session would be refused here by
   *   `accessTokenIssuers` or `accessTokenAudience`
   */
  @checkArguments(SERVICE_CALLS.createNewSession)
  async createNewSession<Payload extends object = DefaultPayload>(
    req: unknown,
    res: unknown,
    input: CreateNewSessionInput,
  ): Promise<SessionContainer<Payload>> {
    const session = await this.runtime.verbs.create.inRequest(
      this.runtime.claimRequest(req, res, input.userContext),
      newSessionInput(input),
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * Signs a user in without a request. The application sends the tokens of `getAllSessionTokensDangerously` to the client, or
   * calls `attachToRequestResponse`.
   *
   * @param input `disableAntiCsrf`: no anti-CSRF token, for clients that use headers. Default false
   */
  @checkArguments(SERVICE_CALLS.createNewSessionWithoutRequestResponse)
  async createNewSessionWithoutRequestResponse<Payload extends object = DefaultPayload>(
    input: CreateNewSessionInput & { disableAntiCsrf?: boolean },
  ): Promise<SessionContainer<Payload>> {
    const session = await this.runtime.verbs.create.withoutRequest(
      { ...newSessionInput(input), disableAntiCsrf: input.disableAntiCsrf ?? false },
      this.context(input.userContext),
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * Verifies the session of a request, as `SessionGuard` does.
   *
   * @returns undefined only with `sessionRequired: false` and without a usable token
   * @throws {UnauthorisedError} there is no session
   * @throws {TryRefreshTokenError} the access token cannot be used (any more)
   * @throws {InvalidClaimsError} a claim validator failed
   */
  async getSession<Payload extends object = DefaultPayload>(
    req: unknown,
    res: unknown,
    options: VerifySessionOptions & { sessionRequired: false },
    userContext?: UserContext,
  ): Promise<SessionContainer<Payload> | undefined>;
  async getSession<Payload extends object = DefaultPayload>(
    req: unknown,
    res: unknown,
    options?: VerifySessionOptions & { sessionRequired?: true },
    userContext?: UserContext,
  ): Promise<SessionContainer<Payload>>;
  @checkArguments(SERVICE_CALLS.getSession)
  async getSession(
    req: unknown,
    res: unknown,
    options: VerifySessionOptions = {},
    userContext?: UserContext,
  ): Promise<SessionContainer | undefined> {
    return this.runtime.verbs.verify.fromRequest(this.runtime.claimRequest(req, res, userContext), options);
  }

  /**
   * Verifies the session of an access token. Anti-CSRF is checked unless `antiCsrfCheck` is false.
   *
   * @returns and throws as {@link getSession}
   */
  async getSessionWithoutRequestResponse<Payload extends object = DefaultPayload>(
    input: WithUserContext &
      VerifySessionOptions & {
        accessToken: string | undefined;
        antiCsrfToken?: string;
        sessionRequired: false;
      },
  ): Promise<SessionContainer<Payload> | undefined>;
  async getSessionWithoutRequestResponse<Payload extends object = DefaultPayload>(
    input: WithUserContext &
      VerifySessionOptions & {
        accessToken: string | undefined;
        antiCsrfToken?: string;
        sessionRequired?: true;
      },
  ): Promise<SessionContainer<Payload>>;
  @checkArguments(SERVICE_CALLS.getSessionWithoutRequestResponse)
  async getSessionWithoutRequestResponse(
    input: WithUserContext &
      VerifySessionOptions & { accessToken: string | undefined; antiCsrfToken?: string },
  ): Promise<SessionContainer | undefined> {
    const { accessToken, antiCsrfToken, userContext, ...options } = input;
    return this.runtime.verbs.verify.fromToken(
      { accessToken, antiCsrfToken },
      options,
      this.context(userContext),
    );
  }

  /**
   * Exchanges the refresh token of a request for new tokens and writes them to the response. The refresh route does
   * this by itself; what an override of `refreshSession` gives as `accessTokenValiditySec` counts there, too.
   *
   * @param options `accessTokenValiditySec`: life of the new access token, as for {@link createNewSession}
   * @throws {CoreBadInputError} the core refuses `accessTokenValiditySec`; the refresh token stays good
   * @throws {UnauthorisedError} there is no refresh token, or its session is unknown, expired or revoked
   * @throws {TokenTheftDetectedError} the token's replacement is already in use; the session has been revoked, unless
   *   `errorHandlers.onTokenTheftDetected` is there to decide that
   */
  @checkArguments(SERVICE_CALLS.refreshSession)
  async refreshSession<Payload extends object = DefaultPayload>(
    req: unknown,
    res: unknown,
    userContext?: UserContext,
    options: { accessTokenValiditySec?: number } = {},
  ): Promise<SessionContainer<Payload>> {
    const session = await this.runtime.verbs.refresh.inRequest(
      this.runtime.claimRequest(req, res, userContext),
      options,
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * Exchanges a refresh token without a request: reads no request and writes no response.
   *
   * @param input `disableAntiCsrf`: skips the anti-CSRF check, for tokens that came by header. Default false.
   *   `accessTokenValiditySec`: as for {@link refreshSession}
   * @throws as {@link refreshSession}
   */
  @checkArguments(SERVICE_CALLS.refreshSessionWithoutRequestResponse)
  async refreshSessionWithoutRequestResponse<Payload extends object = DefaultPayload>(
    input: WithUserContext & {
      refreshToken: string;
      antiCsrfToken?: string;
      disableAntiCsrf?: boolean;
      accessTokenValiditySec?: number;
    },
  ): Promise<SessionContainer<Payload>> {
    const { disableAntiCsrf = false, userContext, ...rest } = input;
    const session = await this.runtime.verbs.refresh.withToken(
      { ...rest, disableAntiCsrf },
      this.context(userContext),
    );
    return session as SessionContainer<Payload>;
  }

  /**
   * Lists the live sessions of everybody, page by page, the newest first. Sessions that begin or end between two pages neither
   * repeat nor hide another.
   *
   * @throws {CoreBadInputError} the cursor is none; the core cannot list (a SuperTokens Core), or its store has no index
   * @throws {TypeError} `limit` is not 1 to 500; `lastSeenAfter` without the option `devices`
   */
  @checkArguments(SERVICE_CALLS.findSessions)
  async findSessions(input: FindSessionsInput = {}): Promise<SessionInformationPage> {
    return this.runtime.verbs.find.page(input, this.context(input.userContext));
  }

  /** Counts live sessions: exactly as long as there are not more than `upTo`. @throws as {@link findSessions} */
  @checkArguments(SERVICE_CALLS.countSessions)
  async countSessions(input: CountSessionsInput = {}): Promise<SessionCount> {
    return this.runtime.verbs.find.count(input, this.context(input.userContext));
  }

  /**
   * Returns a page of the audit trail, which the option `audit` keeps: what began, changed and ended sessions, by whom and why. The texts
   * in it come from clients and operators: show them as text.
   *
   * @throws {CoreBadInputError} there is no audit trail, or `after` is no position of it
   */
  @checkArguments(SERVICE_CALLS.readAudit)
  async readAudit(input: ReadAuditInput = {}): Promise<AuditPage> {
    return readAudit(this.runtime.core, input, this.context(input.userContext));
  }

  /**
   * Runs validators against the payload of a JWT that another component verified. Nothing is stored.
   *
   * @param overrideGlobalClaimValidators replaces the list of validators; receives the global ones
   */
  @checkArguments(SERVICE_CALLS.validateClaimsInJWTPayload)
  async validateClaimsInJWTPayload(
    input: WithUserContext & { userId: string; recipeUserId?: string; jwtPayload: object },
    overrideGlobalClaimValidators?: (
      globalClaimValidators: readonly SessionClaimValidator[],
      userContext: UserContext,
    ) => Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[],
  ): Promise<{ status: 'OK'; invalidClaims: readonly ClaimValidationError[] }> {
    const { userId, recipeUserId = userId, jwtPayload, userContext } = input;
    return this.runtime.verbs.claims.validateJwt(
      { userId, recipeUserId, jwtPayload: jwtPayload as JsonObject },
      overrideGlobalClaimValidators,
      this.context(userContext),
    );
  }

  /**
   * Signs a JWT of the application's own, for another service to verify with the published keys. It cannot be revoked: without
   * `validitySeconds` it is valid for a hundred years. Do not copy a session's whole payload into it: with `sessionHandle`
   * and `refreshTokenHash1` it is an access token of that session.
   *
   * @param input `payload`: its `iss` wins over the issuer. `validitySeconds`: default 3 153 600 000, greater than 0.
   *   `useStaticSigningKey`: default true, because a rotating key leaves the published set some time
   * @throws {CoreBadInputError} the validity is not greater than 0
   * @throws {TypeError} the payload is no object with names, or that of a session and `validitySeconds` is missing
   */
  @checkArguments(SERVICE_CALLS.createJWT)
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

  /** Returns the keys that verify the tokens of this module, and how long they may be cached. */
  @checkArguments(SERVICE_CALLS.getJWKS)
  async getJWKS(userContext?: UserContext): Promise<JWKS> {
    return this.runtime.recipe.getJWKS({ userContext: this.context(userContext) });
  }

  /** Returns the document of `GET <base>/.well-known/openid-configuration`, and a status. */
  @checkArguments(SERVICE_CALLS.getOpenIdDiscoveryConfiguration)
  async getOpenIdDiscoveryConfiguration(
    userContext?: UserContext,
  ): Promise<{ status: 'OK' } & OpenIdDiscoveryConfiguration> {
    return this.runtime.recipe.getOpenIdDiscoveryConfiguration({ userContext: this.context(userContext) });
  }
}

function newSessionInput(input: CreateNewSessionInput): NewSessionInput {
  return {
    recipeUserId: input.recipeUserId ?? input.userId,
    userId: input.recipeUserId === undefined ? undefined : input.userId,
    tenantId: input.tenantId ?? DEFAULT_TENANT_ID,
    accessTokenPayload: input.accessTokenPayload,
    sessionDataInDatabase: input.sessionDataInDatabase,
    lifetime: input.lifetime,
    authenticatedAtMs: input.authenticatedAtMs,
    accessTokenValiditySec: input.accessTokenValiditySec,
    actor: input.actor,
    provider: input.provider,
  };
}

import type { Type } from '@nestjs/common';
import {
  accessTokenInfo,
  parseWithoutVerifying,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from '../access-token/access-token.js';
import type { AccessTokenVerifier } from '../access-token/access-token-verifier.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import { validateClaims } from '../claims/validate-claims.js';
import { ROUTE_PATHS } from '../config/route-paths.js';
import type { SessionConfig } from '../config/session-config.js';
import type { CoreClient } from '../core/core-client.js';
import type { CoreSessionTokens, VerifySessionResult } from '../core/core.types.js';
import { TokenTheftDetectedError, TryRefreshTokenError, UnauthorisedError } from '../errors/session.error.js';
import type { SessionEvents } from '../observability/session-events.js';
import { assertNever } from '../shared/assert-never.js';
import type { Clock } from '../shared/clock.js';
import { deepFreeze } from '../shared/json.js';
import { tenantIdOfHandle } from '../shared/tenant-id.js';
import type { UserContext } from '../shared/user-context.js';
import { antiCsrfTokensMatch } from '../transport/anti-csrf.js';
import type { TokenTransport } from '../transport/token-transport.js';
import { jsonObjectFrom } from './json-input.js';
import { mergePayload } from './merge-payload.js';
import { OneAtATime } from './one-at-a-time.js';
import type { PrepareContext } from './prepare-context.js';
import type {
  CreateJWTResult,
  GetClaimValueResult,
  JWKS,
  OpenIdDiscoveryConfiguration,
  RecipeInterface,
  RegeneratedAccessToken,
  SessionInformation,
} from './recipe.interface.js';
import {
  payloadOf,
  SessionContainer,
  type SessionContainerContext,
  type SessionState,
} from './session-container.js';

/** 100 years: such a token is a fact about somebody, not a session. */
const DEFAULT_JWT_VALIDITY_SEC = 3_153_600_000;

/**
 * What the recipe works with; a class that extends {@link SessionRecipe} gets it injected and passes it on.
 *
 * @publicApi
 */
export abstract class RecipeDependencies {
  abstract readonly config: SessionConfig;
  abstract readonly core: CoreClient;
  abstract readonly verifier: AccessTokenVerifier;
  abstract readonly transport: TokenTransport;
  abstract readonly events: SessionEvents;
  abstract readonly clock: Clock;
  abstract readonly prepareContext: PrepareContext;
}

/**
 * A class that extends {@link SessionRecipe}, for the option `recipe`.
 *
 * @publicApi
 */
export type SessionRecipeClass = Type<SessionRecipe>;

type Input<Name extends keyof RecipeInterface> = Parameters<RecipeInterface[Name]>[0];

interface ClaimInput<T> {
  sessionHandle: string;
  claim: SessionClaim<T>;
  userContext: UserContext;
}

/**
 * The recipe's own functions. Each calls its siblings through {@link recipe}, the outermost layer of overrides. Extend
 * it to change one function and keep the others, and name the class in the option `recipe`: Nest makes it and injects
 * what else its constructor asks for.
 *
 * @see docs/protocol/sdk.md §6.3
 * @publicApi
 */
export class SessionRecipe implements RecipeInterface {
  /** The overridden object; this one until overrides are applied. */
  protected recipe: RecipeInterface = this;
  private readonly dataMerges = new OneAtATime();

  constructor(protected readonly dependencies: RecipeDependencies) {}

  /** @internal */
  useOverrides(recipe: RecipeInterface): void {
    this.recipe = recipe;
  }

  async createNewSession(input: Input<'createNewSession'>): Promise<SessionContainer> {
    const { config, core } = this.dependencies;
    const created = await core.createSession(
      {
        tenantId: input.tenantId,
        recipeUserId: input.recipeUserId,
        userDataInJWT: jsonObjectFrom(input.accessTokenPayload ?? {}, 'accessTokenPayload'),
        userDataInDatabase: jsonObjectFrom(input.sessionDataInDatabase ?? {}, 'sessionDataInDatabase'),
        useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,
        enableAntiCsrf: input.disableAntiCsrf !== true && config.antiCsrf === 'VIA_TOKEN',
      },
      input.userContext,
    );
    this.emit('session.created', created);
    return this.containerFor(created, input.tenantId);
  }

  getGlobalClaimValidators(
    input: Input<'getGlobalClaimValidators'>,
  ): Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[] {
    return input.claimValidatorsAddedByOtherRecipes;
  }

  async getSession(input: Input<'getSession'>): Promise<SessionContainer | undefined> {
    const { options = {} } = input;
    const doAntiCsrfCheck = options.antiCsrfCheck !== false;
    if (doAntiCsrfCheck && this.dependencies.config.antiCsrf === 'VIA_CUSTOM_HEADER') {
      throw new Error(
        'With antiCsrf VIA_CUSTOM_HEADER the check needs the request: pass antiCsrfCheck: false and check the header where it arrives',
      );
    }
    const parsed = input.accessToken === undefined ? undefined : parseWithoutVerifying(input.accessToken);
    if (parsed === undefined) {
      if (options.sessionRequired === false) return undefined;
      const message = input.accessToken === undefined ? 'There is no access token' : 'Token parsing failed';
      throw new UnauthorisedError(message, { clearTokens: false });
    }
    const info = await this.verifyLocally(parsed, doAntiCsrfCheck, input.antiCsrfToken);
    // Where nothing proves otherwise, the token alone is the answer: no call, no store.
    if (info !== undefined && options.checkDatabase !== true && info.parentRefreshTokenHash1 === undefined) {
      return this.newContainer(stateFromToken(parsed.token, info, input.antiCsrfToken));
    }
    const verified = await this.dependencies.core.verifySession(
      {
        accessToken: parsed.token,
        antiCsrfToken: input.antiCsrfToken,
        doAntiCsrfCheck,
        enableAntiCsrf: this.dependencies.config.antiCsrf === 'VIA_TOKEN',
        checkDatabase: options.checkDatabase === true,
      },
      input.userContext,
    );
    return this.containerAfterVerify(verified, parsed, info, input.antiCsrfToken);
  }

  async refreshSession(input: Input<'refreshSession'>): Promise<SessionContainer> {
    const { config, core } = this.dependencies;
    if (config.antiCsrf === 'VIA_CUSTOM_HEADER' && !input.disableAntiCsrf) {
      throw new Error(
        'With antiCsrf VIA_CUSTOM_HEADER the check needs the request: pass disableAntiCsrf: true and check the header where it arrives',
      );
    }
    const result = await core.refreshSession(
      {
        refreshToken: input.refreshToken,
        antiCsrfToken: input.antiCsrfToken,
        enableAntiCsrf: !input.disableAntiCsrf && config.antiCsrf === 'VIA_TOKEN',
        useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,
      },
      input.userContext,
    );
    switch (result.status) {
      case 'OK':
        this.emit('session.refreshed', result);
        return this.containerFor(result, result.session.tenantId);
      case 'UNAUTHORISED':
        throw new UnauthorisedError(result.message);
      case 'TOKEN_THEFT_DETECTED':
        return this.reportTheft(result.session);
      default:
        return assertNever(result);
    }
  }

  async getSessionInformation(
    input: Input<'getSessionInformation'>,
  ): Promise<SessionInformation | undefined> {
    const found = await this.dependencies.core.getSessionInformation(input.sessionHandle, input.userContext);
    return (
      found && {
        sessionHandle: found.sessionHandle,
        userId: found.userId,
        recipeUserId: found.recipeUserId,
        tenantId: found.tenantId,
        expiry: found.expiry,
        timeCreated: found.timeCreated,
        sessionDataInDatabase: found.userDataInDatabase,
        customClaimsInAccessTokenPayload: found.userDataInJWT,
      }
    );
  }

  async revokeAllSessionsForUser(input: Input<'revokeAllSessionsForUser'>): Promise<string[]> {
    const revoked = await this.dependencies.core.revokeSessionsOfUser(
      {
        userId: input.userId,
        tenantId: input.revokeAcrossAllTenants === true ? undefined : input.tenantId,
        includeLinkedAccounts: input.revokeSessionsForLinkedAccounts,
      },
      input.userContext,
    );
    return this.noteRevoked(revoked);
  }

  async getAllSessionHandlesForUser(input: Input<'getAllSessionHandlesForUser'>): Promise<string[]> {
    return this.dependencies.core.getSessionHandlesOfUser(
      {
        userId: input.userId,
        tenantId: input.fetchAcrossAllTenants === true ? undefined : input.tenantId,
        includeLinkedAccounts: input.fetchSessionsForAllLinkedAccounts,
      },
      input.userContext,
    );
  }

  async revokeSession(input: Input<'revokeSession'>): Promise<boolean> {
    const revoked = await this.dependencies.core.revokeSessions([input.sessionHandle], input.userContext);
    return this.noteRevoked(revoked).length === 1;
  }

  async revokeMultipleSessions(input: Input<'revokeMultipleSessions'>): Promise<string[]> {
    return this.noteRevoked(
      await this.dependencies.core.revokeSessions(input.sessionHandles, input.userContext),
    );
  }

  async updateSessionDataInDatabase(input: Input<'updateSessionDataInDatabase'>): Promise<boolean> {
    const data = jsonObjectFrom(input.newSessionData ?? {}, 'newSessionData');
    return this.dependencies.core.updateSessionData(input.sessionHandle, data, input.userContext);
  }

  async mergeSessionDataInDatabase(input: Input<'mergeSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const update = jsonObjectFrom(input.sessionDataUpdate, 'sessionDataUpdate');
    // The core lets parallel writers try again until they get through; here they need not compete at all.
    return this.dataMerges.run(sessionHandle, () =>
      this.dependencies.core.mergeSessionData(sessionHandle, update, userContext),
    );
  }

  async mergeIntoAccessTokenPayload(input: Input<'mergeIntoAccessTokenPayload'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const information = await this.recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return false;
    const payload = mergePayload(
      information.customClaimsInAccessTokenPayload,
      input.accessTokenPayloadUpdate,
    );
    return this.dependencies.core.updateAccessTokenPayload(sessionHandle, payload, userContext);
  }

  async regenerateAccessToken(
    input: Input<'regenerateAccessToken'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    const userDataInJWT = jsonObjectFrom(input.newAccessTokenPayload ?? {}, 'newAccessTokenPayload');
    const result = await this.dependencies.core.regenerateAccessToken(
      { accessToken: input.accessToken, userDataInJWT },
      input.userContext,
    );
    return result.status === 'OK' ? result : undefined;
  }

  async validateClaims(input: Input<'validateClaims'>): ReturnType<RecipeInterface['validateClaims']> {
    return validateClaims(input);
  }

  async fetchAndSetClaim(input: Input<'fetchAndSetClaim'>): Promise<boolean> {
    const { sessionHandle, claim, userContext } = input;
    const information = await this.recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return false;
    const { userId, recipeUserId, tenantId, customClaimsInAccessTokenPayload } = information;
    const update = await claim.build(
      userId,
      recipeUserId,
      tenantId,
      customClaimsInAccessTokenPayload,
      userContext,
    );
    return this.recipe.mergeIntoAccessTokenPayload({
      sessionHandle,
      accessTokenPayloadUpdate: update,
      userContext,
    });
  }

  async setClaimValue<T>(input: ClaimInput<T> & { value: T }): Promise<boolean> {
    const { sessionHandle, claim, value, userContext } = input;
    return this.recipe.mergeIntoAccessTokenPayload({
      sessionHandle,
      accessTokenPayloadUpdate: claim.addToPayload_internal({}, value, userContext),
      userContext,
    });
  }

  async getClaimValue<T>(input: ClaimInput<T>): Promise<GetClaimValueResult<T>> {
    const { sessionHandle, claim, userContext } = input;
    const information = await this.recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
    return {
      status: 'OK',
      value: claim.getValueFromPayload(information.customClaimsInAccessTokenPayload, userContext),
    };
  }

  async removeClaim(input: Input<'removeClaim'>): Promise<boolean> {
    const { sessionHandle, claim, userContext } = input;
    return this.recipe.mergeIntoAccessTokenPayload({
      sessionHandle,
      accessTokenPayloadUpdate: claim.removeFromPayloadByMerge_internal({}, userContext),
      userContext,
    });
  }

  async createJWT(input: Input<'createJWT'>): Promise<CreateJWTResult> {
    const { userContext } = input;
    const { issuer } = await this.recipe.getOpenIdDiscoveryConfiguration({ userContext });
    return this.dependencies.core.createJwt(
      {
        payload: { iss: issuer, ...jsonObjectFrom(input.payload ?? {}, 'payload') },
        validity: input.validitySeconds ?? DEFAULT_JWT_VALIDITY_SEC,
        useStaticSigningKey: input.useStaticSigningKey !== false,
        algorithm: 'RS256',
        jwksDomain: this.dependencies.config.appInfo.apiDomain,
      },
      userContext,
    );
  }

  async getJWKS({ userContext }: Input<'getJWKS'>): Promise<JWKS> {
    return this.dependencies.core.getJwks(userContext);
  }

  /** Without the endpoints of an OAuth2 provider, which sessions alone do not have. */
  async getOpenIdDiscoveryConfiguration(
    _input: Input<'getOpenIdDiscoveryConfiguration'>,
  ): Promise<{ status: 'OK' } & OpenIdDiscoveryConfiguration> {
    const { apiDomain, apiBasePath } = this.dependencies.config.appInfo;
    const issuer = apiDomain + apiBasePath;
    return {
      status: 'OK',
      issuer,
      jwks_uri: issuer + ROUTE_PATHS.jwks,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code', 'id_token', 'id_token token'],
    };
  }

  /**
   * Everything that can be proven without the core.
   *
   * @returns undefined for a version 2 token so young that its key may not have reached us: the core is asked then
   * @see docs/protocol/sdk.md §4.4-4.8
   */
  private async verifyLocally(
    parsed: ParsedAccessToken,
    doAntiCsrfCheck: boolean,
    antiCsrfToken: string | undefined,
  ): Promise<AccessTokenInfo | undefined> {
    let info: AccessTokenInfo;
    try {
      info = await this.dependencies.verifier.verify(parsed);
    } catch (error) {
      if (this.mayHaveNewerKey(parsed)) return undefined;
      throw error;
    }
    this.checkKindOfKey(info);
    if (doAntiCsrfCheck && this.dependencies.config.antiCsrf === 'VIA_TOKEN') {
      if (antiCsrfToken === undefined)
        throw new TryRefreshTokenError('anti-csrf check failed: the request carries no anti-csrf token');
      if (!antiCsrfTokensMatch(info.antiCsrfToken, antiCsrfToken))
        throw new TryRefreshTokenError('anti-csrf check failed');
    }
    return info;
  }

  private mayHaveNewerKey(parsed: ParsedAccessToken): boolean {
    if (parsed.version > 2) return false;
    const { timeCreatedMs, expiryMs } = accessTokenInfo(parsed);
    const now = this.dependencies.clock.now();
    return expiryMs >= now && timeCreatedMs > now - this.dependencies.config.jwksRefreshIntervalSec * 1000;
  }

  private checkKindOfKey({ kid, version }: AccessTokenInfo): void {
    if (version <= 2) return;
    if (kid?.startsWith('d-') !== this.dependencies.config.useDynamicAccessTokenSigningKey) {
      throw new TryRefreshTokenError(
        'The access token was signed by the other kind of key than useDynamicAccessTokenSigningKey asks for',
      );
    }
  }

  private containerAfterVerify(
    verified: VerifySessionResult,
    parsed: ParsedAccessToken,
    info: AccessTokenInfo | undefined,
    antiCsrfToken: string | undefined,
  ): SessionContainer {
    switch (verified.status) {
      case 'OK':
        break;
      case 'UNAUTHORISED':
        throw new UnauthorisedError(verified.message);
      case 'TRY_REFRESH_TOKEN':
        throw new TryRefreshTokenError(verified.message);
      default:
        return assertNever(verified);
    }
    const { session, accessToken } = verified;
    const known = info ?? accessTokenInfo(parsed);
    const userData = deepFreeze({ ...session.userDataInJWT });
    const isLegacy = parsed.version <= 2;
    const presentedPayload = isLegacy ? userData : known.payload;
    return this.newContainer({
      ...stateFromToken(parsed.token, known, antiCsrfToken),
      sessionHandle: session.handle,
      userId: session.userId,
      recipeUserId: session.recipeUserId,
      tenantId: session.tenantId,
      ...(accessToken === undefined
        ? { accessTokenPayload: presentedPayload }
        : {
            accessToken: accessToken.token,
            accessTokenExpiryMs: accessToken.expiry,
            accessTokenPayload: isLegacy ? userData : payloadOf(accessToken.token, userData),
            accessAndFrontTokenUpdated: true,
          }),
    });
  }

  private containerFor(tokens: CoreSessionTokens, tenantId: string): SessionContainer {
    const { session, accessToken, refreshToken, antiCsrfToken } = tokens;
    return this.newContainer({
      sessionHandle: session.handle,
      userId: session.userId,
      recipeUserId: session.recipeUserId,
      tenantId,
      accessToken: accessToken.token,
      accessTokenExpiryMs: accessToken.expiry,
      accessTokenPayload: payloadOf(accessToken.token, session.userDataInJWT),
      refreshToken: { token: refreshToken.token, expiry: refreshToken.expiry },
      antiCsrfToken,
      accessAndFrontTokenUpdated: true,
    });
  }

  private newContainer(state: SessionState): SessionContainer {
    const { transport, events, clock, prepareContext } = this.dependencies;
    const context: SessionContainerContext = {
      recipe: this.recipe,
      transport,
      events,
      clock,
      prepareContext,
    };
    return new SessionContainer(state, context);
  }

  private reportTheft(session: { handle: string; userId: string; recipeUserId: string }): never {
    const { handle, userId, recipeUserId } = session;
    this.dependencies.events.emit({
      type: 'session.theft-detected',
      timeMs: this.dependencies.clock.now(),
      sessionHandle: handle,
      userId,
      recipeUserId,
      tenantId: tenantIdOfHandle(handle),
    });
    throw new TokenTheftDetectedError(handle, userId, recipeUserId);
  }

  private emit(type: 'session.created' | 'session.refreshed', { session }: CoreSessionTokens): void {
    const { handle: sessionHandle, userId, tenantId } = session;
    this.dependencies.events.emit({
      type,
      timeMs: this.dependencies.clock.now(),
      sessionHandle,
      userId,
      tenantId,
    });
  }

  private noteRevoked(sessionHandles: string[]): string[] {
    const { verifier, events, clock } = this.dependencies;
    verifier.forgetSessions(sessionHandles);
    for (const sessionHandle of sessionHandles) {
      events.emit({
        type: 'session.revoked',
        timeMs: clock.now(),
        sessionHandle,
        tenantId: tenantIdOfHandle(sessionHandle),
      });
    }
    return sessionHandles;
  }
}

/** @param antiCsrfToken the request's; it is echoed to the client only where it is the session's own (Q3) */
function stateFromToken(
  token: string,
  info: AccessTokenInfo,
  antiCsrfToken: string | undefined,
): SessionState {
  return {
    sessionHandle: info.sessionHandle,
    userId: info.userId,
    recipeUserId: info.recipeUserId,
    tenantId: info.tenantId,
    accessToken: token,
    accessTokenExpiryMs: info.expiryMs,
    accessTokenPayload: info.payload,
    refreshToken: undefined,
    antiCsrfToken: antiCsrfTokensMatch(info.antiCsrfToken, antiCsrfToken) ? antiCsrfToken : undefined,
    accessAndFrontTokenUpdated: false,
  };
}

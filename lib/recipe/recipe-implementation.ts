import type { Type } from '@nestjs/common';
import {
  accessTokenInfo,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from '../access-token/access-token.js';
import type { AccessTokenVerifier } from '../access-token/access-token-verifier.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import { validateClaims } from '../claims/validate-claims.js';
import { ROUTE_PATHS } from '../config/route-paths.js';
import type { SessionConfig } from '../config/session-config.js';
import type { SessionFeatures } from '../config/session-feature-options.js';
import type { CoreClient } from '../core/core-client.js';
import type {
  CoreSession,
  CoreSessionTokens,
  CreateSessionInput,
  VerifySessionResult,
} from '../core/core.types.js';
import { TokenTheftDetectedError, TryRefreshTokenError, UnauthorisedError } from '../errors/session.error.js';
import { eventSourceOf } from '../observability/event-source.js';
import type { SessionEvent, SessionEvents } from '../observability/session-events.js';
import { TooManySessionsError } from '../errors/too-many-sessions.error.js';
import { assertNever } from '../shared/assert-never.js';
import type { Clock } from '../shared/clock.js';
import { deepFreeze, type JsonObject } from '../shared/json.js';
import { OneAtATime } from '../shared/one-at-a-time.js';
import { tenantIdOfHandle } from '../shared/tenant-id.js';
import type { UserContext } from '../shared/user-context.js';
import { antiCsrfTokensMatch } from '../transport/anti-csrf.js';
import type { TokenTransport } from '../transport/token-transport.js';
import type { Devices } from './devices.js';
import { jsonObjectFrom } from './json-input.js';
import { mergePayload } from './merge-payload.js';

import type { PrepareContext } from './prepare-context.js';
import type { SessionLifetimes } from './session-lifetimes.js';
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
  abstract readonly lifetimes: SessionLifetimes;
  abstract readonly features: SessionFeatures;
  abstract readonly devices: Devices;
}

/**
 * A class that extends {@link SessionRecipe}, for the option `recipe`.
 *
 * @publicApi
 */
export type SessionRecipeClass = Type<SessionRecipe>;

/** Events that say whose session it is and nothing else. */
type PlainEventType = Extract<
  SessionEvent['type'],
  'session.created' | 'session.refreshed' | 'session.theft-detected' | 'session.reauthenticated'
>;
type EventSubject = Pick<CoreSession, 'handle' | 'userId' | 'recipeUserId' | 'tenantId'>;

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
  private overriddenNames: ReadonlySet<string> = new Set();
  /** What all containers have in common, made when the first is. */
  private sharedContext: SessionContainerContext | undefined;

  constructor(protected readonly dependencies: RecipeDependencies) {}

  /** @internal */
  useOverrides(recipe: RecipeInterface, overriddenNames: readonly string[]): void {
    this.recipe = recipe;
    this.overriddenNames = new Set(overriddenNames);
    this.sharedContext = undefined;
  }

  /** @internal Whether a function is the library's own: neither an override nor a class replaces it. */
  isOwn(name: keyof RecipeInterface): boolean {
    return (
      !this.overriddenNames.has(name) &&
      Reflect.get(this, name) === Reflect.get(SessionRecipe.prototype, name)
    );
  }

  async createNewSession(input: Input<'createNewSession'>): Promise<SessionContainer> {
    const { config, lifetimes, devices } = this.dependencies;
    const userDataInJWT = lifetimes.payloadOfNewSession(
      jsonObjectFrom(input.accessTokenPayload ?? {}, 'accessTokenPayload'),
      input,
    );
    this.assertIsOfUse(userDataInJWT);
    const created = await this.createWithinLimit(
      {
        tenantId: input.tenantId,
        recipeUserId: input.recipeUserId,
        userDataInJWT,
        userDataInDatabase: devices.dataOfNewSession(
          jsonObjectFrom(input.sessionDataInDatabase ?? {}, 'sessionDataInDatabase'),
          input.userContext,
        ),
        useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,
        enableAntiCsrf: input.disableAntiCsrf !== true && config.antiCsrf === 'VIA_TOKEN',
      },
      input,
    );
    devices.remember(created.session.handle);
    this.emit('session.created', created.session, input.userContext);
    return this.containerFor(created, input.tenantId);
  }

  getGlobalClaimValidators(
    input: Input<'getGlobalClaimValidators'>,
  ): Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[] {
    return input.claimValidatorsAddedByOtherRecipes;
  }

  async getSession(input: Input<'getSession'>): Promise<SessionContainer | undefined> {
    const atOnce = this.getSessionAtOnce(input);
    if (atOnce !== undefined) return atOnce;
    const { options = {} } = input;
    const doAntiCsrfCheck = this.doesAntiCsrfCheck(input);
    const parsed =
      input.accessToken === undefined ? undefined : this.dependencies.verifier.read(input.accessToken);
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

  /**
   * {@link getSession} without a promise: where the token alone is the answer, and its key is at hand if it is not known.
   *
   * @internal
   * @param known what is remembered of the token at this moment, where the caller has looked already
   * @returns undefined where only `getSession` can tell
   */
  getSessionAtOnce(
    { accessToken, antiCsrfToken, options }: Input<'getSession'>,
    known?: AccessTokenInfo,
  ): SessionContainer | undefined {
    if (accessToken === undefined || options?.checkDatabase === true) return undefined;
    const info = known ?? this.dependencies.verifier.verifyAtOnce(accessToken);
    if (info === undefined || info.parentRefreshTokenHash1 !== undefined) return undefined;
    this.checkProven(info, this.doesAntiCsrfCheck({ options }), antiCsrfToken);
    return this.newContainer(stateFromToken(accessToken, info, antiCsrfToken));
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
        await this.endIfOver(result.session, input.userContext);
        // Nothing is lost by it: until the new tokens are used, the core takes the old one again.
        this.dependencies.verifier.assertIntended(result.session.userDataInJWT);
        this.emit('session.refreshed', result.session, input.userContext);
        return this.containerFor(result, result.session.tenantId);
      case 'UNAUTHORISED':
        throw new UnauthorisedError(result.message);
      case 'TOKEN_THEFT_DETECTED':
        return this.reportTheft(result.session, input.userContext);
      default:
        return assertNever(result);
    }
  }

  async getSessionInformation(
    input: Input<'getSessionInformation'>,
  ): Promise<SessionInformation | undefined> {
    const { core, devices } = this.dependencies;
    const found = await core.getSessionInformation(input.sessionHandle, input.userContext);
    if (found === undefined) return undefined;
    const { data, device } = devices.split(found.userDataInDatabase);
    return {
      sessionHandle: found.sessionHandle,
      userId: found.userId,
      recipeUserId: found.recipeUserId,
      tenantId: found.tenantId,
      expiry: found.expiry,
      timeCreated: found.timeCreated,
      sessionDataInDatabase: data,
      customClaimsInAccessTokenPayload: found.userDataInJWT,
      ...(device === undefined ? {} : { device }),
    };
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
    return this.noteRevoked(revoked, input);
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
    return this.noteRevoked(revoked, { userContext: input.userContext }).length === 1;
  }

  async revokeMultipleSessions(input: Input<'revokeMultipleSessions'>): Promise<string[]> {
    const { sessionHandles, userContext } = input;
    const revoked = await this.dependencies.core.revokeSessions(sessionHandles, userContext);
    return this.noteRevoked(revoked, { userContext });
  }

  async updateSessionDataInDatabase(input: Input<'updateSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, devices } = this.dependencies;
    const data = jsonObjectFrom(input.newSessionData ?? {}, 'newSessionData');
    if (!devices.isOn) return core.updateSessionData(sessionHandle, data, userContext);
    return this.dataMerges.run(sessionHandle, async () => {
      const known = await core.getSessionInformation(sessionHandle, userContext);
      if (known === undefined) return false;
      const kept = devices.dataToReplace(known.userDataInDatabase, data);
      return core.updateSessionData(sessionHandle, kept, userContext);
    });
  }

  async mergeSessionDataInDatabase(input: Input<'mergeSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const update = jsonObjectFrom(input.sessionDataUpdate, 'sessionDataUpdate');
    this.dependencies.devices.assertFree(update);
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
      this.dependencies.lifetimes.claimNames,
    );
    return this.dependencies.core.updateAccessTokenPayload(sessionHandle, payload, userContext);
  }

  async regenerateAccessToken(
    input: Input<'regenerateAccessToken'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    const { core, lifetimes } = this.dependencies;
    const given = jsonObjectFrom(input.newAccessTokenPayload ?? {}, 'newAccessTokenPayload');
    // What the token says of the session's limits counts: the core proves it before it stores anything.
    const userDataInJWT = lifetimes.payloadWithLimitsOf(payloadOf(input.accessToken, {}), given);
    const result = await core.regenerateAccessToken(
      { accessToken: input.accessToken, userDataInJWT },
      input.userContext,
    );
    return result.status === 'OK' ? result : undefined;
  }

  async recordAuthentication({
    accessToken,
    userContext,
  }: Input<'recordAuthentication'>): Promise<RegeneratedAccessToken | undefined> {
    const { core, lifetimes } = this.dependencies;
    const userDataInJWT = lifetimes.payloadAfterAuthentication(payloadOf(accessToken, {}));
    const result = await core.regenerateAccessToken({ accessToken, userDataInJWT }, userContext);
    if (result.status !== 'OK') return undefined;
    this.emit('session.reauthenticated', result.session, userContext);
    return result;
  }

  async validateClaims(input: Input<'validateClaims'>): ReturnType<RecipeInterface['validateClaims']> {
    const { invalidClaims, accessTokenPayloadUpdate } = await validateClaims(input);
    if (accessTokenPayloadUpdate === undefined) return { invalidClaims };
    return {
      invalidClaims,
      accessTokenPayloadUpdate: this.dependencies.lifetimes.withoutOwnClaims(accessTokenPayloadUpdate),
    };
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
      // A token that was proven and refused has no newer key.
      if (error instanceof TryRefreshTokenError && this.mayHaveNewerKey(parsed)) return undefined;
      throw error;
    }
    this.checkProven(info, doAntiCsrfCheck, antiCsrfToken);
    return info;
  }

  private doesAntiCsrfCheck({ options }: Pick<Input<'getSession'>, 'options'>): boolean {
    const doAntiCsrfCheck = options?.antiCsrfCheck !== false;
    if (doAntiCsrfCheck && this.dependencies.config.antiCsrf === 'VIA_CUSTOM_HEADER') {
      throw new Error(
        'With antiCsrf VIA_CUSTOM_HEADER the check needs the request: pass antiCsrfCheck: false and check the header where it arrives',
      );
    }
    return doAntiCsrfCheck;
  }

  /** What a token has to satisfy besides being genuine and in time. */
  private checkProven(
    info: AccessTokenInfo,
    doAntiCsrfCheck: boolean,
    antiCsrfToken: string | undefined,
  ): void {
    this.checkKindOfKey(info);
    if (!doAntiCsrfCheck || this.dependencies.config.antiCsrf !== 'VIA_TOKEN') return;
    if (antiCsrfToken === undefined)
      throw new TryRefreshTokenError('anti-csrf check failed: the request carries no anti-csrf token');
    if (!antiCsrfTokensMatch(info.antiCsrfToken, antiCsrfToken))
      throw new TryRefreshTokenError('anti-csrf check failed');
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
    const { lifetimes, verifier } = this.dependencies;
    const { session, accessToken } = verified;
    const known = info ?? accessTokenInfo(parsed);
    if (info === undefined) verifier.assertIntended(known.payload); // only the core has proven it
    const userData = deepFreeze({ ...session.userDataInJWT });
    const isLegacy = parsed.version <= 2;
    const presentedPayload = isLegacy ? userData : known.payload;
    if (lifetimes.isOlderProof(known.payload, userData)) {
      // The user has proved who they are since, with another token. Who holds this one is told what is stored, but gets
      // no token that is fresh: that takes the refresh token.
      const accessTokenPayload = deepFreeze(lifetimes.payloadWithoutNewerProof(known.payload, userData));
      return this.newContainer({ ...stateFromToken(parsed.token, known, antiCsrfToken), accessTokenPayload });
    }
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

  /** In line with the other writers of the session's data. */
  private readonly noteUse = (sessionHandle: string, userContext: UserContext): void => {
    const { core, devices } = this.dependencies;
    devices.noteUse(sessionHandle, userContext, (update) =>
      this.dataMerges.run(sessionHandle, () => core.mergeSessionData(sessionHandle, update, {})),
    );
  };

  /** @throws {TypeError} this application itself would refuse the session, as soon as its user came back */
  private assertIsOfUse(payload: JsonObject): void {
    const claim = this.dependencies.verifier.findForeignClaim(payload);
    if (claim === undefined) return;
    throw new TypeError(
      claim === 'iss'
        ? "createNewSession: accessTokenIssuers does not name this application's own issuer, so the session would be refused here"
        : 'createNewSession: the session would be refused here: put accessTokenAudience into accessTokenPayload as aud',
    );
  }

  /** @throws {TooManySessionsError} the user has as many sessions as he may have, and none is to be ended for it */
  private async createWithinLimit(
    session: CreateSessionInput,
    { userId, tenantId, userContext }: Input<'createNewSession'>,
  ): Promise<CoreSessionTokens> {
    const { core, features } = this.dependencies;
    const { maxSessionsPerUser: limit } = features;
    if (limit === undefined) return core.createSession(session, userContext);
    const result = await core.createSessionWithinLimit(session, limit, userContext);
    if (result.status === 'TOO_MANY_SESSIONS') throw new TooManySessionsError(userId, tenantId, limit.max);
    this.noteRevoked([...result.endedHandles], { userId, userContext });
    return result.created;
  }

  /** A core that knows nothing of absolute ends goes on refreshing: the session ends here then. */
  private async endIfOver(session: CoreSession, userContext: UserContext): Promise<void> {
    const { lifetimes } = this.dependencies;
    if (!lifetimes.isOver(session.userDataInJWT)) return;
    await this.recipe.revokeSession({ sessionHandle: session.handle, userContext });
    lifetimes.assertNotOver(session.userDataInJWT);
  }

  private containerFor(tokens: CoreSessionTokens, tenantId: string): SessionContainer {
    const { session, accessToken, refreshToken, antiCsrfToken } = tokens;
    const { lifetimes } = this.dependencies;
    return this.newContainer({
      sessionHandle: session.handle,
      userId: session.userId,
      recipeUserId: session.recipeUserId,
      tenantId,
      accessToken: accessToken.token,
      accessTokenExpiryMs: accessToken.expiry,
      accessTokenPayload: payloadOf(accessToken.token, session.userDataInJWT),
      refreshToken: {
        token: refreshToken.token,
        expiry: lifetimes.refreshTokenExpiryMs(session.userDataInJWT, refreshToken.expiry),
      },
      antiCsrfToken,
      accessAndFrontTokenUpdated: true,
    });
  }

  private newContainer(state: SessionState): SessionContainer {
    // Every way to a session leads through here, so none of them can miss its end.
    this.dependencies.lifetimes.assertNotOver(state.accessTokenPayload);
    this.sharedContext ??= this.containerContext();
    return new SessionContainer(state, this.sharedContext);
  }

  private containerContext(): SessionContainerContext {
    const { transport, events, clock, prepareContext, lifetimes, devices } = this.dependencies;
    const context = { recipe: this.recipe, transport, events, clock, prepareContext, lifetimes };
    return devices.isOn ? { ...context, noteUse: this.noteUse } : context;
  }

  private reportTheft(session: Omit<EventSubject, 'tenantId'>, userContext: UserContext): never {
    const { handle, userId, recipeUserId } = session;
    this.emit('session.theft-detected', { ...session, tenantId: tenantIdOfHandle(handle) }, userContext);
    throw new TokenTheftDetectedError(handle, userId, recipeUserId);
  }

  private emit(type: PlainEventType, session: EventSubject, userContext: UserContext): void {
    const { handle: sessionHandle, userId, recipeUserId, tenantId } = session;
    this.dependencies.events.emit({
      type,
      timeMs: this.dependencies.clock.now(),
      sessionHandle,
      userId,
      recipeUserId,
      tenantId,
      ...eventSourceOf(userContext),
    });
  }

  /** @param by whose sessions they were is known only where all of a user's were meant */
  private noteRevoked(
    sessionHandles: string[],
    { userId, userContext }: { readonly userId?: string; readonly userContext: UserContext },
  ): string[] {
    const { verifier, events, clock } = this.dependencies;
    verifier.forgetSessions(sessionHandles);
    for (const sessionHandle of sessionHandles) {
      events.emit({
        type: 'session.revoked',
        timeMs: clock.now(),
        sessionHandle,
        ...(userId === undefined ? {} : { userId }),
        tenantId: tenantIdOfHandle(sessionHandle),
        ...eventSourceOf(userContext),
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

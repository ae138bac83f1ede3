import type { Type } from '@nestjs/common';
import {
  accessTokenInfo,
  parseWithoutVerifying,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from '../tokens/access-token.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import { validateClaims } from '../claims/validate-claims.js';
import { SESSION_ROUTES } from '../options/session-routes.js';
import type {
  CoreSession,
  CoreSessionTokens,
  CreateSessionInput,
  RegenerateResult,
  VerifySessionResult,
} from '../core/core.types.js';
import { TryRefreshTokenError, UnauthorisedError, TooManySessionsError, assertNever } from '../errors.js';
import { deepFreeze, type JsonObject, type NamesChange } from '../util/json.js';
import { LIFETIME_CLAIMS } from '../util/lifetime-claims.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { ownWriteContext, type UserContext } from '../util/user-context.js';
import { toJsonObject } from './json-input.js';
import { changeOfPayload, changeOfUpdate, toPayloadUpdate } from './merge-payload.js';
import type { RecipeDependencies } from './recipe-dependencies.js';
import { SessionReports } from './session-reports.js';
import { outlives, stateFromToken, TokenChecks } from './token-checks.js';
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
  readTokenPayload,
  SessionContainer,
  type SessionContainerContext,
  type SessionState,
} from './session-container.js';

/** 100 years: such a token is a fact about somebody, not a session. */
const DEFAULT_JWT_VALIDITY_SEC = 3_153_600_000;

/**
 * How writers of one session wait for each other. One that is late is not waited for: an embedded core keeps them apart
 * by itself, and with a remote one it is as if the two were in two processes.
 */
const WRITERS = { waitMs: 5000, waiting: 1000 };

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
  private readonly checks: TokenChecks;
  private readonly reports: SessionReports;
  // The core lets parallel writers try again until they get through; in one process they need not compete at all.
  private readonly dataMerges = new KeyedMutex(WRITERS);
  private readonly payloadChanges = new KeyedMutex(WRITERS);
  private overriddenNames: ReadonlySet<string> = new Set();
  /** What all containers have in common, made when the first is. */
  private sharedContext: SessionContainerContext | undefined;

  constructor(protected readonly dependencies: RecipeDependencies) {
    const { config, verifier, events, clock } = dependencies;
    this.checks = new TokenChecks(config, verifier);
    this.reports = new SessionReports(verifier, events, clock);
  }

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
      toJsonObject(input.accessTokenPayload ?? {}, 'accessTokenPayload'),
      input,
    );
    this.assertIsOfUse(userDataInJWT);
    const created = await this.createWithinLimit(
      {
        tenantId: input.tenantId,
        recipeUserId: input.recipeUserId,
        userDataInJWT,
        userDataInDatabase: devices.dataOfNewSession(
          toJsonObject(input.sessionDataInDatabase ?? {}, 'sessionDataInDatabase'),
          input.userContext,
        ),
        useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,
        enableAntiCsrf: input.disableAntiCsrf !== true && config.antiCsrf === 'VIA_TOKEN',
      },
      input,
    );
    devices.remember(created.session.handle);
    this.reports.note('session.created', created.session, input.userContext);
    return this.createContainer(created, input.tenantId);
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
    const doAntiCsrfCheck = this.checks.doesAntiCsrfCheck(input);
    const parsed =
      input.accessToken === undefined ? undefined : this.dependencies.verifier.read(input.accessToken);
    if (parsed === undefined) {
      if (options.sessionRequired === false) return undefined;
      const message = input.accessToken === undefined ? 'There is no access token' : 'Token parsing failed';
      throw new UnauthorisedError(message, { clearTokens: false });
    }
    const info = await this.checks.verifyLocally(parsed, doAntiCsrfCheck, input.antiCsrfToken);
    // Where nothing proves otherwise, the token alone is the answer: no call, no store.
    if (options.checkDatabase !== true && info.parentRefreshTokenHash1 === undefined) {
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
    this.checks.checkProven(info, this.checks.doesAntiCsrfCheck({ options }), antiCsrfToken);
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
        this.reports.note('session.refreshed', result.session, input.userContext);
        return this.createContainer(result, result.session.tenantId);
      case 'UNAUTHORISED':
        throw new UnauthorisedError(result.message);
      case 'TOKEN_THEFT_DETECTED':
        return this.reports.theft(result.session, input.userContext);
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
    this.reports.revoked(revoked, { userId: input.userId }, input.userContext);
    return revoked;
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

  async revokeSession({ sessionHandle, ...rest }: Input<'revokeSession'>): Promise<boolean> {
    return (await this.revoke({ sessionHandles: [sessionHandle], ...rest })).length === 1;
  }

  async revokeMultipleSessions(input: Input<'revokeMultipleSessions'>): Promise<string[]> {
    return this.revoke(input);
  }

  private async revoke({
    sessionHandles,
    owner,
    userContext,
  }: Input<'revokeMultipleSessions'>): Promise<string[]> {
    const revoked = await this.dependencies.core.revokeSessions(sessionHandles, userContext);
    const ended = new Set(revoked);
    this.reports.forget(sessionHandles.filter((handle) => !ended.has(handle)));
    this.reports.revoked(revoked, owner, userContext);
    return revoked;
  }

  async updateSessionDataInDatabase(input: Input<'updateSessionDataInDatabase'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, devices } = this.dependencies;
    const data = toJsonObject(input.newSessionData ?? {}, 'newSessionData');
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
    const update = toJsonObject(input.sessionDataUpdate, 'sessionDataUpdate');
    this.dependencies.devices.assertFree(update);
    return this.dataMerges.run(sessionHandle, () =>
      this.dependencies.core.mergeSessionData(sessionHandle, update, userContext),
    );
  }

  async mergeIntoAccessTokenPayload(input: Input<'mergeIntoAccessTokenPayload'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, lifetimes } = this.dependencies;
    const change = changeOfUpdate(toPayloadUpdate(input.accessTokenPayloadUpdate, lifetimes.claimNames));
    return this.payloadChanges.run(sessionHandle, () =>
      core.changeAccessTokenPayload(sessionHandle, change, userContext),
    );
  }

  async regenerateAccessToken(
    input: Input<'regenerateAccessToken'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    const { lifetimes } = this.dependencies;
    const { accessToken, currentAccessTokenPayload: current, userContext } = input;
    const given = toJsonObject(input.newAccessTokenPayload ?? {}, 'newAccessTokenPayload');
    const presented = readTokenPayload(accessToken, {});
    // Where nothing stored is at hand, what the token says of the session's limits counts: the core proves it before it
    // stores anything.
    const userDataInJWT = lifetimes.keepLimits(current ?? presented, given);
    const update = toJsonObject(input.accessTokenPayloadUpdate ?? {}, 'accessTokenPayloadUpdate');
    const names = Object.keys(lifetimes.withoutOwnClaims(update));
    const change = current && changeOfPayload(current, userDataInJWT, names);
    const result = await this.regenerate({ accessToken, userDataInJWT, change }, userContext);
    if (result.status !== 'OK') return undefined;
    const { status, session } = result;
    return lifetimes.isOlderProof(presented, session.userDataInJWT) ? { status, session } : result;
  }

  async recordAuthentication(
    input: Input<'recordAuthentication'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    const { lifetimes } = this.dependencies;
    const { accessToken, userContext } = input;
    lifetimes.assertRecorded();
    const current =
      input.currentAccessTokenPayload ?? (await this.getStoredPayload(accessToken, userContext));
    if (current === undefined) return undefined;
    const userDataInJWT = lifetimes.payloadAfterAuthentication(current);
    const change = changeOfPayload(current, userDataInJWT, [LIFETIME_CLAIMS.authTime]);
    const result = await this.regenerate({ accessToken, userDataInJWT, change }, userContext);
    if (result.status !== 'OK') return undefined;
    this.reports.note('session.reauthenticated', result.session, userContext);
    return result;
  }

  /** A change of the stored payload is in line with the other writers of this process. */
  private async regenerate(
    {
      accessToken,
      userDataInJWT,
      change,
    }: { accessToken: string; userDataInJWT: JsonObject; change: NamesChange | undefined },
    userContext: UserContext,
  ): Promise<RegenerateResult> {
    const { core } = this.dependencies;
    const presented = readToken(accessToken);
    if (change === undefined || presented === undefined) {
      const result = await core.regenerateAccessToken({ accessToken, userDataInJWT }, userContext);
      return withoutUnearnedTime(result, presented);
    }
    const { sessionHandle } = presented;
    const input = { accessToken, userDataInJWT: undefined, change: { ...change, sessionHandle } };
    const result = await this.payloadChanges.run(sessionHandle, () =>
      core.regenerateAccessToken(input, userContext),
    );
    return withoutUnearnedTime(result, presented);
  }

  private async getStoredPayload(
    accessToken: string,
    userContext: UserContext,
  ): Promise<JsonObject | undefined> {
    const sessionHandle = readToken(accessToken)?.sessionHandle;
    if (sessionHandle === undefined) return undefined;
    const information = await this.recipe.getSessionInformation({ sessionHandle, userContext });
    return information?.customClaimsInAccessTokenPayload;
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
    const payload = toJsonObject(input.payload ?? {}, 'payload');
    if (input.validitySeconds === undefined) assertNoAccessToken(payload);
    const { issuer } = await this.recipe.getOpenIdDiscoveryConfiguration({ userContext });
    return this.dependencies.core.createJwt(
      {
        payload: { iss: issuer, ...payload },
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
      jwks_uri: issuer + SESSION_ROUTES.jwks.path,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code', 'id_token', 'id_token token'],
    };
  }

  private containerAfterVerify(
    verified: VerifySessionResult,
    parsed: ParsedAccessToken,
    known: AccessTokenInfo,
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
    const { lifetimes } = this.dependencies;
    const { session, accessToken } = verified;
    const userData = deepFreeze({ ...session.userDataInJWT });
    const isLegacy = parsed.version <= 2;
    const presentedPayload = isLegacy ? userData : known.payload;
    // Only the first use of a refreshed token, which names its parent, may give time.
    const isUnearned =
      accessToken !== undefined &&
      known.parentRefreshTokenHash1 === undefined &&
      outlives(accessToken, known);
    if (isUnearned || lifetimes.isOlderProof(known.payload, userData)) {
      // A SuperTokens Core gives whoever shows an old token a new one with a full life; or the user has proved who they are
      // since, with another token. Who holds this one is told what is stored, but gets no other token: that takes the
      // refresh token.
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
            accessTokenPayload: isLegacy ? userData : readTokenPayload(accessToken.token, userData),
            accessAndFrontTokenUpdated: true,
            presentedTokenExpiryMs: known.expiryMs,
          }),
    });
  }

  /** In line with the other writers of the session's data. */
  private readonly noteUse = (sessionHandle: string, userContext: UserContext): void => {
    const { core, devices } = this.dependencies;
    devices.noteUse(sessionHandle, userContext, (update) =>
      this.dataMerges.run(sessionHandle, () =>
        core.mergeSessionData(sessionHandle, update, ownWriteContext()),
      ),
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
    this.reports.revoked(result.endedHandles, { userId }, userContext);
    if (result.status === 'CREATION_FAILED') throw result.failure;
    return result.created;
  }

  /** A core that knows nothing of absolute ends goes on refreshing: the session ends here then. */
  private async endIfOver(session: CoreSession, userContext: UserContext): Promise<void> {
    const { lifetimes } = this.dependencies;
    if (!lifetimes.isOver(session.userDataInJWT)) return;
    const { handle: sessionHandle, userId, recipeUserId } = session;
    await this.recipe.revokeSession({ sessionHandle, owner: { userId, recipeUserId }, userContext });
    lifetimes.assertNotOver(session.userDataInJWT);
  }

  private createContainer(tokens: CoreSessionTokens, tenantId: string): SessionContainer {
    const { session, accessToken, refreshToken, antiCsrfToken } = tokens;
    const { lifetimes } = this.dependencies;
    return this.newContainer({
      sessionHandle: session.handle,
      userId: session.userId,
      recipeUserId: session.recipeUserId,
      tenantId,
      accessToken: accessToken.token,
      accessTokenExpiryMs: accessToken.expiry,
      accessTokenPayload: readTokenPayload(accessToken.token, session.userDataInJWT),
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
}

/** With these two names a JWT is built like an access token, which nobody means to be one for {@link DEFAULT_JWT_VALIDITY_SEC}. */
function assertNoAccessToken(payload: JsonObject): void {
  if (typeof payload['sessionHandle'] !== 'string' || typeof payload['refreshTokenHash1'] !== 'string')
    return;
  throw new TypeError(
    'createJWT: this is the payload of a session, so the JWT would open that session for a hundred years: ' +
      'leave out sessionHandle and refreshTokenHash1, or say with validitySeconds how long it may',
  );
}

function readToken(accessToken: string): AccessTokenInfo | undefined {
  const parsed = parseWithoutVerifying(accessToken);
  return parsed && accessTokenInfo(parsed);
}

/** Leaves out a token that outlives the one that was presented: a change of the payload is no refresh. */
function withoutUnearnedTime(
  result: RegenerateResult,
  presented: AccessTokenInfo | undefined,
): RegenerateResult {
  if (result.status !== 'OK' || result.accessToken === undefined || presented === undefined) return result;
  return outlives(result.accessToken, presented) ? { status: 'OK', session: result.session } : result;
}

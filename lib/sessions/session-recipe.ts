import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { Delegations } from '../delegation/delegations.js';
import { SESSION_ROUTES } from '../options/session-routes.js';
import { toJsonObject, type JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import { SessionClaims } from './claims.js';
import { SessionCreation } from './create.js';
import { SessionData } from './data.js';
import { DelegatedSessions } from './delegated.js';
import { SessionSearches } from './find.js';
import { SessionPayloads } from './payload.js';
import type { RecipeDependencies } from './recipe-dependencies.js';
import type { LiveRecipeContext, RecipeInput, RecipeInterface } from './recipe.interface.js';
import type {
  CreateJWTResult,
  GetClaimValueResult,
  JWKS,
  OpenIdDiscoveryConfiguration,
  RegeneratedAccessToken,
  SessionInformation,
  ClaimInput,
} from './stored-sessions.interface.js';
import { SessionRefresh } from './refresh.js';
import { SessionRevocation } from './revoke.js';
import type { SessionContainer } from './session-container.js';
import { KeyBindings } from './key-bindings.js';
import { SessionReports, type SessionSubject } from './session-reports.js';
import { SessionVerification } from './verify.js';

/** 100 years: such a token states a fact about a user, and is no session. */
const DEFAULT_JWT_VALIDITY_SEC = 3_153_600_000;

/**
 * A class that extends {@link SessionRecipe}, for the option `recipe`.
 *
 * @publicApi
 */
export type SessionRecipeClass = new (...dependencies: never[]) => SessionRecipe;

/** The verbs of one recipe. Each holds its recipe functions, and the steps around them for a request. */
export interface SessionVerbs {
  readonly create: SessionCreation;
  readonly verify: SessionVerification;
  readonly refresh: SessionRefresh;
  readonly revoke: SessionRevocation;
  readonly data: SessionData;
  readonly payload: SessionPayloads;
  readonly claims: SessionClaims;
  readonly find: SessionSearches;
  readonly delegated: DelegatedSessions;
}

/**
 * The functions of the session recipe, and the one place where they are replaced. Extend the class to change a function and
 * keep the others, and name it in the option `recipe`: Nest creates it and injects what else its constructor needs. Functions
 * of the option `override.functions` replace methods of the one instance. Either way the functions call each other through
 * the instance, so that a replaced function also changes those that build on it.
 *
 * @see docs/protocol/sdk.md §6.3
 * @publicApi
 */
export class SessionRecipe implements RecipeInterface {
  /** @internal */
  readonly verbs: SessionVerbs;

  constructor(protected readonly dependencies: RecipeDependencies) {
    const context = this.createContext();
    const claims = new SessionClaims(context);
    const create = new SessionCreation(context);
    this.verbs = {
      create,
      verify: new SessionVerification(context, claims),
      refresh: new SessionRefresh(context),
      revoke: new SessionRevocation(context),
      data: new SessionData(context),
      payload: new SessionPayloads(context),
      claims,
      find: new SessionSearches(context),
      delegated: new DelegatedSessions(context, create),
    };
  }

  /** The recipe with its overrides, for calls of other functions. */
  protected get recipe(): RecipeInterface {
    return this;
  }

  async createNewSession(input: RecipeInput<'createNewSession'>): Promise<SessionContainer> {
    return this.verbs.create.createNewSession(input);
  }

  getGlobalClaimValidators(
    input: RecipeInput<'getGlobalClaimValidators'>,
  ): Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[] {
    return input.claimValidatorsAddedByOtherRecipes;
  }

  async getSession(input: RecipeInput<'getSession'>): Promise<SessionContainer | undefined> {
    return this.verbs.verify.getSession(input);
  }

  async refreshSession(input: RecipeInput<'refreshSession'>): Promise<SessionContainer> {
    return this.verbs.refresh.refreshSession(input);
  }

  async getSessionInformation(
    input: RecipeInput<'getSessionInformation'>,
  ): Promise<SessionInformation | undefined> {
    return this.verbs.data.getSessionInformation(input);
  }

  async revokeAllSessionsForUser(input: RecipeInput<'revokeAllSessionsForUser'>): Promise<string[]> {
    return this.verbs.revoke.revokeAllSessionsForUser(input);
  }

  async getAllSessionHandlesForUser(input: RecipeInput<'getAllSessionHandlesForUser'>): Promise<string[]> {
    return this.verbs.revoke.getAllSessionHandlesForUser(input);
  }

  async revokeSession(input: RecipeInput<'revokeSession'>): Promise<boolean> {
    return this.verbs.revoke.revokeSession(input);
  }

  async revokeMultipleSessions(input: RecipeInput<'revokeMultipleSessions'>): Promise<string[]> {
    return this.verbs.revoke.revokeMultipleSessions(input);
  }

  async updateSessionDataInDatabase(input: RecipeInput<'updateSessionDataInDatabase'>): Promise<boolean> {
    return this.verbs.data.updateSessionDataInDatabase(input);
  }

  async mergeSessionDataInDatabase(input: RecipeInput<'mergeSessionDataInDatabase'>): Promise<boolean> {
    return this.verbs.data.mergeSessionDataInDatabase(input);
  }

  async mergeIntoAccessTokenPayload(input: RecipeInput<'mergeIntoAccessTokenPayload'>): Promise<boolean> {
    return this.verbs.payload.mergeIntoAccessTokenPayload(input);
  }

  async regenerateAccessToken(
    input: RecipeInput<'regenerateAccessToken'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    return this.verbs.payload.regenerateAccessToken(input);
  }

  async recordAuthentication(
    input: RecipeInput<'recordAuthentication'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    return this.verbs.payload.recordAuthentication(input);
  }

  async validateClaims(input: RecipeInput<'validateClaims'>): ReturnType<RecipeInterface['validateClaims']> {
    return this.verbs.claims.validateClaims(input);
  }

  async fetchAndSetClaim(input: RecipeInput<'fetchAndSetClaim'>): Promise<boolean> {
    return this.verbs.claims.fetchAndSetClaim(input);
  }

  async setClaimValue<T>(input: ClaimInput<T> & { value: T }): Promise<boolean> {
    return this.verbs.claims.setClaimValue(input);
  }

  async getClaimValue<T>(input: ClaimInput<T>): Promise<GetClaimValueResult<T>> {
    return this.verbs.claims.getClaimValue(input);
  }

  async removeClaim(input: RecipeInput<'removeClaim'>): Promise<boolean> {
    return this.verbs.claims.removeClaim(input);
  }

  async createJWT(input: RecipeInput<'createJWT'>): Promise<CreateJWTResult> {
    const { userContext } = input;
    const { core, config } = this.dependencies;
    const payload = toJsonObject(input.payload ?? {}, 'payload');
    if (input.validitySeconds === undefined) assertNoAccessToken(payload);
    const { issuer } = await this.getOpenIdDiscoveryConfiguration({ userContext });
    return core.createJwt(
      {
        payload: { iss: issuer, ...payload },
        validity: input.validitySeconds ?? DEFAULT_JWT_VALIDITY_SEC,
        useStaticSigningKey: input.useStaticSigningKey !== false,
        algorithm: 'RS256',
        jwksDomain: config.appInfo.apiDomain,
      },
      userContext,
    );
  }

  async getJWKS({ userContext }: RecipeInput<'getJWKS'>): Promise<JWKS> {
    return this.dependencies.core.getJwks(userContext);
  }

  /** Lacks the endpoints of an OAuth2 provider, which sessions alone do not have. */
  async getOpenIdDiscoveryConfiguration(
    _input: RecipeInput<'getOpenIdDiscoveryConfiguration'>,
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

  private createContext(): LiveRecipeContext {
    const { dependencies } = this;
    const { core, verifier, transport, events, clock } = dependencies;
    let replaced: ReadonlySet<string> | undefined; // found at the first request, when all overrides are in place
    return Object.assign({}, dependencies, {
      recipe: this,
      reports: new SessionReports(verifier, transport, events, clock),
      delegations: new Delegations(core, clock),
      isReplaced: (name: string) => (replaced ??= findReplaced(this)).has(name),
      noteUse: dependencies.devices.isOn
        ? (session: SessionSubject, isRefresh: boolean, userContext: UserContext) =>
            this.verbs.data.noteUse(session, isRefresh, userContext)
        : undefined,
      keyBindings: new KeyBindings(core, () => this.verbs.payload),
      requireAuthentication: async (accessToken: string, userContext: UserContext) =>
        this.verbs.payload.requireAuthentication(accessToken, userContext),
    });
  }
}

/** Returns the names of the functions that an override or a class replaces. */
function findReplaced(recipe: SessionRecipe): ReadonlySet<string> {
  const own = SessionRecipe.prototype;
  const names = Object.getOwnPropertyNames(own);
  return new Set(names.filter((name) => Reflect.get(recipe, name) !== Reflect.get(own, name, recipe)));
}

/** With these two names a JWT has the format of an access token, which must not be valid for {@link DEFAULT_JWT_VALIDITY_SEC}. */
function assertNoAccessToken(payload: JsonObject): void {
  if (typeof payload['sessionHandle'] !== 'string' || typeof payload['refreshTokenHash1'] !== 'string')
    return;
  throw new TypeError(
    'createJWT: this is the payload of a session, so the JWT would open that session for a hundred years: ' +
      'leave out sessionHandle and refreshTokenHash1, or say with validitySeconds how long it may',
  );
}

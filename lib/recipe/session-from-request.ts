import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import { isInsecureSameSiteNone } from '../config/cookie-policy.js';
import type { SessionConfig } from '../config/session-config.js';
import type { TokenTransferMethod } from '../config/session-options.interface.js';
import type { CoreClient } from '../core/core-client.js';
import { parseWithoutVerifying, withoutProtectedClaims } from '../access-token/access-token.js';
import {
  ClearDuplicateSessionCookiesError,
  SessionError,
  TryRefreshTokenError,
  UnauthorisedError,
  type ClaimValidationError,
} from '../errors/session.error.js';
import type { HttpExchange, HttpRequest } from '../shared/http-exchange.js';
import type { JsonObject } from '../shared/json.js';
import { tenantIdIn } from '../shared/tenant-id.js';
import { withRequest, type UserContext } from '../shared/user-context.js';
import { decideAntiCsrfOnRefresh, decideAntiCsrfOnVerify } from '../transport/anti-csrf.js';
import { isAllowedOrigin } from '../transport/origin-check.js';
import type { TokenTransport } from '../transport/token-transport.js';
import { jsonObjectFrom } from './json-input.js';
import type {
  RecipeInterface,
  SessionInformation,
  ValidateClaimsForSessionHandleResult,
  VerifySessionOptions,
} from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

const TRANSFER_METHODS: readonly TokenTransferMethod[] = ['cookie', 'header'];

export interface RequestSessionsDependencies {
  readonly config: SessionConfig;
  readonly core: CoreClient;
  readonly transport: TokenTransport;
  readonly recipe: RecipeInterface;
  readonly claims: readonly SessionClaim<unknown>[];
  readonly globalClaimValidators: readonly SessionClaimValidator[];
}

export interface NewSessionInput {
  readonly recipeUserId: string;
  /** Who the caller says that is; undefined leaves it to the core. */
  readonly userId: string | undefined;
  readonly tenantId: string;
  readonly accessTokenPayload: object | undefined;
  readonly sessionDataInDatabase: object | undefined;
}

type MaybePromise<T> = Promise<T> | T;

export type OverrideValidatorsForHandle = (
  globalClaimValidators: readonly SessionClaimValidator[],
  information: SessionInformation,
  userContext: UserContext,
) => MaybePromise<readonly SessionClaimValidator[]>;

/**
 * The flows that connect a request with the recipe: which token counts, what is checked before and after, what is
 * written to the response. Steps are numbered as in the notes.
 *
 * @see docs/protocol/sdk.md chapter 5
 */
export class RequestSessions {
  constructor(private readonly dependencies: RequestSessionsDependencies) {}

  /** §5.1 */
  async create(
    exchange: HttpExchange,
    input: NewSessionInput,
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const { transport, recipe } = this.dependencies;
    const { request } = exchange;
    withRequest(userContext, request);
    const prepared = await this.prepare(input, userContext); // C1-C5
    const transferMethod = this.methodForCreation(request, userContext); // C6
    if (transferMethod === 'cookie') this.assertBrowsersKeepCookies(request, userContext); // C7
    const session = await recipe.createNewSession({
      ...prepared,
      disableAntiCsrf: transferMethod === 'header',
      userContext,
    }); // C8
    const other = otherMethod(transferMethod);
    if (this.hasAccessToken(request, other, userContext)) transport.clear(exchange, other, userContext); // C9
    session.attach({ exchange, transferMethod }, userContext); // C10
    return session;
  }

  /** §6.2: the same without a request; nothing is written anywhere. */
  async createWithoutRequest(
    input: NewSessionInput & { readonly disableAntiCsrf: boolean },
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const prepared = await this.prepare(input, userContext);
    const { disableAntiCsrf } = input;
    return this.dependencies.recipe.createNewSession({ ...prepared, disableAntiCsrf, userContext });
  }

  /** §5.2. @returns undefined only for an optional session without a usable token */
  async get(
    exchange: HttpExchange,
    options: VerifySessionOptions,
    userContext: UserContext,
  ): Promise<SessionContainer | undefined> {
    const { config, transport, recipe } = this.dependencies;
    const { request } = exchange;
    withRequest(userContext, request);
    transport.markSessionDependent(exchange);
    if (transport.hasLegacyCookie(request)) {
      throw new TryRefreshTokenError('The request carries a cookie of an old SDK, which a refresh replaces'); // G1
    }
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext }); // G2
    const presented = this.presentedAccessToken(request, allowed, userContext); // G3-G6
    if (presented?.transferMethod === 'cookie') this.assertAllowedOrigin(request);
    const antiCsrf = decideAntiCsrfOnVerify({
      mode: config.antiCsrfMode({ request, userContext }),
      method: request.getMethod(),
      transferMethod: presented?.transferMethod,
      requested: options.antiCsrfCheck,
      hasCustomHeader: transport.hasCustomHeader(request),
    }); // G7-G9
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw new TryRefreshTokenError('anti-csrf check failed: the rid header is missing');
    const session = await recipe.getSession({
      accessToken: presented?.token,
      antiCsrfToken: transport.readAntiCsrfToken(request),
      options: { ...options, antiCsrfCheck: antiCsrf.check },
      userContext,
    }); // G10
    if (session === undefined) return undefined; // G11
    // G13 comes before G12: a token that the claims made new reaches the client also with a 403 (Q2).
    const transferMethod = presented?.transferMethod ?? (allowed === 'any' ? 'header' : allowed);
    session.attach({ exchange, transferMethod }, userContext);
    await this.assertClaims(session, options, userContext);
    return session;
  }

  /** §6.2: the same from a token. */
  async getWithoutRequest(
    input: {
      accessToken: string | undefined;
      antiCsrfToken: string | undefined;
      options: VerifySessionOptions;
    },
    userContext: UserContext,
  ): Promise<SessionContainer | undefined> {
    const session = await this.dependencies.recipe.getSession({ ...input, userContext });
    if (session !== undefined) await this.assertClaims(session, input.options, userContext);
    return session;
  }

  /** §5.3 */
  async refresh(exchange: HttpExchange, userContext: UserContext): Promise<SessionContainer> {
    const { transport } = this.dependencies;
    const { request } = exchange;
    withRequest(userContext, request);
    this.handleDuplicateCookies(exchange, userContext); // R1
    const hasLegacyCookie = transport.hasLegacyCookie(request);
    const presented = this.presentedRefreshToken(request, userContext); // R2-R4
    if (presented === undefined) {
      if (hasLegacyCookie) transport.clearLegacyCookie(exchange, userContext);
      throw new UnauthorisedError('Refresh failed: there is no refresh token in the request'); // R5
    }
    const { transferMethod, token } = presented;
    try {
      const session = await this.refreshPresented(exchange, transferMethod, token, userContext); // R6-R8
      const other = otherMethod(transferMethod);
      if (transport.readToken(request, 'refresh', other, userContext))
        transport.clear(exchange, other, userContext); // R10
      session.attach({ exchange, transferMethod }, userContext); // R11
      if (hasLegacyCookie) transport.clearLegacyCookie(exchange, userContext); // R12
      return session;
    } catch (error) {
      if (hasLegacyCookie && endsTheSession(error)) transport.clearLegacyCookie(exchange, userContext); // R9
      throw error;
    }
  }

  /** §6.2: straight to the recipe, no cookies, nothing cleared. */
  async refreshWithoutRequest(
    input: { refreshToken: string; antiCsrfToken: string | undefined; disableAntiCsrf: boolean },
    userContext: UserContext,
  ): Promise<SessionContainer> {
    return this.dependencies.recipe.refreshSession({ ...input, userContext });
  }

  /** §6.7 */
  async validateClaimsForSessionHandle(
    sessionHandle: string,
    override: OverrideValidatorsForHandle | undefined,
    userContext: UserContext,
  ): Promise<ValidateClaimsForSessionHandleResult> {
    const { recipe } = this.dependencies;
    const information = await recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
    const global = await this.globalValidatorsFor(information, userContext);
    const { invalidClaims, accessTokenPayloadUpdate } = await recipe.validateClaims({
      userId: information.userId,
      recipeUserId: information.recipeUserId,
      // What is fetched again is fetched for the tenant that the payload names, as in a token.
      accessTokenPayload: { ...information.customClaimsInAccessTokenPayload, tId: information.tenantId },
      claimValidators: override ? await override(global, information, userContext) : global,
      userContext,
    });
    const doesExist =
      accessTokenPayloadUpdate === undefined ||
      (await recipe.mergeIntoAccessTokenPayload({
        sessionHandle,
        accessTokenPayloadUpdate: withoutProtectedClaims(accessTokenPayloadUpdate),
        userContext,
      }));
    return doesExist ? { status: 'OK', invalidClaims } : { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
  }

  /** §17.2: the checks of a JWT that carries a session's payload. Nothing is stored, nothing refetched is kept. */
  async validateClaimsInJwtPayload(
    input: { userId: string; recipeUserId: string; jwtPayload: JsonObject },
    override:
      | ((
          global: readonly SessionClaimValidator[],
          userContext: UserContext,
        ) => MaybePromise<readonly SessionClaimValidator[]>)
      | undefined,
    userContext: UserContext,
  ): Promise<{ status: 'OK'; invalidClaims: readonly ClaimValidationError[] }> {
    const { userId, recipeUserId, jwtPayload } = input;
    const tenantId = tenantIdIn(jwtPayload);
    const global = await this.globalValidatorsFor({ tenantId, userId, recipeUserId }, userContext);
    const { invalidClaims } = await this.dependencies.recipe.validateClaims({
      userId,
      recipeUserId,
      accessTokenPayload: jwtPayload,
      claimValidators: override ? await override(global, userContext) : global,
      userContext,
    });
    return { status: 'OK', invalidClaims };
  }

  /** The validators that a check of these sessions runs. §8.7 */
  private async globalValidatorsFor(
    session: { tenantId: string; userId: string; recipeUserId: string },
    userContext: UserContext,
  ): Promise<readonly SessionClaimValidator[]> {
    const { recipe, globalClaimValidators } = this.dependencies;
    return recipe.getGlobalClaimValidators({
      ...session,
      claimValidatorsAddedByOtherRecipes: globalClaimValidators,
      userContext,
    });
  }

  private async assertClaims(
    session: SessionContainer,
    { overrideGlobalClaimValidators }: VerifySessionOptions,
    userContext: UserContext,
  ): Promise<void> {
    const subject = {
      tenantId: session.getTenantId(),
      userId: session.getUserId(),
      recipeUserId: session.getRecipeUserId(),
    };
    const global = await this.globalValidatorsFor(subject, userContext);
    const validators = overrideGlobalClaimValidators
      ? await overrideGlobalClaimValidators(global, session, userContext)
      : global;
    await session.assertClaims(validators, userContext);
  }

  private async refreshPresented(
    { request }: HttpExchange,
    transferMethod: TokenTransferMethod,
    refreshToken: string,
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const { config, transport, recipe } = this.dependencies;
    if (transferMethod === 'cookie') this.assertAllowedOrigin(request);
    const antiCsrf = decideAntiCsrfOnRefresh({
      mode: config.antiCsrfMode({ request, userContext }),
      transferMethod,
      hasCustomHeader: transport.hasCustomHeader(request),
    });
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw new UnauthorisedError('anti-csrf check failed: the rid header is missing');
    return recipe.refreshSession({
      refreshToken,
      antiCsrfToken: transport.readAntiCsrfToken(request),
      disableAntiCsrf: antiCsrf.disableAntiCsrf,
      userContext,
    });
  }

  /** C1-C5: who it is for, and what goes into the payload. */
  private async prepare(input: NewSessionInput, userContext: UserContext) {
    const { core, recipe, claims } = this.dependencies;
    const { recipeUserId, tenantId } = input;
    const userId = await core.getPrimaryUserId(recipeUserId, userContext);
    if (input.userId !== undefined && input.userId !== userId) {
      throw new TypeError(
        'createNewSession: recipeUserId is no login method of userId, as far as the core knows',
      );
    }
    const { issuer } = await recipe.getOpenIdDiscoveryConfiguration({ userContext });
    const given = jsonObjectFrom(input.accessTokenPayload ?? {}, 'accessTokenPayload');
    let accessTokenPayload: JsonObject = withoutProtectedClaims({ ...given, iss: issuer });
    for (const claim of claims) {
      const built = await claim.build(userId, recipeUserId, tenantId, accessTokenPayload, userContext);
      accessTokenPayload = { ...accessTokenPayload, ...built };
    }
    const sessionDataInDatabase = jsonObjectFrom(input.sessionDataInDatabase ?? {}, 'sessionDataInDatabase');
    return { userId, recipeUserId, tenantId, accessTokenPayload, sessionDataInDatabase };
  }

  private methodForCreation(request: HttpRequest, userContext: UserContext): TokenTransferMethod {
    const { config, transport } = this.dependencies;
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: true, userContext });
    if (allowed !== 'any') return allowed;
    return transport.readAuthMode(request) === 'cookie' ? 'cookie' : 'header';
  }

  private assertBrowsersKeepCookies(request: HttpRequest, userContext: UserContext): void {
    const { config } = this.dependencies;
    const scope = { request, userContext };
    const isDropped = isInsecureSameSiteNone({
      cookieSameSite: config.cookieSameSite(scope),
      cookieSecure: config.cookieSecure,
      apiSite: config.appInfo.apiSite,
      websiteSite: config.appInfo.websiteSite(scope),
    });
    if (isDropped) {
      throw new Error(
        'API and website are different sites, so the cookies need SameSite=None, which browsers accept only with Secure: ' +
          'serve the API over https, or set cookieSecure',
      );
    }
  }

  /** S070. The tokens stay: a stranger's page must not be able to sign anybody out. */
  private assertAllowedOrigin(request: HttpRequest): void {
    const isAllowed = isAllowedOrigin(this.dependencies.config.allowedOrigins, {
      method: request.getMethod(),
      origin: request.getHeaderValue('origin'),
      secFetchSite: request.getHeaderValue('sec-fetch-site'),
    });
    if (!isAllowed) {
      throw new UnauthorisedError('The origin of the request is not among allowedOrigins', {
        clearTokens: false,
      });
    }
  }

  /** An access token cookie that is there but empty counts, and so does any bearer value. */
  private hasAccessToken(
    request: HttpRequest,
    method: TokenTransferMethod,
    userContext: UserContext,
  ): boolean {
    return this.dependencies.transport.readToken(request, 'access', method, userContext) !== undefined;
  }

  /** G3-G6: the header wins over the cookie; what does not look like one of our tokens is not there. */
  private presentedAccessToken(
    request: HttpRequest,
    allowed: TokenTransferMethod | 'any',
    userContext: UserContext,
  ): { token: string; transferMethod: TokenTransferMethod } | undefined {
    const { transport } = this.dependencies;
    const plausible = (method: TokenTransferMethod): string | undefined => {
      const token =
        allowed === 'any' || allowed === method
          ? transport.readToken(request, 'access', method, userContext)
          : undefined;
      return token !== undefined && parseWithoutVerifying(token) !== undefined ? token : undefined;
    };
    const fromHeader = plausible('header');
    if (fromHeader !== undefined) return { token: fromHeader, transferMethod: 'header' };
    const fromCookie = plausible('cookie');
    if (fromCookie === undefined) return undefined;
    if (transport.isDuplicated(request, 'access', userContext)) {
      throw new TryRefreshTokenError('The access token cookie came twice, so nobody knows which one counts'); // G5
    }
    return { token: fromCookie, transferMethod: 'cookie' };
  }

  /** R2-R4 */
  private presentedRefreshToken(
    request: HttpRequest,
    userContext: UserContext,
  ): { token: string; transferMethod: TokenTransferMethod } | undefined {
    const { config, transport } = this.dependencies;
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext });
    const fromHeader =
      allowed === 'cookie' ? undefined : transport.readToken(request, 'refresh', 'header', userContext);
    if (fromHeader !== undefined) return { token: fromHeader, transferMethod: 'header' };
    const fromCookie =
      allowed === 'header' ? undefined : transport.readToken(request, 'refresh', 'cookie', userContext);
    return fromCookie ? { token: fromCookie, transferMethod: 'cookie' } : undefined;
  }

  /** R1, §3.9: after a change of `cookieDomain` browsers hold two generations of the cookies. */
  private handleDuplicateCookies(exchange: HttpExchange, userContext: UserContext): void {
    const { config, transport } = this.dependencies;
    const { request } = exchange;
    if (config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext }) === 'header')
      return;
    const duplicated = (['access', 'refresh'] as const).filter((tokenType) =>
      transport.isDuplicated(request, tokenType, userContext),
    );
    if (duplicated.length === 0) return;
    if (config.olderCookieDomain === undefined) {
      throw new Error(
        'The request carries two session cookies of the same name, as after a change of cookieDomain: ' +
          "set olderCookieDomain to the former cookieDomain ('' if there was none) for as long as old cookies live",
      );
    }
    for (const tokenType of duplicated) transport.clearDuplicate(exchange, tokenType, userContext);
    throw new ClearDuplicateSessionCookiesError(
      'The session cookies of the older domain have been cleared, please retry',
    );
  }
}

function otherMethod(method: TokenTransferMethod): TokenTransferMethod {
  return TRANSFER_METHODS.find((candidate) => candidate !== method) ?? 'header';
}

/** R9: theft, and whatever clears the tokens. */
function endsTheSession(error: unknown): boolean {
  if (!SessionError.isSessionError(error)) return false;
  return (
    error.type === 'TOKEN_THEFT_DETECTED' || (error.type === 'UNAUTHORISED' && error.payload.clearTokens)
  );
}

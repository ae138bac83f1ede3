import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { validateClaims } from '../claims/validate-claims.js';
import { InvalidClaimsError, UnauthorisedError } from '../errors.js';
import { PresentedTokens } from '../http/presented-token.js';
import type { RequestInContext } from '../http/csrf.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { SessionProofs } from '../sessions/session-proofs.js';
import type { AccessTokenInfo } from '../tokens/access-token-format.js';
import { TokenVerifier } from '../tokens/token-verifier.js';
import { WEB_RUNTIME } from '../tokens/web-runtime.js';
import type { JsonObject } from '../util/json.js';
import { readConfirmation } from '../util/key-confirmation.js';
import { provideClock, type UserContext } from '../util/user-context.js';
import { constantTimeEqual } from './constant-time.js';
import { createKeySource } from './key-source.js';
import type { FollowedRevocations } from './followed-revocations.js';
import { FetchRequest, RequestTokens } from './request-tokens.js';
import {
  resolveVerifierOptions,
  type SessionVerifierOptions,
  type VerifierConfig,
} from './verifier-options.js';
import { runtimeFetch } from './web-fetch.js';

/**
 * The session that an access token proves. The names are those of `SessionContainer`.
 *
 * @publicApi
 */
export interface VerifiedSession {
  /** Primary user id. */
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly sessionHandle: string;
  /** The access token payload, frozen. Values that a claim validator fetched again are in it. */
  readonly payload: JsonObject;
  readonly accessToken: string;
  /** When the token expires, milliseconds since the epoch. */
  readonly expiryMs: number;
  /** When the token was issued, milliseconds since the epoch. */
  readonly timeCreatedMs: number;
  /** How the token came; undefined for a token without a request. */
  readonly transferMethod: TokenTransferMethod | undefined;
}

/**
 * The rules of one verification.
 *
 * @publicApi
 */
export interface VerifyOptions {
  /** Whether the anti-CSRF protection is checked. Default: for every method but GET, and only if the token comes by cookie. */
  readonly antiCsrfCheck?: boolean;
  /** False: without a usable token the result is undefined. Default true. */
  readonly sessionRequired?: boolean;
  /** Asks the server of the feed whether the session lives; needs the option `feed`. Default false. */
  readonly checkDatabase?: boolean;
  /** Checks beside those of the option `claims`. */
  readonly claims?: readonly SessionClaimValidator[];
  /** Passed to the claim validators. */
  readonly userContext?: UserContext;
}

/**
 * The rules of a verification without a request.
 *
 * @publicApi
 */
export interface VerifyTokenOptions extends VerifyOptions {
  /** The `anti-csrf` header that came with the token. */
  readonly antiCsrfToken?: string | undefined;
  /** Default: true with the option `antiCsrf: 'VIA_TOKEN'`, otherwise false. */
  readonly antiCsrfCheck?: boolean;
}

/**
 * Verifies sessions that another process issues.
 *
 * @publicApi
 */
export interface SessionVerifier {
  /**
   * Verifies the session of a request.
   *
   * @throws {TryRefreshTokenError} the client should refresh at the API and repeat the request
   * @throws {UnauthorisedError} there is no session, or it has ended
   * @throws {InvalidClaimsError} a claim validator failed
   * @throws {CoreUnavailableError} the keys or the feed cannot be had, so that it is not known whether the session goes on
   * @throws {TypeError} `checkDatabase` without the option `feed`
   */
  verify(request: Request, options?: VerifyOptions & { sessionRequired?: true }): Promise<VerifiedSession>;
  verify(request: Request, options: VerifyOptions): Promise<VerifiedSession | undefined>;
  /** Verifies an access token without a request. @throws as {@link verify} */
  verifyToken(
    accessToken: string | undefined,
    options?: VerifyTokenOptions & { sessionRequired?: true },
  ): Promise<VerifiedSession>;
  verifyToken(
    accessToken: string | undefined,
    options: VerifyTokenOptions,
  ): Promise<VerifiedSession | undefined>;
  /** Ends what runs in the background. */
  close(): Promise<void>;
}

/** A token to verify, and how. */
interface Verification {
  readonly accessToken: string | undefined;
  readonly antiCsrfToken: string | undefined;
  readonly transferMethod: TokenTransferMethod | undefined;
  readonly antiCsrfCheck: boolean;
  readonly known: AccessTokenInfo | undefined;
}

/** Verifies sessions by the rules of the guard, on WebCrypto. */
class WebSessionVerifier implements SessionVerifier {
  private readonly verifier: TokenVerifier;
  private readonly presented: PresentedTokens<RequestInContext>;
  private readonly proofs: SessionProofs;
  private readonly feed: FollowedRevocations | undefined;

  constructor(private readonly config: VerifierConfig) {
    const { clock, clockToleranceSec, maxCachedTokens, maxCachedTokenBytes } = config;
    const fetch = config.fetch ?? runtimeFetch;
    const keys = createKeySource(config, clock, fetch);
    const mayRemember = (info: AccessTokenInfo): boolean => this.feed?.mayRemember(info) ?? true;
    const intended = { issuers: config.accessTokenIssuers, audience: config.accessTokenAudience };
    const limits = { clockToleranceSec, maxCachedTokens, maxCachedTokenBytes, intended, mayRemember };
    this.verifier = new TokenVerifier(keys, clock, limits, WEB_RUNTIME);
    const { cookieName, accessTokenPath } = config;
    const places = new RequestTokens(cookieName, accessTokenPath);
    this.presented = new PresentedTokens(places, this.verifier, pagesOf(config), clock);
    this.feed = config.feed?.follow({ clock, fetch, verifier: this.verifier });
    const { verifier, feed } = this;
    this.proofs = new SessionProofs({ verifier, config, revocations: feed?.watch }, constantTimeEqual);
  }

  verify(request: Request, options?: VerifyOptions & { sessionRequired?: true }): Promise<VerifiedSession>;
  verify(request: Request, options: VerifyOptions): Promise<VerifiedSession | undefined>;
  async verify(request: Request, options: VerifyOptions = {}): Promise<VerifiedSession | undefined> {
    const { userContext = {} } = options;
    const context: RequestInContext = { request: new FetchRequest(request), userContext };
    if (hasNoSession(request)) return this.withoutToken(options);
    const presented = this.presented.find(context, this.config.tokenTransferMethod);
    const antiCsrfCheck = this.presented.checksAntiCsrf(context, presented, options.antiCsrfCheck);
    const verification = {
      accessToken: presented?.token,
      antiCsrfToken: antiCsrfCheck ? context.request.getHeaderValue('anti-csrf') : undefined,
      transferMethod: presented?.transferMethod,
      antiCsrfCheck,
      known: presented?.known,
    };
    return this.open(verification, options);
  }

  verifyToken(
    accessToken: string | undefined,
    options?: VerifyTokenOptions & { sessionRequired?: true },
  ): Promise<VerifiedSession>;
  verifyToken(
    accessToken: string | undefined,
    options: VerifyTokenOptions,
  ): Promise<VerifiedSession | undefined>;
  async verifyToken(
    accessToken: string | undefined,
    options: VerifyTokenOptions = {},
  ): Promise<VerifiedSession | undefined> {
    const { antiCsrfToken, antiCsrfCheck = this.config.antiCsrf === 'VIA_TOKEN' } = options;
    const known = accessToken === undefined ? undefined : this.verifier.recall(accessToken);
    return this.open(
      { accessToken, antiCsrfToken, transferMethod: undefined, antiCsrfCheck, known },
      options,
    );
  }

  async close(): Promise<void> {
    await this.feed?.close();
  }

  private async open(
    verification: Verification,
    options: VerifyOptions,
  ): Promise<VerifiedSession | undefined> {
    if (options.checkDatabase === true && this.feed === undefined) throw new TypeError(NO_CORE);
    if (this.feed?.isReady === false) await this.feed.ready;
    const { accessToken, antiCsrfToken, antiCsrfCheck, known } = verification;
    const rules = { antiCsrfCheck, sessionRequired: options.sessionRequired ?? true };
    const proof = this.proofs.prove({ accessToken, antiCsrfToken, options: rules }, known);
    const info = proof instanceof Promise ? await proof : proof;
    if (info === undefined || accessToken === undefined) return undefined;
    this.checkBinding(info);
    if (this.proofs.needsCore(info, options.checkDatabase, known))
      await this.feed?.confirm(info, accessToken, options.checkDatabase === true);
    const session = describe(info, accessToken, verification.transferMethod);
    const { claims } = this.config;
    const all = options.claims === undefined ? claims : [...claims, ...options.claims];
    return all.length === 0 ? session : this.checkClaims(session, all, options.userContext ?? {});
  }

  private withoutToken({ sessionRequired }: VerifyOptions): undefined {
    if (sessionRequired === false) return undefined;
    throw new UnauthorisedError('The route requires a session', { clearTokens: false });
  }

  private checkBinding({ payload }: AccessTokenInfo): void {
    if (this.config.boundSessions === 'accept' || readConfirmation(payload) === undefined) return;
    throw new UnauthorisedError(
      'The session is bound to a device, whose proof cannot be checked here: see the option boundSessions',
      { clearTokens: false },
    );
  }

  private async checkClaims(
    session: VerifiedSession,
    claimValidators: readonly SessionClaimValidator[],
    userContext: UserContext,
  ): Promise<VerifiedSession> {
    const { userId, recipeUserId, payload } = session;
    provideClock(userContext, this.config.clock);
    const checked = { userId, recipeUserId, accessTokenPayload: payload, claimValidators, userContext };
    const { invalidClaims, accessTokenPayloadUpdate } = await validateClaims(checked);
    if (invalidClaims.length > 0) throw new InvalidClaimsError(invalidClaims);
    return accessTokenPayloadUpdate === undefined
      ? session
      : { ...session, payload: accessTokenPayloadUpdate };
  }
}

/** The guard verifies no session for these methods either. */
function hasNoSession({ method }: Request): boolean {
  return method === 'OPTIONS' || method === 'TRACE';
}

const NO_CORE =
  'checkDatabase is not possible without a core to ask: give createSessionVerifier the option feed, whose server is asked then, ' +
  'or leave checkDatabase out';

function describe(
  info: AccessTokenInfo,
  accessToken: string,
  transferMethod: TokenTransferMethod | undefined,
): VerifiedSession {
  const { userId, recipeUserId, tenantId, sessionHandle, payload, expiryMs, timeCreatedMs } = info;
  return {
    userId,
    recipeUserId,
    tenantId,
    sessionHandle,
    payload,
    accessToken,
    expiryMs,
    timeCreatedMs,
    transferMethod,
  };
}

/** The pages that may use the session's cookies. The list of public suffixes, which tells neighbours, is too large to be here. */
function pagesOf(config: VerifierConfig) {
  const { allowedOrigins, crossSiteRequests, apiDomain = '', websiteDomain = apiDomain, antiCsrf } = config;
  return {
    allowedOrigins,
    crossSiteRequests,
    antiCsrfMode: () => antiCsrf,
    appInfo: { apiDomain, websiteOrigin: () => websiteDomain, isNeighbour: () => false },
  };
}

/**
 * Creates a verifier of sessions for a process without Nest and without a core: another service, a worker, the middleware of a website.
 * It needs `fetch` and WebCrypto only. Rules, errors and claim validators are those of `SessionGuard`.
 *
 * Without the option `feed` there is no core to ask. A session that was ended is then accepted until its token expires, as by every
 * verifier of JWTs. So is a token that a refresh has just brought and that no core has seen yet: only a core can promote it, and "try
 * refresh" would bring another one of the same kind for ever. Its refresh token is promoted at its first use at the API, or by the next
 * refresh, and it is then that a stolen one is found out: at most the life of one access token later. With `feed` the server of the
 * feed is asked at the first use of such a token, as the guard asks its core.
 *
 * @throws {SessionConfigError} options are wrong; lists every problem
 * @example
 * const verifier = createSessionVerifier({ apiDomain: 'https://api.example.com' });
 * const session = await verifier.verify(request);
 * @publicApi
 */
export function createSessionVerifier(options: SessionVerifierOptions): SessionVerifier {
  return new WebSessionVerifier(resolveVerifierOptions(options));
}

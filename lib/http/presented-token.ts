import { TryRefreshTokenError } from '../errors.js';
import type { AccessTokenInfo } from '../tokens/access-token-format.js';
import type { TokenVerifier } from '../tokens/token-verifier.js';
import type { SessionConfig } from '../options/session-config.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { Clock } from '../util/clock.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { assertAllowedOrigin, decideAntiCsrfOnVerify, type OwnPages, type RequestInContext } from './csrf.js';
import type { PresentedCookie } from './incoming-request.js';

/** Never set, only looked for and deleted: SDKs before 2022 wrote it. */
export const LEGACY_COOKIE = 'sIdRefreshToken';

/** The reason why a request is refused whose access token cookie is {@link TokenPlaces.isOfOtherPlace}. */
export const OLDER_COOKIE: string =
  'The access token cookie came twice, or from a path that is not accessTokenPath, as after a change of accessTokenPath or ' +
  'cookieDomain: it is unknown which one counts. It was deleted where it can have come from, and the client refreshes. Set ' +
  'olderAccessTokenPath or olderCookieDomain to the former value for as long as old cookies live';

/** The access token of a request that counts. */
export interface PresentedToken {
  readonly token: string;
  readonly transferMethod: TokenTransferMethod;
  /** The facts that are remembered of it. */
  readonly known: AccessTokenInfo | undefined;
}

/** The places of a request where an access token can be, as `TokenTransport` reads them. */
export interface TokenPlaces<Request> {
  readToken(request: Request, tokenType: 'access', method: 'header'): string | undefined;
  readCookie(request: Request, tokenType: 'access'): PresentedCookie;
  isOfOtherPlace(request: Request, cookie: PresentedCookie): boolean;
  /** Deletes the cookie wherever it can have come from. */
  clearAccessCookies(request: Request): void;
  hasCustomHeader(request: Request): boolean;
}

/** The options that decide which token counts. */
export interface PresentedTokensConfig extends OwnPages, Pick<SessionConfig, 'antiCsrfMode'> {}

/**
 * Decides which access token of a request counts, and whether the request may use it.
 *
 * @see docs/protocol/sdk.md §5.2, whose step numbers stand beside the code
 */
export class PresentedTokens<Request extends RequestInContext> {
  private readonly warning: OccasionalWarning;

  constructor(
    private readonly places: TokenPlaces<Request>,
    private readonly verifier: Pick<TokenVerifier, 'recall' | 'read'>,
    private readonly config: PresentedTokensConfig,
    clock: Clock,
  ) {
    this.warning = new OccasionalWarning(clock);
  }

  /**
   * G3-G6: the header wins over the cookie; a text that is not in the format of our tokens counts as absent.
   *
   * @throws {TryRefreshTokenError} it is unknown which cookie counts, or an old SDK wrote one
   * @throws {UnauthorisedError} a foreign page sent a request with the cookie
   */
  find(request: Request, allowed: TokenTransferMethod | 'any'): PresentedToken | undefined {
    if (allowed !== 'cookie') {
      const fromHeader = this.present(this.places.readToken(request, 'access', 'header'), 'header');
      if (fromHeader !== undefined) return fromHeader;
    }
    if (allowed === 'header') return undefined;
    const fromCookie = this.findCookie(request);
    if (fromCookie !== undefined) assertAllowedOrigin(request, this.config);
    return fromCookie;
  }

  /**
   * G7-G9: decides whether verification has to compare the anti-CSRF token.
   *
   * @param requested the route's `antiCsrfCheck`
   * @throws {TryRefreshTokenError} the `rid` header is missing
   */
  checksAntiCsrf(
    request: Request,
    presented: PresentedToken | undefined,
    requested: boolean | undefined,
  ): boolean {
    const decision = decideAntiCsrfOnVerify({
      mode: () => this.config.antiCsrfMode(request),
      method: request.request.getMethod(),
      transferMethod: presented?.transferMethod,
      requested,
      hasCustomHeader: () => this.places.hasCustomHeader(request),
    });
    if (decision === 'CUSTOM_HEADER_MISSING')
      throw new TryRefreshTokenError('anti-csrf check failed: the rid header is missing');
    return decision.check;
  }

  private findCookie(request: Request): PresentedToken | undefined {
    const cookie = this.places.readCookie(request, 'access');
    const fromCookie = this.present(cookie.token, 'cookie');
    if (fromCookie !== undefined && this.places.isOfOtherPlace(request, cookie)) {
      this.places.clearAccessCookies(request);
      const error = new TryRefreshTokenError(OLDER_COOKIE); // G5
      this.warning.warn(error.message);
      throw error;
    }
    // The legacy cookie counts only if a token comes by cookie, or would: any neighbouring host can set such a cookie.
    if (cookie.hasLegacyCookie) {
      throw new TryRefreshTokenError('The request carries a cookie of an old SDK, which a refresh replaces'); // G1
    }
    return fromCookie;
  }

  private present(
    token: string | undefined,
    transferMethod: TokenTransferMethod,
  ): PresentedToken | undefined {
    if (token === undefined) return undefined;
    const known = this.verifier.recall(token);
    return known !== undefined || this.verifier.read(token) !== undefined
      ? { token, transferMethod, known }
      : undefined;
  }
}

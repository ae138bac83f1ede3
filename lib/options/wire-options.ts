import type { HttpRequest } from '../util/http-exchange.js';
import type { UserContext } from '../util/user-context.js';

/** @publicApi */
export type TokenType = 'access' | 'refresh';
/** How the tokens of one session travel. @publicApi */
export type TokenTransferMethod = 'cookie' | 'header';
/** @publicApi */
export type AntiCsrfMode = 'VIA_TOKEN' | 'VIA_CUSTOM_HEADER' | 'NONE';
/** @publicApi */
export type CookieSameSite = 'strict' | 'lax' | 'none';

/**
 * Where the application lives. The same values go into the browser client's configuration.
 *
 * @publicApi
 */
export interface AppInfoOptions {
  /** A name for people; free text. */
  appName: string;
  /** Origin of this API, `https://api.example.com` for example. Decides `Secure`, `SameSite` and the issuer. */
  apiDomain: string;
  /** Origin of the website that calls the API. This or `origin` is required. */
  websiteDomain?: string;
  /** As `websiteDomain`, and wins over it; a function decides per request (`request` may be undefined). */
  origin?: string | ((input: { request: HttpRequest | undefined; userContext: UserContext }) => string);
  /** Path under which the session routes live. Default `/auth`; `/` for none. */
  apiBasePath?: string;
  /** Path of the website's sign-in pages. Default `/auth`; only handed on, nothing here uses it. */
  websiteBasePath?: string;
  /** Prefix that an API gateway strips before the request arrives; it becomes part of cookie paths and the issuer. */
  apiGatewayPath?: string;
}

/**
 * The recipe's own options that concern the wire: cookies, headers, anti-CSRF, keys, status codes.
 *
 * @publicApi
 */
export interface SessionWireOptions {
  /** Where the application lives. */
  appInfo: AppInfoOptions;

  /**
   * `Domain` of the token cookies. Default: none, the cookies belong to the API's host only. `.example.com` shares
   * them with every subdomain.
   */
  cookieDomain?: string;
  /**
   * The `cookieDomain` that was used before, `''` for "none". Set it for as long as old refresh tokens live after a
   * change of `cookieDomain`: duplicates of the old domain are then removed at refresh. Default: duplicates are an error.
   */
  olderCookieDomain?: string;
  /** `Secure` on the token cookies. Default: true iff `apiDomain` is https. */
  cookieSecure?: boolean;
  /** `SameSite` of the token cookies. Default: `none` if API and website are different sites or schemes, else `lax`. */
  cookieSameSite?: CookieSameSite;
  /** `Partitioned` (CHIPS) on the token cookies; needs `cookieSecure`. Default false. */
  cookiePartitioned?: boolean;
  /**
   * Adds the strongest prefix whose conditions hold to the default cookie names: `__Host-` to the access token's (no
   * `cookieDomain`, path `/`), `__Secure-` otherwise; the refresh token's path is the refresh route, so it always gets
   * `__Secure-`. Browsers then refuse such cookies from insecure pages and, with `__Host-`, from neighbouring hosts.
   * Needs `cookieSecure`; changing it signs everybody out. Default false.
   */
  cookieNamePrefixes?: boolean;
  /** Path of the access token cookie. Default `/`. */
  accessTokenPath?: string;

  /**
   * Protection of cookie requests against cross-site forgery. `VIA_TOKEN`: a token bound to the session in the
   * `anti-csrf` header. `VIA_CUSTOM_HEADER`: any `rid` header. `NONE`. Default per request: `VIA_CUSTOM_HEADER` where
   * SameSite is `none`, else `NONE`.
   */
  antiCsrf?: AntiCsrfMode;

  /**
   * The only origins whose browsers may change state with the session's cookies, spelled exactly as in the `Origin`
   * header; without that header `Sec-Fetch-Site` decides. Others get 401 and keep their tokens. Comes on top of
   * `antiCsrf`. Default: not checked.
   */
  allowedOrigins?: readonly string[];

  /**
   * Whose access tokens are accepted: `iss` must be one of these, exactly. Sessions carry the issuer of the application that
   * created them, `apiDomain` with the base path (`https://api.example.com/auth`), for as long as they live. Other sessions
   * get 401, here and at the refresh, and keep their tokens; creating one throws. Default: not checked, every session of the
   * core counts.
   */
  accessTokenIssuers?: readonly string[];
  /**
   * For whom access tokens must be made: `aud` must be this text, or a list with it. Nothing sets `aud` by itself: put it
   * into `accessTokenPayload` when a session is created. Others get 401 as with `accessTokenIssuers`. Default: not checked.
   */
  accessTokenAudience?: string;

  /**
   * Which transfer method a request may use; `any` lets the client's `st-auth-mode` header decide on creation and both
   * be read otherwise. Default: `any`, and on creation what `st-auth-mode` says.
   */
  getTokenTransferMethod?(input: {
    req: HttpRequest;
    forCreateNewSession: boolean;
    userContext: UserContext;
  }): TokenTransferMethod | 'any';
  /** Cookie name for a token type. Default `sAccessToken`, `sRefreshToken`. */
  getCookieNameForTokenType?(req: HttpRequest, tokenType: TokenType, userContext: UserContext): string;
  /** Response header name for a token type. Default `st-access-token`, `st-refresh-token`. */
  getResponseHeaderNameForTokenType?(
    req: HttpRequest,
    tokenType: TokenType,
    userContext: UserContext,
  ): string;
  /** Repeats the access token of cookie sessions in the response header, so that scripts can read it. Default false. */
  exposeAccessTokenToFrontendInCookieBasedAuth?: boolean;

  /**
   * Sign access tokens with the rotating (`d-…`) keys; false uses the static (`s-…`) key, which never changes.
   * Changing it makes every session refresh once. Default true.
   */
  useDynamicAccessTokenSigningKey?: boolean;
  /** Seconds after which verification keys are fetched again. Default 14400 (4 h), at least 1. */
  jwksRefreshIntervalSec?: number;

  /** Status of "sign in again" and "try refresh token". Default 401; at least 300; the browser client must know it. */
  sessionExpiredStatusCode?: number;
  /** Status of a failed claim check. Default 403; at least 300; differs from `sessionExpiredStatusCode`. */
  invalidClaimStatusCode?: number;
}

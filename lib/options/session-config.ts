import type { HttpRequest } from '../util/http-exchange.js';
import type { RequestScope, UserContext } from '../util/user-context.js';
import type {
  AntiCsrfMode,
  CookieSameSite,
  TokenTransferMethod,
  TokenType,
} from './session-options.interface.js';

/** `appInfo` after normalisation. Domains have a scheme and no path; paths start with `/` or are empty. */
export interface AppInfo {
  readonly appName: string;
  /** Origin of the API, `https://api.example.com`. */
  readonly apiDomain: string;
  /** Gateway path and base path together, as the client sees it: `/gateway/auth`. */
  readonly apiBasePath: string;
  /** Prefix that a gateway strips before the request arrives; empty when there is none. */
  readonly apiGatewayPath: string;
  readonly websiteBasePath: string;
  /** Site (registrable domain) of the API, or `localhost`. */
  readonly apiSite: string;
  /** Origin of the website for a request. */
  websiteOrigin(scope: RequestScope): string;
  /** Site of the website for a request. Throws an Error when it cannot be determined. */
  websiteSite(scope: RequestScope): string;
}

/** What the code reads: every option resolved, nothing optional except where absence has a meaning. */
export interface SessionConfig {
  readonly appInfo: AppInfo;
  /** `undefined`: host-only cookies. */
  readonly cookieDomain: string | undefined;
  /** `undefined`: not configured; `''`: the older cookies were host-only. */
  readonly olderCookieDomain: string | undefined;
  readonly cookieSecure: boolean;
  readonly cookiePartitioned: boolean;
  /** `undefined`: not checked. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** `undefined`: not checked. */
  readonly accessTokenIssuers: readonly string[] | undefined;
  /** `undefined`: not checked. */
  readonly accessTokenAudience: string | undefined;
  readonly accessTokenPath: string;
  /** Path of the refresh route as the client sees it; also the refresh cookie's path. */
  readonly refreshTokenPath: string;
  readonly useDynamicAccessTokenSigningKey: boolean;
  readonly jwksRefreshIntervalSec: number;
  readonly sessionExpiredStatusCode: number;
  readonly invalidClaimStatusCode: number;
  readonly exposeAccessTokenToFrontendInCookieBasedAuth: boolean;
  /** The configured mode; `'default'` when it is to be derived from SameSite per request. */
  readonly antiCsrf: AntiCsrfMode | 'default';
  antiCsrfMode(scope: RequestScope): AntiCsrfMode;
  cookieSameSite(scope: RequestScope): CookieSameSite;
  getTokenTransferMethod(input: {
    req: HttpRequest;
    forCreateNewSession: boolean;
    userContext: UserContext;
  }): TokenTransferMethod | 'any';
  getCookieNameForTokenType(req: HttpRequest, tokenType: TokenType, userContext: UserContext): string;
  getResponseHeaderNameForTokenType(req: HttpRequest, tokenType: TokenType, userContext: UserContext): string;
}

import type { HttpRequest } from '../util/http-exchange.js';
import type { UserContext } from '../util/user-context.js';
import { readAppInfo, type AppInfoOptions, type ResolvedAppInfo } from './app-info.js';
import { normalisePath, normaliseSessionScope } from './domains.js';
import {
  audience,
  callback,
  issuers,
  oneOf,
  origins,
  seconds,
  text,
  trueOrFalse,
  wholeNumber,
} from './option-checks.js';
import { option, required, type Check, type OptionsOf } from './option-table.js';

/** @publicApi */
export type TokenType = 'access' | 'refresh';
/** How the tokens of one session travel. @publicApi */
export type TokenTransferMethod = 'cookie' | 'header';
/** @publicApi */
export type AntiCsrfMode = 'VIA_TOKEN' | 'VIA_CUSTOM_HEADER' | 'NONE';
/** @publicApi */
export type CookieSameSite = 'strict' | 'lax' | 'none';

/** Chooses the transfer methods that a request may use. */
export type ChooseTransferMethod = (input: {
  req: HttpRequest;
  forCreateNewSession: boolean;
  userContext: UserContext;
}) => TokenTransferMethod | 'any';
/** Chooses the name of a cookie or a header. */
export type NameForTokenType = (req: HttpRequest, tokenType: TokenType, userContext: UserContext) => string;

const cookiePath = (path: string): string => normalisePath(path) || '/';

const sameSite: Check<CookieSameSite> = (value, place) =>
  oneOf('strict', 'lax', 'none')(typeof value === 'string' ? value.trim().toLowerCase() : value, place);

/** On creation the client's `st-auth-mode` decides; an existing session may use either way. */
const transferMethodByHeader: ChooseTransferMethod = ({ req, forCreateNewSession }) => {
  if (!forCreateNewSession) return 'any';
  const mode = req.getHeaderValue('st-auth-mode')?.toLowerCase();
  return mode === 'cookie' || mode === 'header' ? mode : 'any';
};

/** The name of a token's cookie without a prefix. */
export const defaultCookieName: NameForTokenType = (_req, tokenType) =>
  tokenType === 'access' ? 'sAccessToken' : 'sRefreshToken';

const defaultHeaderName: NameForTokenType = (_req, tokenType) =>
  tokenType === 'access' ? 'st-access-token' : 'st-refresh-token';

/** The options for cookies, headers, anti-CSRF, keys and status codes. */
export const WIRE_OPTIONS = {
  /** The names and addresses of the application. */
  appInfo: required<AppInfoOptions, ResolvedAppInfo | undefined>(
    readAppInfo,
    'give { appName, apiDomain, websiteDomain }',
  ),

  /**
   * `Domain` of the token cookies. `.example.com` shares them with every subdomain.
   * @defaultValue none: the cookies belong to the API's host only
   */
  cookieDomain: option(text(normaliseSessionScope)),
  /**
   * The `cookieDomain` that was used before, `''` for "none". Set it after a change of `cookieDomain` for as long as old
   * refresh tokens live: cookies of the old domain are then removed.
   * @defaultValue none: duplicate cookies are an error
   */
  olderCookieDomain: option(text((scope) => (scope === '' ? '' : normaliseSessionScope(scope)))),
  /**
   * `Secure` on the token cookies: browsers send them over https only.
   * @defaultValue true if `apiDomain` is https, otherwise false
   */
  cookieSecure: option(trueOrFalse),
  /**
   * `SameSite` of the token cookies.
   * @defaultValue `none` if API and website are different sites or schemes, otherwise `lax`
   */
  cookieSameSite: option(sameSite),
  /**
   * `Partitioned` (CHIPS) on the token cookies; needs `cookieSecure`.
   * @defaultValue false
   */
  cookiePartitioned: option(trueOrFalse, false),
  /**
   * The `cookiePartitioned` that was used before. Set it after a change for a year: browsers keep both kinds of cookies, and with
   * that of the former kind they would go on as the former user. Sign-in, refresh and sign-out then remove it.
   * @defaultValue none: a request that brings both loses the access tokens of both
   */
  olderCookiePartitioned: option(trueOrFalse),
  /**
   * Adds the strongest prefix whose conditions hold to the default cookie names: `__Host-` to the access token's (no
   * `cookieDomain`, path `/`), otherwise `__Secure-`. The refresh token's cookie always gets `__Secure-`, because its path is
   * the refresh route. Browsers then refuse such cookies from insecure pages and, with `__Host-`, from neighbouring hosts.
   * Needs `cookieSecure`; changing it signs every user out: see `olderCookieNamePrefixes`.
   * @defaultValue false
   */
  cookieNamePrefixes: option(trueOrFalse, false),
  /**
   * The `cookieNamePrefixes` that were used before. Set it after a change for as long as old refresh tokens live: whoever signs
   * in, refreshes or signs out then loses the cookies of the old names, which a later change back would bring to life.
   * @defaultValue none: cookies of other names are left alone
   */
  olderCookieNamePrefixes: option(trueOrFalse),
  /**
   * Path of the access token cookie.
   * @defaultValue `/`
   */
  accessTokenPath: option(text(cookiePath), '/'),
  /**
   * The `accessTokenPath` that was used before. Set it after a change for a year: sign-in, refresh and sign-out then remove the
   * cookie of the old path, with which a browser would go on as the former user. Paths above `accessTokenPath` need no option.
   * @defaultValue none
   */
  olderAccessTokenPath: option(text(cookiePath)),
  /**
   * The `apiBasePath` that was used before, with the `apiGatewayPath` of that time in front. Set it after a change for as long as
   * old refresh tokens live: sign-in, refresh and sign-out then remove the refresh cookie of the old path, which a later change
   * back would bring to life.
   * @defaultValue none: the cookie of the old path is left alone
   */
  olderApiBasePath: option(text(normalisePath)),

  /**
   * Protection of cookie requests against cross-site forgery. `VIA_TOKEN`: a token bound to the session in the `anti-csrf`
   * header. `VIA_CUSTOM_HEADER`: any `rid` header. `NONE`: no protection but SameSite.
   * @defaultValue per request: `VIA_CUSTOM_HEADER` if SameSite is `none`, otherwise `NONE`
   */
  antiCsrf: option(oneOf('VIA_TOKEN', 'VIA_CUSTOM_HEADER', 'NONE')),

  /**
   * The only origins whose browsers may change state with the session's cookies, spelled exactly as in the `Origin` header;
   * without that header `Sec-Fetch-Site` decides. Other origins get 401 and keep their tokens. They cannot sign a browser in
   * by cookie either, except by a GET that navigates: identity providers that post back have to be listed. Works in addition
   * to `antiCsrf`.
   * @defaultValue the website, the API and their neighbours on the same site, as `crossSiteRequests` says
   */
  allowedOrigins: option(origins),
  /**
   * Whether pages of other sites may change state with the session's cookies, as long as there are no `allowedOrigins`. `refuse`:
   * they get 401 and keep their tokens, and they cannot sign a browser in by cookie except by a form that navigates, as identity
   * providers post back. `Sec-Fetch-Site` says what is another site, `Origin` where a browser does not send it. The website of
   * `appInfo` always may, and so may clients that send neither header. `allow`: SameSite, CORS and `antiCsrf` decide; only a sign-in
   * that needs no preflight is still refused to such pages.
   * @defaultValue `refuse`
   */
  crossSiteRequests: option(oneOf('refuse', 'allow'), 'refuse'),

  /**
   * Accepted issuers of access tokens: `iss` must be one of these, exactly. Sessions carry the issuer of the application that
   * created them, `apiDomain` with the base path (`https://api.example.com/auth`), for as long as they live. Other sessions
   * get 401, here and at the refresh, and keep their tokens; creating one throws.
   * @defaultValue not checked: every session of the core counts
   */
  accessTokenIssuers: option(issuers),
  /**
   * Required audience of access tokens: `aud` must be this text, or a list with it. The library does not set `aud`: put it
   * into `accessTokenPayload` when a session is created. Other tokens get 401 as with `accessTokenIssuers`.
   * @defaultValue not checked
   */
  accessTokenAudience: option(audience),

  /**
   * Chooses the transfer methods that a request may use. `any`: on creation the client's `st-auth-mode` header decides,
   * otherwise both are read.
   * @defaultValue `any`, and on creation the method that `st-auth-mode` names
   */
  getTokenTransferMethod: option(callback<ChooseTransferMethod>(), transferMethodByHeader),
  /**
   * Cookie name for a token type.
   * @defaultValue `sAccessToken` and `sRefreshToken`
   */
  getCookieNameForTokenType: option(callback<NameForTokenType>()),
  /**
   * Response header name for a token type.
   * @defaultValue `st-access-token` and `st-refresh-token`
   */
  getResponseHeaderNameForTokenType: option(callback<NameForTokenType>(), defaultHeaderName),
  /**
   * Repeats the access token of cookie sessions in the response header, so that scripts can read it.
   * @defaultValue false
   */
  exposeAccessTokenToFrontendInCookieBasedAuth: option(trueOrFalse, false),

  /**
   * Signs access tokens with the rotating (`d-…`) keys; false uses the static (`s-…`) key, which never changes. Changing it
   * makes every session refresh once.
   * @defaultValue true
   */
  useDynamicAccessTokenSigningKey: option(trueOrFalse, true),
  /**
   * Age in seconds from which the keys of a remote core are fetched again before a token is judged; at least 1. A longer time
   * than a minute counts as a minute, because a key that was removed at the core verifies for as long. One small request for each
   * interval and process keeps them recent, so that no request waits for it. The embedded core has
   * `signingKeyReloadIntervalSec`.
   * @defaultValue 60
   */
  jwksRefreshIntervalSec: option(seconds, 60),

  /**
   * Status of "sign in again" and "try refresh token"; 300 to 599. The browser client must know it.
   * @defaultValue 401
   */
  sessionExpiredStatusCode: option(wholeNumber(300, 599), 401),
  /**
   * Status of a failed claim check; 300 to 599. Must differ from `sessionExpiredStatusCode`.
   * @defaultValue 403
   */
  invalidClaimStatusCode: option(wholeNumber(300, 599), 403),
  /**
   * Whether the response to a failed claim check shows the values that were expected and found, as SuperTokens does. By default
   * it shows the ids of the validators and why each failed, because an expected value names the role that opens the route.
   * `errorHandlers.onInvalidClaim` gets the values in any case.
   * @defaultValue false
   */
  showClaimValues: option(trueOrFalse, false),
};

/**
 * The options that concern the wire: cookies, headers, anti-CSRF, keys, status codes.
 *
 * @publicApi
 */
export interface SessionWireOptions extends OptionsOf<typeof WIRE_OPTIONS> {}

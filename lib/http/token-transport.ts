import type { SessionConfig } from '../options/session-config.js';
import type { TokenTransferMethod, TokenType } from '../options/wire-options.js';
import type { Clock } from '../util/clock.js';
import type { HttpRequest, HttpResponse } from '../util/http-exchange.js';
import type { SessionRequest } from './session-request.js';
import {
  assertCookieFits,
  countCookies,
  mergeSetCookie,
  parseCookieHeader,
  serialiseCookie,
} from './cookies.js';

/** Never set, only looked for and deleted: SDKs before 2022 wrote it. */
const LEGACY_COOKIE = 'sIdRefreshToken';
const ACCESS_COOKIE_LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;
/** Longer than any token and than what Node accepts by default; work on the value ends here. */
const MAX_CREDENTIAL_LENGTH = 16 * 1024;

/** The request headers that a session is read from. */
const VARY_ITEMS = ['Cookie', 'Authorization'];
const VARY = VARY_ITEMS.join(', ');

/** Tokens of one session on their way to the client. */
export interface TokensToWrite {
  readonly accessToken: string;
  readonly frontToken: string;
  /** `expiry` in milliseconds since the epoch. Absent when only the access token is new. */
  readonly refreshToken?: { readonly token: string; readonly expiry: number } | undefined;
  readonly antiCsrfToken?: string | undefined;
}

interface CookieLine {
  readonly name: string;
  readonly line: string;
}

/** The place of a cookie in a browser; the domain is empty for the host alone. */
interface CookiePlace {
  readonly name: string;
  readonly domain: string;
  readonly path: string;
}

interface CookieContent {
  readonly value: string;
  readonly expires: number;
  readonly domain: string | undefined;
}

/**
 * Carries tokens between HTTP messages and the recipe, by cookies or by headers, and decides nothing: which of several
 * credentials counts, and whether a session exists, is the recipe's business. Reads one place per call, so an access
 * token of one place is never paired with a refresh token of another. Tokens are looked for in cookies and headers
 * only, never in URLs or bodies.
 *
 * @see docs/protocol/sdk.md chapter 3
 */
export class TokenTransport {
  constructor(
    private readonly config: SessionConfig,
    private readonly clock: Clock,
  ) {}

  /**
   * The token of one kind in one place. Which kind an `Authorization` header holds is known by the route alone, so
   * `tokenType` only names the cookie.
   *
   * @returns the text as sent, which may be empty (an empty bearer value is present, and so is an empty cookie);
   *   undefined when there is none, when the scheme is not exactly `Bearer `, or when header or cookie exceed 16 kB
   */
  readToken(request: SessionRequest, tokenType: TokenType, method: TokenTransferMethod): string | undefined {
    const value =
      method === 'cookie'
        ? request.request.getCookieValue(this.cookieName(request, tokenType))
        : request.request.getHeaderValue('authorization');
    if (value === undefined || value.length > MAX_CREDENTIAL_LENGTH) return undefined;
    if (method === 'cookie') return value;
    return value.startsWith('Bearer ') ? value.slice('Bearer '.length).trim() : undefined;
  }

  readAntiCsrfToken({ request }: SessionRequest): string | undefined {
    return request.getHeaderValue('anti-csrf');
  }

  /** The client's wish for a transfer method, in lower case; any text is possible. */
  readAuthMode({ request }: SessionRequest): string | undefined {
    return request.getHeaderValue('st-auth-mode')?.toLowerCase();
  }

  /** True if there is a `rid` header. Other sites cannot make a browser send one, so its value, even empty, is irrelevant. */
  hasCustomHeader({ request }: SessionRequest): boolean {
    return request.getHeaderValue('rid') !== undefined;
  }

  /** True if the cookie of very old SDKs is there, even empty: such a client has to refresh. */
  hasLegacyCookie({ request }: SessionRequest): boolean {
    return hasCookieNamed(request, LEGACY_COOKIE);
  }

  /** True if the token's cookie is there with any value, also one that {@link readToken} does not return. */
  hasCookie(request: SessionRequest, tokenType: TokenType): boolean {
    return hasCookieNamed(request.request, this.cookieName(request, tokenType));
  }

  /** True if the token's cookie came more than once, as happens after a change of `cookieDomain`. */
  isDuplicated(request: SessionRequest, tokenType: TokenType): boolean {
    const name = this.cookieName(request, tokenType);
    return countCookies(request.request.getHeaderValue('cookie') ?? '', name) > 1;
  }

  /**
   * Hands tokens to the client. Tokens written earlier to the same response in the same place are replaced.
   *
   * @throws {Error} a token does not fit into a cookie; nothing has been written then
   */
  writeTokens(request: SessionRequest, method: TokenTransferMethod, tokens: TokensToWrite): void {
    const { response } = request;
    // all cookies are made before the first write: a failure must not leave a front token without its session
    const cookies = method === 'cookie' ? this.buildCookies(request, tokens) : [];
    const inHeaders = method === 'header';

    this.markUncacheable(request);
    setExposedHeader(response, 'front-token', tokens.frontToken);
    for (const cookie of cookies) setCookie(response, cookie);
    if (method === 'cookie' && tokens.refreshToken) this.clearOlder(request);
    if (inHeaders || this.config.exposeAccessTokenToFrontendInCookieBasedAuth) {
      setExposedHeader(response, this.headerName(request, 'access'), tokens.accessToken);
    }
    if (inHeaders && tokens.refreshToken) {
      setExposedHeader(response, this.headerName(request, 'refresh'), tokens.refreshToken.token);
    }
    if (tokens.antiCsrfToken !== undefined) setExposedHeader(response, 'anti-csrf', tokens.antiCsrfToken);
  }

  /**
   * Whether an access token that is about to be made can be written, so that nothing is stored which the client could
   * never be told.
   *
   * @param tokenLength characters of the token
   * @throws {Error} it does not fit into a cookie
   */
  assertAccessTokenFits(request: SessionRequest, method: TokenTransferMethod, tokenLength: number): void {
    if (method === 'cookie') assertCookieFits(this.cookieName(request, 'access'), tokenLength);
  }

  /** Takes the tokens of one transfer method away from the client, and from this response if they are already on it. */
  clear(request: SessionRequest, method: TokenTransferMethod): void {
    const { response } = request;
    this.markUncacheable(request);
    for (const tokenType of ['access', 'refresh'] as const) {
      if (method === 'cookie') {
        const place = { name: this.cookieName(request, tokenType), path: this.cookiePath(tokenType) };
        this.deleteCookie(request, { ...place, domain: this.config.cookieDomain ?? '' });
      } else {
        setExposedHeader(response, this.headerName(request, tokenType), '');
      }
    }
    if (method === 'cookie') this.clearOlder(request);
    setExposedHeader(response, 'front-token', 'remove');
    response.removeHeader('anti-csrf');
  }

  /**
   * Takes all tokens away, by cookies and by headers, whatever the request brought: a handler may have created a
   * session earlier in the same response.
   */
  clearBoth(request: SessionRequest): void {
    this.clear(request, 'cookie');
    this.clear(request, 'header');
  }

  /** Deletes the cookie of {@link hasLegacyCookie}, present or not. */
  clearLegacyCookie(request: SessionRequest): void {
    const { accessTokenPath: path, cookieDomain: domain = '' } = this.config;
    this.markUncacheable(request);
    this.deleteCookie(request, { name: LEGACY_COOKIE, domain, path });
  }

  /**
   * Deletes a token's cookie at the places where an earlier configuration put it; the session goes on with the present one.
   *
   * @returns false if no such place is known; then nothing is deleted, because it might be the newer cookie
   */
  clearDuplicate(request: SessionRequest, tokenType: TokenType): boolean {
    const places = this.olderPlaces(request, tokenType);
    if (places.length > 0) this.markUncacheable(request);
    for (const place of places) this.deleteCookie(request, place);
    return places.length > 0;
  }

  /** Deletes what an earlier configuration left in the browser, so that it does not go on as the user of that time. */
  private clearOlder(request: SessionRequest): void {
    const { olderCookieName, olderAccessTokenPath } = this.config;
    const isPresent =
      olderAccessTokenPath !== undefined || // that path need not be above the request's
      this.hasCookie(request, 'access') ||
      (olderCookieName !== undefined &&
        hasCookieNamed(request.request, olderCookieName(request.request, 'access', request.userContext)));
    if (!isPresent) return;
    for (const tokenType of ['access', 'refresh'] as const) this.clearDuplicate(request, tokenType);
  }

  /** The places of a cookie by the options for earlier ones, and by the paths above the present one, without the present place. */
  private olderPlaces(request: SessionRequest, tokenType: TokenType): CookiePlace[] {
    const { cookieDomain, olderCookieDomain, olderCookieName, olderAccessTokenPath } = this.config;
    const path = this.cookiePath(tokenType);
    const name = this.cookieName(request, tokenType);
    const olderName = olderCookieName?.(request.request, tokenType, request.userContext);
    const olderPaths = tokenType === 'access' ? [olderAccessTokenPath, ...pathsAbove(path)] : [];
    const places = [name, olderName].flatMap((eachName) =>
      [cookieDomain ?? '', olderCookieDomain].flatMap((domain) =>
        [path, ...olderPaths].map((eachPath) => ({ name: eachName, domain, path: eachPath })),
      ),
    );
    const known = new Map(places.map((place) => [JSON.stringify(place), place]));
    known.delete(JSON.stringify({ name, domain: cookieDomain ?? '', path }));
    return [...known.values()].filter(isComplete);
  }

  /** States that the response depends on who asks, for caches between here and the client. */
  markSessionDependent({ response }: SessionRequest): void {
    const present = response.getHeaderValues('Vary');
    const all = present.length === 0 ? VARY : appendToHeaderList(present, VARY_ITEMS);
    if (present.length !== 1 || present[0] !== all) response.setHeader('Vary', all);
  }

  private markUncacheable(request: SessionRequest): void {
    request.response.setHeader('Cache-Control', 'no-store');
    this.markSessionDependent(request);
  }

  private buildCookies(request: SessionRequest, tokens: TokensToWrite): CookieLine[] {
    const domain = this.config.cookieDomain;
    // It outlives its token, and the refresh cookie: an expired access token is what tells a client to refresh.
    const expires = this.clock.now() + ACCESS_COOKIE_LIFETIME_MS;
    const access = { value: tokens.accessToken, expires, domain };
    const cookies = [this.tokenCookie(request, 'access', access)];
    if (tokens.refreshToken) {
      const refresh = { value: tokens.refreshToken.token, expires: tokens.refreshToken.expiry, domain };
      cookies.push(this.tokenCookie(request, 'refresh', refresh));
    }
    return cookies;
  }

  private deleteCookie(request: SessionRequest, { name, domain, path }: CookiePlace): void {
    setCookie(request.response, this.cookie(request, name, path, { value: '', expires: 0, domain }));
  }

  private tokenCookie(request: SessionRequest, tokenType: TokenType, content: CookieContent): CookieLine {
    const name = this.cookieName(request, tokenType);
    return this.cookie(request, name, this.cookiePath(tokenType), content);
  }

  private cookiePath(tokenType: TokenType): string {
    return tokenType === 'access' ? this.config.accessTokenPath : this.config.refreshTokenPath;
  }

  private cookie(request: SessionRequest, name: string, path: string, content: CookieContent): CookieLine {
    const attributes = {
      httpOnly: true,
      secure: this.config.cookieSecure,
      sameSite: this.config.cookieSameSite(request),
      partitioned: this.config.cookiePartitioned,
    } as const;
    return { name, line: serialiseCookie({ name, path, ...content, ...attributes }, this.clock.now()) };
  }

  private cookieName({ request, userContext }: SessionRequest, tokenType: TokenType): string {
    return this.config.getCookieNameForTokenType(request, tokenType, userContext);
  }

  private headerName({ request, userContext }: SessionRequest, tokenType: TokenType): string {
    return this.config.getResponseHeaderNameForTokenType(request, tokenType, userContext);
  }
}

/** Returns the transfer method that a request does not use. */
export function otherMethod(method: TokenTransferMethod): TokenTransferMethod {
  return method === 'cookie' ? 'header' : 'cookie';
}

function hasCookieNamed(request: HttpRequest, name: string): boolean {
  if (request.getCookieValue(name) !== undefined) return true;
  // a cookie parser may have made something else of the value than a string
  const header = request.getHeaderValue('cookie');
  return header?.includes(name) === true && parseCookieHeader(header).has(name);
}

/** `/a/b` has `/` and `/a` above it. */
function pathsAbove(path: string): string[] {
  if (path === '/') return [];
  return [
    '/',
    ...path
      .split('/')
      .slice(1, -1)
      .map((_part, index, parts) => `/${parts.slice(0, index + 1).join('/')}`),
  ];
}

function isComplete(place: { [Key in keyof CookiePlace]: string | undefined }): place is CookiePlace {
  return place.name !== undefined && place.domain !== undefined && place.path !== undefined;
}

function setCookie(response: HttpResponse, { name, line }: CookieLine): void {
  response.setHeader('Set-Cookie', mergeSetCookie(response.getHeaderValues('Set-Cookie'), line, name));
}

/** Sets a header and lets scripts of other origins read it. */
function setExposedHeader(response: HttpResponse, name: string, value: string): void {
  const expose = 'Access-Control-Expose-Headers';
  response.setHeader(name, value);
  response.setHeader(expose, appendToHeaderList(response.getHeaderValues(expose), [name]));
}

/**
 * Returns the value of a comma-separated header after adding items. Present items stay in front, unchanged; an item that
 * is already listed, in any letter case, is not repeated.
 *
 * @param existing the header's present values, one per line
 * @see docs/protocol/sdk.md §3.4, Q5
 */
export function appendToHeaderList(existing: readonly string[], items: readonly string[]): string {
  if (existing.length === 0) return items.join(', ');
  const kept = existing.filter((line) => line.trim() !== '');
  const listed = new Set(kept.flatMap((line) => line.split(',')).map((item) => item.trim().toLowerCase()));
  return [...kept, ...items.filter((item) => !listed.has(item.toLowerCase()))].join(', ');
}

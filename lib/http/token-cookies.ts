import type { SessionConfig } from '../options/session-config.js';
import type { TokenType } from '../options/wire-options.js';
import type { Clock } from '../util/clock.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { serialiseCookie } from './cookies.js';
import { browserPaths, isSentFrom, type Gateway } from './incoming-request.js';
import type { SessionRequest } from './session-request.js';
import type { CookieLine } from './written-headers.js';

const ACCESS_COOKIE_LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;

/** Tokens of one session on their way to the client. */
export interface TokensToWrite {
  readonly accessToken: string;
  readonly frontToken: string;
  /** `expiry` in milliseconds since the epoch. Absent when only the access token is new. */
  readonly refreshToken?: { readonly token: string; readonly expiry: number } | undefined;
  readonly antiCsrfToken?: string | undefined;
}

interface CookieContent {
  readonly value: string;
  readonly expires: number;
}

/** Makes the `Set-Cookie` lines of tokens, with the names, places and attributes of the configuration. */
export class TokenCookies {
  constructor(
    private readonly config: SessionConfig,
    private readonly clock: Clock,
  ) {}

  /** Returns where the cookie of a token is put. */
  place(request: SessionRequest, tokenType: TokenType): CookiePlace {
    const { accessTokenPath, refreshTokenPath, cookieDomain: domain = '' } = this.config;
    const path = tokenType === 'access' ? accessTokenPath : refreshTokenPath;
    return {
      name: this.config.getCookieNameForTokenType(request.request, tokenType, request.userContext),
      domain,
      path,
      isPartitioned: this.config.cookiePartitioned,
    };
  }

  /** @throws {Error} a token does not fit into a cookie */
  write(request: SessionRequest, { accessToken, refreshToken }: TokensToWrite): CookieLine[] {
    // The cookie outlives its token and the refresh cookie, because an expired access token makes the client refresh.
    const expires = this.clock.now() + ACCESS_COOKIE_LIFETIME_MS;
    const access = this.line(request, this.place(request, 'access'), { value: accessToken, expires });
    if (!refreshToken) return [access];
    const { token: value, expiry } = refreshToken;
    return [access, this.line(request, this.place(request, 'refresh'), { value, expires: expiry })];
  }

  /** Returns the line that deletes the cookie of one place. */
  remove(request: SessionRequest, place: CookiePlace): CookieLine {
    return this.line(request, place, { value: '', expires: 0 });
  }

  private line(
    request: SessionRequest,
    { name, domain, path, isPartitioned }: CookiePlace,
    content: CookieContent,
  ): CookieLine {
    const attributes = {
      httpOnly: true,
      secure: this.config.cookieSecure,
      sameSite: this.config.cookieSameSite(request),
      partitioned: isPartitioned,
    } as const;
    return {
      name,
      line: serialiseCookie({ name, path, domain, ...content, ...attributes }, this.clock.now()),
    };
  }
}

/** The place of a cookie in a browser, which keeps one for each. The domain is empty for the host alone. */
export interface CookiePlace {
  readonly name: string;
  readonly domain: string;
  readonly path: string;
  /** Browsers with CHIPS keep partitioned cookies apart from all others. */
  readonly isPartitioned: boolean;
}

/**
 * Returns where earlier configurations put a token's cookie: at the places that the options for older ones name, and at the
 * paths above the present one, from which a browser sends both. The present place is never among them.
 */
export function olderPlaces(
  config: Pick<
    SessionConfig,
    'olderCookieDomain' | 'olderAccessTokenPath' | 'olderRefreshTokenPath' | 'olderCookiePartitioned'
  >,
  present: CookiePlace,
  { tokenType, olderName }: { readonly tokenType: TokenType; readonly olderName: string | undefined },
): CookiePlace[] {
  const { olderCookieDomain, olderAccessTokenPath, olderRefreshTokenPath, olderCookiePartitioned } = config;
  const olderPaths =
    tokenType === 'access' ? [olderAccessTokenPath, ...pathsAbove(present.path)] : [olderRefreshTokenPath];
  const names = distinct([present.name, olderName]);
  const domains = distinct([present.domain, olderCookieDomain]);
  const paths = distinct([present.path, ...olderPaths]);
  const partitions = distinct([present.isPartitioned, olderCookiePartitioned]);
  const all = names.flatMap((name) =>
    domains.flatMap((domain) =>
      paths.flatMap((path) => partitions.map((isPartitioned) => ({ name, domain, path, isPartitioned }))),
    ),
  );
  return all.slice(1); // the first one is the present place
}

/** Returns whether an earlier configuration can have put cookies elsewhere: whether {@link olderPlaces} ever returns some. */
export function hasOlderPlaces(config: SessionConfig): boolean {
  return (
    config.olderCookieName !== undefined ||
    config.olderCookieDomain !== undefined ||
    config.olderCookiePartitioned !== undefined ||
    config.olderAccessTokenPath !== undefined ||
    config.olderRefreshTokenPath !== undefined ||
    pathsAbove(config.accessTokenPath).length > 0
  );
}

/** Returns whether an earlier configuration can have put cookies where browsers need not send them with this request. */
export function hasUnseenPlaces(request: HttpRequest, config: SessionConfig): boolean {
  return (
    config.olderCookiePartitioned !== undefined ||
    config.olderAccessTokenPath !== undefined ||
    config.olderRefreshTokenPath !== undefined ||
    pathsAbove(config.accessTokenPath).some((path) => !isSentFrom(path, request, config))
  );
}

/** More folders than a cookie's path has, because a response must not grow with the path that a request names. */
const MAX_FOLDERS = 8;
const WRITABLE = /^[!-:<-~]*$/; // a semicolon would begin the next attribute of a cookie

/** Returns the paths from which the cookies of a request can have come: each of its folders. */
export function sendingPaths(request: HttpRequest, config: Gateway): string[] {
  const folders = browserPaths(request, config).flatMap((path) => {
    const shortened = path
      .split('/', MAX_FOLDERS + 1)
      .join('/')
      .replace(/\/$/, '');
    return WRITABLE.test(shortened) ? [...pathsAbove(shortened), shortened || '/'] : ['/'];
  });
  return distinct(folders);
}

/** Returns the values that are given, each once. */
export function distinct<T>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

/** `/a/b` has `/` and `/a` above it. */
export function pathsAbove(path: string): string[] {
  if (path === '/' || path === '') return [];
  const parts = path.split('/').slice(1, -1);
  return ['/', ...parts.map((_part, index) => `/${parts.slice(0, index + 1).join('/')}`)];
}

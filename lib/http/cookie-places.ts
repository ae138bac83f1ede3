import type { SessionConfig } from '../options/session-config.js';
import type { TokenType } from '../options/wire-options.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { requestPath } from './request-path.js';

/** The place of a cookie in a browser, which keeps one for each. The domain is empty for the host alone. */
export interface CookiePlace {
  readonly name: string;
  readonly domain: string;
  readonly path: string;
}

/**
 * Returns where earlier configurations put a token's cookie: at the places that the options for older ones name, and at the
 * paths above the present one, from which a browser sends both. The present place is never among them.
 */
export function olderPlaces(
  config: Pick<SessionConfig, 'olderCookieDomain' | 'olderAccessTokenPath' | 'olderRefreshTokenPath'>,
  present: CookiePlace,
  { tokenType, olderName }: { readonly tokenType: TokenType; readonly olderName: string | undefined },
): CookiePlace[] {
  const { olderCookieDomain, olderAccessTokenPath, olderRefreshTokenPath } = config;
  const olderPaths =
    tokenType === 'access' ? [olderAccessTokenPath, ...pathsAbove(present.path)] : [olderRefreshTokenPath];
  const names = distinct([present.name, olderName]);
  const domains = distinct([present.domain, olderCookieDomain]);
  const paths = distinct([present.path, ...olderPaths]);
  const all = names.flatMap((name) =>
    domains.flatMap((domain) => paths.map((path) => ({ name, domain, path }))),
  );
  return all.slice(1); // the first one is the present place
}

/** More folders than a cookie's path has, because a response must not grow with the path that a request names. */
const MAX_FOLDERS = 8;
const WRITABLE = /^[!-:<-~]*$/; // a semicolon would begin the next attribute of a cookie

/** Returns the paths from which the cookies of a request can have come: each of its folders. */
export function sendingPaths(request: HttpRequest, config: Pick<SessionConfig, 'appInfo'>): string[] {
  const folders = browserPaths(request, config).flatMap((path) => {
    const shortened = path
      .split('/', MAX_FOLDERS + 1)
      .join('/')
      .replace(/\/$/, '');
    return WRITABLE.test(shortened) ? [...pathsAbove(shortened), shortened || '/'] : ['/'];
  });
  return distinct(folders);
}

/** Returns whether browsers send the cookies of a path with a request; true also where the URL is not known. */
export function isSentFrom(
  cookiePath: string,
  request: HttpRequest,
  config: Pick<SessionConfig, 'appInfo'>,
): boolean {
  return (
    cookiePath === '/' ||
    request.getOriginalURL() === '' ||
    // @see RFC 6265bis 5.1.4
    browserPaths(request, config).some((path) => `${path}/`.startsWith(`${cookiePath}/`))
  );
}

/** The path that the browser sees, which the prefix of a gateway precedes unless the gateway passes it on. */
function browserPaths(
  request: HttpRequest,
  { appInfo: { apiGatewayPath } }: Pick<SessionConfig, 'appInfo'>,
): string[] {
  const path = requestPath(request.getOriginalURL());
  return distinct([apiGatewayPath + path, path]);
}

function distinct(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

/** `/a/b` has `/` and `/a` above it. */
function pathsAbove(path: string): string[] {
  if (path === '/' || path === '') return [];
  const parts = path.split('/').slice(1, -1);
  return ['/', ...parts.map((_part, index) => `/${parts.slice(0, index + 1).join('/')}`)];
}

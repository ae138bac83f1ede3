import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';

/**
 * The origin of a request target in absolute form. It allows names and ports only: where an authority holds anything
 * else, routers disagree about where its path begins, so such a target stays as it is and is the path of no route.
 */
const ORIGIN = /^https?:\/\/[a-z0-9._:[\]-]*(?=[/?#]|$)/i;

const TENANT_SEGMENT = /^\/[A-Za-z0-9-]+$/;

/** Returns the path of a request's URL, without query and host. */
export function requestPath(url: string): string {
  const path = url.replace(ORIGIN, '').split(/[?#]/, 1)[0] ?? '';
  return path === '' ? '/' : path;
}

/** Returns whether two paths are equal apart from one trailing slash; case counts. */
export function samePath(a: string, b: string): boolean {
  return withoutTrailingSlash(a) === withoutTrailingSlash(b);
}

/**
 * Returns whether a request's path is that of a route: exactly, or with one tenant segment behind the base path. One
 * trailing slash is ignored, case counts.
 *
 * @param path without query
 * @param basePath as the application sees it, without a gateway's prefix
 * @see docs/protocol/sdk.md §10.2
 */
export function isRoutePath(name: SessionRouteName, path: string, basePath: string): boolean {
  const normalised = withoutTrailingSlash(path);
  const route = SESSION_ROUTES[name].path;
  if (normalised.length < basePath.length + route.length) return false;
  if (!normalised.startsWith(basePath) || !normalised.endsWith(route)) return false;
  const between = normalised.slice(basePath.length, normalised.length - route.length);
  return between === '' || TENANT_SEGMENT.test(between);
}

/** The URL of a request, and the one before a router took its mount prefix off. */
interface RoutedRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly originalUrl?: string | undefined;
}

/** The base path as requests arrive here, and as clients see it. */
export interface BasePaths {
  readonly basePath: string;
  readonly apiBasePath: string;
}

/**
 * Returns whether a request is one for a route. Routers match more loosely than we do; other spellings of the path are
 * the application's, or a 404.
 */
export function isRouteRequest(
  name: SessionRouteName,
  { method, url = '', originalUrl = url }: RoutedRequest,
  { basePath, apiBasePath }: BasePaths,
): boolean {
  const isMethod = (method === 'HEAD' ? 'get' : method?.toLowerCase()) === SESSION_ROUTES[name].method;
  if (!isMethod) return false;
  const [routed, original] = [requestPath(url), requestPath(originalUrl)];
  if (isRoutePath(name, routed, basePath)) return true;
  const isStripped = original !== routed && original.endsWith(routed);
  return isStripped && isRoutePath(name, original, apiBasePath);
}

/** Returns the base path as requests arrive here, after a gateway has stripped its prefix. */
export function arrivingBasePath({
  apiBasePath,
  apiGatewayPath,
}: {
  readonly apiBasePath: string;
  readonly apiGatewayPath: string;
}): string {
  return apiBasePath.slice(apiGatewayPath.length);
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

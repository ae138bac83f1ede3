import { ROUTE_PATHS } from '../options/route-paths.js';
import { withoutTrailingSlash } from './request-path.js';

/** The routes that the module brings; the path is relative to the base path. */
export const SESSION_ROUTES = {
  refresh: { method: 'post', path: ROUTE_PATHS.refresh },
  signOut: { method: 'post', path: ROUTE_PATHS.signOut },
  jwks: { method: 'get', path: ROUTE_PATHS.jwks },
  openIdDiscovery: { method: 'get', path: ROUTE_PATHS.openIdDiscovery },
  listSessions: { method: 'get', path: ROUTE_PATHS.listSessions },
  revokeSession: { method: 'post', path: ROUTE_PATHS.revokeSession },
  revokeOtherSessions: { method: 'post', path: ROUTE_PATHS.revokeOtherSessions },
} as const;

export type SessionRouteName = keyof typeof SESSION_ROUTES;

const TENANT_SEGMENT = /^\/[A-Za-z0-9-]+$/;

/**
 * Whether a request's path is that of a route: exactly, or with one tenant segment behind the base path. One trailing
 * slash is ignored, case counts.
 *
 * @param path without query
 * @param basePath as the application sees it, without a gateway's prefix
 * @see docs/protocol/sdk.md §10.2
 */
export function isRoutePath(name: SessionRouteName, path: string, basePath: string): boolean {
  const normalised = withoutTrailingSlash(path);
  const route = SESSION_ROUTES[name].path;
  if (!normalised.startsWith(basePath) || !normalised.endsWith(route)) return false;
  const between = normalised.slice(basePath.length, normalised.length - route.length);
  return (
    normalised.length >= basePath.length + route.length && (between === '' || TENANT_SEGMENT.test(between))
  );
}

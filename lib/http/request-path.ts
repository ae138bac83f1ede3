/**
 * The origin of a request target in absolute form. Only names and ports: where an authority holds anything else, routers
 * disagree about where its path begins, and such a target is left as it is, so that it is the path of no route of ours.
 */
const ORIGIN = /^https?:\/\/[a-z0-9._:[\]-]*(?=[/?#]|$)/i;

/** The path of a request's URL: without query, without host. */
export function requestPath(url: string): string {
  const path = url.replace(ORIGIN, '').split(/[?#]/, 1)[0] ?? '';
  return path === '' ? '/' : path;
}

/** Equal apart from one trailing slash; case counts. */
export function samePath(a: string, b: string): boolean {
  return withoutTrailingSlash(a) === withoutTrailingSlash(b);
}

export function withoutTrailingSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

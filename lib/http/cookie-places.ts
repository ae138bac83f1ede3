import type { SessionConfig } from '../options/session-config.js';
import type { TokenType } from '../options/wire-options.js';

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
  config: Pick<SessionConfig, 'olderCookieDomain' | 'olderAccessTokenPath'>,
  present: CookiePlace,
  { tokenType, olderName }: { readonly tokenType: TokenType; readonly olderName: string | undefined },
): CookiePlace[] {
  const { olderCookieDomain, olderAccessTokenPath } = config;
  const olderPaths = tokenType === 'access' ? [olderAccessTokenPath, ...pathsAbove(present.path)] : [];
  const names = distinct([present.name, olderName]);
  const domains = distinct([present.domain, olderCookieDomain]);
  const paths = distinct([present.path, ...olderPaths]);
  const all = names.flatMap((name) =>
    domains.flatMap((domain) => paths.map((path) => ({ name, domain, path }))),
  );
  return all.slice(1); // the first one is the present place
}

function distinct(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

/** `/a/b` has `/` and `/a` above it. */
function pathsAbove(path: string): string[] {
  if (path === '/') return [];
  const parts = path.split('/').slice(1, -1);
  return ['/', ...parts.map((_part, index) => `/${parts.slice(0, index + 1).join('/')}`)];
}

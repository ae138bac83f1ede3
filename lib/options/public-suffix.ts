import { getDomain } from 'tldts';

/**
 * Returns the part of a host name that one party registered, by the public suffix list with its private section.
 *
 * @param hostname lower-case host name without port
 * @returns `test.co.uk` for `a.b.test.co.uk`; undefined when the name is itself a public suffix (`github.io`, `com`),
 *   has a single label or is an IP address
 * @see https://publicsuffix.org/list/
 */
export function registrableDomain(hostname: string): string | undefined {
  return getDomain(hostname, { allowPrivateDomains: true }) ?? undefined;
}

import { readHostname, isIpAddress } from './domains.js';
import { registrableDomain } from './public-suffix.js';
import type { AntiCsrfMode, CookieSameSite } from './wire-options.js';

/** Where API and website live, both normalised; what the decisions about cookies are made from. */
export interface Sites {
  readonly apiDomain: string;
  readonly apiSite: string;
  readonly websiteOrigin: string;
  readonly websiteSite: string;
}

/**
 * SameSite of the cookies where none is configured: `none` when browsers count API and website to different sites,
 * which they also do when only the schemes differ.
 */
export function defaultCookieSameSite(sites: Sites): CookieSameSite {
  const sameScheme = new URL(sites.apiDomain).protocol === new URL(sites.websiteOrigin).protocol;
  return sameScheme && sites.apiSite === sites.websiteSite ? 'lax' : 'none';
}

/** Anti-CSRF mode where none is configured: SameSite protects, except where it is `none`. */
export function defaultAntiCsrf(cookieSameSite: CookieSameSite): AntiCsrfMode {
  return cookieSameSite === 'none' ? 'VIA_CUSTOM_HEADER' : 'NONE';
}

/**
 * True when browsers would drop the cookies: `SameSite=None` without `Secure`. Allowed while both sides are local, so
 * that one can develop without certificates.
 */
export function isInsecureSameSiteNone(input: {
  readonly cookieSameSite: CookieSameSite;
  readonly cookieSecure: boolean;
  readonly apiSite: string;
  readonly websiteSite: string;
}): boolean {
  if (input.cookieSameSite !== 'none' || input.cookieSecure) return false;
  return input.apiSite !== 'localhost' || input.websiteSite !== 'localhost';
}

/**
 * What is wrong with a cookie `Domain` on answers of the API; browsers drop such cookies without a word.
 *
 * @param scope a normalised session scope
 * @returns `foreign`: the API's host is not below it; `public-suffix`: unrelated parties share it; undefined: nothing
 * @see RFC 6265bis, 5.7, steps on the domain attribute
 */
export function cookieDomainProblem(
  scope: string,
  apiDomain: string,
): 'foreign' | 'public-suffix' | undefined {
  const domain = scope.replace(/^\./, '');
  const host = readHostname(apiDomain);
  if (host === domain) return undefined;
  if (isIpAddress(host) || !host.endsWith(`.${domain}`)) return 'foreign';
  return registrableDomain(domain) === undefined ? 'public-suffix' : undefined;
}

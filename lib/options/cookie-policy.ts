import { readHostname, isIpAddress } from './domains.js';
import { registrableDomain } from './public-suffix.js';
import type { AntiCsrfMode, CookieSameSite } from './wire-options.js';

/** The normalised addresses of API and website, on which the defaults of cookies depend. */
export interface Sites {
  readonly apiDomain: string;
  readonly apiSite: string;
  readonly websiteOrigin: string;
  readonly websiteSite: string;
}

/**
 * Returns the default SameSite of the cookies: `none` when browsers count API and website to different sites, which they
 * also do when only the schemes differ.
 */
export function defaultCookieSameSite(sites: Sites): CookieSameSite {
  const sameScheme = new URL(sites.apiDomain).protocol === new URL(sites.websiteOrigin).protocol;
  return sameScheme && sites.apiSite === sites.websiteSite ? 'lax' : 'none';
}

/** Returns the default anti-CSRF mode. SameSite protects, unless it is `none`. */
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
 * Checks the `Domain` of cookies in responses of the API, because browsers silently drop cookies with a wrong one.
 *
 * @param scope a normalised session scope
 * @returns `foreign`: the API's host is not below it; `public-suffix`: unrelated parties share it; undefined: no problem
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

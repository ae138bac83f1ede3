import { isIpAddress } from '../options/domains.js';
import { registrableDomain } from '../options/public-suffix.js';
import { isThisMachine } from '../util/hosts.js';

/** True for names and addresses of this machine, which browsers trust without https. */
export function isLocal(url: URL): boolean {
  return isThisMachine(url.hostname);
}

/**
 * The site of a host as browsers see it. `localhost` and `127.0.0.1` are two sites here; the module's own rule is lenient
 * and counts all local hosts as one.
 *
 * @see SameSite in RFC 6265bis, 5.2
 */
export function siteOfHost(hostname: string): string {
  return isIpAddress(hostname) ? hostname : (registrableDomain(hostname) ?? hostname);
}

/** The site of an origin, scheme included. */
export function browserSite({ protocol, hostname }: URL): string {
  return `${protocol}//${siteOfHost(hostname)}`;
}

/** True when a browser sends `SameSite` cookies of the API on calls from a page of the website. */
export function isSameSite(api: URL, website: URL): boolean {
  return browserSite(api) === browserSite(website);
}

import { isIPv4 } from 'node:net';
import { isLocalName } from '../util/hosts.js';
import { registrableDomain } from './public-suffix.js';

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
/** Some connection URIs begin with `supertokens://`. */
const KNOWN_SCHEME = /^(?:https?|supertokens):\/\//i;

/**
 * Returns the origin of a domain as written by a person: scheme and host, with the port if it is not the default of the
 * scheme. Without a scheme, local names and IP addresses get `http://`, other names `https://`.
 *
 * @throws {Error} "Please provide a valid domain name"
 */
export function normaliseDomain(text: string): string {
  const input = text.trim().toLowerCase();
  const url = SCHEME.test(input) ? parseKnownScheme(input) : parseWithoutScheme(input);
  if (url === undefined || url.hostname === '') throw new Error('Please provide a valid domain name');
  return `${url.protocol}//${url.host}`;
}

/**
 * Returns the path of a text as written by a person: `/` in front, none at the end, escaped as in a URL; the empty string
 * for the root. Letter case is kept. A whole URL or a domain with a path is accepted, too.
 *
 * @throws {Error} "Please provide a valid URL path"
 */
export function normalisePath(text: string): string {
  const input = text.trim();
  const url = SCHEME.test(input) ? parseKnownScheme(input) : parsePath(input);
  // Paths end up in cookies, where a semicolon would start the next attribute. URL parsing drops control characters.
  if (url === undefined || url.pathname.includes(';')) throw new Error('Please provide a valid URL path');
  return url.pathname.replace(/\/$/, '');
}

/**
 * Returns the `Domain` of cookies for a text as written by a person: a host name, with a leading dot only if the text begins
 * with one. Local names and IP addresses never keep the dot.
 *
 * @throws {Error} "Please provide a valid sessionScope"
 */
export function normaliseSessionScope(text: string): string {
  const input = text.trim().toLowerCase().replace(/^\./, '');
  const url = SCHEME.test(input) ? parseKnownScheme(input) : parseUrl(`http://${input}`);
  const host = url?.hostname ?? '';
  if (host === '' || host.startsWith('.')) throw new Error('Please provide a valid sessionScope');
  return text.startsWith('.') && host !== 'localhost' && !isIpAddress(host) ? `.${host}` : host;
}

/**
 * Returns the site to which browsers count a domain when they decide whether a request is same-site.
 *
 * @param domain a normalised domain
 * @returns the registrable domain; `localhost` for local names, IPv4 addresses and `[::1]`; another IPv6 address itself
 * @throws {Error} the host has no registrable domain
 * @see SameSite in RFC 6265bis, 5.2
 */
export function registrableSite(domain: string): string {
  const host = readHostname(domain);
  if (isLocalName(host) || isIPv4(host) || host === '[::1]') return 'localhost';
  if (isIpAddress(host)) return host;
  const site = registrableDomain(host);
  if (site !== undefined) return site;
  // The public names of machines at AWS are public suffixes themselves: each is a site of its own.
  if (host.endsWith('.amazonaws.com')) return host;
  throw new Error(
    `The site of "${host}" cannot be determined: it is a single label or a public suffix. ` +
      'Please check apiDomain and websiteDomain (or origin)',
  );
}

/** Host name of a normalised domain, without port; IPv6 addresses keep their brackets. */
export function readHostname(domain: string): string {
  return new URL(domain).hostname;
}

/** True for IPv4 addresses and for IPv6 addresses in brackets. */
export function isIpAddress(host: string): boolean {
  return isIPv4(host) || host.startsWith('[');
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function parseKnownScheme(input: string): URL | undefined {
  return KNOWN_SCHEME.test(input) ? parseUrl(input) : undefined;
}

function parseWithoutScheme(input: string): URL | undefined {
  if (input.startsWith('/')) return undefined;
  const rest = input.replace(/^\./, '');
  const host = parseUrl(`https://${rest}`)?.hostname ?? '';
  if (isLocalName(host) || isIpAddress(host)) return parseUrl(`http://${rest}`);
  return host.includes('.') ? parseUrl(`https://${rest}`) : undefined;
}

function parsePath(input: string): URL | undefined {
  const rooted = parseUrl(`http://host${input.startsWith('/') ? '' : '/'}${input}`);
  if (input.startsWith('/')) return rooted;
  const withHost = parseUrl(`http://${input}`);
  const looksLikeDomain =
    withHost !== undefined && (withHost.hostname.includes('.') || isLocalName(withHost.hostname));
  return looksLikeDomain ? withHost : rooted;
}

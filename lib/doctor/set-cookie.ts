import { registrableDomain } from '../options/public-suffix.js';
import { MAX_COOKIE_OCTETS, matchesCookiePath } from '../http/cookies.js';
import { isIpAddress } from '../options/domains.js';
import { isLocal, isSameSite } from './site.js';

/** A `Set-Cookie` line as a browser reads it. */
export interface SeenCookie {
  readonly name: string;
  /** As on the wire. Never printed. */
  readonly value: string;
  /** Lower case, without a leading dot. Absent: this host only. */
  readonly domain?: string;
  readonly path: string;
  readonly sameSite?: 'strict' | 'lax' | 'none';
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly partitioned: boolean;
  /** True for a line that removes the cookie. */
  readonly isRemoval: boolean;
}

/** A reason for which a browser ignores a `Set-Cookie` line. */
export type DropReason =
  | 'foreign-domain'
  | 'public-suffix'
  | 'secure-over-http'
  | 'none-without-secure'
  | 'partitioned-without-secure'
  | 'prefix'
  | 'too-large';

/**
 * Reads a `Set-Cookie` line.
 *
 * @param url of the request that it answers
 * @returns undefined where there is no name
 * @see RFC 6265bis, 5.6
 */
export function parseSetCookie(line: string, url: URL, nowMs: number): SeenCookie | undefined {
  const [pair = '', ...rest] = line.split(';');
  const separator = pair.indexOf('=');
  const name = pair.slice(0, separator).trim();
  if (separator < 0 || name === '') return undefined;
  const attributes = new Map(rest.map(readAttribute)); // of a repeated attribute the last one counts
  const domain = attributes.get('domain')?.toLowerCase().replace(/^\./, '') ?? '';
  const path = attributes.get('path') ?? '';
  const sameSite = attributes.get('samesite')?.toLowerCase();
  const value = pair.slice(separator + 1).trim();
  return {
    name,
    value,
    ...(domain === '' ? {} : { domain }),
    path: path.startsWith('/') ? path : defaultPath(url),
    ...(isSameSiteValue(sameSite) ? { sameSite } : {}),
    secure: attributes.has('secure'),
    httpOnly: attributes.has('httponly'),
    partitioned: attributes.has('partitioned'),
    isRemoval: value === '' || isOver(attributes, nowMs),
  };
}

/** Why a browser that gets this cookie from `url` ignores it; empty when it keeps it. */
export function dropReasons(cookie: SeenCookie, url: URL): DropReason[] {
  const reasons: DropReason[] = [];
  const { domain, secure } = cookie;
  if (domain !== undefined && !coversHost(domain, url.hostname)) reasons.push('foreign-domain');
  else if (domain !== undefined && domain !== url.hostname && registrableDomain(domain) === undefined) {
    reasons.push('public-suffix');
  }
  if (secure && url.protocol !== 'https:' && !isLocal(url)) reasons.push('secure-over-http');
  if (cookie.sameSite === 'none' && !secure) reasons.push('none-without-secure');
  if (cookie.partitioned && !secure) reasons.push('partitioned-without-secure');
  if (!keepsPrefixRules(cookie)) reasons.push('prefix');
  if (cookieSize(cookie) > MAX_COOKIE_OCTETS) reasons.push('too-large');
  return reasons;
}

/** What of the cookie counts against the limit of {@link MAX_COOKIE_OCTETS}. */
export function cookieSize({ name, value }: SeenCookie): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value);
}

/** True when a page of the website that calls `target` makes the browser send this cookie, if it blocks no cookies. */
export function isSent(cookie: SeenCookie, target: URL, website: URL): boolean {
  const reachesSite = cookie.sameSite === 'none' || isSameSite(target, website);
  return reachesSite && !cookie.isRemoval && matchesCookiePath(cookie.path, target.pathname);
}

/** The cookies that a browser holds after these lines, newest of each name, domain and path. */
export function jarAfter<Cookie extends SeenCookie>(cookies: readonly Cookie[], url: URL): Cookie[] {
  const jar = new Map<string, Cookie>();
  for (const cookie of cookies.filter((each) => dropReasons(each, url).length === 0)) {
    const key = JSON.stringify([cookie.name, cookie.domain, cookie.path]);
    if (cookie.isRemoval) jar.delete(key);
    else jar.set(key, cookie);
  }
  return [...jar.values()];
}

function readAttribute(text: string): readonly [string, string] {
  const separator = text.indexOf('=');
  if (separator < 0) return [text.trim().toLowerCase(), ''];
  return [text.slice(0, separator).trim().toLowerCase(), text.slice(separator + 1).trim()];
}

function isSameSiteValue(text: string | undefined): text is 'strict' | 'lax' | 'none' {
  return text === 'strict' || text === 'lax' || text === 'none';
}

/** `Max-Age` wins over `Expires`. */
function isOver(attributes: ReadonlyMap<string, string>, nowMs: number): boolean {
  const maxAge = attributes.get('max-age');
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Number(maxAge) <= 0;
  return Date.parse(attributes.get('expires') ?? '') <= nowMs;
}

function defaultPath({ pathname }: URL): string {
  return pathname.slice(0, pathname.lastIndexOf('/')) || '/';
}

function coversHost(domain: string, host: string): boolean {
  return host === domain || (!isIpAddress(host) && host.endsWith(`.${domain}`));
}

/** Browsers take the prefixes in any case. @see RFC 6265bis, 5.4 */
function keepsPrefixRules({ name, secure, domain, path }: SeenCookie): boolean {
  if (/^__host-/i.test(name)) return secure && domain === undefined && path === '/';
  return secure || !/^__secure-/i.test(name);
}

import { registrableDomain } from '../options/public-suffix.js';
import { isIpAddress } from '../options/domains.js';
import { MAX_COOKIE_OCTETS } from '../http/cookies.js';
import { CookieJar, matchesCookiePath, type ReceivedCookie } from '../http/set-cookie.js';
import { isLocal, isSameSite } from './site.js';

/** A reason for which a browser ignores a `Set-Cookie` line. */
export type DropReason =
  | 'foreign-domain'
  | 'public-suffix'
  | 'secure-over-http'
  | 'none-without-secure'
  | 'partitioned-without-secure'
  | 'prefix'
  | 'too-large';

/** The reasons for which a browser ignores this cookie from `url`; empty when it keeps it. */
export function dropReasons(cookie: ReceivedCookie, url: URL): DropReason[] {
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

/** The octets of name and value, which {@link MAX_COOKIE_OCTETS} limits. */
export function cookieSize({ name, value }: ReceivedCookie): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value);
}

/** True when a browser that blocks no cookies sends this one with a call of the website to `target`. */
export function isSent(cookie: ReceivedCookie, target: URL, website: URL): boolean {
  const reachesSite = cookie.sameSite === 'none' || isSameSite(target, website);
  return reachesSite && !cookie.isRemoval && matchesCookiePath(cookie.path, target.pathname);
}

/** The cookies that a browser holds after these lines. */
export function jarAfter<Cookie extends ReceivedCookie>(cookies: readonly Cookie[], url: URL): Cookie[] {
  const jar = new CookieJar<Cookie>();
  for (const cookie of cookies) if (dropReasons(cookie, url).length === 0) jar.set(cookie);
  return jar.list();
}

function coversHost(domain: string, host: string): boolean {
  return host === domain || (!isIpAddress(host) && host.endsWith(`.${domain}`));
}

/** Browsers take the prefixes in any case. @see RFC 6265bis, 5.4 */
function keepsPrefixRules({ name, secure, domain, path }: ReceivedCookie): boolean {
  if (/^__host-/i.test(name)) return secure && domain === undefined && path === '/';
  return secure || !/^__secure-/i.test(name);
}

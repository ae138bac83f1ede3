import type { RecordedExchange } from './exchange.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';
import { normalisePath } from '../options/domains.js';

/** Everything that the checks know. They ask nobody. */
export interface Facts {
  /** Origin of the API and base path of the session routes, as a browser reaches them. */
  readonly api: ApiAddress;
  /** Origin of the website. */
  readonly website: URL;
  readonly exchanges: Exchanges;
}

export interface ApiAddress {
  readonly origin: string;
  /** `/auth`; empty for the root. */
  readonly basePath: string;
}

/** What was asked, in this order. Absent: not asked, because something before it made the question pointless. */
export interface Exchanges {
  /** A refresh without a token; every running API can answer it. */
  readonly emptyRefresh: RecordedExchange;
  /** The same route at other base paths, where it was not found at the given one. */
  readonly elsewhere?: readonly RecordedExchange[];
  /** Preflight of the refresh from the website, where that is another origin. */
  readonly preflight?: RecordedExchange;
  /** Preflight of the refresh from a website that nobody can have allowed. */
  readonly foreignPreflight?: RecordedExchange;
  readonly jwks?: RecordedExchange;
  readonly discovery?: RecordedExchange;
  readonly signInPreflight?: RecordedExchange;
  readonly signIn?: RecordedExchange;
  /** A refresh with what a browser would send after the sign-in. */
  readonly refresh?: RecordedExchange;
  readonly signOut?: RecordedExchange;
  /** A sign-out with what a browser would not send, so that no session is left behind. */
  readonly cleanUp?: RecordedExchange;
}

/** The origin of a website that nobody can have allowed: `.invalid` is reserved. @see RFC 2606 */
export const FOREIGN_ORIGIN = 'https://nest-sessions-doctor.invalid';

/** @throws {TypeError} no http or https address */
export function parseApiAddress(text: string): ApiAddress {
  const url = parseHttpUrl(text, 'the address of the API', 'https://api.example.com/auth');
  return { origin: url.origin, basePath: normalisePath(url.pathname) };
}

/** @throws {TypeError} no http or https address */
export function parseWebsite(text: string): URL {
  return new URL(parseHttpUrl(text, 'the website', 'https://example.com').origin);
}

export function routeUrl(api: ApiAddress, route: SessionRouteName): string {
  return `${api.origin}${api.basePath}${SESSION_ROUTES[route].path}`;
}

/** Every exchange of the interview, in its order. */
export function allExchanges({ exchanges }: Facts): RecordedExchange[] {
  const { elsewhere = [], ...named } = exchanges;
  return [...Object.values(named), ...elsewhere];
}

/** True when pages of the website need CORS to call the API. */
export function isCrossOrigin({ api, website }: Facts): boolean {
  return api.origin !== website.origin;
}

function parseHttpUrl(text: string, what: string, example: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(`${what} is expected as a whole, ${example} for example`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError(`${what} must not hold a user name or password: browsers do not send those by fetch`);
  }
  return url;
}

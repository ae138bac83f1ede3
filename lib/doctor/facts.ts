import type { RecordedExchange } from './exchange.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';
import { normalisePath } from '../options/domains.js';

/** Everything that the checks know. They send no requests. */
export interface Facts {
  /** Origin of the API and base path of the session routes, as a browser reaches them. */
  readonly api: ApiAddress;
  /** Origin of the website. */
  readonly website: URL;
  readonly exchanges: Exchanges;
}

/** The API as a browser reaches it. */
export interface ApiAddress {
  readonly origin: string;
  /** `/auth`; empty for the root. */
  readonly basePath: string;
}

/** The exchanges of the probe, in this order. Absent: not sent, because an earlier response made it pointless. */
export interface Exchanges {
  /** A refresh without a token, which every running API responds to. */
  readonly emptyRefresh: RecordedExchange;
  /** The same route at other base paths, where it was not found at the given one. */
  readonly otherPaths?: readonly RecordedExchange[];
  /** Preflight of the refresh from the website, where that is another origin. */
  readonly preflight?: RecordedExchange;
  /** Preflight of the refresh from {@link FOREIGN_ORIGIN}. */
  readonly foreignPreflight?: RecordedExchange;
  readonly jwks?: RecordedExchange;
  readonly discovery?: RecordedExchange;
  /** A route that needs a session, asked without one. */
  readonly guarded?: RecordedExchange;
  readonly signInPreflight?: RecordedExchange;
  readonly signIn?: RecordedExchange;
  /** The route by which browsers renew bound sessions, asked without naming one; over https only, as the next three. */
  readonly deviceRoute?: RecordedExchange;
  /** The registration of a key, where the sign-in offers it. */
  readonly registerDevice?: RecordedExchange;
  /** A renewal without a proof, which gets a challenge. */
  readonly challengeDevice?: RecordedExchange;
  readonly renewDevice?: RecordedExchange;
  /** A refresh with the cookies or tokens that a browser would send after the sign-in. */
  readonly refresh?: RecordedExchange;
  readonly signOut?: RecordedExchange;
  /** A sign-out with tokens that a browser would not send, so that no session is left behind. */
  readonly cleanUp?: RecordedExchange;
}

/** The origin of a website that no application allows, because `.invalid` is reserved. @see RFC 2606 */
export const FOREIGN_ORIGIN = 'https://nest-sessions-doctor.invalid';

/**
 * Parses the address of the session routes.
 *
 * @throws {TypeError} no http or https address
 */
export function parseApiAddress(text: string): ApiAddress {
  const url = parseHttpUrl(text, 'the address of the API', 'https://api.example.com/auth');
  return { origin: url.origin, basePath: normalisePath(url.pathname) };
}

/**
 * Parses the origin of the website.
 *
 * @throws {TypeError} no http or https address
 */
export function parseWebsite(text: string): URL {
  return new URL(parseHttpUrl(text, 'the website', 'https://example.com').origin);
}

/** The address of a session route. */
export function routeUrl(api: ApiAddress, route: SessionRouteName): string {
  return `${api.origin}${api.basePath}${SESSION_ROUTES[route].path}`;
}

/** Every exchange of the probe, in its order. */
export function allExchanges({ exchanges }: Facts): RecordedExchange[] {
  const { otherPaths = [], ...named } = exchanges;
  return [...Object.values(named), ...otherPaths];
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

import { parseApiAddress, routeUrl, type Exchanges, type Facts } from '../../lib/doctor/facts.js';
import type { RecordedExchange } from '../../lib/doctor/exchange.js';
import { jwtWith } from './made-jwt.js';

export const API = 'https://api.shop.io/auth';
export const WEBSITE = 'https://shop.io';
/** When every exchange took place: Sat, 21 Nov 2026 10:00:00 UTC. */
export const NOW_MS = Date.UTC(2026, 10, 21, 10);

/** The header lines of a response, `name: value`. */
type Lines = readonly string[];

export const CORS: Lines = [
  `access-control-allow-origin: ${WEBSITE}`,
  'access-control-allow-credentials: true',
  'access-control-expose-headers: front-token, st-access-token, st-refresh-token, anti-csrf',
  'vary: Origin',
];
export const CORS_OF_PREFLIGHT: Lines = [
  ...CORS,
  'access-control-allow-headers: content-type, rid, fdi-version, anti-csrf, authorization, st-auth-mode',
];
export const ACCESS_TOKEN = jwtWith({
  sessionHandle: 'handle',
  iat: NOW_MS / 1000,
  exp: NOW_MS / 1000 + 3600,
});
export const ACCESS_COOKIE = `set-cookie: sAccessToken=${ACCESS_TOKEN}; Path=/; HttpOnly; Secure; SameSite=Lax`;
export const REFRESH_COOKIE =
  'set-cookie: sRefreshToken=opaque; Path=/auth/session/refresh; HttpOnly; Secure; SameSite=Lax';
export const NO_STORE = 'cache-control: no-store';
export const FRONT_TOKEN = 'front-token: e30=';
export const SIGNED_IN: Lines = [...CORS, ACCESS_COOKIE, REFRESH_COOKIE, NO_STORE, FRONT_TOKEN];

/** An exchange of a quarter of a second with a response. */
export function responded(
  method: string,
  url: string,
  status: number,
  lines: Lines = [],
  body: unknown = {},
): RecordedExchange {
  const headers = lines.map((line): readonly [string, string] => {
    const separator = line.indexOf(':');
    return [line.slice(0, separator).toLowerCase(), line.slice(separator + 1).trim()];
  });
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    method,
    url,
    sentAtMs: NOW_MS,
    receivedAtMs: NOW_MS + 250,
    response: { status, headers, body: text },
  };
}

/** A refresh without a token, with the module's response. */
export function refusedRefresh(lines: Lines = [...CORS, NO_STORE], api = API): RecordedExchange {
  const url = routeUrl(parseApiAddress(api), 'refresh');
  return responded('POST', url, 401, lines, { message: 'unauthorised' });
}

/** A sign-in at `/login` with its response. */
export function signInWith(lines: Lines, status = 201): RecordedExchange {
  return responded('POST', 'https://api.shop.io/login', status, lines);
}

/** Facts about the shop, in which everything is as it should be, but for what is given. */
export function factsOf(
  exchanges: Partial<Exchanges> = {},
  { api = API, website = WEBSITE }: { api?: string; website?: string } = {},
): Facts {
  return {
    api: parseApiAddress(api),
    website: new URL(website),
    exchanges: { emptyRefresh: refusedRefresh(undefined, api), ...exchanges },
  };
}

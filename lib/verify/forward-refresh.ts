import { CoreUnavailableError, UnauthorisedError } from '../errors.js';
import type { FetchFunction } from './web-fetch.js';
import { runtimeFetch } from './web-fetch.js';

/** The longest wait for the API. A client whose refresh it has made gets the same tokens when it asks again. */
const TIMEOUT_MS = 30_000;
/** Statuses whose responses have no body. */
const WITHOUT_BODY = [101, 204, 205, 304];

/** The headers of a refresh that the API reads: tokens, anti-CSRF, the page that sends it, the device. */
const REQUEST_HEADERS = [
  'cookie',
  'authorization',
  'anti-csrf',
  'rid',
  'fdi-version',
  'st-auth-mode',
  'dpop',
  'origin',
  'sec-fetch-site',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'secure-session-skipped',
  'user-agent',
];

/** The headers of its response that the client reads. */
const RESPONSE_HEADERS = [
  'content-type',
  'cache-control',
  'vary',
  'retry-after',
  'front-token',
  'st-access-token',
  'st-refresh-token',
  'anti-csrf',
  'access-control-expose-headers',
  'www-authenticate',
  'dpop-nonce',
  'secure-session-registration',
];

/**
 * The API to which a refresh is handed.
 *
 * @publicApi
 */
export interface ForwardRefreshOptions {
  /** Origin of the API: `https://api.example.com`. */
  readonly apiDomain: string;
  /** Its `apiBasePath`, with its `apiGatewayPath` in front. Default `/auth`. */
  readonly apiBasePath?: string;
  /** Default: that of the runtime. */
  readonly fetch?: FetchFunction;
}

/**
 * Hands a refresh to the API and returns its response, with every cookie. For a host that the browser calls in place of the API, such
 * as a Next.js route handler at `/auth/session/refresh`: the path must be that of the API, because the refresh cookie belongs to it.
 *
 * @returns the API's response as it is, a refusal too
 * @throws {UnauthorisedError} the request is no POST
 * @throws {CoreUnavailableError} the API does not respond; the client keeps its tokens and may try again
 * @example
 * export const POST = (request: Request) => forwardRefresh(request, { apiDomain: 'https://api.example.com' });
 * @publicApi
 */
export async function forwardRefresh(
  request: Request,
  { apiDomain, apiBasePath = '/auth', fetch = runtimeFetch }: ForwardRefreshOptions,
): Promise<Response> {
  if (request.method !== 'POST') throw new UnauthorisedError('A refresh is a POST', { clearTokens: false });
  const address = new URL(`${apiBasePath.replace(/\/$/, '')}/session/refresh`, apiDomain).href;
  const init = {
    method: 'POST',
    headers: pick(request.headers, REQUEST_HEADERS),
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  } as const;
  try {
    const response = await fetch(address, init);
    const headers = pick(response.headers, RESPONSE_HEADERS);
    for (const line of response.headers.getSetCookie()) headers.append('set-cookie', line);
    const { status } = response;
    return new Response(WITHOUT_BODY.includes(status) ? null : await response.text(), { status, headers });
  } catch (error) {
    throw new CoreUnavailableError(`The API does not respond at ${address}`, { cause: error });
  }
}

function pick(source: Headers, names: readonly string[]): Headers {
  const picked = new Headers();
  for (const name of names) {
    const value = source.get(name);
    if (value !== null) picked.set(name, value);
  }
  return picked;
}

import { cloneJsonObject } from '../../util/json.js';
import type { UserContext } from '../../util/user-context.js';
import type { CdiRequest } from './cdi-requests.js';
import type { CoreHost } from './core-host.js';
import type { WireRequest } from './http-transport.js';

/**
 * A request to the core as a network interceptor sees it. It carries tokens and the API key: do not log it.
 *
 * @publicApi
 */
export interface CoreNetworkRequest {
  /** Without the query. */
  url: string;
  method: 'get' | 'post' | 'put';
  /** Names in lower case. */
  headers: Record<string, string>;
  /** The query; undefined members are left out. Only on `get`. */
  params?: Record<string, string | number | boolean | undefined>;
  /** Becomes JSON; undefined members are left out. Not on `get`. */
  body?: unknown;
}

/**
 * Sees, and may change, each request to the core before it leaves: every attempt, the one for the version too, but not
 * the loading of the keys that tokens are verified with. What comes back is sent; `params` or `body` left out keep what
 * they were.
 *
 * @example
 * networkInterceptor: (request) => ({ ...request, headers: { ...request.headers, 'x-tracing': traceId() } })
 * @publicApi
 */
export type NetworkInterceptor = (
  request: CoreNetworkRequest,
  userContext: UserContext,
) => CoreNetworkRequest;

/**
 * The request of one attempt at one host.
 *
 * @throws {TypeError} the interceptor made no http or https URL of it
 */
export function toHttpRequest(
  host: CoreHost,
  request: CdiRequest,
  headers: Readonly<Record<string, string>>,
  intercept: { interceptor: NetworkInterceptor | undefined; userContext: UserContext },
): WireRequest {
  const { params, body } = request;
  const plain: CoreNetworkRequest = {
    url: host.origin + host.basePath + request.path,
    method: request.method.toLowerCase() as CoreNetworkRequest['method'],
    headers: { ...headers },
    // Each attempt has copies of its own: what an interceptor changes in place must not add up over repeats.
    ...(params && { params: { ...params } }),
    ...(body && { body: intercept.interceptor ? cloneJsonObject(body) : body }),
  };
  const { url, ...changed } = intercept.interceptor?.(plain, intercept.userContext) ?? plain;
  const content = changed.body ?? plain.body;
  return {
    method: request.method,
    url: withQuery(url, changed.params ?? plain.params),
    headers: changed.headers,
    body: content === undefined ? undefined : JSON.stringify(content),
  };
}

function withQuery(text: string, params: CoreNetworkRequest['params'] = {}): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TypeError('The networkInterceptor returned something else than an http or https URL');
  }
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) url.searchParams.append(name, String(value));
  }
  return url;
}

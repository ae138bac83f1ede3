/**
 * The part of an HTTP request that the library reads, the same for all frameworks. The method names are those of
 * SuperTokens' request wrapper, so that overrides and handlers written for it work.
 *
 * @publicApi
 */
export interface HttpRequest {
  /** The framework's own request object. */
  readonly original: unknown;
  /** Lower-case method, `get` for example. */
  getMethod(): string;
  /** Path and query as the client sent them, any mount prefix included. */
  getOriginalURL(): string;
  /** First value of a header; the name is case-insensitive. */
  getHeaderValue(name: string): string | undefined;
  /** First cookie of that name, unquoted and percent-decoded where possible. */
  getCookieValue(name: string): string | undefined;
}

/**
 * The part of an HTTP response that the library writes.
 *
 * @publicApi
 */
export interface HttpResponse {
  /** The framework's own response object (`reply` on Fastify). */
  readonly original: unknown;
  /** Returns the values of a header that is set on the response; empty if there is none. */
  getHeaderValues(name: string): string[];
  /** Sets a header, replacing earlier values. An array writes one line each. */
  setHeader(name: string, value: string | string[]): void;
  removeHeader(name: string): void;
  /** Sets the status that {@link sendJSONResponse} sends; 200 by default. */
  setStatusCode(status: number): void;
  /** Sends the body. Later calls are ignored. */
  sendJSONResponse(body: unknown): void;
  /** True after the response was sent. */
  readonly isSent: boolean;
}

/**
 * One request and its response, the same for Express and Fastify.
 *
 * @publicApi
 */
export interface HttpExchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

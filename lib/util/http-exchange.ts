/**
 * What the library reads of an HTTP request, whichever framework serves it. Method names are those of SuperTokens'
 * request wrapper, so that overrides and handlers written for it work.
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
 * What the library does to an HTTP response.
 *
 * @publicApi
 */
export interface HttpResponse {
  /** The framework's own response object (`reply` on Fastify). */
  readonly original: unknown;
  /** Current values of a header that was set on the response being built; empty when there is none. */
  getHeaderValues(name: string): string[];
  /** Sets a header, replacing earlier values. An array writes one line each. */
  setHeader(name: string, value: string | string[]): void;
  removeHeader(name: string): void;
  /** Status of the answer that {@link sendJSONResponse} sends; 200 by default. */
  setStatusCode(status: number): void;
  /** Sends the body; the first send of a response wins, later ones are ignored. */
  sendJSONResponse(body: unknown): void;
  /** True once the answer has left. */
  readonly isSent: boolean;
}

/**
 * One request and its response, behind which Express and Fastify look the same.
 *
 * @publicApi
 */
export interface HttpExchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

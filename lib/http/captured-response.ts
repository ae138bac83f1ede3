import type { HttpResponse } from '../util/http-exchange.js';

/**
 * Keeps status and body instead of sending them, for calls without a response (WebSocket) and for those whose response
 * the framework sends (GraphQL). Headers go to the real response where there is one.
 */
export class CapturedResponse implements HttpResponse {
  readonly original: unknown;
  readonly isSent = false;
  private status = 200;
  private sent: unknown;

  /** @param response receives the headers; undefined: they are dropped */
  constructor(private readonly response?: HttpResponse) {
    this.original = response?.original;
  }

  /** The status that an HTTP response would have. */
  get statusCode(): number {
    return this.status;
  }

  /** The body that an HTTP response would have. */
  get body(): unknown {
    return this.sent;
  }

  getHeaderValues(name: string): string[] {
    return this.response?.getHeaderValues(name) ?? [];
  }

  setHeader(name: string, value: string | string[]): void {
    if (this.response?.isSent === false) this.response.setHeader(name, value);
  }

  removeHeader(name: string): void {
    if (this.response?.isSent === false) this.response.removeHeader(name);
  }

  setStatusCode(status: number): void {
    this.status = status;
  }

  /** The first body counts, as it does over HTTP. */
  sendJSONResponse(body: unknown): void {
    this.sent ??= body;
  }
}

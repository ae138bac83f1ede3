import type { HttpResponse } from '../util/http-exchange.js';

/**
 * The response of a call that has none, as in a WebSocket, or must not be answered by us, as in GraphQL. Headers go to
 * the real response where there is one; status and body stay here, to be told in another form.
 */
export class OneWayResponse implements HttpResponse {
  readonly original: unknown;
  readonly isSent = false;
  private status = 200;
  private sent: unknown;

  /** @param headers whose headers to write; undefined: they go nowhere */
  constructor(private readonly headers?: HttpResponse) {
    this.original = headers?.original;
  }

  /** Status of the answer as HTTP would have it. */
  get statusCode(): number {
    return this.status;
  }

  /** Body of the answer as HTTP would have it. */
  get body(): unknown {
    return this.sent;
  }

  getHeaderValues(name: string): string[] {
    return this.headers?.getHeaderValues(name) ?? [];
  }

  setHeader(name: string, value: string | string[]): void {
    if (this.headers?.isSent === false) this.headers.setHeader(name, value);
  }

  removeHeader(name: string): void {
    if (this.headers?.isSent === false) this.headers.removeHeader(name);
  }

  setStatusCode(status: number): void {
    this.status = status;
  }

  /** The first body counts, as it does over HTTP. */
  sendJSONResponse(body: unknown): void {
    this.sent ??= body;
  }
}

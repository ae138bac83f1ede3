import type { HttpExchange, HttpResponse } from '../util/http-exchange.js';
import { IncomingRequest, type IncomingRequestSource } from './incoming-request.js';

/** The members that we use of a response of Express or `node:http`. */
export interface ExpressResponseSource {
  statusCode: number;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  getHeader(name: string): number | string | readonly string[] | undefined;
  setHeader(name: string, value: string | readonly string[]): unknown;
  removeHeader(name: string): void;
  end(text?: string): unknown;
}

/** The port over Express, and over a bare `node:http` server. */
export class ExpressExchange implements HttpExchange {
  readonly request: IncomingRequest;
  readonly response: HttpResponse;

  constructor(req: IncomingRequestSource, res: ExpressResponseSource) {
    this.request = new IncomingRequest(req);
    this.response = new ExpressResponse(res);
  }
}

class ExpressResponse implements HttpResponse {
  private statusCode = 200;

  constructor(readonly original: ExpressResponseSource) {}

  get isSent(): boolean {
    return this.original.headersSent || this.original.writableEnded;
  }

  getHeaderValues(name: string): string[] {
    return headerLines(this.original.getHeader(name));
  }

  setHeader(name: string, value: string | string[]): void {
    this.original.setHeader(name, value); // throws ERR_HTTP_HEADERS_SENT once the response is sent
  }

  removeHeader(name: string): void {
    this.original.removeHeader(name);
  }

  setStatusCode(status: number): void {
    this.statusCode = status;
  }

  sendJSONResponse(body: unknown): void {
    if (this.isSent) return;
    const text = JSON.stringify(body) ?? '';
    this.original.statusCode = this.statusCode;
    // Not `res.json`: settings and middleware of the application change what it sends.
    this.original.setHeader('Content-Type', 'application/json; charset=utf-8');
    this.original.setHeader('Content-Length', String(Buffer.byteLength(text)));
    this.original.end(text);
  }
}

/** Returns a header's lines from the form in which Node keeps them. */
export function headerLines(value: number | string | readonly string[] | undefined): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

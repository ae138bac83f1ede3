import type { HttpExchange, HttpResponse } from '../util/http-exchange.js';
import { headerLines, type ExpressResponseSource } from './express-exchange.js';
import { IncomingRequest, type IncomingRequestSource } from './incoming-request.js';

/** The members that we use of a Fastify reply. */
export interface FastifyReplySource {
  readonly sent: boolean;
  readonly raw: Pick<ExpressResponseSource, 'headersSent' | 'getHeader' | 'removeHeader'>;
  getHeader(name: string): number | string | readonly string[] | undefined;
  /** Replaces the header, except `set-cookie`, which it adds to. */
  header(name: string, value: string | string[]): unknown;
  removeHeader(name: string): unknown;
  code(status: number): unknown;
  send(payload: string): unknown;
}

/** The port over Fastify. */
export class FastifyExchange implements HttpExchange {
  readonly request: IncomingRequest;
  readonly response: HttpResponse;

  constructor(request: IncomingRequestSource, reply: FastifyReplySource) {
    this.request = new IncomingRequest(request);
    this.response = new FastifyResponse(reply);
  }
}

class FastifyResponse implements HttpResponse {
  private statusCode = 200;
  private sendStarted = false;

  constructor(readonly original: FastifyReplySource) {}

  get isSent(): boolean {
    // reply.sent stays false while the onSend hooks run
    return this.sendStarted || this.original.sent || this.original.raw.headersSent;
  }

  /**
   * Reads both places: middleware writes to the raw response, handlers to the reply, and at the end the reply's headers
   * replace those of the same name. Without the raw ones, cookies of middleware would be lost.
   */
  getHeaderValues(name: string): string[] {
    const value = this.original.getHeader(name); // the raw value where the reply has none
    if (value === undefined) return [];
    const fromReply = headerLines(value);
    const fromRaw = headerLines(this.original.raw.getHeader(name));
    return [...fromRaw.filter((line) => !fromReply.includes(line)), ...fromReply];
  }

  setHeader(name: string, value: string | string[]): void {
    this.assertNotSent(name);
    // A value that middleware wrote to the raw response would stay beside the new one.
    if (this.original.raw.getHeader(name) !== undefined) this.original.raw.removeHeader(name);
    if (name.toLowerCase() === 'set-cookie') this.original.removeHeader(name);
    this.original.header(name, value);
  }

  removeHeader(name: string): void {
    this.assertNotSent(name);
    this.original.raw.removeHeader(name); // some versions of Fastify 5 do not
    this.original.removeHeader(name);
  }

  private assertNotSent(name: string): void {
    // Fastify would accept the header and lose it
    if (this.isSent) throw new Error(`Cannot change header ${name}: the response has already been sent`);
  }

  setStatusCode(status: number): void {
    this.statusCode = status;
  }

  sendJSONResponse(body: unknown): void {
    if (this.isSent) return;
    this.sendStarted = true;
    this.original.code(this.statusCode);
    this.original.header('content-type', 'application/json; charset=utf-8');
    this.original.send(JSON.stringify(body));
  }
}

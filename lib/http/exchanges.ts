import { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpExchange, HttpRequest, HttpResponse } from '../util/http-exchange.js';
import { withRequest, type UserContext } from '../util/user-context.js';
import { IncomingRequest, type IncomingRequestSource } from './incoming-request.js';
import type { SessionRequest } from './session-request.js';

const PORT_REQUEST = ['getMethod', 'getOriginalURL', 'getHeaderValue', 'getCookieValue'] as const;
const PORT_RESPONSE = [
  'getHeaderValues',
  'setHeader',
  'removeHeader',
  'setStatusCode',
  'sendJSONResponse',
] as const;
const FASTIFY_REPLY = ['header', 'getHeader', 'removeHeader', 'code', 'send'] as const;
const EXPRESS_RESPONSE = ['getHeader', 'setHeader', 'removeHeader', 'end'] as const;

/**
 * The request and the response of a context, as the framework made them; what an overridden `getRequestAndResponse`
 * returns.
 *
 * @publicApi
 */
export interface RequestAndResponse {
  readonly req: unknown;
  readonly res: unknown;
}

/**
 * Makes the exchange of a request and its response: those of Express, Fastify or `node:http`. Objects that already
 * implement the port are taken as they are. No other place looks at the shape of either.
 *
 * @throws {TypeError} the objects are none of these
 */
export function createExchange(req: unknown, res: unknown): HttpExchange {
  // The class decides the usual case, because reading members of an object of Express costs more than the guard's work.
  if (req instanceof IncomingMessage && res instanceof ServerResponse)
    return exchange(req, new ExpressResponse(res));
  if (isKnownReply(res) && isIncomingRequest(req)) return exchange(req, new FastifyResponse(res));
  if (hasMethods<HttpRequest>(req, PORT_REQUEST) && hasMethods<HttpResponse>(res, PORT_RESPONSE)) {
    return { request: req, response: res };
  }
  if (!isIncomingRequest(req)) throw unknownShape('request');
  if (isFastifyReply(res)) {
    const prototype: unknown = Object.getPrototypeOf(res);
    if (prototype !== Object.prototype) replyPrototype = prototype; // plain objects have no class
    return exchange(req, new FastifyResponse(res));
  }
  if (hasMethods<ExpressResponseSource>(res, EXPRESS_RESPONSE))
    return exchange(req, new ExpressResponse(res));
  throw unknownShape('response');
}

/** Returns the session request of one call, and puts the request into the user context, where overrides look for it. */
export function createSessionRequest(
  { request, response }: HttpExchange,
  userContext: UserContext,
): SessionRequest {
  return { request, response, userContext: withRequest(userContext, request) };
}

/** The class of the Fastify replies that came last, because a look at each member costs as much as the rest of an exchange. */
let replyPrototype: unknown;

function isKnownReply(res: unknown): res is FastifyReplySource {
  return isObject(res) && Object.getPrototypeOf(res) === replyPrototype;
}

function exchange(req: IncomingRequestSource, response: HttpResponse): HttpExchange {
  return { request: new IncomingRequest(req), response };
}

/** True for the request of a framework that {@link createExchange} knows. */
export function isRequest(value: unknown): boolean {
  if (value instanceof IncomingMessage) return true;
  return hasMethods<HttpRequest>(value, PORT_REQUEST) || isIncomingRequest(value);
}

/** True for the response of a framework that {@link createExchange} knows. */
export function isResponse(value: unknown): boolean {
  if (value instanceof ServerResponse || hasMethods<HttpResponse>(value, PORT_RESPONSE)) return true;
  return isFastifyReply(value) || hasMethods<ExpressResponseSource>(value, EXPRESS_RESPONSE);
}

function unknownShape(what: 'request' | 'response'): TypeError {
  return new TypeError(
    `The ${what} is not one of Express, Fastify or node:http. Pass what Nest injects by @Req() and ` +
      '@Res({ passthrough: true }).',
  );
}

function isIncomingRequest(req: unknown): req is IncomingRequestSource {
  return isObject(req) && isObject(req['headers']) && typeof req['method'] === 'string';
}

function isFastifyReply(res: unknown): res is FastifyReplySource {
  return (
    hasMethods<FastifyReplySource>(res, FASTIFY_REPLY) &&
    hasMethods<FastifyReplySource['raw']>(res.raw, ['getHeader', 'removeHeader'])
  );
}

function hasMethods<T extends object>(
  value: unknown,
  names: readonly (keyof T & string)[],
): value is T & Record<string, unknown> {
  return isObject(value) && names.every((name) => typeof value[name] === 'function');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

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

/** The response of Express, and of a bare `node:http` server. */
export class ExpressResponse implements HttpResponse {
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

/** The response of Fastify. */
export class FastifyResponse implements HttpResponse {
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

import { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpExchange, HttpRequest, HttpResponse } from '../util/http-exchange.js';
import { ExpressExchange, type ExpressResponseSource } from './express-exchange.js';
import { FastifyExchange, type FastifyReplySource } from './fastify-exchange.js';
import type { IncomingRequestSource } from './incoming-request.js';

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
  if (req instanceof IncomingMessage && res instanceof ServerResponse) return new ExpressExchange(req, res);
  if (isKnownReply(res) && isIncomingRequest(req)) return new FastifyExchange(req, res);
  if (hasMethods<HttpRequest>(req, PORT_REQUEST) && hasMethods<HttpResponse>(res, PORT_RESPONSE)) {
    return { request: req, response: res };
  }
  if (!isIncomingRequest(req)) throw unknownShape('request');
  if (isFastifyReply(res)) {
    const prototype: unknown = Object.getPrototypeOf(res);
    if (prototype !== Object.prototype) replyPrototype = prototype; // plain objects have no class
    return new FastifyExchange(req, res);
  }
  if (hasMethods<ExpressResponseSource>(res, EXPRESS_RESPONSE)) return new ExpressExchange(req, res);
  throw unknownShape('response');
}

/** The class of the Fastify replies that came last, because a look at each member costs as much as the rest of an exchange. */
let replyPrototype: unknown;

function isKnownReply(res: unknown): res is FastifyReplySource {
  return isObject(res) && Object.getPrototypeOf(res) === replyPrototype;
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

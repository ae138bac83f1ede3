import { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpExchange, HttpRequest, HttpResponse } from '../util/http-exchange.js';
import { findRequestSlot, requestSlot } from './request-slot.js';
import { ExpressExchange } from './express-exchange.js';
import type { ExpressResponseSource } from './express-exchange.js';
import { FastifyExchange } from './fastify-exchange.js';
import type { FastifyReplySource } from './fastify-exchange.js';
import type { IncomingRequestSource } from './incoming-request.js';

/**
 * The exchange of a request and its response: those of Express, Fastify or `node:http`, or objects that already speak
 * the port. The same pair gives the same exchange.
 *
 * @throws {TypeError} the objects are none of these
 */
export function getExchange(req: unknown, res: unknown): HttpExchange {
  const slot = isObject(req) ? findRequestSlot(req) : undefined;
  if (slot?.exchange !== undefined && slot.exchange.response.original === res) return slot.exchange;
  // The usual case first, by its class: to look for members on objects of Express costs more than all the rest.
  if (req instanceof IncomingMessage && res instanceof ServerResponse) {
    return remember(req, new ExpressExchange(req, res));
  }
  if (isPortRequest(req) && isPortResponse(res)) return { request: req, response: res };
  if (!isIncomingRequest(req)) throw unknownShape('request');
  return remember(req, newExchange(req, res));
}

function newExchange(req: IncomingRequestSource, res: unknown): HttpExchange {
  if (isFastifyReply(res)) return new FastifyExchange(req, res);
  if (isExpressResponse(res)) return new ExpressExchange(req, res);
  throw unknownShape('response');
}

function remember(req: object, exchange: HttpExchange): HttpExchange {
  if (Object.isExtensible(req)) requestSlot(req).exchange = exchange;
  return exchange;
}

function unknownShape(what: 'request' | 'response'): TypeError {
  return new TypeError(
    `The ${what} is not one of Express, Fastify or node:http. Pass what Nest injects by @Req() and ` +
      '@Res({ passthrough: true }).',
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function hasMethods(value: unknown, names: readonly string[]): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  for (const name of names) if (typeof value[name] !== 'function') return false;
  return true;
}

function isIncomingRequest(req: unknown): req is IncomingRequestSource {
  return isObject(req) && isObject(req['headers']) && typeof req['method'] === 'string';
}

function isFastifyReply(res: unknown): res is FastifyReplySource {
  return (
    isObject(res) && hasMethods(res['raw'], ['getHeader', 'removeHeader']) && hasMethods(res, REPLY_METHODS)
  );
}

function isExpressResponse(res: unknown): res is ExpressResponseSource {
  return hasMethods(res, RESPONSE_METHODS);
}

function isPortRequest(req: unknown): req is HttpRequest {
  return hasMethods(req, PORT_REQUEST_METHODS);
}

function isPortResponse(res: unknown): res is HttpResponse {
  return hasMethods(res, PORT_RESPONSE_METHODS);
}

const REPLY_METHODS = ['header', 'getHeader', 'removeHeader', 'code', 'send'];
const RESPONSE_METHODS = ['getHeader', 'setHeader', 'removeHeader', 'end'];
const PORT_REQUEST_METHODS = ['getMethod', 'getOriginalURL', 'getHeaderValue', 'getCookieValue'];
const PORT_RESPONSE_METHODS = [
  'getHeaderValues',
  'setHeader',
  'removeHeader',
  'setStatusCode',
  'sendJSONResponse',
];

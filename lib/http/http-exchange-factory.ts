import { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpExchange, HttpRequest, HttpResponse } from '../util/http-exchange.js';
import { ExpressExchange } from './express-exchange.js';
import type { ExpressResponseSource } from './express-exchange.js';
import { FastifyExchange } from './fastify-exchange.js';
import type { FastifyReplySource } from './fastify-exchange.js';
import type { IncomingRequestSource } from './incoming-request.js';

/**
 * Makes the exchange of a request and its response: those of Express, Fastify or `node:http`. Objects that already speak
 * the interface are taken as they are.
 *
 * @throws {TypeError} the objects are none of these
 */
export function createExchange(req: unknown, res: unknown): HttpExchange {
  // The usual case first, by its class: to look for members on objects of Express costs more than all the rest.
  if (req instanceof IncomingMessage && res instanceof ServerResponse) return new ExpressExchange(req, res);
  if (isPortRequest(req) && isPortResponse(res)) return { request: req, response: res };
  if (!isIncomingRequest(req)) throw unknownShape('request');
  if (isFastifyReply(res)) return new FastifyExchange(req, res);
  if (isExpressResponse(res)) return new ExpressExchange(req, res);
  throw unknownShape('response');
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

import type { HttpExchange, HttpRequest, HttpResponse } from '../shared/http-exchange.js';
import { ExpressExchange } from './express-exchange.js';
import type { ExpressResponseSource } from './express-exchange.js';
import { FastifyExchange } from './fastify-exchange.js';
import type { FastifyReplySource } from './fastify-exchange.js';
import type { IncomingRequestSource } from './incoming-request.js';

/** One exchange per response, for as long as the response lives. */
const exchanges = new WeakMap<object, HttpExchange>();

/**
 * The exchange of a request and its response: those of Express, Fastify or `node:http`, or objects that already speak
 * the port. The same pair gives the same exchange.
 *
 * @throws {TypeError} the objects are none of these
 */
export function exchangeFor(req: unknown, res: unknown): HttpExchange {
  if (isPortRequest(req) && isPortResponse(res)) return { request: req, response: res };
  if (!isIncomingRequest(req)) throw unknownShape('request');
  const known = isObject(res) ? exchanges.get(res) : undefined;
  if (known?.request.original === req) return known;
  if (isFastifyReply(res)) return remember(res, new FastifyExchange(req, res));
  if (isExpressResponse(res)) return remember(res, new ExpressExchange(req, res));
  throw unknownShape('response');
}

function remember(res: object, exchange: HttpExchange): HttpExchange {
  exchanges.set(res, exchange);
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

function hasMethods(value: unknown, ...names: string[]): value is Record<string, unknown> {
  return isObject(value) && names.every((name) => typeof value[name] === 'function');
}

function isIncomingRequest(req: unknown): req is IncomingRequestSource {
  return isObject(req) && isObject(req['headers']) && typeof req['method'] === 'string';
}

function isFastifyReply(res: unknown): res is FastifyReplySource {
  return (
    hasMethods(res, 'header', 'getHeader', 'removeHeader', 'code', 'send') &&
    hasMethods(res['raw'], 'getHeader', 'removeHeader')
  );
}

function isExpressResponse(res: unknown): res is ExpressResponseSource {
  return hasMethods(res, 'getHeader', 'setHeader', 'removeHeader', 'end');
}

function isPortRequest(req: unknown): req is HttpRequest {
  return hasMethods(req, 'getMethod', 'getOriginalURL', 'getHeaderValue', 'getCookieValue');
}

function isPortResponse(res: unknown): res is HttpResponse {
  return hasMethods(res, 'getHeaderValues', 'setHeader', 'removeHeader', 'setStatusCode', 'sendJSONResponse');
}

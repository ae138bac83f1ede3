import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { readText } from '../http/body-errors.js';
import { CollectedResponse } from '../http/collected-response.js';
import { isRequest, isResponse, type RequestAndResponse } from '../http/exchanges.js';
import { incomingRequest, readBody, type PlainRequest } from '../http/plain-request.js';
import { isOptionsObject } from '../options/option-table.js';
import { readMember } from '../util/json.js';

/** A request whose response is collected. */
export type CollectedRequest = PlainRequest | Request;

/** A request, with the response that its session writes to. */
export interface CollectedExchange extends RequestAndResponse {
  readonly res: CollectedResponse;
}

/** The requests of one `Sessions`, each with its response. */
export class Exchanges {
  private readonly known = new WeakMap<object, CollectedExchange>();

  /**
   * Returns the request and response behind what an application gave; the same request gives the same response.
   *
   * @throws {TypeError} it is no request
   */
  find(given: CollectedRequest | RequestAndResponse): RequestAndResponse {
    if (!isPair(given)) return this.collect(given);
    if (!isRequest(given.req) || !isResponse(given.res)) throw new TypeError(EXPECTED);
    return given;
  }

  /** As {@link find}, for a request whose response is collected. */
  collect(request: CollectedRequest): CollectedExchange {
    if (!isOptionsObject(request)) throw new TypeError(EXPECTED);
    const known = this.known.get(request);
    if (known !== undefined) return known;
    const req = incomingRequest(isFetchRequest(request) ? plainRequest(request) : request);
    const exchange = { req, res: new CollectedResponse() };
    this.known.set(request, exchange);
    return exchange;
  }
}

const EXPECTED =
  'A request is expected: { method, url, headers }, a Request of fetch, or { req, res } of node:http, Express or Fastify';

/** True for `{ req, res }`. */
export function isPair(given: object): given is RequestAndResponse {
  return isOptionsObject(given) && 'req' in given && 'res' in given;
}

function isFetchRequest(request: PlainRequest | Request): request is Request {
  return 'text' in request && typeof request.headers === 'object' && 'get' in request.headers;
}

/** The body is read later, by the one route that has one. */
function plainRequest({ method, url, headers }: Request): PlainRequest {
  const { pathname, search } = new URL(url);
  return { method, url: pathname + search, headers };
}

/** Reads the body of a request that was not read before, as a parser of the application would have done. */
export async function completeBody(
  given: CollectedRequest | RequestAndResponse,
  { req }: RequestAndResponse,
): Promise<void> {
  const stream = unreadBody(given);
  const contentType = readMember(readMember(req, 'headers'), 'content-type');
  if (stream === undefined || typeof contentType !== 'string') return;
  Object.assign(req as object, { body: readBody(await readText(stream), contentType) });
}

function unreadBody(given: CollectedRequest | RequestAndResponse): Readable | undefined {
  if (isPair(given))
    return given.req instanceof Readable && readMember(given.req, 'body') === undefined
      ? given.req
      : undefined;
  if (!isFetchRequest(given) || given.body === null || given.bodyUsed) return undefined;
  return Readable.fromWeb(given.body as ReadableStream<Uint8Array>);
}

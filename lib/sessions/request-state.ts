import { createExchange } from '../http/exchanges.js';
import type { HttpExchange } from '../util/http-exchange.js';
import type { ErrorResponder } from './error-responder.js';
import type { SessionContainer } from './session-container.js';

/** Shared by all copies of the package in one process. */
const STATE = Symbol.for('nest-sessions:request');

/**
 * The facts that the library knows about an HTTP request. They are kept on the framework's request object, so that parallel requests
 * cannot meet. A WeakMap would cost more than the rest of the guard's work, most of it garbage collection
 * (test/benchmark/README.md, "The guarded request").
 */
export class RequestState {
  private exchange: HttpExchange | undefined;
  /** Sends the error responses of the module that works on this request: an application may have several modules. */
  errorResponder: ErrorResponder | undefined;
  /** Whether a guard has decided; `@Session()` needs that decision. */
  isGuarded = false;
  session: SessionContainer | undefined;

  /** @param owner the request; a copy of it, or an object that inherits from it, has this state, too, but does not own it */
  constructor(readonly owner: object) {}

  /** Returns the request and its response behind one interface, as {@link getExchange} does. */
  getExchange(res: unknown): HttpExchange {
    const known = this.exchange;
    return known !== undefined && known.response.original === res
      ? known
      : (this.exchange = createExchange(this.owner, res));
  }
}

/** Returns the state of a request; undefined if it has none of its own. */
export function findRequestState(request: unknown): RequestState | undefined {
  if (typeof request !== 'object' || request === null) return undefined;
  const state = (request as { [STATE]?: RequestState })[STATE];
  return state?.owner === request ? state : undefined;
}

/**
 * Returns the state of a request, and adds one if it has none.
 *
 * @throws {TypeError} the request is not an object, or takes no new members
 */
export function ensureRequestState(request: unknown): RequestState {
  if (typeof request !== 'object' || request === null) throw new TypeError('The request is no object');
  // Asked first, because under Express a look along the prototypes for what is not there costs twice as much.
  const known = Object.hasOwn(request, STATE) ? findRequestState(request) : undefined;
  if (known !== undefined) return known;
  const state = new RequestState(request);
  (request as { [STATE]?: RequestState })[STATE] = state;
  return state;
}

/**
 * Returns the exchange of a request and its response: those of Express, Fastify or `node:http`, or objects that already
 * speak the interface. The same pair gives the same exchange.
 *
 * @throws {TypeError} the objects are none of these
 */
export function getExchange(req: unknown, res: unknown): HttpExchange {
  return Object.isExtensible(req) ? ensureRequestState(req).getExchange(res) : createExchange(req, res);
}

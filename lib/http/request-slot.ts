import type { HttpExchange } from '../util/http-exchange.js';

const SLOT = Symbol('nest-sessions:request');

/**
 * What is kept on a request, so that parallel requests cannot meet. A WeakMap would do the same for more than all the rest
 * of the guard's work, most of it garbage collection (test/benchmark/README.md, "The guarded request").
 */
export interface RequestSlot {
  /** Whose it is: a request that was made from another one, by `Object.create` or a copy, has that one's slot, too. */
  readonly owner: object;
  /** The port over the request and its response, for as long as they live. */
  exchange: HttpExchange | undefined;
  /** What the edge knows about the request; it alone knows the type. */
  state: unknown;
}

/** The slot of a request, if it has got one of its own. */
export function findRequestSlot(request: object): RequestSlot | undefined {
  const slot = (request as { [SLOT]?: RequestSlot })[SLOT];
  return slot?.owner === request ? slot : undefined;
}

/** The slot of a request, made where there is none. */
export function requestSlot(request: object): RequestSlot {
  let slot = findRequestSlot(request);
  if (slot === undefined) {
    slot = { owner: request, exchange: undefined, state: undefined };
    (request as { [SLOT]?: RequestSlot })[SLOT] = slot;
  }
  return slot;
}

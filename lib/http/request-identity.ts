import type { HttpRequest } from '../util/http-exchange.js';

/** Names the object that stays the same while the requests made of it change. */
const IDENTITY = Symbol('nest-sessions: the identity of a request');

/** The mark of a request that is made anew whenever it is looked at, as that of a handshake is. */
export interface IdentifiedRequest {
  readonly [IDENTITY]: object;
}

/** Returns the member that makes all requests of one origin the same to {@link requestIdentity}. */
export function identifiedBy(origin: object): IdentifiedRequest {
  return { [IDENTITY]: origin };
}

/** Returns the object that stands for a request, however many exchanges are made of it. */
export function requestIdentity(request: HttpRequest): object {
  const { original } = request;
  if (typeof original !== 'object' || original === null) return request;
  return (original as Partial<IdentifiedRequest>)[IDENTITY] ?? original;
}

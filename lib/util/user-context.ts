import type { HttpRequest } from './http-exchange.js';

/**
 * The caller's bag, passed untouched through every function of the recipe. `_default` is reserved for the library;
 * in HTTP flows it holds the request.
 *
 * @publicApi
 */
export type UserContext = Record<string, unknown>;

/** Arguments of every option that decides per request. */
export interface RequestScope {
  /** `undefined` outside of HTTP requests. */
  readonly request: HttpRequest | undefined;
  readonly userContext: UserContext;
}

interface ReservedContext {
  request?: HttpRequest;
  keepCacheAlive?: boolean;
}

/** What the library keeps in a context; undefined where it keeps nothing. */
export function reservedContext(userContext: UserContext | undefined): UserContext | undefined {
  const reserved = userContext?.['_default'];
  return typeof reserved === 'object' && reserved !== null ? (reserved as UserContext) : undefined;
}

/** The place where the library keeps something in a context, made where there is none. */
export function ensureReservedContext(userContext: UserContext): UserContext {
  return (userContext['_default'] ??= {}) as UserContext;
}

/** Puts the request into the context's reserved place, in place of an earlier one, and returns the same context. */
export function withRequest(userContext: UserContext, request: HttpRequest): UserContext {
  const reserved: ReservedContext = ensureReservedContext(userContext);
  reserved.request = request;
  reserved.keepCacheAlive = true;
  return userContext;
}

/** For what the library itself writes beside a request: no request has to read anew what it has read, because of that. */
export function ownWriteContext(): UserContext {
  return { _default: { keepCacheAlive: true } satisfies ReservedContext };
}

/**
 * The HTTP request that a recipe function works for.
 *
 * @returns the request, or undefined outside of HTTP flows
 * @publicApi
 */
export function getRequestFromUserContext(userContext: UserContext | undefined): HttpRequest | undefined {
  const reserved: ReservedContext | undefined = reservedContext(userContext);
  return reserved?.request;
}

import type { HttpRequest } from './http-exchange.js';
import { SystemClock, type Clock } from './clock.js';

/**
 * Values of the caller, passed unchanged through all functions of the recipe. `_default` is reserved for the library; in
 * HTTP requests it holds the request.
 *
 * @publicApi
 */
export type UserContext = Record<string, unknown>;

/** Arguments of every option that decides per request. */
export interface RequestScope {
  /** Undefined outside of HTTP requests. */
  readonly request: HttpRequest | undefined;
  readonly userContext: UserContext;
}

interface ReservedContext {
  request?: HttpRequest;
  keepCacheAlive?: boolean;
}

/** Completes the caller's user context, or makes one, with the sources that the module's own claims read from it. */
export type PrepareContext = (userContext?: UserContext) => UserContext;

/** @param sources stored in the reserved part of each user context, under their names */
export function prepareContextWith(sources: Readonly<Record<string, unknown>>): PrepareContext {
  const entries = Object.entries(sources);
  return (userContext = {}) => {
    for (const [name, source] of entries) ensureReservedContext(userContext)[name] = source;
    return userContext;
  };
}

/** Returns the part of a user context that is reserved for the library; undefined if there is none. */
export function reservedContext(userContext: UserContext | undefined): UserContext | undefined {
  const reserved = userContext?.['_default'];
  return typeof reserved === 'object' && reserved !== null ? (reserved as UserContext) : undefined;
}

/** Returns the part of a user context that is reserved for the library, creating it if there is none. */
export function ensureReservedContext(userContext: UserContext): UserContext {
  return (userContext['_default'] ??= {}) as UserContext;
}

/** Stores the request in the user context, replacing an earlier one, and returns the same user context. */
export function withRequest(userContext: UserContext, request: HttpRequest): UserContext {
  const reserved: ReservedContext = ensureReservedContext(userContext);
  reserved.request = request;
  reserved.keepCacheAlive = true;
  return userContext;
}

/** Returns a user context for the library's own writes, which keep the caches of requests valid. */
export function ownWriteContext(): UserContext {
  return { _default: { keepCacheAlive: true } satisfies ReservedContext };
}

/**
 * Returns the HTTP request of a recipe function's user context.
 *
 * @returns undefined outside of HTTP requests
 * @publicApi
 */
export function getRequestFromUserContext(userContext: UserContext | undefined): HttpRequest | undefined {
  const reserved: ReservedContext | undefined = reservedContext(userContext);
  return reserved?.request;
}

const systemClock = new SystemClock();

/** Stores the module's clock in the user context, where claims read it. */
export function provideClock(userContext: UserContext, clock: Clock): void {
  const reserved: { clock?: Clock } = ensureReservedContext(userContext);
  reserved.clock = clock;
}

/** Returns the clock of the user context, or the system's. */
export function contextClock(userContext: UserContext): Clock {
  const reserved: { clock?: Clock } | undefined = reservedContext(userContext);
  return reserved?.clock ?? systemClock;
}

import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { findRequestState } from '../sessions/request-state.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { DefaultPayload } from '../util/session-types.js';

/** Shared by all copies of the package in one process. */
const GUARDED_CALLS = Symbol.for('nest-sessions:calls');

/** The decision of the guard about one handler. */
export interface GuardedCall {
  readonly session: SessionContainer | undefined;
}

type CallsByHandler = Map<object, Map<object, GuardedCall>>;

/** The members of a context that say which handler is called; those of a filter have none. */
type CalledHandler = Pick<ExecutionContext, 'getClass' | 'getHandler'>;

/**
 * Keeps the guard's decision about a handler, for `@Session()`, on the object that the handler's call shares with others:
 * a GraphQL context or a socket. It is kept by class and handler, so that a public field never takes the session from a
 * guarded one that runs beside it, and an unguarded one never gets it.
 */
export function rememberCall(carrier: unknown, context: CalledHandler, call: GuardedCall): void {
  if (typeof carrier !== 'object' || carrier === null) throw new TypeError('The context carries no object');
  const calls = recordedCalls(carrier) ?? new Map<object, Map<object, GuardedCall>>();
  const ofClass = calls.get(context.getClass()) ?? new Map<object, GuardedCall>();
  ofClass.set(context.getHandler(), call);
  calls.set(context.getClass(), ofClass);
  Object.defineProperty(carrier, GUARDED_CALLS, { value: calls, configurable: true });
}

function rememberedCall(carrier: unknown, context: CalledHandler): GuardedCall | undefined {
  if (typeof carrier !== 'object' || carrier === null) return undefined;
  return recordedCalls(carrier)?.get(context.getClass())?.get(context.getHandler());
}

function recordedCalls(carrier: object): CallsByHandler | undefined {
  return (carrier as { [GUARDED_CALLS]?: CallsByHandler })[GUARDED_CALLS];
}

/**
 * Finds the guard's decision: on the request, which is an argument itself or the `req` of one; where one request or socket
 * serves several handlers, it is kept for each handler on the object that they share.
 */
export function findGuardedCall(context: ArgumentsHost & CalledHandler): GuardedCall | undefined {
  const isHttp = context.getType<string>() === 'http';
  for (const argument of context.getArgs<unknown[]>()) {
    const req = isHttp ? undefined : (argument as { req?: unknown } | undefined | null)?.req;
    const call = isHttp ? undefined : (rememberedCall(argument, context) ?? rememberedCall(req, context));
    if (call !== undefined) return call;
    const state = findRequestState(argument) ?? findRequestState(req);
    if (state?.isGuarded === true) return state;
  }
  return undefined;
}

/**
 * Returns the session that `SessionGuard` found, where `@Session()` cannot stand: in middleware, guards after ours, interceptors,
 * filters, and in the settings of other libraries. It reads what the guard has decided, and does not verify.
 *
 * @param source the request as Nest injects it (Express, Fastify), or the context of a guard, an interceptor or a filter: of HTTP,
 *   GraphQL, a gateway or a microservice. If one request serves several handlers (GraphQL), give the context.
 * @returns undefined before the guard has run, on public routes, and where the session is optional and absent
 * @throws {TypeError} the argument is neither a request nor a context
 * @example
 * const userId = sessionOf(request)?.getUserId();
 * @publicApi
 */
export function sessionOf<Payload extends object = DefaultPayload>(
  source: object,
): SessionContainer<Payload> | undefined {
  if (typeof source !== 'object' || source === null) {
    throw new TypeError(
      'sessionOf takes the request (of Express or Fastify) or the context of a guard, an interceptor or a filter',
    );
  }
  const found = isContext(source) ? findGuardedCall(source) : findDecision(source);
  return found?.session as SessionContainer<Payload> | undefined;
}

function isContext(source: object): source is ExecutionContext {
  const { getArgs, getType, getClass } = source as Partial<ExecutionContext>;
  return [getArgs, getType, getClass].every((method) => typeof method === 'function');
}

function findDecision(request: object): GuardedCall | undefined {
  const state = findRequestState(request);
  return state?.isGuarded === true ? state : undefined;
}

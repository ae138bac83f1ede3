import type { ExecutionContext } from '@nestjs/common';
import type { SessionContainer } from '../sessions/session-container.js';

const CALLS = Symbol('nest-sessions:calls');

/** What the guard decided for one handler. */
export interface GuardedCall {
  readonly session: SessionContainer | undefined;
}

type CallsByHandler = Map<object, Map<object, GuardedCall>>;

/**
 * Remembers what the guard decided for a handler, on the object that the handler's call shares with others: a GraphQL
 * context or a socket. By class and handler, so that a public field never takes the session from a guarded one that
 * runs beside it, and an unguarded one never gets it.
 */
export function rememberCall(carrier: unknown, context: ExecutionContext, call: GuardedCall): void {
  if (typeof carrier !== 'object' || carrier === null) throw new TypeError('The context carries no object');
  const calls = recordedCalls(carrier) ?? new Map<object, Map<object, GuardedCall>>();
  const ofClass = calls.get(context.getClass()) ?? new Map<object, GuardedCall>();
  ofClass.set(context.getHandler(), call);
  calls.set(context.getClass(), ofClass);
  Object.defineProperty(carrier, CALLS, { value: calls, configurable: true });
}

/** What the guard decided for this handler, if that was noted on this object. */
export function rememberedCall(carrier: unknown, context: ExecutionContext): GuardedCall | undefined {
  if (typeof carrier !== 'object' || carrier === null) return undefined;
  return recordedCalls(carrier)?.get(context.getClass())?.get(context.getHandler());
}

function recordedCalls(carrier: object): CallsByHandler | undefined {
  return (carrier as { [CALLS]?: CallsByHandler })[CALLS];
}

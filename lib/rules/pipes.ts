import type { ExternalContextCreator } from '@nestjs/core';
import { readMember } from '../util/json.js';

/** The mark of the data of `@Session()`, of each copy of the package: Nest passes the data to pipes. */
const SESSION_PARAMETER = Symbol.for('nest-sessions.SessionParameter');

/** Marks Nest's method when it has been replaced, by whichever copy of the package. */
const PASSES_OVER_SESSIONS = Symbol.for('nest-sessions.passesOverSessions');

/** The argument of one `@Session()`, as the data of its parameter. */
export class SessionParameter<T> {
  static {
    Object.defineProperty(this.prototype, SESSION_PARAMETER, { value: true });
  }

  constructor(readonly what: T) {}
}

/** The member that we use of Nest's `PipesConsumer`, which runs the pipes of one parameter. */
type ApplyPipes = (value: unknown, metadata: { readonly data?: unknown }, pipes: unknown) => unknown;

/**
 * Makes all pipes pass over `@Session()`, those of the application, a class or a handler, also request-scoped ones: a session
 * comes from the guard and not from the client, so there is nothing to parse or validate. Nest offers no such choice to a
 * parameter, and each kind of context has a consumer of its own, so the method on their prototype is replaced.
 */
export function passOverSessions(contexts: ExternalContextCreator): void {
  const consumer = readMember(contexts, 'pipesConsumer');
  if (typeof consumer !== 'object' || consumer === null) return;
  const prototype = Object.getPrototypeOf(consumer) as { apply?: ApplyPipes };
  const { apply } = prototype;
  if (typeof apply !== 'function' || PASSES_OVER_SESSIONS in apply) return;
  const replacement = function (this: unknown, ...input: Parameters<ApplyPipes>): unknown {
    const [value, { data }] = input;
    return isSessionParameter(data) ? value : apply.apply(this, input);
  };
  prototype.apply = Object.assign(replacement, { [PASSES_OVER_SESSIONS]: true });
}

function isSessionParameter(data: unknown): boolean {
  return typeof data === 'object' && data !== null && SESSION_PARAMETER in data;
}

import { channel, tracingChannel, type Channel, type TracingChannel } from 'node:diagnostics_channel';
import type { SessionEventHub } from './session-event-hub.js';

/** The part of a message that every channel has. */
export interface ChannelMessage {
  /**
   * The events of the module that did the work. Channels belong to the process, so a subscriber compares this with the
   * `SessionEvents` of its own application, without Nest with `sessions.events`.
   */
  readonly source: SessionEventHub;
}

/** A message of a tracing channel: the same object in each of its events. */
export interface TraceMessage extends ChannelMessage {
  /** The reason of a failure, from `error` on. */
  error?: unknown;
  /**
   * Runs the work, for subscribers that need it inside a scope of their own, such as an active span. A subscriber of
   * `start` sets it, and calls the function that it replaces.
   */
  enclose?: Enclose;
}

/** Calls the work exactly once, at once, and returns its promise. */
export type Enclose = (work: () => Promise<void>) => Promise<void>;

/** A session is being created, verified or refreshed. */
export interface SessionTraceMessage extends TraceMessage {
  /** Known from `asyncStart` on; absent after a failure, and where an optional session is missing. */
  sessionHandle?: string;
  /** Known together with the session handle. */
  tenantId?: string;
}

/** A call to the store or to a remote core. */
export interface CoreCallMessage extends TraceMessage {
  /** The kind of call, the same for all sessions: `store.update`, `POST /recipe/session/refresh`. */
  readonly operation: string;
}

/** A verification that failed. */
export interface SessionRefusedMessage extends ChannelMessage {
  readonly error: unknown;
  /** True if the caller sent an access token in the format of this library. */
  readonly hasToken: boolean;
}

/**
 * The channels of `node:diagnostics_channel` to which this library publishes. No message carries a token, a payload or a
 * user id.
 *
 * @see docs/guides/observability.md
 */
export const channels = {
  sessionCreate: tracingChannel<unknown, SessionTraceMessage>('nest-sessions:session.create'),
  /** Published only where a verification has to wait for a key, the core or an overridden function. */
  sessionVerify: tracingChannel<unknown, SessionTraceMessage>('nest-sessions:session.verify'),
  sessionRefresh: tracingChannel<unknown, SessionTraceMessage>('nest-sessions:session.refresh'),
  sessionRefused: channel('nest-sessions:session.refused') as Channel<unknown, SessionRefusedMessage>,
  coreCall: tracingChannel<unknown, CoreCallMessage>('nest-sessions:core.call'),
} as const;

/** The facts of a session that messages name. */
export interface TracedSession {
  getHandle(): string;
  getTenantId(): string;
}

/**
 * Does some work and publishes its start, end and failure; without subscribers it only does the work.
 *
 * @param message a new object, which belongs to this call
 * @param describe adds facts of the result to the message; the result itself stays out, because it can hold tokens
 */
export function traced<Message extends TraceMessage, T>(
  tracing: TracingChannel<unknown, Message>,
  message: Message,
  work: () => Promise<T>,
  describe?: (result: T) => Partial<Message>,
): Promise<T> {
  return tracing.hasSubscribers ? publish(tracing, message, work, describe) : work();
}

/** Does some work to one session, see {@link traced}. */
export function tracedSession<T extends TracedSession | undefined>(
  tracing: TracingChannel<unknown, SessionTraceMessage>,
  source: SessionEventHub,
  work: () => Promise<T>,
): Promise<T> {
  return tracing.hasSubscribers ? publish(tracing, { source }, work, describeSession) : work();
}

async function publish<Message extends TraceMessage, T>(
  tracing: TracingChannel<unknown, Message>,
  message: Message,
  work: () => Promise<T>,
  describe?: (result: T) => Partial<Message>,
): Promise<T> {
  let result: T | undefined;
  const workAndDescribe = async (): Promise<void> => {
    result = await work();
    Object.assign(message, describe?.(result));
  };
  await tracing.tracePromise(
    () => (message.enclose === undefined ? workAndDescribe() : message.enclose(workAndDescribe)),
    message,
  );
  return result as T;
}

function describeSession(session: TracedSession | undefined): Partial<SessionTraceMessage> {
  return session === undefined ? {} : { sessionHandle: session.getHandle(), tenantId: session.getTenantId() };
}

import type { JsonObject } from '../util/json.js';
import type { RevocationLogScope } from '../util/revocation-log.js';
import { DeferredDelivery } from './deferred-delivery.js';
import { Listeners } from './listeners.js';
import type { SessionEvent } from './session-event.js';

/**
 * The events of the sessions of one application, and those who listen to them.
 *
 * Listeners get an event in a later turn of the event loop, in order, so that a slow listener does not delay the request
 * that caused it. An error that a listener throws, or rejects with, is reported as a process warning.
 *
 * @publicApi
 */
export class SessionEventHub {
  /** @internal The open connections, for endings that are not known by their handles. */
  readonly connections = new Set<SessionConnections>();
  /** @internal The listeners of {@link listen}. */
  protected readonly later: Listeners<SessionEvent>;
  /** @internal The same events, delivered at once and without losses, for parts of the library that need only microseconds. */
  readonly atOnce: Listeners<SessionEvent>;
  /**
   * @internal The handles of sessions that may no longer be used in this process, delivered at once. They include sessions
   * that were already gone when this process was told to end them, which is no event.
   */
  readonly ended: Listeners<string>;
  private readonly delivery = new DeferredDelivery<SessionEvent>(
    (event) => this.later.send(event),
    warnOfLoss,
  );

  /** @internal @param reportListenerError gets what a listener throws */
  constructor(protected readonly reportListenerError: (error: unknown) => void = warnOfListener) {
    this.later = new Listeners(reportListenerError);
    this.atOnce = new Listeners(reportListenerError);
    this.ended = new Listeners(reportListenerError);
  }

  /**
   * Calls a function with each event from now on.
   *
   * @returns a function that ends that
   */
  listen(listener: (event: SessionEvent) => unknown): () => void {
    return this.later.add({ next: listener });
  }

  /** Resolves when all events so far have been delivered to the listeners; for tests. */
  async delivered(): Promise<void> {
    await this.delivery.drained();
  }

  /** @internal Never throws into the request that caused the event. */
  emit(event: SessionEvent): void {
    const record = Object.freeze(event); // listeners share it
    this.atOnce.send(record);
    // A later listener does not get this event.
    if (this.later.size > 0) this.delivery.add(record);
  }

  /** @internal See {@link ended}. */
  noteEnded(sessionHandle: string): void {
    this.ended.send(sessionHandle);
  }

  /** @internal Delivers the events that wait, then lets the listeners go. */
  complete(): void {
    this.delivery.drainNow();
    for (const listeners of [this.later, this.atOnce, this.ended]) listeners.complete();
  }
}

function warnOfListener(error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning('A listener of session events failed', { type: 'NestSessionsWarning', detail });
}

function warnOfLoss(lost: number): void {
  process.emitWarning(`Listeners of session events are too slow: ${lost} events were dropped`, {
    type: 'NestSessionsWarning',
  });
}

/** A session that has an open connection. */
export interface ConnectedSession {
  getHandle(): string;
  getUserId(): string;
  getRecipeUserId(): string;
  getAccessTokenPayload(): JsonObject;
}

/** The open connections of one kind. */
export interface SessionConnections {
  /** The sessions that have one, each once. */
  sessions(): Iterable<ConnectedSession>;
  /** Called before the sessions are read: a session that is being verified for a connection may have ended. */
  noteUnknownEnds(scope?: RevocationLogScope): void;
}

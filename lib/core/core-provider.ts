import type { ConfigProblem } from '../options/config-error.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import { hasMethod } from '../options/option-checks.js';
import type { Check } from '../options/option-table.js';
import type { Clock } from '../util/clock.js';
import type { UserContext } from '../util/user-context.js';
import type { CoreClient } from './core-client.js';

/**
 * The context that a module gives to its core.
 *
 * @publicApi
 */
export interface CoreContext {
  readonly clock: Clock;
  readonly events: SessionEventHub;
  /** Sent to a remote core with each call, for its statistics. */
  readonly apiDomain: string;
  readonly jwksRefreshIntervalSec: number;
  /** True if ended sessions are to be recorded in the core's own feed. Default false. */
  readonly recordsRevocations?: boolean;
  /** How records of changes are kept; undefined: none are written. */
  readonly audit?: AuditContext | undefined;
}

/**
 * How a core keeps its audit trail.
 *
 * @publicApi
 */
export interface AuditContext {
  /** Seconds. */
  readonly keepForSec: number;
  /** The same for the records that end sessions. */
  readonly keepEndedForSec: number;
  /** Returns the client of the request that a call works for, as precisely as it may be kept. Default: it is not kept. */
  describeSource?(userContext: UserContext | undefined): {
    readonly ip?: string;
    readonly userAgent?: string;
  };
}

/**
 * The value of the option `core`: knows how to make a `CoreClient`. Made by `embeddedCore()` and `remoteCore()`.
 *
 * @publicApi
 */
export interface CoreProvider {
  /** The problems of the core's options; the module reports them together with its own. */
  readonly problems: readonly ConfigProblem[];
  /** Makes the client; called once for each module instance, and only when there are no problems. */
  create(context: CoreContext): CoreClient;
}

/** Accepts the value of an option `core`. */
export const coreProvider: Check<CoreProvider> = (value) => {
  if (!hasMethod(value, 'create') || !Array.isArray(Reflect.get(value as object, 'problems')))
    throw new Error('embeddedCore() or remoteCore() is expected');
  return value as CoreProvider;
};

/**
 * Starts a core before the first request. Where that fails it is closed here, because Nest runs no shutdown hooks of an
 * application that did not start; the error of the start is the one that counts.
 *
 * @param telemetry stopped where the start fails
 */
export async function startCore(core: CoreClient, telemetry: { stop(): void }): Promise<void> {
  try {
    await core.start();
  } catch (error) {
    telemetry.stop();
    await core.close().catch(() => undefined);
    throw error;
  }
}

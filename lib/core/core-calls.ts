import { CoreUnavailableError, StoreFullError } from '../errors.js';
import { channels, traced } from '../events/channels.js';
import type { CoreContext } from './core-provider.js';

/** The shortest outage that is reported as over, so that calls that fail and succeed in turns make one report. */
const MIN_OUTAGE_MS = 1000;

interface Outage {
  readonly sinceMs: number;
  failedCalls: number;
}

/**
 * Publishes the calls to a store or a remote core on the channel `nest-sessions:core.call`, and reports outages: one event
 * when calls begin to fail and one when they succeed again, whatever the number of failed calls.
 */
export class CoreCalls {
  private outage: Outage | undefined;
  private failures = 0;
  private responding: boolean | undefined;

  constructor(private readonly context: Pick<CoreContext, 'clock' | 'events'>) {}

  /** Whether the last call got a response; undefined before the first one. */
  get isResponding(): boolean | undefined {
    return this.responding;
  }

  /**
   * Makes a call. A `CoreUnavailableError` counts as a failed call, except that of a full store; any other error is a
   * response.
   *
   * @param operation the kind of call, the same for all sessions: `store.update`
   */
  async run<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const failuresBefore = this.failures;
    try {
      const result = await traced(channels.coreCall, { source: this.context.events, operation }, call);
      this.noteResponse(failuresBefore);
      return result;
    } catch (error) {
      if (error instanceof CoreUnavailableError && !(error instanceof StoreFullError))
        this.noteFailure(error);
      else this.responding = true;
      throw error;
    }
  }

  /** A call that began before the last failure proves nothing about the time after it. */
  private noteResponse(failuresBefore: number): void {
    if (failuresBefore !== this.failures) return;
    this.responding = true;
    if (this.outage !== undefined) this.noteSuccess(this.outage);
  }

  private noteFailure({ message }: CoreUnavailableError): void {
    this.failures += 1;
    this.responding = false;
    if (this.outage !== undefined) {
      this.outage.failedCalls += 1;
      return;
    }
    const { events, clock } = this.context;
    const timeMs = clock.now();
    this.outage = { sinceMs: timeMs, failedCalls: 1 };
    events.emit({ type: 'core.unavailable', timeMs, message });
  }

  private noteSuccess({ sinceMs, failedCalls }: Outage): void {
    const { events, clock } = this.context;
    const timeMs = clock.now();
    const elapsedMs = timeMs - sinceMs;
    if (elapsedMs >= 0 && elapsedMs < MIN_OUTAGE_MS) return;
    this.outage = undefined;
    events.emit({ type: 'core.available', timeMs, unavailableSinceMs: sinceMs, failedCalls });
  }
}

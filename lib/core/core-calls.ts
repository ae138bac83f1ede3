import { CoreUnavailableError, StoreFullError } from '../errors.js';
import { channels, traced } from '../events/channels.js';
import type { CoreContext } from './core-provider.js';

/** While calls fail and succeed by turns, there is at most one outage to tell of in this time. */
const MIN_OUTAGE_MS = 1000;

interface Outage {
  readonly sinceMs: number;
  failedCalls: number;
}

/**
 * The calls to what the core needs, its store or a remote core: published on their channel; one event
 * when they begin to fail and one when they succeed again, however many fail.
 */
export class CoreCalls {
  private outage: Outage | undefined;
  private failures = 0;

  constructor(private readonly context: Pick<CoreContext, 'clock' | 'events'>) {}

  /**
   * Makes a call. Of what it throws only a `CoreUnavailableError` means that nobody answered, unless the store is full.
   *
   * @param operation what is called, without anything of this call: `store.promote`
   */
  async run<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const failuresBefore = this.failures;
    try {
      const answer = await traced(channels.coreCall, { source: this.context.events, operation }, call);
      // A call that began before the last failure proves nothing about the time after it.
      if (this.outage !== undefined && failuresBefore === this.failures) this.noteAnswer(this.outage);
      return answer;
    } catch (error) {
      if (error instanceof CoreUnavailableError && !(error instanceof StoreFullError))
        this.noteFailure(error);
      throw error;
    }
  }

  private noteFailure({ message }: CoreUnavailableError): void {
    this.failures += 1;
    if (this.outage !== undefined) {
      this.outage.failedCalls += 1;
      return;
    }
    const { events, clock } = this.context;
    const timeMs = clock.now();
    this.outage = { sinceMs: timeMs, failedCalls: 1 };
    events.emit({ type: 'core.unavailable', timeMs, message });
  }

  private noteAnswer({ sinceMs, failedCalls }: Outage): void {
    const { events, clock } = this.context;
    const timeMs = clock.now();
    const elapsedMs = timeMs - sinceMs;
    if (elapsedMs >= 0 && elapsedMs < MIN_OUTAGE_MS) return;
    this.outage = undefined;
    events.emit({ type: 'core.available', timeMs, unavailableSinceMs: sinceMs, failedCalls });
  }
}

import type { Clock } from '../../util/clock.js';
import type { CoreClient } from '../core-client.js';

const BUCKET_SIZE = 5;
const MS_PER_TOKEN = 200;
/** No session has it: looking for it touches the store and finds nothing. */
const NO_SESSION = '00000000-0000-0000-0000-000000000000';

/**
 * Touches the core's store, so that `/hello` tells whether sessions can be served. It needs no API key, so how often
 * strangers reach the store is bounded: five times at once, then once each 200 ms; beyond that nothing is touched.
 *
 * @see docs/protocol/core.md A6.14
 */
export class HelloProbe {
  private tokens = BUCKET_SIZE;
  private refilledAtMs: number;

  constructor(
    private readonly core: CoreClient,
    private readonly clock: Clock,
  ) {
    this.refilledAtMs = clock.now();
  }

  /** @throws when the store does not answer */
  async touch(): Promise<void> {
    if (this.takeToken()) await this.core.getSessionInformation(NO_SESSION, {});
  }

  private takeToken(): boolean {
    const earned = Math.max(0, Math.floor((this.clock.now() - this.refilledAtMs) / MS_PER_TOKEN));
    this.refilledAtMs += earned * MS_PER_TOKEN;
    this.tokens = Math.min(BUCKET_SIZE, this.tokens + earned);
    if (this.tokens === 0) return false;
    this.tokens--;
    return true;
  }
}

import type { CoreClient } from '../../lib/core/core-client.js';
import type { EmbeddedCoreOptions } from '../../lib/core/embedded/embedded-core-config.js';
import type { TestClock } from '../../lib/testing/test-clock.js';

/** The options that a contract suite may set for its core. Jitter is off unless it is set. */
export type CoreOptions = Omit<EmbeddedCoreOptions, 'store'>;

/** A core with a clock that moves its time, at {@link TEST_START_MS} at first. */
export interface CoreUnderTest {
  readonly core: CoreClient;
  readonly clock: TestClock;
  /** Another client of the same authority with the same sessions: a second instance, or the first after a restart. */
  another(): Promise<CoreClient>;
  /** Releases everything. */
  close(): Promise<void>;
}

/** Makes a core without sessions. */
export type MakeCore = (options?: CoreOptions) => Promise<CoreUnderTest>;

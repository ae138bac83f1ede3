import { CoreUnavailableError } from '../../errors.js';
import { StoreSetupError } from '../../stores/session-store.js';
import { Repeat, shortenPause } from '../../util/repeat.js';
import { STORE_TIMEOUT_MS, type GuardedStore } from './guarded-store.js';

/** The longest wait at a close for calls under way, and then for the store itself, so that a process can end. */
const CLOSE_TIMEOUT_MS = 5000;
/** The longest wait at a start that does not need the store. */
const START_TIMEOUT_MS = 30_000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;
/** The share by which a pause before a retry is shortened at random. */
const RETRY_JITTER = 0.5;

/** Work in the background from a start to a close. */
export interface BackgroundWork {
  start(): void;
  /** Stops at once. @returns when the step under way has ended */
  stop(): Promise<void>;
}

export interface LifeCycleParts {
  readonly store: GuardedStore;
  readonly background: readonly BackgroundWork[];
  readonly startWithoutStore: boolean;
  /** Loads the keys that the first request needs. */
  prepare(): Promise<void>;
}

/** Starts and closes an engine, any number of times. Of calls that overlap, the last one wins. */
export class LifeCycle {
  private life = new AbortController();
  private closing: Promise<void> | undefined;
  private readonly retries: Repeat;

  constructor(private readonly parts: LifeCycleParts) {
    this.retries = retryStart(async () => parts.prepare());
  }

  /**
   * Starts the engine once a close under way has ended. A store that does not respond does not prevent that: preparation is
   * tried again in the background, and calls fail as unavailable until it succeeds.
   *
   * @throws {StoreSetupError} the store can never work as it is set up
   * @throws {CoreUnavailableError} the engine was closed meanwhile, or the store does not respond and
   *   `startWithoutStore` is false
   */
  async start(): Promise<void> {
    if (this.life.signal.aborted) this.life = new AbortController();
    const life = this.life.signal;
    if (this.closing !== undefined) {
      await this.closing.catch(() => undefined);
      life.throwIfAborted();
      this.closing = undefined;
    }
    this.parts.store.open();
    for (const work of this.parts.background) work.start();
    try {
      await this.prepareInTime(life);
    } catch (error) {
      const mayComeLater = this.parts.startWithoutStore && !life.aborted;
      if (!mayComeLater || !(error instanceof CoreUnavailableError)) throw error;
      if (error.cause instanceof StoreSetupError) throw error.cause;
      this.retries.start();
    }
  }

  /** Closes the engine at once; a second call joins the first. */
  async close(): Promise<void> {
    this.life.abort(new CoreUnavailableError('The core was closed'));
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    const { store, background } = this.parts;
    const ending = [store.shut(), this.retries.stop(), ...background.map(async (work) => work.stop())];
    await endsInTime(ending, CLOSE_TIMEOUT_MS);
    await endsInTime([store.close()], CLOSE_TIMEOUT_MS);
  }

  /** After the timeout the preparation goes on, because it may be done by the first request. */
  private async prepareInTime(life: AbortSignal): Promise<void> {
    const timeoutMs = this.parts.startWithoutStore ? START_TIMEOUT_MS : STORE_TIMEOUT_MS;
    const isPrepared = await endsInTime([untilAborted(this.parts.prepare(), life)], timeoutMs);
    if (!isPrepared) {
      throw new CoreUnavailableError(
        `The session store has not responded within ${timeoutMs / 1000} s of the start`,
      );
    }
  }
}

/**
 * Repeats failed work in the background until it succeeds, after 1, 2, 4, 8 and then 15 seconds.
 *
 * @param random returns a number from 0 to 1, so that instances that started together do not call all at once
 */
export function retryStart(prepare: () => Promise<void>, random?: () => number): Repeat {
  return new Repeat(prepare, {
    pauseMs: (runs) =>
      shortenPause(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** runs), RETRY_JITTER, random),
    untilSuccess: true,
  });
}

/** Waits for work until a life ends. @throws the reason of that end */
async function untilAborted<T>(work: Promise<T>, life: AbortSignal): Promise<T> {
  let onEnd: (() => void) | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    onEnd = () => reject(life.reason as CoreUnavailableError);
    life.addEventListener('abort', onEnd);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    if (onEnd !== undefined) life.removeEventListener('abort', onEnd);
  }
}

/** Returns whether all of the work ended in time; late work goes on, unobserved. */
async function endsInTime(work: readonly Promise<void>[], timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([Promise.all(work).then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

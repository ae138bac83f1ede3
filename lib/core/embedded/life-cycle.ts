import { CoreUnavailableError } from '../../errors.js';

/** The lives of an engine, each from a start to a close. Of calls that overlap the last one wins. */
export class LifeCycle {
  private life = new AbortController();
  private closing: Promise<void> | undefined;

  /**
   * Begins a life once the one before it has ended.
   *
   * @param begin what is to be done; it gets what is aborted when the life ends, with the reason
   * @throws {CoreUnavailableError} it was closed before it began
   */
  async start(begin: (life: AbortSignal) => Promise<void>): Promise<void> {
    if (this.life.signal.aborted) this.life = new AbortController();
    const { signal } = this.life;
    if (this.closing !== undefined) {
      await this.closing.catch(() => undefined);
      signal.throwIfAborted();
      this.closing = undefined;
    }
    return begin(signal);
  }

  /** Ends the life at once; closing again joins. */
  async close(end: () => Promise<void>): Promise<void> {
    this.life.abort(new CoreUnavailableError('The core was closed'));
    this.closing ??= end();
    return this.closing;
  }
}

/** The same work, which nobody waits for any longer when a life ends. @throws the reason of the end */
export async function unlessOver<T>(work: Promise<T>, life: AbortSignal): Promise<T> {
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

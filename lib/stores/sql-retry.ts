import { setTimeout as delay } from 'node:timers/promises';

/** How often and after which pauses a transient failure is tried again. */
export interface RetryPolicy {
  /** Attempts in all. */
  readonly attempts: number;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** A number from 0 to 1, so that those who collided do not meet again. */
  readonly random: () => number;
}

/** Ten attempts within about two and a half seconds. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 10, sleep: delay, random: Math.random };

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** Repeats work that failed and left nothing behind; the last failure is the caller's. */
export async function withRetries<T>(
  work: () => Promise<T>,
  isTransient: (error: unknown) => boolean,
  { attempts, sleep, random }: RetryPolicy,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !isTransient(error)) throw error;
      await sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * random());
    }
  }
}

import { setTimeout as delay } from 'node:timers/promises';

/** The number of attempts after transient failures, and the pauses between them. */
export interface RetryPolicy {
  /** Attempts in all. */
  readonly attempts: number;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** Returns a number from 0 to 1, so that calls that collided do not collide again. */
  readonly random: () => number;
  /** The longest pause after the first failure, milliseconds; it doubles with each failure. Default 20. */
  readonly firstPauseMs?: number;
  /** Default 1000. */
  readonly longestPauseMs?: number;
}

/** Ten attempts within about two and a half seconds. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 10, sleep: delay, random: Math.random };

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** Repeats work that failed without an effect. @throws the last failure */
export async function withRetries<T>(
  work: () => Promise<T>,
  isTransient: (error: unknown) => boolean,
  retry: RetryPolicy,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= retry.attempts || !isTransient(error)) throw error;
      await rest(retry, attempt);
    }
  }
}

/** Pauses after a failure: at random, up to a time that doubles with each failure. */
export async function rest(
  { sleep, random, firstPauseMs = FIRST_PAUSE_MS, longestPauseMs = LONGEST_PAUSE_MS }: RetryPolicy,
  failures: number,
): Promise<void> {
  await sleep(Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1)) * random());
}

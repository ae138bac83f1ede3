import type { RateLimitDecision, RateLimiter } from 'nest-sessions';
import type { TestClock } from 'nest-sessions/testing';

/** Attempts that are allowed in each window; without a number, all of them. */
export interface CountedLimits {
  windowSec: number;
  refresh?: { perSession?: number; perUser?: number };
  failedVerify?: { perIpGroup?: number };
  clock: TestClock;
}

/** Returns a limiter that counts on the clock of a test, deciding and counting in one step. */
export function countingLimiter({ windowSec, refresh, failedVerify, clock }: CountedLimits): RateLimiter {
  const windows = new Map<string, { endsAtMs: number; count: number }>();
  const take = (key: string, max: number | undefined): RateLimitDecision => {
    const now = clock.now();
    const found = windows.get(key);
    const window =
      found !== undefined && found.endsAtMs > now ? found : { endsAtMs: now + windowSec * 1000, count: 0 };
    windows.set(key, window);
    window.count += 1;
    return max === undefined || window.count <= max
      ? { allowed: true }
      : { allowed: false, retryAfterSec: (window.endsAtMs - now) / 1000 };
  };
  return (attempt) => {
    if (attempt.kind === 'failed-verify') return take(`address ${attempt.ipGroup}`, failedVerify?.perIpGroup);
    const bySession = take(`session ${attempt.sessionHandle}`, refresh?.perSession);
    const byUser = take(`user ${attempt.recipeUserId}`, refresh?.perUser);
    return bySession.allowed ? byUser : bySession;
  };
}

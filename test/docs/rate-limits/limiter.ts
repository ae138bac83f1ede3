import type { RateLimiter } from 'nest-sessions';
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';

export interface Counters {
  refreshBySession: RateLimiterAbstract;
  refreshByAddress: RateLimiterAbstract;
  failedVerifyByAddress: RateLimiterAbstract;
}

export function rateLimiter(counters: Counters): RateLimiter {
  return async (attempt) => {
    try {
      if (attempt.kind === 'refresh') {
        await count(counters.refreshBySession, attempt.sessionHandle);
        await count(counters.refreshByAddress, attempt.ipGroup);
      } else {
        await count(counters.failedVerifyByAddress, attempt.ipGroup);
      }
      return { allowed: true };
    } catch (reason) {
      if (!(reason instanceof RateLimiterRes)) throw reason; // the counter failed: `whenUnavailable` decides
      return { allowed: false, retryAfterSec: Math.max(1, reason.msBeforeNext / 1000) };
    }
  };
}

async function count(counter: RateLimiterAbstract, key: string | undefined): Promise<void> {
  if (key !== undefined) await counter.consume(key);
}

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
      const counted: Counted[] =
        attempt.kind === 'refresh'
          ? [
              { by: counters.refreshBySession, key: attempt.sessionHandle },
              { by: counters.refreshByAddress, key: attempt.ipGroup },
            ]
          : [{ by: counters.failedVerifyByAddress, key: attempt.ipGroup }];
      for (const { by, key } of counted) if (key !== undefined) await by.consume(key);
      return { allowed: true, giveBack: async () => giveBack(counted) };
    } catch (reason) {
      if (!(reason instanceof RateLimiterRes)) throw reason; // the counter failed: `whenUnavailable` decides
      return { allowed: false, retryAfterSec: Math.max(1, reason.msBeforeNext / 1000) };
    }
  };
}

interface Counted {
  readonly by: RateLimiterAbstract;
  readonly key: string | undefined;
}

/** Core or store were away: that does not count against the client. */
async function giveBack(counted: readonly Counted[]): Promise<void> {
  for (const { by, key } of counted) if (key !== undefined) await by.reward(key);
}

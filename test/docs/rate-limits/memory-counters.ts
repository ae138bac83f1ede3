import { RateLimiterMemory } from 'rate-limiter-flexible';

export const memoryCounters = {
  refreshBySession: new RateLimiterMemory({ points: 20, duration: 60 }),
  refreshByAddress: new RateLimiterMemory({ points: 600, duration: 60 }),
  failedVerifyByAddress: new RateLimiterMemory({ points: 600, duration: 60 }),
};

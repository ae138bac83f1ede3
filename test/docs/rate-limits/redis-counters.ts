import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { createClient } from 'redis';

export function redisCounters(storeClient: ReturnType<typeof createClient>) {
  const connection = { storeClient, useRedisPackage: true };
  return {
    refreshBySession: counter('refresh-by-session', 20),
    refreshByAddress: counter('refresh-by-address', 600),
    failedVerifyByAddress: counter('failed-verify-by-address', 600),
  };

  function counter(keyPrefix: string, points: number) {
    return new RateLimiterRedis({ ...connection, keyPrefix, points, duration: 60 });
  }
}

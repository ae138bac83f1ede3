import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { RateLimiter } from 'nest-sessions';
import { createClient } from 'redis';
import { startRedis } from '../support/redis.js';
import { TestApplication } from '../support/test-application.js';
import { codeBlocks } from './documents.js';
import { rateLimiter } from './rate-limits/limiter.js';
import { memoryCounters } from './rate-limits/memory-counters.js';
import { redisCounters } from './rate-limits/redis-counters.js';

const redis = await startRedis();

afterAll(async () => redis.stop());

/** Refreshes one session 21 times with parallel requests, as 21 copies of its tokens would. */
async function refreshAtOnce(limiter: RateLimiter): Promise<{ statuses: number[]; retryAfter: string[] }> {
  const statuses: number[] = [];
  const retryAfter = new Set<string>();
  await TestApplication.on('express')
    .with({ rateLimit: { limiter } })
    .run(async ({ signedIn }) => {
      const user = await signedIn('header');
      const responses = await Promise.all(Array.from({ length: 21 }, async () => user.copy().refresh()));
      for (const response of responses) {
        statuses.push(response.status);
        if (response.status === 429) retryAfter.add(response.header('retry-after') ?? '');
      }
      expect((await user.get('/me')).status).toBe(200);
      expect((await (await signedIn('header')).refresh()).status).toBe(200); // another session
    });
  return { statuses: statuses.toSorted((a, b) => a - b), retryAfter: [...retryAfter] };
}

async function failedVerify(limiter: RateLimiter, times: number): Promise<boolean[]> {
  const attempt = { kind: 'failed-verify', reason: 'UNAUTHORISED', userContext: {} } as const;
  const ask = async (ipGroup: string | undefined): Promise<boolean> =>
    (await limiter({ ...attempt, ip: ipGroup, ipGroup })).allowed;
  for (let i = 0; i < times; i++) await ask('192.0.2.1');
  return [await ask('192.0.2.1'), await ask('192.0.2.2'), await ask(undefined)];
}

const twentyOfTwentyOne = [...Array.from({ length: 20 }, () => 200), 429];

describe('the guide about rate limits', () => {
  it.each(['limiter', 'memory-counters', 'redis-counters'])('shows the tested file: %s', (name) => {
    const shown = codeBlocks('docs/guides/rate-limits.md').map(({ code }) => code);
    expect(shown).toContain(readFileSync(`test/docs/rate-limits/${name}.ts`, 'utf8'));
  });

  it('limits refreshes and refused access tokens by counters in memory (S101)', async () => {
    const limiter = rateLimiter(memoryCounters);
    const { statuses, retryAfter } = await refreshAtOnce(limiter);
    expect(statuses).toEqual(twentyOfTwentyOne);
    expect(Number(retryAfter[0])).toBeGreaterThan(0);
    expect(Number(retryAfter[0])).toBeLessThanOrEqual(60);
    expect(await failedVerify(limiter, 600)).toEqual([false, true, true]);
  });
});

redis.describe('the guide about rate limits, on Redis', () => {
  it('counts for several instances together (S101)', async () => {
    const clients = await Promise.all([1, 2].map(async () => createClient({ url: redis.url }).connect()));
    try {
      const [first, second] = clients.map((client) => rateLimiter(redisCounters(client as never)));
      expect((await refreshAtOnce(first as RateLimiter)).statuses).toEqual(twentyOfTwentyOne);
      expect(await failedVerify(first as RateLimiter, 300)).toEqual([true, true, true]);
      expect(await failedVerify(second as RateLimiter, 299)).toEqual([false, true, true]);
    } finally {
      for (const client of clients) client.destroy();
    }
  });

  it('is an error, and no decision, while Redis is away (S101)', async () => {
    const client = createClient({ url: redis.url });
    await client.connect();
    client.destroy();
    await expect(failedVerify(rateLimiter(redisCounters(client)), 1)).rejects.toThrow('closed');
  });
});

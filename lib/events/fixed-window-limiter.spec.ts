import { describe, expect, it } from '@jest/globals';
import type { RateLimitDecision, RateLimitedAttempt } from '../options/observability-options.js';
import { TestClock } from '../testing/test-clock.js';
import { fixedWindowLimiter, type FixedWindowLimits } from './fixed-window-limiter.js';

type Refresh = Extract<RateLimitedAttempt, { kind: 'refresh' }>;

const ALLOWED: RateLimitDecision = { allowed: true };

function newLimiter(limits: Partial<FixedWindowLimits>) {
  const clock = new TestClock();
  const limiter = fixedWindowLimiter({ windowSec: 60, clock, ...limits });
  const refresh = async (who: Partial<Refresh> = {}): Promise<RateLimitDecision> =>
    limiter({
      kind: 'refresh',
      ip: '192.0.2.1',
      ipGroup: '192.0.2.1',
      sessionHandle: 'session-1',
      recipeUserId: 'user-1',
      userContext: {},
      ...who,
    });
  const failedVerify = async (ipGroup: string | undefined): Promise<RateLimitDecision> =>
    limiter({ kind: 'failed-verify', ip: ipGroup, ipGroup, reason: 'UNAUTHORISED', userContext: {} });
  return { clock, refresh, failedVerify };
}

async function allowedOf(decisions: Promise<RateLimitDecision>[]): Promise<number> {
  return (await Promise.all(decisions)).filter(({ allowed }) => allowed).length;
}

describe('the limiter in memory (S101)', () => {
  it('lets exactly as many of a parallel burst through as are allowed', async () => {
    const { refresh } = newLimiter({ refresh: { perIpGroup: 7 } });
    expect(await allowedOf(Array.from({ length: 200 }, async () => refresh()))).toBe(7);
  });

  it('begins anew when the window is over, and says when that is', async () => {
    const { clock, refresh } = newLimiter({ refresh: { perSession: 1 } });
    expect(await refresh()).toEqual(ALLOWED);
    clock.advanceSeconds(20.5);
    expect(await refresh()).toEqual({ allowed: false, retryAfterSec: 40 });
    clock.advanceSeconds(39.5);
    expect(await refresh()).toEqual(ALLOWED);
  });

  it.each<[string, FixedWindowLimits['refresh'], Partial<Refresh>]>([
    ['address group', { perIpGroup: 1 }, { ipGroup: '192.0.2.2' }],
    ['session', { perSession: 1 }, { sessionHandle: 'session-2' }],
    ['user', { perUser: 1 }, { recipeUserId: 'user-2' }],
  ])('counts refreshes by %s', async (_name, limits, another) => {
    const { refresh } = newLimiter({ refresh: limits ?? {} });
    expect(await refresh()).toEqual(ALLOWED);
    expect((await refresh()).allowed).toBe(false);
    expect(await refresh(another)).toEqual(ALLOWED);
  });

  it('counts refused access tokens apart from refreshes', async () => {
    const { refresh, failedVerify } = newLimiter({
      refresh: { perIpGroup: 1 },
      failedVerify: { perIpGroup: 1 },
    });
    expect(await refresh()).toEqual(ALLOWED);
    expect(await failedVerify('192.0.2.1')).toEqual(ALLOWED);
    expect((await failedVerify('192.0.2.1')).allowed).toBe(false);
  });

  it('does not use up one limit where another one is reached', async () => {
    const { refresh } = newLimiter({ refresh: { perIpGroup: 3, perSession: 1 } });
    expect(await refresh()).toEqual(ALLOWED);
    for (let i = 0; i < 10; i++) expect((await refresh()).allowed).toBe(false);
    expect(await refresh({ sessionHandle: 'session-2' })).toEqual(ALLOWED);
    expect(await refresh({ sessionHandle: 'session-3' })).toEqual(ALLOWED);
    expect((await refresh({ sessionHandle: 'session-4' })).allowed).toBe(false);
  });

  it('does not limit what has nothing to count by', async () => {
    const { failedVerify } = newLimiter({ failedVerify: { perIpGroup: 1 } });
    for (let i = 0; i < 5; i++) expect(await failedVerify(undefined)).toEqual(ALLOWED);
  });

  it('keeps a bounded number of counters', async () => {
    const { failedVerify } = newLimiter({ failedVerify: { perIpGroup: 1 }, maxCounters: 3 });
    for (const ip of ['a', 'b', 'c', 'd']) expect(await failedVerify(ip)).toEqual(ALLOWED);
    expect((await failedVerify('d')).allowed).toBe(false);
    expect(await failedVerify('a')).toEqual(ALLOWED);
  });

  it('keeps nobody out for longer than a window after the clock was set back', async () => {
    const { clock, refresh } = newLimiter({ refresh: { perIpGroup: 1 } });
    await refresh();
    clock.advanceSeconds(-3600);
    expect(await refresh()).toEqual(ALLOWED);
  });

  it.each([0, -1, 1.5, Number.NaN])('takes no limit of %p', (max) => {
    expect(() => fixedWindowLimiter({ windowSec: 60, refresh: { perIpGroup: max } })).toThrow(TypeError);
  });
});

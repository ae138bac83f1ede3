import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { create } from '../../../test/support/core-calls.js';
import { makeEmbeddedCore, type TestCore } from '../../../test/support/embedded.js';
import type { EmbeddedCoreOptions } from './embedded-core-config.js';

const HOUR_MS = 3_600_000;

/** Limits of the cleaning steps so far. */
function stepsOf({ store }: TestCore): number[] {
  const steps: number[] = [];
  const original = store.deleteExpiredSessions.bind(store);
  store.deleteExpiredSessions = (nowMs, limit) => {
    steps.push(limit);
    return original(nowMs, limit);
  };
  return steps;
}

describe('removing expired sessions', () => {
  it('S057 happens in steps, between which others get their turn', async () => {
    const engine = await makeEmbeddedCore();
    const row = await engine.store.findSession({
      tenantId: 'public',
      sessionHandle: (await create(engine.core)).session.handle,
    });
    if (row === undefined) throw new Error('no row');
    for (let n = 0; n < 12_000; n++) await engine.store.insertSession({ ...row, sessionHandle: `s-${n}` });
    engine.clock.advance(8_640_000_000);
    const steps = stepsOf(engine);
    const swept = engine.core.sweepExpired();
    let turns = 0;
    const turn = setInterval(() => turns++, 0);
    await swept;
    clearInterval(turn);
    expect(steps.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...steps)).toBeLessThanOrEqual(5000);
    expect(turns).toBeGreaterThan(0);
    expect(engine.store.size).toBe(0);
  });

  it('removes a row in its last millisecond, not before', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    await create(core);
    clock.advance(8_640_000_000 - 1);
    await core.sweepExpired();
    expect(store.size).toBe(1);
    clock.advance(1);
    await core.sweepExpired();
    expect(store.size).toBe(0);
  });

  it('is one sweep when two are asked for at once', async () => {
    const engine = await makeEmbeddedCore();
    const steps = stepsOf(engine);
    await Promise.all([engine.core.sweepExpired(), engine.core.sweepExpired()]);
    expect(steps).toHaveLength(1);
  });
});

describe('the timer of the sweeper', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  async function started(options: EmbeddedCoreOptions = {}): Promise<TestCore> {
    const engine = await makeEmbeddedCore(options);
    await engine.core.start();
    return engine;
  }

  /** Lets time pass for the timer and for the clock. */
  async function pass(engine: TestCore, ms: number): Promise<void> {
    engine.clock.advance(ms);
    jest.advanceTimersByTime(ms);
    await engine.core.sweepExpired();
  }

  it('is one for each engine beside the one of the keys, of twelve hours by default (C129)', async () => {
    const engine = await started();
    const steps = stepsOf(engine);
    expect(jest.getTimerCount()).toBe(2);
    jest.advanceTimersByTime(12 * HOUR_MS - 1);
    expect(steps).toHaveLength(0);
    jest.advanceTimersByTime(1);
    expect(steps).toHaveLength(1);
    await engine.core.close();
  });

  it('removes expired rows by itself (C128)', async () => {
    const engine = await started({
      accessTokenValiditySec: 0.5,
      refreshTokenValiditySec: 1,
      expirySweepIntervalSec: 1,
    });
    await create(engine.core);
    await pass(engine, 1000);
    expect(engine.store.size).toBe(0);
    await engine.core.close();
  });

  it('removes expired signing keys once a day', async () => {
    const engine = await started();
    let cleanings = 0;
    const original = engine.store.deleteDynamicKeys.bind(engine.store);
    engine.store.deleteDynamicKeys = (beforeMs) => {
      cleanings++;
      return original(beforeMs);
    };
    await pass(engine, 12 * HOUR_MS);
    expect(cleanings).toBe(0);
    await pass(engine, 12 * HOUR_MS);
    expect(cleanings).toBe(1);
    await pass(engine, 12 * HOUR_MS);
    expect(cleanings).toBe(1);
    await engine.core.close();
  });

  it('goes on after a failure of the store, and fails no one', async () => {
    const engine = await started({ expirySweepIntervalSec: 10 });
    let tries = 0;
    engine.store.deleteExpiredSessions = () => {
      tries++;
      return Promise.reject(new Error('gone'));
    };
    for (let n = 1; n <= 3; n++) {
      jest.advanceTimersByTime(10_000);
      await expect(engine.core.sweepExpired()).rejects.toMatchObject({ name: 'CoreUnavailableError' });
      expect(tries).toBe(n);
    }
    await engine.core.close();
  });

  it('S086 ends when the engine is closed, and is there again when it is started again', async () => {
    const engine = await started();
    await engine.core.close();
    expect(jest.getTimerCount()).toBe(0);
    await engine.core.start();
    expect(jest.getTimerCount()).toBe(2);
    await create(engine.core);
    engine.clock.advance(8_640_000_000);
    await engine.core.sweepExpired();
    expect(engine.store.size).toBe(0);
    await engine.core.close();
  });
});

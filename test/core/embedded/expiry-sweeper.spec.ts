import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { create } from '../../support/core-calls.js';
import {
  embeddedCoreOn,
  makeEmbeddedCore,
  seededMemoryStore,
  TEST_START_MS,
  type TestCore,
} from '../../support/embedded.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import type { EmbeddedCoreOptions } from '../../../lib/core/embedded/embedded-core-config.js';
import { AuditNotes } from '../../../lib/core/embedded/audit-notes.js';
import { ExpirySweeper } from '../../../lib/core/embedded/expiry-sweeper.js';
import { SigningKeys } from '../../../lib/core/embedded/signing-keys.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

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

/** A sweeper whose sweeps are counted, with a chance that is always the same. */
async function sweeperOf(intervalMs: number, random: number) {
  const store = await seededMemoryStore();
  let sweeps = 0;
  store.deleteExpiredSessions = async () => {
    sweeps++;
    return { mayHaveMore: false };
  };
  const clock = new TestClock(TEST_START_MS);
  const keys = new SigningKeys(store, clock, {
    algorithm: 'RS256',
    updateIntervalMs: 168 * HOUR_MS,
    accessTokenValidityMs: HOUR_MS,
    reloadIntervalMs: MINUTE_MS,
  });
  const sweeper = new ExpirySweeper(
    store,
    keys,
    clock,
    intervalMs,
    new AuditNotes({ clock, audit: undefined }, undefined),
    () => random,
  );
  return { sweeper, store, sweeps: () => sweeps };
}

describe('removing expired sessions', () => {
  it('happens in steps, between which others get their turn (S057)', async () => {
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

  it('leaves a slow store to others for as long as a step took, until it is stopped (S057)', async () => {
    const engine = await makeEmbeddedCore();
    let steps = 0;
    engine.store.deleteExpiredSessions = async () => {
      steps++;
      // A store that works in this process keeps it busy.
      const untilMs = performance.now() + 5;
      while (performance.now() < untilMs);
      return { mayHaveMore: steps < 4 };
    };
    const beganMs = performance.now();
    await engine.core.sweepExpired();
    expect(steps).toBe(4);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(4 * 5 + 3 * 4);

    engine.store.deleteExpiredSessions = async () => {
      // As after a step of an hour: nothing but the end of the engine ends the pause.
      jest.spyOn(performance, 'now').mockReturnValue(1e9);
      return { mayHaveMore: true };
    };
    const sweep = engine.core.sweepExpired();
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    jest.restoreAllMocks();
    await engine.core.close();
    await sweep;
  });

  describe('that is slow', () => {
    const timeouts = (): number =>
      process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

    /** A sweeper in the pause after a step of an hour. */
    async function pausing(begin: (sweeper: ExpirySweeper) => unknown) {
      const { sweeper, store } = await sweeperOf(1, 0);
      const paused = new Promise<void>((resolve) => {
        store.deleteExpiredSessions = async () => {
          jest.spyOn(performance, 'now').mockReturnValue(1e9);
          resolve();
          return { mayHaveMore: true };
        };
      });
      const before = timeouts();
      begin(sweeper);
      await paused;
      for (let turn = 0; turn < 50; turn++) await nextTurn();
      jest.restoreAllMocks();
      return { sweeper, kept: () => timeouts() - before };
    }

    it('keeps the process until it is done, where somebody waits for it (S057)', async () => {
      const { sweeper, kept } = await pausing(async (begun) => begun.sweep());
      expect(kept()).toBe(1);
      await sweeper.stop();
      expect(kept()).toBe(0);
    });

    it('lets the process end in the middle where nobody does, until somebody does (S057)', async () => {
      const { sweeper, kept } = await pausing((begun) => begun.start());
      expect(kept()).toBe(0);
      const sweep = sweeper.sweep();
      expect(kept()).toBe(1);
      await sweeper.stop();
      await sweep;
      expect(kept()).toBe(0);
    });
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

  /** Lets time pass for the timer and for the clock; what the timer began is waited for, by joining it. */
  async function pass(engine: TestCore, ms: number, { isSwept = true } = {}): Promise<void> {
    engine.clock.advance(ms);
    await jest.advanceTimersByTimeAsync(ms);
    if (isSwept) await engine.core.sweepExpired();
  }

  it('is one for each engine beside the one of the keys, of twelve hours by default (C129)', async () => {
    const engine = await started();
    const steps = stepsOf(engine);
    expect(jest.getTimerCount()).toBe(2);
    await pass(engine, 73 * MINUTE_MS, { isSwept: false });
    expect(steps).toHaveLength(1);
    await pass(engine, 10.8 * HOUR_MS - 73 * MINUTE_MS, { isSwept: false });
    expect(steps).toHaveLength(1);
    await pass(engine, 2.5 * HOUR_MS, { isSwept: false });
    expect(steps).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(2);
    await engine.core.close();
  });

  it.each([
    [12 * HOUR_MS, 0, MINUTE_MS, 12 * HOUR_MS],
    [12 * HOUR_MS, 1, 73 * MINUTE_MS, 10.8 * HOUR_MS],
    [10 * MINUTE_MS, 0.5, 1.5 * MINUTE_MS, 9.5 * MINUTE_MS],
    [MINUTE_MS, 0, MINUTE_MS, MINUTE_MS],
    [10_000, 0.5, 9500, 9500],
  ])(
    'with an interval of %d ms and the chance %d rings first after %d ms, then every %d (S057)',
    async (intervalMs, random, firstMs, nextMs) => {
      const { sweeper, sweeps } = await sweeperOf(intervalMs, random);
      sweeper.start();
      for (const [index, ms] of [firstMs, nextMs, nextMs].entries()) {
        await jest.advanceTimersByTimeAsync(ms - 1);
        expect(sweeps()).toBe(index);
        await jest.advanceTimersByTimeAsync(1);
        expect(sweeps()).toBe(index + 1);
      }
      await sweeper.stop();
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  it('cleans where no process lives for a whole interval, keys too (S057)', async () => {
    const store = await seededMemoryStore();
    const clock = new TestClock(TEST_START_MS);
    const first = embeddedCoreOn(store, {}, clock);
    await create(first.core);
    const keyCount = async (): Promise<number> => (await store.findDynamicKeys(0)).length;
    clock.advance(100 * 24 * HOUR_MS);
    await first.core.reloadSigningKeys();
    expect([store.size, await keyCount()]).toEqual([1, 2]);
    const next = embeddedCoreOn(store, {}, clock);
    await next.core.start();
    await pass(next, 2 * HOUR_MS);
    expect([store.size, await keyCount()]).toEqual([0, 1]);
    await next.core.close();
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
    expect(cleanings).toBe(1);
    await pass(engine, 12 * HOUR_MS);
    expect(cleanings).toBe(1);
    await pass(engine, 12 * HOUR_MS);
    expect(cleanings).toBe(2);
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

  it('ends when the engine is closed, and is there again when it is started again (S086)', async () => {
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

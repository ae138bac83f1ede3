import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { retryStart } from './life-cycle.js';

describe('a start that failed', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function startUp(failures: number, random = 0) {
    let attempts = 0;
    const work = retryStart(
      async () => {
        attempts++;
        if (attempts <= failures) throw new Error('down');
      },
      () => random,
    );
    work.start();
    return { work, attempts: () => attempts };
  }

  it('is tried again after 1, 2, 4, 8, 15 and 15 seconds, until it works', async () => {
    const { attempts } = startUp(6);
    for (const [index, pauseMs] of [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000].entries()) {
      await jest.advanceTimersByTimeAsync(pauseMs - 1);
      expect(attempts()).toBe(index);
      await jest.advanceTimersByTimeAsync(1);
      expect(attempts()).toBe(index + 1);
    }
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is tried up to twice as soon, so that instances do not ask all at once', async () => {
    const { attempts, work } = startUp(1, 1);
    await jest.advanceTimersByTimeAsync(500);
    expect(attempts()).toBe(1);
    await work.stop();
  });

  it('is tried again by one timer, however often it fails', async () => {
    const { attempts, work } = startUp(9);
    work.start();
    expect(jest.getTimerCount()).toBe(1);
    await jest.advanceTimersByTimeAsync(1000);
    expect(attempts()).toBe(1);
    await work.stop();
  });

  it('that hung is not tried again by what was stopped (S086)', async () => {
    const fail: (() => void)[] = [];
    const work = retryStart(
      () => new Promise((_resolve, reject) => fail.push(() => reject(new Error('late')))),
      () => 0,
    );
    work.start();
    await jest.advanceTimersByTimeAsync(1000);
    const stopped = work.stop();
    work.start();
    fail[0]?.();
    await stopped;
    expect(jest.getTimerCount()).toBe(1);
    await jest.advanceTimersByTimeAsync(999);
    expect(fail).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(fail).toHaveLength(2);
    fail[1]?.();
    await work.stop();
  });

  it('is not tried again once it was stopped (S086)', async () => {
    const { attempts, work } = startUp(9);
    await jest.advanceTimersByTimeAsync(3000);
    expect(attempts()).toBe(2);
    await work.stop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect([attempts(), jest.getTimerCount()]).toEqual([2, 0]);
  });
});

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { pause, Repeat, shortenPause } from './repeat.js';

describe('repeated work', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function repeated(work: () => Promise<void> = async () => undefined, untilSuccess = false) {
    const calls = { runs: 0 };
    const repeat = new Repeat(
      async () => {
        calls.runs++;
        return work();
      },
      { pauseMs: (runs) => 1000 * (runs + 1), untilSuccess },
    );
    repeat.start();
    return { repeat, calls };
  }

  it('runs after each pause, with one timer', async () => {
    const { repeat, calls } = repeated();
    await jest.advanceTimersByTimeAsync(999);
    expect(calls.runs).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(calls.runs).toBe(1);
    await jest.advanceTimersByTimeAsync(2000);
    expect([calls.runs, jest.getTimerCount()]).toEqual([2, 1]);
    await repeat.stop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect([calls.runs, jest.getTimerCount(), repeat.isStarted]).toEqual([2, 0, false]);
  });

  it('goes on after a failure', async () => {
    const { repeat, calls } = repeated(async () => Promise.reject(new Error('down')));
    await jest.advanceTimersByTimeAsync(3000);
    expect(calls.runs).toBe(2);
    await repeat.stop();
  });

  it('never overlaps: a run that is due meanwhile is left out', async () => {
    let end = (): void => undefined;
    const { repeat, calls } = repeated(async () => new Promise((resolve) => (end = resolve)));
    await jest.advanceTimersByTimeAsync(6000);
    expect(calls.runs).toBe(1);
    end();
    await jest.advanceTimersByTimeAsync(4000);
    expect(calls.runs).toBe(2);
    end();
    await repeat.stop();
  });

  it('that is stopped is waited for', async () => {
    let end = (): void => undefined;
    const { repeat } = repeated(async () => new Promise((resolve) => (end = resolve)));
    await jest.advanceTimersByTimeAsync(1000);
    let isStopped = false;
    const stopped = repeat.stop().then(() => (isStopped = true));
    await jest.advanceTimersByTimeAsync(10);
    expect(isStopped).toBe(false);
    end();
    await stopped;
  });

  it('begins anew when it is started again, with one timer', async () => {
    const { repeat, calls } = repeated();
    await jest.advanceTimersByTimeAsync(1000);
    repeat.start();
    expect(jest.getTimerCount()).toBe(1);
    await jest.advanceTimersByTimeAsync(1000);
    expect(calls.runs).toBe(2);
    await repeat.stop();
  });

  it('until success ends by itself after the first run that works', async () => {
    let failures = 2;
    const { repeat, calls } = repeated(async () => {
      if (failures-- > 0) throw new Error('down');
    }, true);
    await jest.advanceTimersByTimeAsync(60_000);
    expect([calls.runs, jest.getTimerCount(), repeat.isStarted]).toEqual([3, 0, false]);
  });
});

describe('a pause', () => {
  it.each([
    [0, 1000],
    [0.5, 875],
    [1, 750],
  ])('is shortened by the share that %p of the jitter is', (random, expected) => {
    expect(shortenPause(1000, 0.25, () => random)).toBe(expected);
  });
});

describe('a pause with a signal', () => {
  it('leaves no listener on the signal behind, however it ends', async () => {
    const stopping = new AbortController();
    await pause(1, stopping.signal);
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
    const cut = pause(1_000_000, stopping.signal);
    expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(1);
    stopping.abort();
    await cut;
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });
});

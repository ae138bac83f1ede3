import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from '../testing/test-clock.js';
import { Deadline } from './clock.js';

/** Lets time pass for the clock and for timers alike. */
function pass(clock: TestClock, ms: number): void {
  clock.advance(ms);
  jest.advanceTimersByTime(ms);
}

describe('a deadline', () => {
  const clock = new TestClock(0);
  const reached: number[] = [];
  const note = (): void => void reached.push(clock.now());

  beforeEach(() => {
    jest.useFakeTimers();
    clock.set(0);
    reached.length = 0;
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is reached once, at its moment', () => {
    new Deadline(clock).set(1000, note);
    pass(clock, 999);
    expect(reached).toEqual([]);
    pass(clock, 1);
    pass(clock, 5000);
    expect(reached).toEqual([1000]);
  });

  it('may lie further away than a timer can wait', () => {
    const days = 60 * 24 * 60 * 60 * 1000;
    new Deadline(clock).set(days, note);
    for (let day = 0; day < 60; day++) {
      expect(reached).toEqual([]);
      pass(clock, days / 60);
    }
    expect(reached).toEqual([days]);
  });

  it('goes by the clock where timers run ahead of it', () => {
    new Deadline(clock).set(1000, note);
    jest.advanceTimersByTime(1500);
    expect(reached).toEqual([]);
    clock.advance(1000);
    jest.advanceTimersByTime(1000);
    expect(reached).toEqual([1000]);
  });

  it('is replaced by the next one, and cleared', () => {
    const deadline = new Deadline(clock);
    deadline.set(1000, note);
    deadline.set(2000, note);
    pass(clock, 1500);
    expect(reached).toEqual([]);
    deadline.clear();
    pass(clock, 5000);
    expect(reached).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('that has passed already is reached as soon as possible, not within the call', () => {
    clock.set(5000);
    new Deadline(clock).set(1000, note);
    expect(reached).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(reached).toEqual([5000]);
  });

  it('does not keep the process alive', () => {
    jest.useRealTimers();
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const deadline = new Deadline(clock);
    deadline.set(60_000, note);
    const [made] = timers.mock.results;
    expect((made?.value as NodeJS.Timeout | undefined)?.hasRef()).toBe(false);
    deadline.clear();
    timers.mockRestore();
  });
});

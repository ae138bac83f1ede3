import { describe, expect, it } from '@jest/globals';
import { TestClock } from './test-clock.js';

describe('a test clock', () => {
  it('stands still until it is moved, forwards or back', () => {
    const clock = new TestClock(1000);
    expect([clock.now(), clock.now()]).toEqual([1000, 1000]);
    clock.advance(1);
    expect(clock.now()).toBe(1001);
    clock.advanceSeconds(2);
    expect(clock.now()).toBe(3001);
    clock.advance(-3000);
    expect(clock.now()).toBe(1);
    clock.set(42);
    expect(clock.now()).toBe(42);
  });

  it('starts at the present when nothing else is said', () => {
    const before = Date.now();
    const now = new TestClock().now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });
});

import { describe, expect, it } from '@jest/globals';
import { reconnectPauseMs } from './listening.js';

describe('the pause before a listener connects again', () => {
  it.each([
    ['lost', 1, 200],
    ['failed', 2, 400],
    ['failed', 6, 6400],
    ['failed', 7, 10_000],
    ['failed', 5000, 10_000],
    ['deaf', 1, 60_000],
  ] as const)('is after %s, failure %d: %d ms', (outcome, failures, pauseMs) => {
    expect(reconnectPauseMs(outcome, failures)).toBe(pauseMs);
  });
});

import { describe, expect, it } from '@jest/globals';
import { safeEqual } from './safe-equal.js';

const HASH = 'b7'.repeat(32);

describe('comparing secrets', () => {
  it.each([
    [HASH, HASH, true],
    ['é', 'é', true],
    [HASH, HASH.slice(1), false],
    [HASH, `${HASH}0`, false],
    [HASH, `${HASH.slice(1)}8`, false],
    [HASH, HASH.toUpperCase(), false],
    ['é', 'e', false],
    ['é', 'e\u0301', false],
  ])('tells equal from unequal, whatever the lengths: %j and %j', (a, b, outcome) => {
    expect(safeEqual(a, b)).toBe(outcome);
    expect(safeEqual(b, a)).toBe(outcome);
  });

  it.each(['', null, undefined])('finds nothing equal to %j, not even itself', (nothing) => {
    for (const other of ['', null, undefined, 'null', 'undefined', HASH]) {
      expect(safeEqual(nothing, other)).toBe(false);
      expect(safeEqual(other, nothing)).toBe(false);
    }
  });
});

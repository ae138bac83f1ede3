import { describe, expect, it, jest } from '@jest/globals';
import { NewestEntries } from './newest-entries.js';

describe('the newest entries of a map', () => {
  it('are kept up to the number, in place of the oldest', () => {
    const entries = new NewestEntries<number>(3);
    ['a', 'b', 'c', 'a', 'd'].forEach((key, index) => entries.add(key, index));
    expect(['a', 'b', 'c', 'd'].map((key) => entries.get(key))).toEqual([undefined, 1, 2, 4]);
    entries.add('a', 5);
    expect(['a', 'b', 'c', 'd'].map((key) => entries.get(key))).toEqual([5, undefined, 2, 4]);
  });

  it('take the same few steps when the number is reached, and never begin at the front of the map (S102)', () => {
    const entries = new NewestEntries<number>(1000);
    const spies = (['get', 'has', 'set', 'delete', 'keys', 'values', 'entries', 'forEach'] as const).map(
      (name) => jest.spyOn(Map.prototype, name),
    );
    try {
      const steps = (key: string): number[] => {
        for (const spy of spies) spy.mockClear();
        entries.add(key, 1);
        return spies.map((spy) => spy.mock.calls.length);
      };
      expect(steps('first')).toEqual([0, 1, 1, 0, 0, 0, 0, 0]);
      for (let n = 0; n < 2500; n++) entries.add(`flood-${n}`, n);
      expect(steps('one-more')).toEqual([0, 1, 1, 1, 0, 0, 0, 0]);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });
});

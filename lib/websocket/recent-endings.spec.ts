import { describe, expect, it } from '@jest/globals';
import { RecentEndings } from './recent-endings.js';

describe('the sessions that ended last', () => {
  it('are those since a moment, whatever ended before', () => {
    const endings = new RecentEndings(3);
    endings.add('a');
    const { mark } = endings;
    endings.add('b');
    expect(['a', 'b', 'c'].map((handle) => endings.includesSince(mark, handle))).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('are known as long as there is room, and unknown beyond: never taken for living', () => {
    const endings = new RecentEndings(3);
    const { mark } = endings;
    for (const handle of ['a', 'b', 'c']) endings.add(handle);
    expect(endings.includesSince(mark, 'a')).toBe(true);
    endings.add('d');
    expect(endings.includesSince(mark, 'a')).toBeUndefined();
    expect(endings.includesSince(endings.mark, 'd')).toBe(false);
  });
});

import { describe, expect, it, jest } from '@jest/globals';
import { RevocationLog } from './revocation-log.js';

describe('the sessions that ended last', () => {
  it('are those since a moment, whatever ended before', () => {
    const endings = new RevocationLog(3);
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
    const endings = new RevocationLog(3);
    const { mark } = endings;
    for (const handle of ['a', 'b', 'c']) endings.add(handle);
    expect(endings.includesSince(mark, 'a')).toBe(true);
    endings.add('d');
    expect(endings.includesSince(mark, 'a')).toBeUndefined();
    expect(endings.includesSince(endings.mark, 'd')).toBe(false);
  });

  it('are found in the same few steps when the log is full (S102)', () => {
    const endings = new RevocationLog(1000);
    const { mark } = endings;
    for (let n = 0; n < 1000; n++) endings.add(`session-${n}`);
    const get = jest.spyOn(Map.prototype, 'get');
    const steps = (work: () => unknown): number => {
      get.mockClear();
      work();
      return get.mock.calls.length;
    };
    try {
      expect(steps(() => endings.includesSince(mark, 'session-0'))).toBe(1);
      expect(steps(() => endings.includesSince(mark, 'another'))).toBe(1);
      expect(steps(() => endings.add('one-more'))).toBe(1);
    } finally {
      get.mockRestore();
    }
  });

  it('keep a session that ended twice for as long as its second end', () => {
    const endings = new RevocationLog(3);
    for (const handle of ['a', 'b', 'a', 'c', 'd']) endings.add(handle);
    expect(['a', 'b', 'c', 'd'].map((handle) => endings.includes(handle))).toEqual([true, false, true, true]);
    endings.add('e');
    expect(endings.includes('a')).toBe(false);
  });

  it('does not know about earlier work for a scope in which unknown sessions were revoked, and knows about other work', () => {
    const log = new RevocationLog();
    const of = (userId: string) => ({ userId, recipeUserId: userId, tenantId: 'public' });
    const { mark } = log;
    log.addUnknown({ includes: ({ userId }) => userId === 'ada' });
    expect([log.includesSince(mark, 'h'), log.includesSince(mark, 'h', of('ada'))]).toEqual([
      undefined,
      undefined,
    ]);
    expect(log.includesSince(mark, 'h', of('bob'))).toBe(false);
    expect(log.includesSince(log.mark, 'h', of('ada'))).toBe(false);
    for (let n = 0; n < 100; n++) log.addUnknown({ includes: () => false });
    expect(log.includesSince(mark, 'h', of('bob'))).toBeUndefined(); // the first scope is no longer kept
    expect(log.includesSince(mark + 1, 'h', of('bob'))).toBe(false);
  });

  it('does not know about earlier work once unknown sessions were revoked', () => {
    const log = new RevocationLog(3);
    const before = log.mark;
    log.add('known');
    log.addUnknown();
    expect(log.includesSince(before, 'known')).toBe(true);
    expect(log.includesSince(before, 'other')).toBeUndefined();
    expect(log.includesSince(log.mark, 'other')).toBe(false);
    for (const handle of ['a', 'b', 'c']) log.add(handle);
    expect([log.includes('known'), log.includes('a')]).toEqual([false, true]);
  });
});

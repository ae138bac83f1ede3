import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { CoreBadInputError } from '../errors.js';
import { TestClock } from '../testing/test-clock.js';
import { LiveSessions, MAX_LIVE_COUNTED } from './live-sessions.js';

function counted(response: () => number) {
  const limits: number[] = [];
  const clock = new TestClock(1_000_000);
  const core = {
    countSessions: async ({ limit }: { readonly limit: number }) => {
      limits.push(limit);
      return { count: response(), next: undefined };
    },
  };
  const sessions = new LiveSessions(core, clock);
  const ask = async (): Promise<number | undefined> => {
    const { count } = sessions;
    await nextTurn();
    return count;
  };
  return { limits, clock, ask };
}

describe('the number of live sessions', () => {
  it('is counted when it is asked for, once a minute at most, and to a limit', async () => {
    let now = 3;
    const { limits, clock, ask } = counted(() => now);
    expect(await ask()).toBeUndefined();
    now = 4;
    expect([await ask(), await ask()]).toEqual([3, 3]);
    expect(limits).toEqual([MAX_LIVE_COUNTED]);
    clock.advanceSeconds(60);
    expect([await ask(), await ask()]).toEqual([3, 4]);
    expect(limits).toHaveLength(2);
  });

  it('is not shown any more when it is old, while the store is away', async () => {
    let isAway = false;
    const { clock, ask } = counted(() => {
      if (isAway) throw new Error('away');
      return 3;
    });
    await ask();
    isAway = true;
    clock.advanceSeconds(299);
    expect(await ask()).toBe(3);
    clock.advanceSeconds(1);
    expect(await ask()).toBeUndefined();
  });

  it('is unknown for a core that cannot count', async () => {
    const { ask } = counted(() => {
      throw new CoreBadInputError('This core cannot');
    });
    expect([await ask(), await ask()]).toEqual([undefined, undefined]);
  });
});

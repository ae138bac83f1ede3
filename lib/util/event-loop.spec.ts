import { describe, expect, it } from '@jest/globals';
import type { EventLoopUtilization } from 'node:perf_hooks';
import { EventLoop } from './event-loop.js';

/** A loop whose work and rest the test decides. */
function loopWithLoad(): { loop: EventLoop; pass: (idle: number, active: number) => void } {
  let [idle, active] = [0, 0];
  const loop = new EventLoop((now?: EventLoopUtilization, before?: EventLoopUtilization) => {
    const [rest, work] =
      now && before ? [now.idle - before.idle, now.active - before.active] : [idle, active];
    return { idle: rest, active: work, utilization: work === 0 ? 0 : work / (rest + work) };
  });
  return { loop, pass: (rest, work) => ([idle, active] = [idle + rest, active + work]) };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the event loop', () => {
  it('has time for one computation in each turn, however many are asked for', async () => {
    const { loop } = loopWithLoad();
    for (let turn = 0; turn < 3; turn++) {
      const taken = Array.from({ length: 100 }, () => loop.takeTurn());
      expect(taken.filter(Boolean)).toHaveLength(1);
      await nextTurn();
    }
  });

  it('has no time while it is busy, and has time again afterwards', async () => {
    const { loop, pass } = loopWithLoad();
    pass(10, 15);
    expect([loop.isBusy, loop.takeTurn()]).toEqual([true, false]);
    pass(20, 5);
    expect([loop.isBusy, loop.takeTurn()]).toEqual([false, true]);
    await nextTurn();
    pass(0, 1000);
    expect(loop.takeTurn()).toBe(false);
  });

  it('keeps its verdict until there is enough to judge by', () => {
    const { loop, pass } = loopWithLoad();
    pass(0, 19);
    expect(loop.isBusy).toBe(false);
    pass(0, 1);
    expect(loop.isBusy).toBe(true);
    pass(19, 0);
    expect(loop.isBusy).toBe(true);
  });
});

import { describe, expect, it, jest } from '@jest/globals';
import { DeferredDelivery } from './deferred-delivery.js';

function newDelivery({ maxWaiting, listen }: { maxWaiting?: number; listen?: (item: number) => void } = {}) {
  const heard: number[] = [];
  const losses: number[] = [];
  const delivery = new DeferredDelivery<number>(
    (item) => {
      heard.push(item);
      listen?.(item);
    },
    (lost) => losses.push(lost),
    maxWaiting,
  );
  return { delivery, heard, losses };
}

/** Keeps the only thread busy. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('delivering later (S105)', () => {
  it('lets whoever adds something go on first', async () => {
    const { delivery, heard } = newDelivery();
    delivery.add(1);
    await Promise.resolve();
    expect(heard).toEqual([]);
    await delivery.drained();
    expect(heard).toEqual([1]);
  });

  it('keeps the order, also of what is added meanwhile', async () => {
    const { delivery, heard } = newDelivery({ listen: (item) => item === 1 && delivery.add(9) });
    for (const item of [1, 2, 3]) delivery.add(item);
    await delivery.drained();
    expect(heard).toEqual([1, 2, 3, 9]);
  });

  it('gives everything else a turn between slow listeners', async () => {
    const { delivery, heard } = newDelivery({ listen: () => work(10) });
    for (const item of [1, 2, 3]) delivery.add(item);
    const heardAtEachTurn: number[] = [];
    while (heard.length < 3) {
      await new Promise((resolve) => setImmediate(resolve));
      heardAtEachTurn.push(heard.length);
    }
    expect(heardAtEachTurn).toEqual([1, 2, 3]);
  });

  it('moves each waiting item a few times at most, however many wait and however slow the listeners are (S102)', async () => {
    const { delivery, heard } = newDelivery();
    const now = jest.spyOn(performance, 'now');
    let ms = 0;
    now.mockImplementation(() => (ms += 10)); // one item for each turn
    const copied = jest.spyOn(Array.prototype, 'slice');
    try {
      for (let item = 0; item < 1000; item++) delivery.add(item);
      await delivery.drained();
      const moved = copied.mock.results.reduce((sum, { value }) => sum + (value as unknown[]).length, 0);
      expect(heard).toEqual(Array.from({ length: 1000 }, (_, item) => item));
      expect(moved).toBeLessThan(3000);
    } finally {
      now.mockRestore();
      copied.mockRestore();
    }
  });

  it('loses nothing at the end', () => {
    const { delivery, heard } = newDelivery();
    for (let i = 0; i < 1000; i++) delivery.add(i);
    delivery.drainNow();
    expect(heard.length).toBe(1000);
  });

  it('is bounded, and says how much it dropped', async () => {
    const { delivery, heard, losses } = newDelivery({ maxWaiting: 3 });
    for (const item of [1, 2, 3, 4, 5]) delivery.add(item);
    await delivery.drained();
    expect(heard).toEqual([1, 2, 3]);
    expect(losses).toEqual([2]);
    delivery.add(6);
    await delivery.drained();
    expect(heard).toEqual([1, 2, 3, 6]);
    expect(losses).toEqual([2]);
  });

  it('waits for nothing when there is nothing', async () => {
    const { delivery, heard } = newDelivery();
    await delivery.drained();
    expect(heard).toEqual([]);
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CoreUnavailableError } from '../errors.js';
import { KeyedMutex } from './keyed-mutex.js';

describe('work one at a time', () => {
  it('runs in the order of the calls, one key after the other', async () => {
    const queue = new KeyedMutex();
    const log: string[] = [];
    const step = (key: string, name: string) =>
      queue.run(key, async () => {
        log.push(`${name} begins`);
        await Promise.resolve();
        log.push(`${name} ends`);
        return name;
      });
    expect(await Promise.all([step('a', 'a1'), step('a', 'a2'), step('b', 'b1')])).toEqual([
      'a1',
      'a2',
      'b1',
    ]);
    expect(log.filter((line) => line.startsWith('a'))).toEqual([
      'a1 begins',
      'a1 ends',
      'a2 begins',
      'a2 ends',
    ]);
    expect(log.indexOf('b1 begins')).toBeLessThan(log.indexOf('a2 begins'));
  });

  it('goes on after a failure, which only its own caller sees', async () => {
    const queue = new KeyedMutex();
    const failing = queue.run('a', () => Promise.reject(new Error('no')));
    const next = queue.run('a', () => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('starts at once when nothing runs any more', async () => {
    const queue = new KeyedMutex();
    await queue.run('a', () => Promise.resolve());
    expect(Reflect.get(queue, 'last')).toEqual(new Map());
  });
});

describe('work one at a time within limits', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const never = () => new Promise<never>(() => {});
  const quick = () => Promise.resolve('done');

  it('waits so long for work that does not end, from the call on, and then begins all the same', async () => {
    const queue = new KeyedMutex({ waitMs: 5000, waiting: 10 });
    void queue.run('a', never);
    const begun: number[] = [];
    const later = Array.from({ length: 5 }, async (_, index) =>
      queue.run('a', async () => {
        begun.push(index);
        return index < 4 ? never() : quick();
      }),
    );
    await jest.advanceTimersByTimeAsync(4999);
    expect(begun).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    expect(await later[4]).toBe('done');
    expect(await queue.run('a', quick)).toBe('done');
    expect(jest.getTimerCount()).toBe(0);
    expect(Reflect.get(queue, 'last')).toEqual(new Map());
    expect(Reflect.get(queue, 'waiting')).toEqual(new Map());
  });

  it('refuses work beyond so many that wait for one key, and takes it again when there is room', async () => {
    const queue = new KeyedMutex({ waitMs: 5000, waiting: 2 });
    void queue.run('a', never);
    const waiting = [queue.run('a', quick), queue.run('a', quick)];
    await expect(queue.run('a', quick)).rejects.toThrow(CoreUnavailableError);
    expect(await queue.run('b', quick)).toBe('done');
    await jest.advanceTimersByTimeAsync(5000);
    expect(await Promise.all([...waiting, queue.run('a', quick)])).toEqual(['done', 'done', 'done']);
  });
});

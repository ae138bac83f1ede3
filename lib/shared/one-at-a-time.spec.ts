import { describe, expect, it } from '@jest/globals';
import { OneAtATime } from './one-at-a-time.js';

describe('work one at a time', () => {
  it('runs in the order of the calls, one key after the other', async () => {
    const queue = new OneAtATime();
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
    const queue = new OneAtATime();
    const failing = queue.run('a', () => Promise.reject(new Error('no')));
    const next = queue.run('a', () => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('starts at once when nothing runs any more', async () => {
    const queue = new OneAtATime();
    await queue.run('a', () => Promise.resolve());
    expect(Reflect.get(queue, 'last')).toEqual(new Map());
  });
});

import { describe, expect, it } from '@jest/globals';
import { SingleFlight, type SingleFlightOptions } from './single-flight.js';

function flight(options?: SingleFlightOptions) {
  const ends: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const given: string[] = [];
  const single = new SingleFlight(async (text: string) => {
    given.push(text);
    return new Promise<string>((resolve, reject) => ends.push({ resolve, reject }));
  }, options);
  return { single, ends, given };
}

describe('a single flight', () => {
  it('is shared by callers that come while it runs', async () => {
    const { single, ends, given } = flight();
    const results = [single.run('first'), single.run('second')];
    expect(single.isRunning).toBe(true);
    ends[0]?.resolve('done');
    expect(await Promise.all(results)).toEqual(['done', 'done']);
    expect(given).toEqual(['first']);
  });

  it.each([
    { ending: 'success', end: 'resolve' as const },
    { ending: 'failure', end: 'reject' as const },
  ])('is over for each caller that continues after its $ending', async ({ end }) => {
    const { single, ends, given } = flight();
    const seen = single.run('first').then(
      () => single.isRunning,
      () => single.isRunning,
    );
    if (end === 'resolve') ends[0]?.resolve('done');
    else ends[0]?.reject(new Error('down'));
    expect(await seen).toBe(false);
    const again = single.run('again');
    ends[1]?.resolve('done again');
    expect(await again).toBe('done again');
    expect(given).toEqual(['first', 'again']);
  });

  it('keeps its value where that is wanted, but never a failure', async () => {
    const { single, ends, given } = flight({ keepsValue: true });
    const failed = single.run('first');
    ends[0]?.reject(new Error('down'));
    await expect(failed).rejects.toThrow('down');
    const worked = single.run('second');
    ends[1]?.resolve('kept');
    expect(await worked).toBe('kept');
    expect(await single.run('third')).toBe('kept');
    expect([given, single.isRunning]).toEqual([['first', 'second'], false]);
  });

  it('that is forgotten goes on beside the next one, and does not change it', async () => {
    const { single, ends, given } = flight({ keepsValue: true });
    const old = single.run('old');
    single.forget();
    expect([single.current, single.isRunning]).toEqual([undefined, false]);
    const next = single.run('next');
    ends[0]?.resolve('of the old one');
    expect(await old).toBe('of the old one');
    expect([single.current, single.isRunning]).toEqual([next, true]);
    ends[1]?.resolve('of the next one');
    expect([await next, await single.run('third')]).toEqual(['of the next one', 'of the next one']);
    expect(given).toEqual(['old', 'next']);
  });

  it('can be waited for without its outcome', async () => {
    const { single, ends } = flight();
    await single.settle();
    const failed = single.run('first');
    const settled = single.settle();
    ends[0]?.reject(new Error('down'));
    await expect(failed).rejects.toThrow('down');
    await expect(settled).resolves.toBeUndefined();
  });
});

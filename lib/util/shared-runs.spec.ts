import { describe, expect, it } from '@jest/globals';
import { SharedRuns } from './shared-runs.js';

describe('shared runs', () => {
  it('are one for all who ask at the same time (S102)', async () => {
    const runs = new SharedRuns<number>();
    let count = 0;
    const asked = Array.from({ length: 1000 }, () => runs.run('a', async () => ++count));
    expect(new Set(await Promise.all(asked))).toEqual(new Set([1]));
    expect(await runs.run('a', async () => ++count)).toBe(2);
  });

  it('never serve a question that came after they began (S045)', async () => {
    const runs = new SharedRuns<boolean>();
    let isLive = true;
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const early = runs.run('a', async () => {
      const seen = isLive;
      begin();
      await finished;
      return seen;
    });
    await begun;
    isLive = false;
    const late = Array.from({ length: 10 }, () => runs.run('a', async () => isLive));
    finish();
    expect(await early).toBe(true);
    expect(new Set(await Promise.all(late))).toEqual(new Set([false]));
  });

  it('go on after a failure, which reaches those who shared it, and keep apart what differs', async () => {
    const runs = new SharedRuns<string>();
    const failing = [1, 2].map(async () =>
      runs.run('a', async () => {
        throw new Error('the core is away');
      }),
    );
    const other = runs.run('b', async () => 'b');
    const results = await Promise.allSettled([...failing, other]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(await runs.run('a', async () => 'again')).toBe('again');
  });
});

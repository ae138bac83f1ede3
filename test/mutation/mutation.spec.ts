import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { glob } from 'tinyglobby';
import { execute, TestTimeout, type Test } from './execution.mjs';
import { GROUPS } from './groups.mjs';
import { explanationOf, SURVIVORS } from './survivors.mjs';

type Block = Test['blocks'][number];

function blockWith(hooks: Record<string, () => unknown>): Block {
  return { hooks: Object.entries(hooks).map(([type, fn]) => ({ type, fn })) };
}

function testOf(name: string, blocks: readonly Block[], fn: () => unknown): Test {
  return { id: name, name, file: 'x.spec.ts', definition: { fn }, blocks };
}

/** The patterns that a pattern with braces stands for. */
function alternatives(pattern: string): string[] {
  const [, start = '', inner, end = ''] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(pattern) ?? [];
  return inner === undefined ? [pattern] : inner.split(',').map((each) => start + each + end);
}

describe('the groups of mutants', () => {
  it.each(Object.entries(GROUPS).map(([name, group]) => ({ name, ...group })))(
    'name code and tests that are there: $name',
    async ({ mutate, specs }) => {
      const patterns = [...mutate, ...specs].filter((each) => !each.startsWith('!')).flatMap(alternatives);
      for (const pattern of patterns)
        expect([pattern, (await glob([pattern])).length > 0]).toEqual([pattern, true]);
    },
  );

  it('leave no mutant unexplained whose code has changed since', () => {
    const stale = SURVIVORS.filter(({ file, code }) => !readFileSync(file, 'utf8').includes(code));
    expect(stale).toEqual([]);
    for (const { file, code, to, why } of SURVIVORS) {
      expect(why.length).toBeGreaterThan(10);
      expect(explanationOf(file, code, to === undefined ? {} : { replacement: to })).toBeDefined();
    }
  });
});

describe('tests outside of Jest', () => {
  it('run between their hooks, each block once', async () => {
    const order: string[] = [];
    const note = (text: string) => () => order.push(text);
    const outer = blockWith({ beforeAll: note('all'), beforeEach: note('each'), afterAll: note('end') });
    const inner = blockWith({ beforeAll: note('inner'), afterEach: note('after') });
    const tests = [
      testOf('1', [outer], note('1')),
      testOf('2', [outer, inner], note('2')),
      testOf('3', [outer, inner], note('3')),
      testOf('4', [outer], note('4')),
    ];
    await expect(execute(tests, { limitMs: () => 1000 })).resolves.toBeUndefined();
    expect(order.join(' ')).toBe('all each 1 inner each 2 after each 3 after each 4 end');
  });

  it('stop at the first failure, after its hooks', async () => {
    const order: string[] = [];
    const block = blockWith({ afterEach: () => order.push('after'), afterAll: () => order.push('end') });
    const error = new Error('no');
    const failing = testOf('1', [block], async () => Promise.reject(error));
    const failure = await execute([failing, testOf('2', [block], () => order.push('2'))], {
      limitMs: () => 1000,
    });
    expect(failure).toEqual({ test: failing, error });
    expect(order).toEqual(['after', 'end']);
  });

  it('fail when they do not end, and when a hook fails', async () => {
    const endless = testOf('1', [], async () => new Promise<void>(() => {}));
    expect((await execute([endless], { limitMs: () => 1 }))?.error).toBeInstanceOf(TestTimeout);
    const error = new Error('no');
    const block = blockWith({
      beforeAll: () => {
        throw error;
      },
    });
    const behind = testOf('2', [block], () => {});
    await expect(execute([behind], { limitMs: () => 1000 })).resolves.toEqual({ test: behind, error });
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { hits } from './coverage.js';
import { failureOf, fuzz } from './fuzzer.js';
import { BrokenProperty, must, parsedOr, type FuzzTarget } from './target.js';
import { FUZZ_TARGETS } from './targets.js';

const corpusOf = (name: string): string[] =>
  JSON.parse(readFileSync(`test/fuzz/corpus/${name}.json`, 'utf8')) as string[];

describe('the inputs that the fuzzer has found', () => {
  it.each(FUZZ_TARGETS.map((target) => ({ name: target.name, target })))(
    'break no property of $name',
    async ({ name, target }) => {
      const faults: unknown[] = [];
      for (const input of [...target.seeds, ...corpusOf(name)]) {
        const error = await failureOf(target, input);
        if (error !== undefined) faults.push({ input, error });
      }
      expect(faults).toEqual([]);
    },
    60_000,
  );

  it('are kept for these targets', () => {
    const kept = readdirSync('test/fuzz/corpus').map((file) => file.replace('.json', ''));
    expect(kept.sort()).toEqual(FUZZ_TARGETS.map(({ name }) => name).sort());
  });
});

describe('the fuzzer', () => {
  const options = { seconds: 60, seed: 1, corpus: [], words: ['word'], counters: 8, runsBetweenPumps: 50 };
  const search = (run: FuzzTarget['run']) => fuzz({ name: 'toy', seeds: ['aaaa'], run }, options);

  it('finds step by step what no single change reaches, and leaves out what does not matter', async () => {
    const { fault, executions } = await search((input) => {
      let matched = 0;
      for (const [i, letter] of ['{', '"'].entries()) {
        if (input[i] !== letter) break;
        matched = i + 1;
        hits[matched] = 1;
      }
      must(matched < 2, 'nobody says so');
    });
    expect(fault?.error).toEqual(new BrokenProperty('nobody says so'));
    expect(fault?.input).toBe('{"');
    expect(executions).toBeGreaterThan(10);
  });

  it('finds an input whose time grows with the square of its length', async () => {
    const { fault } = await search((input) => {
      let steps = 0;
      for (let i = 0; i < input.length; i += 6) for (let j = 0; j < input.length; j += 6) steps++;
      must(steps >= 0, 'this is only work');
    });
    expect(String(fault?.error)).toMatch(/the time grows with the length|a run takes/);
  });

  it('finds a changed prototype', async () => {
    const { fault } = await search((input) => {
      if (input.length > 8) Reflect.set(Object.prototype, 'polluted', 1);
    });
    Reflect.deleteProperty(Object.prototype, 'polluted');
    expect(fault?.error).toEqual(new BrokenProperty('no input changes a prototype'));
  });

  it('takes a documented refusal for none, unless it repeats a secret of the input', () => {
    const refuse = (message: string) => () =>
      parsedOr([TypeError], 'token=abcdef0123456789abcdef', () => {
        throw new TypeError(message);
      });
    expect(refuse('the token is malformed')()).toBeUndefined();
    expect(refuse('abcdef0123456789abcdef is malformed')).toThrow(BrokenProperty);
    expect(() => parsedOr([TypeError], '', () => JSON.parse('{') as unknown)).toThrow(SyntaxError);
  });
});

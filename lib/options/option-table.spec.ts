import { describe, expect, it } from '@jest/globals';
import type { ConfigProblem } from './config-error.js';
import { callback, oneOf, secret, text, wholeNumber } from './option-checks.js';
import { defaultsOf, group, option, readOptions, required } from './option-table.js';

const TABLE = {
  url: required(
    text((address) => address),
    'give an address',
  ),
  retries: option(wholeNumber(0, 9), 3),
  mode: option(oneOf('fast', 'safe')),
  password: option(secret(wholeNumber(1000, 9999))),
  onRetry: option(callback<() => unknown>()),
};

function read(options: Readonly<Record<string, unknown>>) {
  const problems: ConfigProblem[] = [];
  return { options: readOptions(TABLE, options, problems, 'remote.'), problems };
}

describe('a table of options', () => {
  it('fills in the defaults', () => {
    expect(read({ url: 'x', retries: undefined })).toEqual({
      options: { url: 'x', retries: 3 },
      problems: [],
    });
    expect(defaultsOf({ retries: TABLE.retries, mode: TABLE.mode })).toEqual({ retries: 3 });
  });

  it('reports every problem at once, each with its path', () => {
    const { options, problems } = read({ retries: 10, mode: 'slow', retrie: 1 });
    expect(problems).toEqual([
      { path: 'remote.retrie', message: 'there is no such option; did you mean retries?' },
      { path: 'remote.url', message: 'is missing: give an address' },
      { path: 'remote.retries', message: '10 does not work: a whole number from 0 to 9 is expected' },
      { path: 'remote.mode', message: '"slow" does not work: accepted are fast, safe' },
    ]);
    expect(options).toEqual({ retries: 3 });
  });

  it('does not show a secret in a message', () => {
    expect(read({ url: 'x', password: 'hunter22' }).problems).toEqual([
      { path: 'remote.password', message: 'a whole number from 1000 to 9999 is expected' },
    ]);
  });

  it('binds functions to the object that they stand in, so that a class can hold options', () => {
    class Options {
      readonly url = 'x';
      readonly limit = 5;
      onRetry(): number {
        return this.limit;
      }
    }
    const source = new Options() as unknown as Readonly<Record<string, unknown>>;
    expect(readOptions({ onRetry: TABLE.onRetry }, source, []).onRetry?.()).toBe(5);
  });

  it('may stand in an option; the result is undefined when a required option lacks', () => {
    const outer = { remote: option(group(TABLE, 'an object with url')) };
    const problems: ConfigProblem[] = [];
    expect(readOptions(outer, { remote: { url: 'x' } }, problems).remote).toMatchObject({ url: 'x' });
    expect(problems).toEqual([]);
    expect(readOptions(outer, { remote: { retries: 1 } }, problems).remote).toBeUndefined();
    expect(readOptions(outer, { remote: [] }, problems).remote).toBeUndefined();
    expect(problems).toEqual([
      { path: 'remote.url', message: 'is missing: give an address' },
      { path: 'remote', message: 'an array does not work: an object with url is expected' },
    ]);
  });
});

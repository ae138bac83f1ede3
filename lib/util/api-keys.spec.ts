import { describe, expect, it } from '@jest/globals';
import { ApiKeys, presentedApiKey } from './api-keys.js';
import { isAcceptableApiKey } from './api-key.js';

const KEY = 'a-key-of-more-than-20-characters';

function keyIn(headers: Readonly<Record<string, string>>): string | undefined {
  return presentedApiKey((name) => headers[name]);
}

describe('API keys', () => {
  it.each([
    [{}, undefined],
    [{ 'api-key': ` ${KEY} ` }, KEY],
    [{ authorization: KEY }, KEY],
    [{ authorization: `Bearer ${KEY}` }, KEY],
    [{ authorization: `bEaReR   ${KEY}` }, KEY],
    [{ 'api-key': 'first', authorization: KEY }, 'first'],
    [{ 'api-key': '', authorization: KEY }, ''],
  ])('are read from %j (C145)', (headers, key) => {
    expect(keyIn(headers)).toBe(key);
  });

  it('open to any of them and to nothing else (C144)', () => {
    const keys = new ApiKeys([KEY, `${KEY}-two`]);
    expect([KEY, `${KEY}-two`].map((key) => keys.accepts(key))).toEqual([true, true]);
    expect([undefined, '', KEY.slice(1), `${KEY}-`, `${KEY}-two `].map((key) => keys.accepts(key))).toEqual(
      Array.from({ length: 5 }, () => false),
    );
  });

  it('leave open what has none', () => {
    expect(new ApiKeys([]).accepts(undefined)).toBe(true);
  });

  it.each([
    [KEY, true],
    ['0123456789=-abcdEFGH', true],
    ['0123456789abcdefghi', false],
    ['0123456789_abcdefghij', false],
    ['0123456789 abcdefghij', false],
    ['0123456789abcdefghij\n', false],
  ])('of the form %j are acceptable: %j', (key, isAcceptable) => {
    expect(isAcceptableApiKey(key)).toBe(isAcceptable);
  });
});

import { describe, expect, it } from '@jest/globals';
import { appendToHeaderList } from './header-list.js';

describe('adding to a header list', () => {
  it.each([
    ['nothing', [], ['front-token'], 'front-token'],
    ['an empty value', [''], ['front-token'], 'front-token'],
    [
      "the application's items, kept in front (T35)",
      ['customValue'],
      ['front-token', 'anti-csrf'],
      'customValue, front-token, anti-csrf',
    ],
    [
      'a longer name that holds ours (Q5)',
      ['my-front-token-x'],
      ['front-token'],
      'my-front-token-x, front-token',
    ],
    ['the item in another letter case', ['X,Front-Token'], ['front-token'], 'X,Front-Token'],
    ['several lines', ['a', 'b'], ['c'], 'a, b, c'],
    ['all items', ['Cookie,  Authorization'], ['Cookie', 'Authorization'], 'Cookie,  Authorization'],
  ])('to %s', (_case, existing, items, expected) => {
    expect(appendToHeaderList(existing, items)).toBe(expected);
  });
});

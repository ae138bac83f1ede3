import { describe, expect, it } from '@jest/globals';
import { applyChange, changeBetween, type JsonObject } from './json.js';

describe('a change of names', () => {
  it.each<[string, JsonObject, JsonObject, string[], JsonObject]>([
    ['nothing', { a: 1 }, { a: 1 }, [], { a: 'stored', b: 'stored' }],
    ['a name that differs', { a: 1 }, { a: 2 }, [], { a: 2, b: 'stored' }],
    ['a name that is gone', { a: 1 }, {}, [], { b: 'stored' }],
    ['a name that is new, with the value null', {}, { c: null }, [], { a: 'stored', b: 'stored', c: null }],
    ['a name that was given, although it is the same', { a: 1 }, { a: 1 }, ['a'], { a: 1, b: 'stored' }],
    ['a name that was given, although neither has it', {}, {}, ['b'], { a: 'stored' }],
  ])('does to a third object what leads from one to another: %s', (_name, from, to, always, expected) => {
    expect(applyChange({ a: 'stored', b: 'stored' }, changeBetween(from, to, always))).toEqual(expected);
  });

  it('takes a name like any other, whatever JavaScript means by it', () => {
    const to = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}') as JsonObject;
    const changed = applyChange({}, changeBetween({}, to, ['toString']));
    expect(JSON.stringify(changed)).toBe('{"__proto__":{"isAdmin":true},"constructor":1}');
    expect(changed['isAdmin']).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import { deepFreeze } from '../util/json.js';
import type { JsonObject } from '../util/json.js';
import { TestClock } from '../testing/test-clock.js';
import { PrimitiveArrayClaim } from './primitive-array-claim.js';

const NOW = 1_700_000_000_000;
const claim = new PrimitiveArrayClaim<string>({
  key: 'roles',
  fetchValue: () => ['a'],
  clock: new TestClock(NOW),
});
const { includes, excludes, includesAll, includesAny, excludesAll } = claim.validators;

function stored(v: string[], ageInSeconds = 0): JsonObject {
  return deepFreeze({ roles: { v, t: NOW - ageInSeconds * 1000 } });
}

describe('the checks of a list (T226, Q7)', () => {
  it.each([
    ['includes', includes('a'), 'expectedToInclude', 'a', [['a'], ['b', 'a']], [[], ['b']]],
    ['excludes', excludes('a'), 'expectedToNotInclude', 'a', [[], ['b']], [['a'], ['b', 'a']]],
    [
      'includesAll',
      includesAll(['a', 'b']),
      'expectedToInclude',
      ['a', 'b'],
      [['b', 'a', 'c']],
      [[], ['a'], ['c']],
    ],
    [
      'includesAny',
      includesAny(['a', 'b']),
      'expectedToIncludeAtLeastOneOf',
      ['a', 'b'],
      [['b'], ['a', 'c']],
      [[], ['c']],
    ],
    [
      'excludesAll',
      excludesAll(['a', 'b']),
      'expectedToNotInclude',
      ['a', 'b'],
      [[], ['c']],
      [['a'], ['c', 'b']],
    ],
  ])('%s', (_name, validator, expectation, expected, passing, failing) => {
    for (const value of passing) expect(validator.validate(stored(value), {})).toEqual({ isValid: true });
    for (const value of failing) {
      expect(validator.shouldRefetch?.(stored(value), {})).toBe(false);
      expect(validator.validate(stored(value), {})).toStrictEqual({
        isValid: false,
        reason: { message: 'wrong value', [expectation]: expected, actualValue: value },
      });
    }
    expect(validator.shouldRefetch?.({}, {})).toBe(true);
    expect(validator.validate({}, {})).toStrictEqual({
      isValid: false,
      reason: { message: 'value does not exist', [expectation]: expected, actualValue: undefined },
    });
  });

  it.each([
    ['includesAll', true, includesAll([])],
    ['excludesAll', true, excludesAll([])],
    ['includesAny', false, includesAny([])],
  ])('%s of nothing is %s on any list', (_name, isValid, validator) => {
    expect(validator.validate(stored([]), {})).toMatchObject({ isValid });
    expect(validator.validate(stored(['x']), {})).toMatchObject({ isValid });
  });

  it.each([
    ['includes', includes('a', 10, 'my-id')],
    ['excludes', excludes('a', 10, 'my-id')],
    ['includesAll', includesAll(['a'], 10, 'my-id')],
    ['includesAny', includesAny(['a'], 10, 'my-id')],
    ['excludesAll', excludesAll(['a'], 10, 'my-id')],
  ])('%s takes a max age and an id (T227)', (_name, validator) => {
    expect(validator.id).toBe('my-id');
    expect(validator.shouldRefetch?.(stored(['a'], 11), {})).toBe(true);
    expect(validator.validate(stored(['a'], 11), {})).toEqual({
      isValid: false,
      reason: { message: 'expired', ageInSeconds: 11, maxAgeInSeconds: 10 },
    });
  });
});

describe('a list in the payload', () => {
  it('is a copy of what was fetched', () => {
    const roles = ['a'];
    const payload = claim.addToPayload_internal({}, roles, {});
    roles.push('admin');
    expect(payload).toEqual({ roles: { v: ['a'], t: NOW } });
  });

  it.each([['admin'], [{ length: 1 }], [[['admin']]], [null]])(
    '%j in its place counts as absent: text that contains a role must not pass for a list',
    (v) => {
      const payload = { roles: { v, t: NOW } } as JsonObject;
      expect(claim.getValueFromPayload(payload, {})).toBeUndefined();
      expect(includes('a').validate(payload, {})).toMatchObject({
        reason: { message: 'value does not exist' },
      });
      expect(excludes('x').validate(payload, {})).toMatchObject({ isValid: false });
    },
  );
});

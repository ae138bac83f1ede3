import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../util/json.js';
import { deepFreeze } from '../util/json.js';
import { TestClock } from '../testing/test-clock.js';
import type { ClaimValidationResult, SessionClaimValidator } from './claim-validator.js';
import { allOf, anyOf, not } from './compose-validators.js';
import { PrimitiveArrayClaim } from './primitive-array-claim.js';
import { PrimitiveClaim } from './primitive-claim.js';
import { validateClaims } from './validate-claims.js';

const NOW = 1_700_000_000_000;
const clock = new TestClock(NOW);

const yes: SessionClaimValidator = { id: 'yes', validate: () => ({ isValid: true }) };
const no: SessionClaimValidator = {
  id: 'no',
  validate: () => Promise.resolve({ isValid: false, reason: 'no' }),
};
const silent: SessionClaimValidator = { id: 'silent', validate: () => ({ isValid: false }) };
const missing = failing('missing', { message: 'value does not exist' });
const expired = failing('expired', { message: 'expired', ageInSeconds: 2 });
const odd = { id: 'odd', validate: () => undefined as unknown as ClaimValidationResult };

function failing(id: string, reason: unknown): SessionClaimValidator {
  return { id, validate: () => ({ isValid: false, reason }) };
}

function check(accessTokenPayload: JsonObject, ...claimValidators: SessionClaimValidator[]) {
  return validateClaims({
    userId: 'u',
    recipeUserId: 'u',
    accessTokenPayload: deepFreeze(accessTokenPayload),
    claimValidators,
    userContext: {},
  });
}

describe('anyOf', () => {
  it.each([
    [[yes], true],
    [[no, yes], true],
    [[no], false],
    [[no, silent], false],
    [[missing, yes], true],
  ])('of %j is %s', async (validators, isValid) => {
    const result = await anyOf('any', ...validators).validate({}, {});
    expect(result.isValid).toBe(isValid);
  });

  it('says why each alternative failed', async () => {
    await expect(check({}, anyOf('any', no, silent))).resolves.toStrictEqual({
      invalidClaims: [
        {
          id: 'any',
          reason: {
            message: 'none of the alternatives is valid',
            failed: [{ id: 'no', reason: 'no' }, { id: 'silent' }],
          },
        },
      ],
    });
  });
});

describe('allOf', () => {
  it.each([
    [[yes], true],
    [[yes, yes], true],
    [[yes, no], false],
    [[missing, yes], false],
  ])('of %j is %s', async (validators, isValid) => {
    const result = await allOf('all', ...validators).validate({}, {});
    expect(result.isValid).toBe(isValid);
  });

  it('lists every failure, not only the first', async () => {
    await expect(allOf('all', no, yes, silent).validate({}, {})).resolves.toStrictEqual({
      isValid: false,
      reason: {
        message: 'not all conditions are valid',
        failed: [{ id: 'no', reason: 'no' }, { id: 'silent' }],
      },
    });
  });
});

describe('not', () => {
  it.each([
    ['a wrong value', no, true],
    ['a failure without a reason', silent, true],
    ['a valid one', yes, false],
    ['a missing value', missing, false],
    ['an expired value', expired, false],
    ['alternatives that are all otherwise', anyOf('x', no, silent), true],
    ['alternatives of which one is unknown', anyOf('x', no, missing), false],
    ['conditions of which one is otherwise', allOf('x', no, missing), true],
    ['conditions that are all unknown', allOf('x', expired, missing), false],
    ['the negation of a wrong value', not('x', no), false],
    ['the negation of a valid one', not('x', yes), true],
    ['the negation of a missing value', not('x', missing), false],
  ])('of %s', async (_title, validator, isValid) => {
    const result = await not('not', validator).validate({}, {});
    expect(result.isValid).toBe(isValid);
  });

  it('says which condition it did not want, without values', async () => {
    await expect(not('not', yes).validate({}, {})).resolves.toStrictEqual({
      isValid: false,
      reason: { message: 'the opposite is valid', id: 'yes' },
    });
  });

  it('does not take an unknown value for a harmless one, and says so', async () => {
    const banned = new PrimitiveClaim<boolean>({ key: 'banned', fetchValue: () => undefined, clock });
    const result = await check({}, not('not-banned', banned.validators.hasValue(true)));
    expect(result.invalidClaims).toEqual([
      {
        id: 'not-banned',
        reason: { message: 'value does not exist', expectedValue: true, actualValue: undefined },
      },
    ]);
  });
});

describe('composed validators', () => {
  const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro', clock });
  const roles = new PrimitiveArrayClaim<string>({ key: 'roles', fetchValue: () => ['admin'], clock });
  const gone = new PrimitiveClaim<string>({ key: 'gone', fetchValue: () => undefined, clock });

  it('fetch the stale claims of all their parts', async () => {
    const composed = anyOf(
      'x',
      gone.validators.hasValue('x'),
      plan.validators.hasValue('pro'),
      roles.validators.includes('admin'),
    );
    await expect(check({ a: 1 }, composed)).resolves.toEqual({
      invalidClaims: [],
      accessTokenPayloadUpdate: { a: 1, plan: { v: 'pro', t: NOW }, roles: { v: ['admin'], t: NOW } },
    });
  });

  it('fetch only what is stale', async () => {
    const payload = { plan: { v: 'free', t: 1 } };
    const composed = allOf('x', plan.validators.hasValue('free'), roles.validators.includes('admin'));
    const { accessTokenPayloadUpdate } = await check(payload, composed);
    expect(accessTokenPayloadUpdate).toEqual({ ...payload, roles: { v: ['admin'], t: NOW } });
  });

  it('fetch nothing when nothing is stale', async () => {
    const fresh = { plan: { v: 'pro', t: NOW }, roles: { v: ['admin'], t: NOW } };
    const composed = allOf(
      'x',
      plan.validators.hasValue('pro'),
      not('y', roles.validators.includes('guest')),
    );
    await expect(check(fresh, composed)).resolves.toStrictEqual({ invalidClaims: [] });
  });

  it('fetch through several levels', async () => {
    const inner = allOf('inner', plan.validators.hasValue('pro'), roles.validators.includes('admin'));
    const { accessTokenPayloadUpdate, invalidClaims } = await check({}, anyOf('outer', no, inner));
    expect(Object.keys(accessTokenPayloadUpdate ?? {})).toEqual(['plan', 'roles']);
    expect(invalidClaims).toEqual([]);
  });

  it('have a claim that can be read and removed like any other', () => {
    const { claim } = anyOf('x', plan.validators.hasValue('pro'), gone.validators.hasValue('x'), yes);
    const payload = deepFreeze({ a: 1, plan: { v: 'pro', t: NOW } });
    expect(claim?.getValueFromPayload(payload, {})).toEqual([{ claim: plan, value: 'pro' }]);
    expect(claim?.removeFromPayload(payload, {})).toEqual({ a: 1 });
    expect(claim?.removeFromPayloadByMerge_internal(payload, {})).toEqual({ a: 1, plan: null, gone: null });
  });

  it('need no claim when their parts have none', () => {
    expect(anyOf('x', yes, no)).not.toHaveProperty('claim');
    expect(anyOf('x', yes, no)).not.toHaveProperty('shouldRefetch');
  });

  it.each([
    ['anyOf', anyOf('x', odd, yes)],
    ['allOf', allOf('x', yes, odd)],
    ['not', not('x', odd)],
  ])('refuse with a part that gives no result: %s (S079)', async (_title, validator) => {
    await expect(validator.validate({}, {})).rejects.toThrow('Claim validator odd gave no');
  });

  it.each([
    ['anyOf', anyOf],
    ['allOf', allOf],
  ])('of nothing are a mistake: %s', (_title, compose) => {
    expect(() => compose('empty')).toThrow(TypeError);
  });
});

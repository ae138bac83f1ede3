import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../testing/test-clock.js';
import { deepFreeze, type JsonObject } from '../util/json.js';
import { type UserContext, provideClock } from '../util/user-context.js';
import { BooleanClaim, PrimitiveClaim } from './primitive-claim.js';

const NOW = 1_700_000_000_000;

function planClaim(defaultMaxAgeInSeconds?: number): PrimitiveClaim<string | null> {
  return new PrimitiveClaim<string | null>({
    key: 'plan',
    fetchValue: (userId) => (userId === 'nobody' ? undefined : `plan of ${userId}`),
    defaultMaxAgeInSeconds,
    clock: new TestClock(NOW),
  });
}

function stored(v: string | null, ageInSeconds = 0): JsonObject {
  return deepFreeze({ plan: { v, t: NOW - ageInSeconds * 1000 } });
}

describe('a primitive claim in the payload', () => {
  const claim = planClaim();
  const payload: JsonObject = deepFreeze({ iss: 'x', plan: { v: 'free', t: 1 } });

  it('is stored with the time of fetching, in a copy (T229)', () => {
    expect(claim.addToPayload_internal(payload, 'pro', {})).toEqual({ iss: 'x', plan: { v: 'pro', t: NOW } });
    expect(payload['plan']).toEqual({ v: 'free', t: 1 });
  });

  it('is removed by null for a merge, and by leaving it out (T228)', () => {
    expect(claim.removeFromPayloadByMerge_internal(payload, {})).toEqual({ iss: 'x', plan: null });
    expect(claim.removeFromPayload(payload, {})).toEqual({ iss: 'x' });
    expect(claim.getValueFromPayload({ plan: null }, {})).toBeUndefined();
  });

  it('is read with its time', () => {
    expect(claim.getValueFromPayload(payload, {})).toBe('free');
    expect(claim.getLastRefetchTime(payload, {})).toBe(1);
  });

  it.each([
    [{}],
    [{ plan: null }],
    [{ plan: 'free' }],
    [{ plan: {} }],
    [{ plan: ['free'] }],
    [{ plan: { v: { deep: true }, t: 1 } }],
    [{ plan: { v: ['free'], t: 1 } }],
  ] as [JsonObject][])('is absent from %j', (other) => {
    expect(claim.getValueFromPayload(other, {})).toBeUndefined();
  });

  it('is built from what is fetched; nothing fetched builds nothing (T230)', async () => {
    await expect(claim.build('u1', 'r1', 'public', undefined, {})).resolves.toEqual({
      plan: { v: 'plan of u1', t: NOW },
    });
    await expect(claim.build('nobody', 'r1', 'public', undefined, {})).resolves.toEqual({});
  });

  it('hands everything it was asked with to the application', async () => {
    const seen: unknown[] = [];
    const asked = new PrimitiveClaim<number>({ key: 'n', fetchValue: (...args) => void seen.push(args) });
    await asked.fetchValue('u', 'r', 't', { a: 1 }, { ctx: 1 });
    expect(seen).toEqual([['u', 'r', 't', { a: 1 }, { ctx: 1 }]]);
  });

  it('may even be called __proto__', () => {
    const odd = new PrimitiveClaim<string>({
      key: '__proto__',
      fetchValue: () => 'x',
      clock: new TestClock(NOW),
    });
    expect(odd.getValueFromPayload({}, {})).toBeUndefined();

    const added = odd.addToPayload_internal({ a: 1 }, 'x', {});
    expect(Object.getPrototypeOf(added)).toBe(Object.prototype);
    expect(JSON.stringify(added)).toBe(`{"a":1,"__proto__":{"v":"x","t":${NOW}}}`);
    expect(odd.getValueFromPayload(added, {})).toBe('x');
    expect(JSON.stringify(odd.removeFromPayloadByMerge_internal(added, {}))).toBe('{"a":1,"__proto__":null}');
    expect(JSON.stringify(odd.removeFromPayload(added, {}))).toBe('{"a":1}');
  });
});

describe('hasValue', () => {
  const missing = { message: 'value does not exist', expectedValue: 'pro', actualValue: undefined };
  const wrong = { message: 'wrong value', expectedValue: 'pro', actualValue: 'free' };
  const expired = { message: 'expired', ageInSeconds: 100, maxAgeInSeconds: 10 };

  it.each([
    ['no value (T220)', undefined, undefined, {}, true, missing],
    ['a wrong, fresh value (T221)', undefined, undefined, stored('free'), false, wrong],
    ['a wrong value within the max age (T221)', undefined, 100, stored('free', 100), false, wrong],
    ['the right, old value with a max age (T222)', undefined, 10, stored('pro', 100), true, expired],
    ['a wrong, old value with a max age (T222)', undefined, 10, stored('free', 100), true, expired],
    ['an old value without a max age (T223)', undefined, undefined, stored('pro', 1e9), false, undefined],
    ['the default max age (T224)', 10, undefined, stored('pro', 100), true, expired],
    ['an argument over the default (T224)', 10, 1000, stored('pro', 100), false, undefined],
    ['a stored null (T225)', undefined, undefined, stored(null), false, { ...wrong, actualValue: null }],
    ['the right value', undefined, undefined, stored('pro'), false, undefined],
    ['exactly the max age', undefined, 100, stored('pro', 100), false, undefined],
    ['a time in the future', undefined, 10, stored('pro', -60), false, undefined],
  ])('%s', (_title, defaultMaxAge, maxAge, payload, refetch, reason) => {
    const validator = planClaim(defaultMaxAge).validators.hasValue('pro', maxAge);
    expect(validator.shouldRefetch?.(payload, {})).toBe(refetch);
    expect(validator.validate(payload, {})).toStrictEqual(
      reason === undefined ? { isValid: true } : { isValid: false, reason },
    );
  });

  it('gives the age in fractions of a second', () => {
    const result = planClaim().validators.hasValue('pro', 1).validate(stored('pro', 1.5), {});
    expect(result).toMatchObject({ reason: { ageInSeconds: 1.5 } });
  });

  it('takes a value without a time for outdated where age matters', () => {
    const payload = { plan: { v: 'pro' } };
    const { hasValue } = planClaim().validators;
    expect(hasValue('pro').validate(payload, {})).toEqual({ isValid: true });
    expect(hasValue('pro', 10).shouldRefetch?.(payload, {})).toBe(true);
    expect(hasValue('pro', 10).validate(payload, {})).toMatchObject({
      isValid: false,
      reason: { message: 'expired' },
    });
  });

  it('can expect null', () => {
    expect(planClaim().validators.hasValue(null).validate(stored(null), {})).toEqual({ isValid: true });
  });

  it('is named by the key, or as asked for (T227)', () => {
    const { hasValue, hasFreshValue } = planClaim().validators;
    expect(hasValue('pro').id).toBe('plan');
    expect(hasValue('pro', undefined, 'paid').id).toBe('paid');
    expect(hasFreshValue('pro', undefined, 'paid').id).toBe('paid');
  });

  it('measures the age at the time of the check', () => {
    const clock = new TestClock(NOW);
    const claim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro', clock });
    const validator = claim.validators.hasValue('pro', 60);
    const payload = claim.addToPayload_internal({}, 'pro', {});
    expect(validator.validate(payload, {})).toEqual({ isValid: true });
    clock.advanceSeconds(61);
    expect(validator.validate(payload, {})).toMatchObject({ isValid: false });
  });

  it('ages by the clock that the user context brings, unless it has one of its own', () => {
    const [own, ofContext] = [new TestClock(NOW), new TestClock(NOW)];
    const userContext: UserContext = {};
    provideClock(userContext, ofContext);
    const ages = (clock?: TestClock): boolean => {
      const claim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro', clock });
      const payload = claim.addToPayload_internal({}, 'pro', userContext);
      expect(claim.getLastRefetchTime(payload, userContext)).toBe((clock ?? ofContext).now());
      ofContext.advanceSeconds(61);
      return claim.validators.hasValue('pro', 60).shouldRefetch?.(payload, userContext) === true;
    };
    expect(ages()).toBe(true);
    expect(ages(own)).toBe(false);
  });

  it('works with the clock of the system by default', () => {
    const claim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro' });
    const payload = claim.addToPayload_internal({}, 'pro', {});
    expect(claim.validators.hasValue('pro', 60).validate(payload, {})).toEqual({ isValid: true });
  });
});

describe('hasFreshValue', () => {
  it.each([
    ['300 seconds without any max age', undefined, undefined, 300],
    ['the default of the claim', 20, undefined, 20],
    ['the argument', 20, 40, 40],
  ])('has a limit of %s', (_title, defaultMaxAge, maxAge, limit) => {
    const validator = planClaim(defaultMaxAge).validators.hasFreshValue('pro', maxAge);
    expect(validator.shouldRefetch?.(stored('pro', limit), {})).toBe(false);
    expect(validator.validate(stored('pro', limit), {})).toEqual({ isValid: true });
    expect(validator.shouldRefetch?.(stored('pro', limit + 1), {})).toBe(true);
    expect(validator.validate(stored('pro', limit + 1), {})).toEqual({
      isValid: false,
      reason: { message: 'expired', ageInSeconds: limit + 1, maxAgeInSeconds: limit },
    });
  });
});

describe('a boolean claim', () => {
  const claim = new BooleanClaim({ key: 'verified', fetchValue: () => true, clock: new TestClock(NOW) });
  const payload = (v: boolean): JsonObject => ({ verified: { v, t: NOW - 100_000 } });

  it.each([
    ['isTrue', true, true],
    ['isTrue', false, false],
    ['isFalse', false, true],
    ['isFalse', true, false],
  ] as const)('%s on %s is %s', (name, value, isValid) => {
    expect(claim.validators[name]().validate(payload(value), {})).toMatchObject({ isValid });
  });

  it('takes max age and id', () => {
    expect(claim.validators.isTrue(10, 'mail').id).toBe('mail');
    expect(claim.validators.isFalse().id).toBe('verified');
    expect(claim.validators.isTrue(10).validate(payload(true), {})).toMatchObject({
      reason: { message: 'expired' },
    });
  });

  it('has the checks of a primitive claim, too', () => {
    expect(claim).toBeInstanceOf(PrimitiveClaim);
    expect(claim.validators.hasValue(true).validate(payload(true), {})).toEqual({ isValid: true });
    expect(claim.validators.hasFreshValue(true, 10).validate(payload(true), {})).toMatchObject({
      isValid: false,
    });
  });
});

describe('the types of claims', () => {
  it('hold validators to the value of the claim', () => {
    const plan = new PrimitiveClaim<'free' | 'pro'>({ key: 'plan', fetchValue: () => 'free' });
    plan.validators.hasValue('pro');
    // @ts-expect-error there is no such plan
    plan.validators.hasValue('gold');
    // @ts-expect-error a number is not a plan
    expect(new PrimitiveClaim<'free'>({ key: 'plan', fetchValue: () => 5 }).key).toBe('plan');
  });
});

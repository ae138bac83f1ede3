import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { deepFreeze } from '../util/json.js';
import type { JsonObject } from '../util/json.js';
import { TestClock } from '../testing/test-clock.js';
import type { ClaimValidationResult, SessionClaimValidator } from './claim-validator.js';
import { PrimitiveClaim } from './primitive-claim.js';
import type { ClaimConfig } from './timestamped-claim.js';
import { validateClaims } from './validate-claims.js';

const NOW = 1_700_000_000_000;

function claimOf(key: string, fetchValue: ClaimConfig<string>['fetchValue']): PrimitiveClaim<string> {
  return new PrimitiveClaim<string>({ key, fetchValue, clock: new TestClock(NOW) });
}

function check(
  accessTokenPayload: JsonObject,
  claimValidators: SessionClaimValidator[],
  validatorTimeoutMs?: number,
) {
  return validateClaims({
    userId: 'user',
    recipeUserId: 'recipe-user',
    accessTokenPayload: deepFreeze(accessTokenPayload),
    claimValidators,
    userContext: { from: 'test' },
    validatorTimeoutMs,
  });
}

function returning(id: string, result: ClaimValidationResult): SessionClaimValidator {
  return { id, validate: () => Promise.resolve(result) };
}

describe('checking claims', () => {
  it('passes without validators (T208)', async () => {
    await expect(check({ a: 1 }, [])).resolves.toEqual({ invalidClaims: [] });
  });

  it('fetches a missing value once and gives the new payload (T209)', async () => {
    let fetches = 0;
    const plan = claimOf('plan', () => {
      fetches++;
      return 'pro';
    });
    const { hasValue } = plan.validators;
    await expect(check({ a: 1 }, [hasValue('pro'), hasValue('pro')])).resolves.toEqual({
      invalidClaims: [],
      accessTokenPayloadUpdate: { a: 1, plan: { v: 'pro', t: NOW } },
    });
    expect(fetches).toBe(1);
  });

  it('fails when the value is not available, without actualValue in JSON (T210)', async () => {
    const result = await check({}, [claimOf('plan', () => undefined).validators.hasValue('pro')]);
    expect(JSON.parse(JSON.stringify(result))).toEqual({
      invalidClaims: [{ id: 'plan', reason: { message: 'value does not exist', expectedValue: 'pro' } }],
    });
  });

  it('fails on a wrong value that was just fetched, and still gives the update', async () => {
    const result = await check({}, [claimOf('plan', () => 'free').validators.hasValue('pro')]);
    expect(result).toEqual({
      invalidClaims: [
        { id: 'plan', reason: { message: 'wrong value', expectedValue: 'pro', actualValue: 'free' } },
      ],
      accessTokenPayloadUpdate: { plan: { v: 'free', t: NOW } },
    });
  });

  it('does not fetch a wrong value that is fresh', async () => {
    const plan = claimOf('plan', () => {
      throw new Error('must not be asked');
    });
    const result = await check({ plan: { v: 'free', t: NOW } }, [plan.validators.hasValue('pro')]);
    expect(result.invalidClaims).toHaveLength(1);
    expect(result).not.toHaveProperty('accessTokenPayloadUpdate');
  });

  it('leaves out a reason that was not given (T212) and passes on any that was (T213), all in order (T214)', async () => {
    const validators = [
      returning('no-reason', { isValid: false }),
      returning('fine', { isValid: true }),
      returning('text', { isValid: false, reason: 'because' }),
      returning('no-reason', { isValid: false }),
    ];
    const { invalidClaims } = await check({}, validators);
    expect(invalidClaims).toStrictEqual([
      { id: 'no-reason' },
      { id: 'text', reason: 'because' },
      { id: 'no-reason' },
    ]);
  });

  it('shows validators the very payload when nothing was fetched (T219)', async () => {
    const payload: JsonObject = { a: 1 };
    const seen: unknown[] = [];
    await check(payload, [{ id: 'x', validate: (...args) => (seen.push(...args), { isValid: true }) }]);
    expect(seen[0]).toBe(payload);
    expect(seen[1]).toEqual({ from: 'test' });
  });

  it('shows a claim what was fetched before it, and every validator all of it', async () => {
    const first = claimOf('first', () => '1');
    const second = claimOf(
      'second',
      (_user, _recipeUser, _tenant, payload) => `after ${Object.keys(payload ?? {}).join()}`,
    );
    const early: SessionClaimValidator = {
      id: 'early',
      validate: (payload) => ({ isValid: 'second' in payload }),
    };
    const result = await check({}, [
      early,
      first.validators.hasValue('1'),
      second.validators.hasValue('after first'),
    ]);
    expect(result.invalidClaims).toEqual([]);
  });

  it.each([
    [{ tId: 'acme' }, 'acme'],
    [{}, 'public'],
    [{ tId: 7 }, 'public'],
  ])('fetches for the user and the tenant of %j', async (payload, tenantId) => {
    const seen: unknown[] = [];
    await check(payload, [claimOf('x', (...args) => void seen.push(args)).validators.hasValue('x')]);
    expect(seen).toEqual([['user', 'recipe-user', tenantId, payload, { from: 'test' }]]);
  });

  it('reports no update when the fetched payload reads the same', async () => {
    const plan = claimOf('plan', () => 'pro');
    const always: SessionClaimValidator = {
      ...plan.validators.hasValue('pro'),
      shouldRefetch: () => Promise.resolve(true),
    };
    const result = await check({ plan: { v: 'pro', t: NOW } }, [always]);
    expect(result).toStrictEqual({ invalidClaims: [] });
  });

  it('does not fetch for a validator without shouldRefetch', async () => {
    const claim = claimOf('x', () => 'fetched');
    const result = await check({}, [{ id: 'x', claim, validate: () => ({ isValid: true }) }]);
    expect(result).toStrictEqual({ invalidClaims: [] });
  });
});

describe('a validator that does not do its work refuses the request (S079)', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  const refetching = claimOf('x', () => 'x');

  it.each([
    ['throws', { id: 'v', validate: boom }],
    ['rejects', { id: 'v', validate: () => Promise.reject(new Error('boom')) }],
    [
      'throws when asked to refetch',
      { id: 'v', claim: refetching, shouldRefetch: boom, validate: () => ({ isValid: true }) },
    ],
    ['has a claim that throws', claimOf('x', boom).validators.hasValue('x')],
    [
      'has a claim that rejects',
      claimOf('x', () => Promise.reject(new Error('boom'))).validators.hasValue('x'),
    ],
  ] as [string, SessionClaimValidator][])('when it %s', async (_title, validator) => {
    await expect(check({}, [returning('fine', { isValid: true }), validator])).rejects.toThrow('boom');
  });

  it.each([[undefined], [null], [true], [{}], [{ isValid: 'yes' }]])('when it returns %j', async (result) => {
    const validator = { id: 'odd', validate: () => result as ClaimValidationResult };
    await expect(check({}, [validator])).rejects.toThrow('Claim validator odd gave no { isValid: boolean }');
  });

  describe('and cannot hold it forever', () => {
    beforeEach(() => void jest.useFakeTimers());
    afterEach(() => void jest.useRealTimers());

    const never = <T>(): Promise<T> => new Promise(() => {});
    const hanging: [string, SessionClaimValidator][] = [
      ['in validate', { id: 'slow', validate: never }],
      [
        'in shouldRefetch',
        { id: 'slow', claim: refetching, shouldRefetch: never, validate: () => ({ isValid: true }) },
      ],
      ['in fetchValue', claimOf('slow', never).validators.hasValue('x')],
    ];

    it.each(hanging)('when it hangs %s', async (_title, validator) => {
      const outcome = check({}, [validator]).catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(9_999);
      expect(jest.getTimerCount()).toBe(1);
      await jest.advanceTimersByTimeAsync(1);
      expect(await outcome).toEqual(new Error('Claim validator slow did not return within 10000 ms'));
      expect(jest.getTimerCount()).toBe(0);
    });

    it('for longer than the time it is given', async () => {
      const outcome = check({}, [{ id: 'slow', validate: never }], 50).catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(50);
      expect(await outcome).toEqual(new Error('Claim validator slow did not return within 50 ms'));
    });

    it('and leaves no timer behind when it returns or throws', async () => {
      await check({}, [returning('fine', { isValid: true })]);
      await expect(
        check({}, [{ id: 'v', validate: () => Promise.reject(new Error('boom')) }]),
      ).rejects.toThrow('boom');
      expect(jest.getTimerCount()).toBe(0);
    });
  });
});

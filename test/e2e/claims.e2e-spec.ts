import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  allOf,
  anyOf,
  PrimitiveArrayClaim,
  PrimitiveClaim,
  type RecipeInterface,
  type SessionClaimValidator,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { GuardedHandler } from '../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';
import { watchedStore } from '../support/watched-store.js';

let fetched: string | undefined;
let fetches = 0;
const plan = new PrimitiveClaim<string>({
  key: 'plan',
  fetchValue: () => {
    fetches++;
    return fetched;
  },
});
const isPro = plan.validators.hasValue('pro');
const failing = (id: string, reason?: unknown): SessionClaimValidator => ({
  id,
  validate: () => ({ isValid: false, ...(reason === undefined ? {} : { reason }) }),
});

describe.each(ADAPTERS)('claims of a session on %s', (adapter) => {
  beforeEach(() => {
    fetched = 'pro';
    fetches = 0;
  });

  async function withValidators(
    globalClaimValidators: readonly SessionClaimValidator[],
    test: (application: TestApplication & { calls: string[] }) => Promise<void>,
    more: { options?: Partial<SessionModuleOptions>; guarded?: Record<string, GuardedHandler> } = {},
  ): Promise<void> {
    const { store, calls } = await watchedStore();
    const options = { globalClaimValidators, ...more.options };
    const handlers = { guarded: more.guarded ?? {} };
    await TestApplication.on(adapter)
      .store(store)
      .with(options)
      .handlers(handlers)
      .run((application) => test(Object.assign(application, { calls })));
  }

  it('are not asked for without validators (T208)', async () => {
    await withValidators([], async ({ signedIn }) => {
      expect((await (await signedIn('cookie')).get('/me')).status).toBe(200);
    });
  });

  it('are fetched when missing, stored once and sent to the client (T209)', async () => {
    await withValidators([isPro], async ({ signedIn, calls }) => {
      const client = await signedIn('cookie');
      calls.length = 0;
      const response = await client.get('/me');
      expect(response.status).toBe(200);
      expect(tokenTraffic(response)).toEqual({ ...NOTHING, accessCookie: 'set', frontToken: 'set' });
      expect(client.front.up).toMatchObject({ plan: { v: 'pro' } });
      expect(calls.filter((name) => name === 'update accessTokenPayload')).toHaveLength(1);
      expect(tokenTraffic(await client.get('/me'))).toEqual(NOTHING);
      expect(fetches).toBe(1);
    });
  });

  it('are refused with a reason when there is no value to be had (T210)', async () => {
    fetched = undefined;
    const test = (body: string) => async (application: TestApplication) => {
      const response = await (await application.signedIn('cookie')).get('/me');
      expect(response.status).toBe(403);
      expect(response.text).toBe(body);
      expect(tokenTraffic(response)).toEqual(NOTHING);
    };
    await withValidators(
      [isPro],
      test(
        '{"message":"invalid claim","claimValidationErrors":[{"id":"plan","reason":{"message":"value does not exist","expectedValue":"pro"}}]}',
      ),
      { options: { showClaimValues: true } },
    );
    await withValidators(
      [isPro],
      test(
        '{"message":"invalid claim","claimValidationErrors":[{"id":"plan","reason":{"message":"value does not exist"}}]}',
      ),
    );
  });

  it('are refused without the values that would open the route, also below a composed validator (S079)', async () => {
    const roles = new PrimitiveArrayClaim<string>({ key: 'roles', fetchValue: () => ['of-the-user'] });
    const validators = [
      roles.validators.includes('opens-1'),
      roles.validators.excludesAll(['of-the-user']),
      anyOf(
        'either',
        roles.validators.includesAll(['opens-2']),
        allOf('both', roles.validators.includesAny(['opens-3'])),
      ),
      plan.validators.hasValue('opens-4'),
    ];
    await withValidators(validators, async ({ signedIn }) => {
      const response = await (await signedIn('header')).get('/me');
      expect(response.status).toBe(403);
      expect(response.body).toMatchObject({
        claimValidationErrors: [
          { id: 'roles', reason: { message: 'wrong value' } },
          { id: 'roles', reason: { message: 'wrong value' } },
          { id: 'either', reason: { message: 'none of the alternatives is valid' } },
          { id: 'plan', reason: { message: 'wrong value' } },
        ],
      });
      expect(response.text).not.toMatch(/opens-|of-the-user/);
    });
  });

  it('reach the client also with a 403, so that it does not fetch them for ever (Q2)', async () => {
    fetched = 'free';
    await withValidators([isPro], async ({ signedIn }) => {
      const client = await signedIn('header');
      const response = await client.get('/me');
      expect(response.status).toBe(403);
      expect(response.body).toMatchObject({
        claimValidationErrors: [{ id: 'plan', reason: { message: 'wrong value' } }],
      });
      expect(tokenTraffic(response)).toEqual({ ...NOTHING, accessHeader: 'set', frontToken: 'set' });
      expect((await client.get('/me')).status).toBe(403);
      expect(fetches).toBe(1);
    });
  });

  it('are all reported, in the order of their validators (T212-T214, S079)', async () => {
    const validators = [failing('a'), failing('b', 'because'), failing('c', { deep: [1] }), failing('a')];
    await withValidators(validators, async ({ signedIn }) => {
      const response = await (await signedIn('cookie')).get('/me');
      expect(response.status).toBe(403);
      expect(response.text).toBe(
        '{"message":"invalid claim","claimValidationErrors":[{"id":"a"},{"id":"b","reason":"because"},{"id":"c","reason":{"deep":[1]}},{"id":"a"}]}',
      );
    });
  });

  it('can be overridden by one check, which receives the global ones (T215, T216)', async () => {
    const received: unknown[][] = [];
    const check: GuardedHandler = async (_session, { sessions, req, res }) => {
      const session = await sessions.getSession(req, res, {
        overrideGlobalClaimValidators: (...input) => {
          received.push(input);
          return [];
        },
      });
      const [global, container, userContext] = received[0] ?? [];
      return {
        isGlobalList: global === validators,
        isSession: container === session,
        hasRequest: Object.hasOwn(userContext as object, '_default'),
      };
    };
    let isOn = false;
    const validators: SessionClaimValidator[] = [{ id: 'late', validate: () => ({ isValid: !isOn }) }];
    await withValidators(
      validators,
      async ({ signedIn }) => {
        const client = await signedIn('cookie');
        const passing = client.get('/run/check');
        expect((await passing).body).toEqual({ isGlobalList: true, isSession: true, hasRequest: true });
        isOn = true;
        expect((await client.get('/run/check')).status).toBe(403);
      },
      { guarded: { check } },
    );
  });

  it('get the same response when a handler checks them (T217, T218)', async () => {
    fetched = 'free';
    const guarded: Record<string, GuardedHandler> = {
      pro: (session) => session.assertClaims([isPro]),
      none: (session) => session.assertClaims([]),
    };
    await withValidators(
      [],
      async ({ signedIn, calls }) => {
        const client = await signedIn('cookie');
        calls.length = 0;
        expect(tokenTraffic(await client.get('/run/none'))).toEqual(NOTHING);
        expect(calls).toEqual([]);
        const response = await client.get('/run/pro');
        expect(response.status).toBe(403);
        expect(tokenTraffic(response)).toEqual({ ...NOTHING, accessCookie: 'set', frontToken: 'set' });
      },
      { guarded },
    );
  });

  it('are validated on the very payload that the session shows (T219)', async () => {
    let seen: unknown;
    const validator: SessionClaimValidator = {
      id: 'looking',
      validate: (payload) => {
        seen = payload;
        return { isValid: true };
      },
    };
    const same: GuardedHandler = (session) => ({ same: session.getAccessTokenPayload() === seen });
    await withValidators(
      [validator],
      async ({ signedIn }) => {
        expect((await (await signedIn('cookie')).get('/run/same')).body).toEqual({ same: true });
      },
      { guarded: { same } },
    );
  });

  it('go through the overridden validateClaims (T235)', async () => {
    const inputs: object[] = [];
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      validateClaims: async (input) => {
        inputs.push(input);
        return original.validateClaims(input);
      },
    });
    await withValidators(
      [isPro],
      async ({ signedIn }) => {
        expect((await (await signedIn('cookie')).get('/me')).status).toBe(200);
        expect(inputs[0]).toEqual({
          userId: 'user-1',
          recipeUserId: 'user-1',
          accessTokenPayload: expect.objectContaining({ sub: 'user-1' }),
          claimValidators: [isPro],
          userContext: expect.any(Object),
        });
      },
      { options: { override: { functions } } },
    );
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('secret of the validator');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('secret of the validator'))],
    ['returns nonsense', () => undefined],
  ])('stop the request when a validator %s (S078, S079)', async (_case, validate) => {
    const broken = { id: 'broken', validate } as unknown as SessionClaimValidator;
    await withValidators([broken], async ({ signedIn }) => {
      const response = await (await signedIn('cookie')).get('/me');
      expect(response.status).toBe(500);
      expect(response.text).not.toContain('secret');
      expect(response.text).not.toContain('userId');
    });
  });
});

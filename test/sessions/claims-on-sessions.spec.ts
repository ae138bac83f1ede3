import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  BooleanClaim,
  PrimitiveClaim,
  SessionConfigError,
  type RecipeInterface,
  type SessionClaimValidator,
  type SessionContainer,
  type SessionService,
  type UserContext,
} from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import { watchedStore } from '../support/watched-store.js';
import { TestApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';

const clock = new TestClock(TEST_START_MS);
let fetched: string | undefined = 'pro';
let fetches = 0;
const plan = new PrimitiveClaim<string>({
  key: 'plan',
  fetchValue: () => {
    fetches++;
    return fetched;
  },
  clock,
});
const isPro = plan.validators.hasValue('pro');

beforeEach(() => {
  fetched = 'pro';
  fetches = 0;
});

async function newToken(sessions: SessionService): Promise<string> {
  const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
  return session.getAccessToken();
}

describe('claims of the module', () => {
  it('are built into every new session in their order, each seeing those before', async () => {
    const calls: unknown[][] = [];
    const second = new PrimitiveClaim<string>({
      key: 'second',
      fetchValue: (...input) => {
        calls.push(input);
        return 'there';
      },
      clock,
    });
    const absent = new BooleanClaim({ key: 'absent', fetchValue: () => undefined, clock });
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .with({ claims: [plan, second, absent] })
      .start();
    const userContext: UserContext = {};
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      tenantId: 't1',
      accessTokenPayload: { own: true, sub: 'forged' },
      userContext,
    });
    const planEntry = { v: 'pro', t: TEST_START_MS };
    expect(session.getAccessTokenPayload()).toMatchObject({
      own: true,
      plan: planEntry,
      second: { v: 'there' },
    });
    expect(session.getAccessTokenPayload()).not.toHaveProperty('absent');
    const [userId, recipeUserId, tenantId, payload, context] = calls[0] ?? [];
    expect([userId, recipeUserId, tenantId]).toEqual(['user-1', 'user-1', 't1']);
    expect(payload).toEqual({ own: true, iss: 'https://api.shop.io/auth', plan: planEntry });
    expect(context).toBe(userContext);
  });

  it('have different keys (T234)', async () => {
    const twin = new BooleanClaim({ key: 'plan', fetchValue: () => true });
    const start = TestApplication.withoutServer()
      .with({ claims: [plan, twin] })
      .start();
    await expect(start).rejects.toThrow(SessionConfigError);
    await expect(start).rejects.toThrow('Claim added by multiple recipes');
  });

  it('stop the sign-in when they cannot be fetched, and no session is left behind', async () => {
    const broken = new BooleanClaim({ key: 'broken', fetchValue: () => Promise.reject(new Error('down')) });
    const { sessions } = await TestApplication.withoutServer()
      .with({ claims: [broken] })
      .start();
    await expect(newToken(sessions)).rejects.toThrow('down');
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]);
  });
});

describe('global claim validators', () => {
  it('are not there by default: nothing is checked, nothing is stored (T208)', async () => {
    const { store, calls } = await watchedStore();
    const { sessions } = await TestApplication.withoutServer().clock(clock).store(store).start();
    const accessToken = await newToken(sessions);
    calls.length = 0;
    await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(calls).toEqual([]);
  });

  it('have a missing value fetched and stored once (T209)', async () => {
    const { store, calls } = await watchedStore();
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .store(store)
      .with({ globalClaimValidators: [isPro] })
      .start();
    const accessToken = await newToken(sessions);
    calls.length = 0;
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(calls).toEqual(['findSession', 'findSession', 'update accessTokenPayload']);
    const tokens = session.getAllSessionTokensDangerously();
    expect(tokens.accessAndFrontTokenUpdated).toBe(true);
    expect(jwtClaims(tokens.accessToken)).toMatchObject({ plan: { v: 'pro' } });
    await sessions.getSessionWithoutRequestResponse({ accessToken: tokens.accessToken });
    expect(fetches).toBe(1);
  });

  it('refuse with INVALID_CLAIMS what has no value or the wrong one (T210, T211)', async () => {
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .with({ globalClaimValidators: [isPro] })
      .start();
    const accessToken = await newToken(sessions);
    const get = () => sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }));
    fetched = undefined;
    expect(await get()).toMatchObject({
      payload: [{ id: 'plan', reason: { message: 'value does not exist', expectedValue: 'pro' } }],
    });
    fetched = 'free';
    const wrong = [
      { id: 'plan', reason: { message: 'wrong value', expectedValue: 'pro', actualValue: 'free' } },
    ];
    expect(await get()).toMatchObject({ type: 'INVALID_CLAIMS', payload: wrong });
    expect(await get()).toMatchObject({ type: 'INVALID_CLAIMS', payload: wrong });
    expect(fetches).toBe(3);
  });

  it('can be replaced by one check, which gets them, the session and the context (T215, T216)', async () => {
    const never: SessionClaimValidator = { id: 'never', validate: () => ({ isValid: false }) };
    const { sessions } = await TestApplication.withoutServer()
      .with({ globalClaimValidators: [never] })
      .start();
    const accessToken = await newToken(sessions);
    const userContext: UserContext = {};
    const received: unknown[][] = [];
    const session = await sessions.getSessionWithoutRequestResponse({
      accessToken,
      userContext,
      overrideGlobalClaimValidators: async (...input) => {
        received.push(input);
        return [];
      },
    });
    expect(received).toEqual([[[never], session, userContext]]);
    expect(received[0]?.[2]).toBe(userContext);
    expect((await sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }))).type).toBe(
      'INVALID_CLAIMS',
    );
  });

  it('can depend on whose session it is, through an overridden getGlobalClaimValidators', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      getGlobalClaimValidators: ({ tenantId, claimValidatorsAddedByOtherRecipes }) =>
        tenantId === 'public' ? claimValidatorsAddedByOtherRecipes : [],
    });
    const never: SessionClaimValidator = { id: 'never', validate: () => ({ isValid: false }) };
    const { sessions } = await TestApplication.withoutServer()
      .with({ globalClaimValidators: [never], override: { functions } })
      .start();
    const create = async (tenantId: string): Promise<SessionContainer> =>
      sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', tenantId });
    const [inPublic, inOther] = [await create('public'), await create('other')];
    const get = ({ accessToken }: { accessToken: string }) =>
      sessions.getSessionWithoutRequestResponse({ accessToken });
    expect((await get(inOther.getAllSessionTokensDangerously())).getTenantId()).toBe('other');
    expect((await sessionErrorOf(get(inPublic.getAllSessionTokensDangerously()))).type).toBe(
      'INVALID_CLAIMS',
    );
    expect(await sessions.validateClaimsForSessionHandle(inOther.getHandle())).toEqual({
      status: 'OK',
      invalidClaims: [],
    });
    expect(await sessions.validateClaimsForSessionHandle(inPublic.getHandle())).toEqual({
      status: 'OK',
      invalidClaims: [{ id: 'never' }],
    });
  });

  it('are checked in their order, and every failure is told (T212-T214)', async () => {
    const failing = (id: string, reason?: unknown): SessionClaimValidator => ({
      id,
      validate: () => ({ isValid: false, ...(reason === undefined ? {} : { reason }) }),
    });
    const globalClaimValidators = [failing('a'), failing('b', 'text'), failing('a', { deep: 1 })];
    const { sessions } = await TestApplication.withoutServer().with({ globalClaimValidators }).start();
    const accessToken = await newToken(sessions);
    const error = await sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }));
    expect(error).toMatchObject({
      payload: [{ id: 'a' }, { id: 'b', reason: 'text' }, { id: 'a', reason: { deep: 1 } }],
    });
  });

  it('see the payload that the session shows (T219)', async () => {
    let seen: unknown;
    const looking: SessionClaimValidator = {
      id: 'looking',
      validate: (payload) => {
        seen = payload;
        return { isValid: true };
      },
    };
    const { sessions } = await TestApplication.withoutServer()
      .with({ globalClaimValidators: [looking] })
      .start();
    const accessToken = await newToken(sessions);
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(session.getAccessTokenPayload()).toBe(seen);
  });

  it('also check the payload of a JWT from elsewhere, of which nothing is stored', async () => {
    const { store, calls } = await watchedStore();
    const { sessions } = await TestApplication.withoutServer()
      .store(store)
      .with({ globalClaimValidators: [isPro] })
      .start();
    calls.length = 0;
    const check = (jwtPayload: object) =>
      sessions.validateClaimsInJWTPayload({ userId: 'user-1', jwtPayload });
    expect(await check({ plan: { v: 'pro', t: 0 } })).toEqual({ status: 'OK', invalidClaims: [] });
    expect(await check({ plan: { v: 'free', t: 0 } })).toMatchObject({ invalidClaims: [{ id: 'plan' }] });
    expect(
      await sessions.validateClaimsInJWTPayload({ userId: 'user-1', jwtPayload: {} }, (global) => {
        expect(global).toEqual([isPro]);
        return [];
      }),
    ).toEqual({ status: 'OK', invalidClaims: [] });
    expect(calls).toEqual([]);
  });
});

describe('a claim that ages', () => {
  it('is fetched again when a validator finds it too old, and only then', async () => {
    const fresh = plan.validators.hasValue('pro', 60);
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .with({ claims: [plan], globalClaimValidators: [fresh] })
      .start();
    const accessToken = await newToken(sessions);
    clock.advanceSeconds(60);
    await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(fetches).toBe(1);
    clock.advanceSeconds(1);
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(fetches).toBe(2);
    expect(session.getAccessTokenPayload()).toMatchObject({ plan: { t: clock.now() } });
  });
});

describe('a claim that only a second factor sets', () => {
  const secondFactor = new BooleanClaim({ key: 'second-factor', fetchValue: () => undefined, clock });
  const isFresh = secondFactor.validators.hasFreshValue(true, 300);

  it('is fresh from the moment it was set, and a refresh does not make it young again (S039)', async () => {
    const { sessions } = await TestApplication.withoutServer().clock(clock).start();
    let session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    let { refreshToken = '' } = session.getAllSessionTokensDangerously();
    const failure = async () => sessionErrorOf(session.assertClaims([isFresh]));
    expect(await failure()).toMatchObject({ payload: [{ reason: { message: 'value does not exist' } }] });
    await session.setClaimValue(secondFactor, true);
    for (let minute = 0; minute < 5; minute++) {
      await session.assertClaims([isFresh]);
      clock.advanceSeconds(60);
      session = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
      refreshToken = session.getAllSessionTokensDangerously().refreshToken ?? '';
    }
    await session.assertClaims([isFresh]);
    clock.advance(1);
    expect(await failure()).toMatchObject({
      payload: [
        {
          id: 'second-factor',
          reason: { message: 'expired', ageInSeconds: 300.001, maxAgeInSeconds: 300 },
        },
      ],
    });
    await session.fetchAndSetClaim(secondFactor);
    expect(await failure()).toMatchObject({ payload: [{ reason: { message: 'expired' } }] });
  });
});

describe('a validator that does not do its work (S079)', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  const check = (validator: SessionClaimValidator, test: (work: Promise<unknown>) => Promise<void>) =>
    TestApplication.withoutServer()
      .with({ globalClaimValidators: [validator] })
      .run(async ({ sessions }) => {
        const accessToken = await newToken(sessions);
        await test(sessions.getSessionWithoutRequestResponse({ accessToken }));
      });

  it.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no database')) as never],
  ])('and %s lets nobody through', async (_case, validate) => {
    await check({ id: 'broken', validate }, async (work) => {
      await expect(work).rejects.toThrow('no database');
    });
  });

  it('and returns nothing lets nobody through', async () => {
    const validate = (() => undefined) as unknown as SessionClaimValidator['validate'];
    await check({ id: 'silent', validate }, async (work) => {
      await expect(work).rejects.toThrow('Claim validator silent gave no { isValid: boolean }');
    });
  });

  it('and throws while its claim is fetched lets nobody through', async () => {
    const broken = new BooleanClaim({ key: 'broken', fetchValue: () => Promise.reject(new Error('down')) });
    await check(broken.validators.isTrue(), async (work) => {
      await expect(work).rejects.toThrow('down');
    });
  });

  it('and hangs lets nobody through, and does not hold the request for ever', async () => {
    const { sessions } = await TestApplication.withoutServer().start();
    const accessToken = await newToken(sessions);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
    let whenAsked = (): void => {};
    const asked = new Promise<void>((resolve) => (whenAsked = resolve));
    const hanging: SessionClaimValidator = {
      id: 'hanging',
      validate: () => {
        whenAsked();
        return new Promise(() => {});
      },
    };
    const work = sessions.getSessionWithoutRequestResponse({
      accessToken,
      overrideGlobalClaimValidators: () => [hanging],
    });
    await asked;
    const refused = work.catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(String(await refused)).toBe('Error: Claim validator hanging did not return within 10000 ms');
    jest.useRealTimers();
  });
});

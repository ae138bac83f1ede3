import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  SessionRecipe,
  type RateLimiter,
  type SessionModuleOptions,
  type SessionService,
} from 'nest-sessions';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import { seededMemoryStore } from '../support/embedded.js';
import { watchedStore } from '../support/watched-store.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';

const USER = { userId: 'user-1' };

/** The tokens of a new session of `user-1`. */
async function tokensOf(sessions: SessionService, disableAntiCsrf = false) {
  const session = await sessions.createNewSessionWithoutRequestResponse({ ...USER, disableAntiCsrf });
  const tokens = session.getAllSessionTokensDangerously();
  return { ...tokens, refreshToken: tokens.refreshToken ?? '', antiCsrfToken: tokens.antiCsrfToken ?? '' };
}

describe('sessions without a request', () => {
  let application: StandaloneApplication;
  let sessions: SessionService;

  beforeAll(async () => {
    application = await TestApplication.withoutServer().start();
    ({ sessions } = application);
  });

  afterAll(() => application.close());

  it('are created with tokens that the application hands over itself (T195)', async () => {
    const session = await sessions.createNewSessionWithoutRequestResponse({
      ...USER,
      accessTokenPayload: { plan: 'pro' },
    });
    const tokens = session.getAllSessionTokensDangerously();
    expect(tokens).toEqual({
      accessToken: session.getAccessToken(),
      refreshToken: expect.stringMatching(/\.V2$/),
      frontToken: expect.any(String),
      antiCsrfToken: undefined,
      accessAndFrontTokenUpdated: true,
    });
    expect(jwtClaims(tokens.accessToken)).toEqual(session.getAccessTokenPayload());
    expect(session.getAccessTokenPayload()).toMatchObject({
      plan: 'pro',
      sub: 'user-1',
      iss: 'https://api.shop.io/auth',
    });
  });

  it('are found by their access token, which stays as it is (T197)', async () => {
    const { accessToken, frontToken } = await tokensOf(sessions);
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(session.getUserId()).toBe('user-1');
    expect(session.getAllSessionTokensDangerously()).toEqual({
      accessToken,
      frontToken,
      refreshToken: undefined,
      antiCsrfToken: undefined,
      accessAndFrontTokenUpdated: false,
    });
  });

  it('are found by the recipe itself, which needs no options', async () => {
    const { accessToken } = await tokensOf(sessions);
    const session = await application.get(SessionRecipe).getSession({ accessToken, userContext: {} });
    expect(session?.getUserId()).toBe('user-1');
  });

  it.each(['not-a-token', '', 'a.b.c'])(
    'are not found by %j, which is no token, and nobody is asked (T199)',
    async (accessToken) => {
      const { store, calls } = await watchedStore();
      const { sessions } = await TestApplication.withoutServer().store(store).start();
      calls.length = 0;
      const error = await sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }));
      expect(error).toMatchObject({ type: 'UNAUTHORISED', payload: { clearTokens: false } });
      expect(error.message).toBe('Token parsing failed');
      expect(
        await sessions.getSessionWithoutRequestResponse({ accessToken, sessionRequired: false }),
      ).toBeUndefined();
      expect(calls).toEqual([]);
    },
  );

  it('are not found without a token (T200)', async () => {
    const error = await sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken: undefined }));
    expect(error).toMatchObject({ type: 'UNAUTHORISED', payload: { clearTokens: false } });
    expect(error.message).toBe('There is no access token');
    expect(
      await sessions.getSessionWithoutRequestResponse({ accessToken: undefined, sessionRequired: false }),
    ).toBeUndefined();
  });

  it('are to be refreshed when the token has expired, also where they are optional', async () => {
    const { accessToken } = await tokensOf(sessions);
    application.clock.advanceSeconds(3601);
    const work = sessions.getSessionWithoutRequestResponse({ accessToken, sessionRequired: false });
    expect((await sessionErrorOf(work)).type).toBe('TRY_REFRESH_TOKEN');
  });

  it('are to be refreshed when their key is of the kind that is no longer asked for (T104)', async () => {
    const store = await seededMemoryStore();
    const before = await TestApplication.withoutServer()
      .store(store)
      .with({ useDynamicAccessTokenSigningKey: false })
      .start();
    const { accessToken } = await tokensOf(before.sessions);
    const now = await TestApplication.withoutServer().store(store).start();
    const error = await sessionErrorOf(now.sessions.getSessionWithoutRequestResponse({ accessToken }));
    expect(error.type).toBe('TRY_REFRESH_TOKEN');
    expect(error.message).toMatch(/other kind of key than useDynamicAccessTokenSigningKey/);
  });

  it('are refreshed by their refresh token', async () => {
    const { refreshToken } = await tokensOf(sessions);
    const refreshed = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    const tokens = refreshed.getAllSessionTokensDangerously();
    expect(tokens.accessAndFrontTokenUpdated).toBe(true);
    expect(tokens.refreshToken).toEqual(expect.stringMatching(/\.V2$/));
    expect(tokens.refreshToken).not.toBe(refreshToken);
    const verified = await sessions.getSessionWithoutRequestResponse({ accessToken: tokens.accessToken });
    expect(verified.getHandle()).toBe(refreshed.getHandle());
  });

  it.each(['not-a-token', '', 'a.b.V2'])('are not refreshed by %j (T204)', async (refreshToken) => {
    const error = await sessionErrorOf(sessions.refreshSessionWithoutRequestResponse({ refreshToken }));
    expect(error).toMatchObject({ type: 'UNAUTHORISED', payload: { clearTokens: true } });
  });

  it('report the theft of a refresh token and end the session, whoever catches the error (S023)', async () => {
    const { refreshToken } = await tokensOf(sessions);
    const { accessToken } = (
      await sessions.refreshSessionWithoutRequestResponse({ refreshToken })
    ).getAllSessionTokensDangerously();
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
    const error = await sessionErrorOf(sessions.refreshSessionWithoutRequestResponse({ refreshToken }));
    expect(error).toMatchObject({
      type: 'TOKEN_THEFT_DETECTED',
      payload: { sessionHandle: session.getHandle(), userId: 'user-1', recipeUserId: 'user-1' },
    });
    expect(await sessions.getSessionInformation(session.getHandle())).toBeUndefined();
  });

  it('are checked by the validators of the call (T203)', async () => {
    const { accessToken } = await tokensOf(sessions);
    const work = sessions.getSessionWithoutRequestResponse({
      accessToken,
      overrideGlobalClaimValidators: () => [
        { id: 'never', validate: () => ({ isValid: false, reason: 'no' }) },
      ],
    });
    expect(await sessionErrorOf(work)).toMatchObject({
      type: 'INVALID_CLAIMS',
      payload: [{ id: 'never', reason: 'no' }],
    });
  });

  it.each([
    ['undefined', undefined],
    ['a number', 7],
  ])('are not created for %s', async (_case, userId) => {
    await expect(
      sessions.createNewSessionWithoutRequestResponse({ userId: userId as unknown as string }),
    ).rejects.toThrow(/^createNewSessionWithoutRequestResponse: userId is (a number|missing)/);
  });

  it('are not created for somebody else than the core knows by that login method', async () => {
    const other = { userId: 'user-1', recipeUserId: 'login-of-user-2' };
    await expect(sessions.createNewSessionWithoutRequestResponse(other)).rejects.toThrow(TypeError);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'login-of-user-2' })).toEqual([]);
  });

  it.each([
    ['a list', ['a']],
    ['a text', 'a'],
    ['a date', new Date()],
    ['a function', () => ({})],
  ])('take no payload and no data that is %s', async (_case, given) => {
    const value = given as object;
    const create = (input: object): Promise<unknown> =>
      sessions.createNewSessionWithoutRequestResponse({ ...USER, ...input });
    await expect(create({ accessTokenPayload: value })).rejects.toThrow(
      /: accessTokenPayload is .*an object with names/,
    );
    await expect(create({ sessionDataInDatabase: value })).rejects.toThrow(
      /: sessionDataInDatabase is .*an object with names/,
    );
  });
});

describe('anti-CSRF without a request', () => {
  it('is a token of the session with VIA_TOKEN, unless it is disabled (T195, T196)', async () => {
    const { sessions } = await TestApplication.withoutServer().with({ antiCsrf: 'VIA_TOKEN' }).start();
    expect((await tokensOf(sessions)).antiCsrfToken).not.toBe('');
    expect((await tokensOf(sessions, true)).antiCsrfToken).toBe('');
  });

  it('with VIA_TOKEN is checked unless told not to (T198)', async () => {
    const { sessions } = await TestApplication.withoutServer().with({ antiCsrf: 'VIA_TOKEN' }).start();
    const { accessToken, antiCsrfToken } = await tokensOf(sessions);
    const get = sessions.getSessionWithoutRequestResponse.bind(sessions);
    const missing = 'anti-csrf check failed: the request carries no anti-csrf token';
    for (const [given, message] of [
      [{}, missing],
      [{ antiCsrfToken: 'wrong' }, 'anti-csrf check failed'],
      [{ antiCsrfToken: '' }, 'anti-csrf check failed'],
    ] as const) {
      const error = await sessionErrorOf(get({ accessToken, ...given }));
      expect([error.type, error.message]).toEqual(['TRY_REFRESH_TOKEN', message]);
    }
    expect((await get({ accessToken, antiCsrfToken })).getUserId()).toBe('user-1');
    expect((await get({ accessToken, antiCsrfCheck: false })).getUserId()).toBe('user-1');
  });

  it('with VIA_TOKEN is checked at refresh unless disabled (T205)', async () => {
    const { sessions } = await TestApplication.withoutServer().with({ antiCsrf: 'VIA_TOKEN' }).start();
    const { refreshToken, antiCsrfToken } = await tokensOf(sessions);
    const refresh = sessions.refreshSessionWithoutRequestResponse.bind(sessions);
    for (const wrong of [{}, { antiCsrfToken: 'wrong' }]) {
      expect((await sessionErrorOf(refresh({ refreshToken, ...wrong }))).type).toBe('UNAUTHORISED');
    }
    expect((await refresh({ refreshToken, antiCsrfToken })).getUserId()).toBe('user-1');
    expect((await refresh({ refreshToken, disableAntiCsrf: true })).getUserId()).toBe('user-1');
  });

  it('with VIA_CUSTOM_HEADER cannot be checked, so it must be switched off by the call (T201)', async () => {
    const { sessions } = await TestApplication.withoutServer()
      .with({ antiCsrf: 'VIA_CUSTOM_HEADER' })
      .start();
    const { accessToken, refreshToken } = await tokensOf(sessions);
    const get = sessions.getSessionWithoutRequestResponse.bind(sessions);
    const refresh = sessions.refreshSessionWithoutRequestResponse.bind(sessions);
    for (const work of [
      get({ accessToken: 'not-a-token' }),
      get({ accessToken: undefined, sessionRequired: false }),
      refresh({ refreshToken: 'not-a-token' }),
    ]) {
      await expect(work).rejects.toThrow(/VIA_CUSTOM_HEADER/);
      await expect(work).rejects.not.toHaveProperty('type');
    }
    expect((await get({ accessToken, antiCsrfCheck: false })).getUserId()).toBe('user-1');
    expect((await refresh({ refreshToken, disableAntiCsrf: true })).getUserId()).toBe('user-1');
  });

  it('is not checked where the mode follows from the sites, even across sites (T202)', async () => {
    const appInfo: SessionModuleOptions['appInfo'] = {
      appName: 'Shop',
      apiDomain: 'https://api.shop.io',
      websiteDomain: 'https://elsewhere.com',
    };
    const { sessions } = await TestApplication.withoutServer().with({ appInfo }).start();
    const { accessToken, refreshToken } = await tokensOf(sessions);
    expect((await sessions.getSessionWithoutRequestResponse({ accessToken })).getUserId()).toBe('user-1');
    expect((await sessions.refreshSessionWithoutRequestResponse({ refreshToken })).getUserId()).toBe(
      'user-1',
    );
  });
});

describe('a refusal without a request', () => {
  /** Presents a token that has expired. @returns the name of the error */
  const refusalOf = async ({ sessions, clock }: StandaloneApplication): Promise<string> => {
    const { accessToken } = await tokensOf(sessions);
    clock.advanceSeconds(3601);
    return sessions.getSessionWithoutRequestResponse({ accessToken }).then(
      () => 'none',
      (error: unknown) => (error as Error).name,
    );
  };

  /** OpenTelemetry would listen to the channel in every application. */
  const unheard: Partial<SessionModuleOptions> = { telemetry: false };

  it('is counted by the rate limiter, whose refusal takes its place, also where nothing listens', async () => {
    const kinds: string[] = [];
    const limiter: RateLimiter = ({ kind }) => {
      kinds.push(kind);
      return { allowed: false, retryAfterSec: 1 };
    };
    const application = await TestApplication.withoutServer()
      .with({ ...unheard, rateLimit: { limiter } })
      .start();
    expect(await refusalOf(application)).toBe('RateLimitedError');
    expect(kinds).toEqual(['failed-verify']);
  });

  it('is published on the diagnostics channel, also without a rate limiter', async () => {
    const application = await TestApplication.withoutServer().with(unheard).start();
    const published: unknown[] = [];
    const listen = (message: unknown): unknown => published.push(message);
    subscribe('nest-sessions:session.refused', listen);
    try {
      expect(await refusalOf(application)).toBe('TryRefreshTokenError');
    } finally {
      unsubscribe('nest-sessions:session.refused', listen);
    }
    expect(published).toMatchObject([{ error: { type: 'TRY_REFRESH_TOKEN' }, hasToken: true }]);
  });
});

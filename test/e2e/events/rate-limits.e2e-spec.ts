import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CoreUnavailableError,
  RateLimitedError,
  SessionConfigError,
  UnauthorisedError,
  type RateLimitDecision,
  type RateLimitedAttempt,
  type RateLimiter,
  type SessionModuleOptions,
} from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { ADAPTERS, sessionModule, TestApplication } from '../../support/test-application.js';
import type { Handlers } from '../../support/demo.controller.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { ProcessWarnings } from '../../support/process-warnings.js';
import { watchedStore } from '../../support/watched-store.js';
import { countingLimiter } from '../../support/counting-limiter.js';

const REFUSED: RateLimitDecision = { allowed: false, retryAfterSec: 12.2 };

type RateLimit = NonNullable<SessionModuleOptions['rateLimit']>;

/** A limiter whose decisions a test makes, and what it was asked. */
function scriptedLimiter() {
  const asked: Omit<RateLimitedAttempt, 'userContext'>[] = [];
  const state = { decision: { allowed: true } as RateLimitDecision };
  const limiter: RateLimiter = ({ userContext: _context, ...attempt }) => {
    asked.push(attempt);
    return state.decision;
  };
  return { limiter, asked, state };
}

let warnings: ProcessWarnings;

beforeEach(() => {
  warnings = new ProcessWarnings();
});
afterEach(() => warnings.restore());

describe.each(ADAPTERS)('limiting attempts on %s (S101)', (adapter) => {
  describe.each(['cookie', 'header'] as const)('with tokens by %s', (mode) => {
    it('a refused refresh is a 429 that keeps the tokens, and the same token refreshes later', async () => {
      const { limiter, state } = scriptedLimiter();
      const { signedIn, events } = await TestApplication.on(adapter).with({ rateLimit: { limiter } }).start();
      const user = await signedIn(mode);
      const before = [user.cookie('sRefreshToken'), user.refreshToken, user.frontToken];
      state.decision = REFUSED;
      const refused = await user.refresh();
      expect(refused.status).toBe(429);
      expect(refused.body).toEqual({ message: 'too many requests' });
      expect(refused.header('retry-after')).toBe('13');
      for (const name of ['set-cookie', 'front-token', 'st-access-token', 'st-refresh-token']) {
        expect(refused.lines(name)).toEqual([]);
      }
      expect([user.cookie('sRefreshToken'), user.refreshToken, user.frontToken]).toEqual(before);
      expect((await user.get('/me')).status).toBe(200);
      state.decision = { allowed: true };
      expect((await user.refresh()).status).toBe(200);
      expect(events.map(({ type }) => type)).toEqual(['session.created', 'session.refreshed']);
    });

    it('is asked before a refresh, with the address, the session and the user', async () => {
      const { limiter, asked } = scriptedLimiter();
      const { signedIn, events } = await TestApplication.on(adapter).with({ rateLimit: { limiter } }).start();
      const user = await signedIn(mode);
      await user.refresh();
      const [created] = events;
      const { sessionHandle } = created as { sessionHandle: string };
      expect(asked).toEqual([
        { kind: 'refresh', ip: '127.0.0.1', ipGroup: '127.0.0.1', sessionHandle, recipeUserId: 'user-1' },
      ]);
    });

    it('is asked after an access token was refused, and may refuse its sender', async () => {
      const { limiter, asked, state } = scriptedLimiter();
      const { signedIn, clock } = await TestApplication.on(adapter).with({ rateLimit: { limiter } }).start();
      const user = await signedIn(mode);
      await user.get('/me');
      expect(asked).toEqual([]);
      clock.advanceSeconds(2 * 3600);
      expect((await user.get('/me')).status).toBe(401);
      const attempt = {
        kind: 'failed-verify',
        reason: 'TRY_REFRESH_TOKEN',
        ip: '127.0.0.1',
        ipGroup: '127.0.0.1',
      };
      expect(asked).toEqual([attempt]);
      state.decision = REFUSED;
      const refused = await user.get('/me');
      expect(refused.status).toBe(429);
      expect(refused.header('retry-after')).toBe('13');
      expect(refused.lines('set-cookie')).toEqual([]);
      expect(refused.lines('front-token')).toEqual([]);
    });
  });

  it('is not asked about requests without a token, good ones, failed claims and trouble with the core', async () => {
    const { limiter, asked } = scriptedLimiter();
    const never = { id: 'never', validate: () => ({ isValid: false as const }) };
    const handlers: Handlers = { guarded: { claims: async (session) => session.assertClaims([never]) } };
    const { client, signedIn, http } = await TestApplication.on(adapter)
      .handlers(handlers)
      .with({ rateLimit: { limiter } })
      .start();
    expect((await client().get('/me')).status).toBe(401);
    expect(
      (await http.send({ path: '/me', headers: { authorization: 'Bearer not-one-of-ours' } })).status,
    ).toBe(401);
    expect((await client().refresh()).status).toBe(401);
    const user = await signedIn();
    expect((await user.get('/me')).status).toBe(200);
    expect((await user.get('/optional')).status).toBe(200);
    expect((await user.get('/run/claims')).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it('the token of an ended session uses up what its user may do, and nothing of what another session may', async () => {
    const clock = new TestClock(TEST_START_MS);
    const attempt = async (refresh: { perUser?: number; perSession?: number }): Promise<number[]> => {
      const statuses: number[] = [];
      const limiter = countingLimiter({ windowSec: 60, refresh, clock });
      await TestApplication.on(adapter)
        .clock(clock)
        .with({ rateLimit: { limiter } })
        .run(async ({ signedIn }) => {
          const ended = await signedIn('header', 'ada');
          const thief = ended.copy();
          await ended.signOut();
          const user = await signedIn('header', 'ada');
          for (let n = 0; n < 4; n++) statuses.push((await thief.copy().refresh()).status);
          statuses.push((await user.refresh()).status, (await user.get('/me')).status);
          clock.advanceSeconds(60);
          statuses.push((await user.refresh()).status);
        });
      return statuses;
    };
    expect(await attempt({ perUser: 3 })).toEqual([401, 401, 401, 429, 429, 200, 200]);
    expect(await attempt({ perSession: 3 })).toEqual([401, 401, 401, 429, 200, 200, 200]);
  });

  it('a burst of refreshes gets exactly as many successes as the limiter allows', async () => {
    const clock = new TestClock(TEST_START_MS);
    const limiter = countingLimiter({ windowSec: 60, refresh: { perSession: 5 }, clock });
    const { signedIn } = await TestApplication.on(adapter)
      .clock(clock)
      .with({ rateLimit: { limiter } })
      .start();
    const user = await signedIn('cookie');
    const tabs = Array.from({ length: 20 }, () => user.copy());
    const statuses = (await Promise.all(tabs.map(async (tab) => tab.refresh()))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200).length).toBe(5);
    expect(statuses.filter((status) => status === 429).length).toBe(15);
    clock.advanceSeconds(60);
    expect((await user.refresh()).status).toBe(200);
  });

  it.each<[string, RateLimiter]>([
    [
      'throws',
      () => {
        throw new Error('no connection to the counters');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('no connection to the counters'))],
    ['never responds', async () => new Promise<never>(() => undefined)],
    ['gives no decision', (() => undefined) as unknown as RateLimiter],
    ['refuses without a time', () => ({ allowed: false, retryAfterSec: Number.NaN })],
  ])(
    'a limiter that %s stops nobody, or everybody where the application wants that',
    async (_case, limiter) => {
      const refreshWith = async (
        rateLimit: RateLimit,
      ): Promise<{ status: number; text: string; again: number }> => {
        let outcome = { status: 0, text: '', again: 0 };
        await TestApplication.on(adapter)
          .with({ rateLimit })
          .run(async ({ signedIn }) => {
            const user = await signedIn();
            const { status, text } = await user.refresh();
            outcome = { status, text, again: (await user.get('/me')).status };
          });
        return outcome;
      };
      expect(await refreshWith({ limiter, timeoutMs: 20 })).toEqual({ status: 200, text: '{}', again: 200 });
      expect(warnings.take()).toEqual(['The rate limiter fails, attempts go on uncounted']);
      expect(await refreshWith({ limiter, timeoutMs: 20, whenUnavailable: 'refuse' })).toEqual({
        status: 503,
        text: '{"message":"service unavailable"}',
        again: 200,
      });
      expect(warnings.take()).toEqual(['The rate limiter fails, attempts are refused']);
    },
  );
});

describe('limiting attempts without HTTP (S101)', () => {
  it('refuses with an error that says how long to wait', async () => {
    const { limiter, asked, state } = scriptedLimiter();
    const { sessions, clock } = await TestApplication.withoutServer()
      .with({ rateLimit: { limiter } })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const { refreshToken = '', accessToken } = session.getAllSessionTokensDangerously();
    state.decision = REFUSED;
    const refreshing = sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    await expect(refreshing).rejects.toThrow(RateLimitedError);
    await expect(refreshing).rejects.toMatchObject({ retryAfterSec: 12.2 });
    clock.advanceSeconds(2 * 3600);
    const verifying = Promise.resolve(sessions.getSessionWithoutRequestResponse({ accessToken }));
    await expect(verifying).rejects.toThrow(RateLimitedError);
    expect(asked.map(({ kind, ip }) => [kind, ip])).toEqual([
      ['refresh', undefined],
      ['failed-verify', undefined],
    ]);
  });

  it.each([undefined, 'a.b.c'])(
    'does not count a verification of %j, which is no token of ours',
    async (accessToken) => {
      const { limiter, asked } = scriptedLimiter();
      const { sessions } = await TestApplication.withoutServer().with({ rateLimit: { limiter } }).start();
      const verifying = Promise.resolve(sessions.getSessionWithoutRequestResponse({ accessToken }));
      await expect(verifying).rejects.toThrow(UnauthorisedError);
      expect(asked).toEqual([]);
    },
  );

  it('costs the store and the application nothing where the limiter refuses', async () => {
    const { limiter, asked, state } = scriptedLimiter();
    const { store, calls } = await watchedStore();
    const linked: string[] = [];
    const accountLinking = {
      getPrimaryUserId: async (recipeUserId: string) => {
        linked.push(recipeUserId);
        return recipeUserId;
      },
      getLinkedRecipeUserIds: async (userId: string) => [userId],
    };
    const { sessions } = await TestApplication.withoutServer()
      .store(store)
      .engine({ accountLinking })
      .with({ rateLimit: { limiter } })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const { refreshToken = '' } = session.getAllSessionTokensDangerously();
    const refresh = async () => sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    state.decision = REFUSED;
    calls.length = linked.length = 0;
    await expect(refresh()).rejects.toThrow(RateLimitedError);
    expect([calls, linked]).toEqual([[], []]);
    const sessionHandle = session.getHandle();
    expect(asked).toMatchObject([{ kind: 'refresh', sessionHandle, recipeUserId: 'user-1' }]);
  });

  it('knows no session where the refresh token is none of ours', async () => {
    const { limiter, asked } = scriptedLimiter();
    const { sessions } = await TestApplication.withoutServer().with({ rateLimit: { limiter } }).start();
    await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken: 'forged' })).rejects.toThrow(
      UnauthorisedError,
    );
    expect(asked).toMatchObject([{ kind: 'refresh', sessionHandle: undefined, recipeUserId: undefined }]);
  });

  it('warns once a minute of a limiter that is away', async () => {
    const limiter: RateLimiter = async () => Promise.reject(new Error('away'));
    const options = { rateLimit: { limiter, whenUnavailable: 'refuse' } } as const;
    const { sessions, clock } = await TestApplication.withoutServer().with(options).start();
    const refresh = async (): Promise<void> =>
      expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken: 'any' })).rejects.toThrow(
        CoreUnavailableError,
      );
    for (let i = 0; i < 5; i++) await refresh();
    expect(warnings.take().length).toBe(1);
    clock.advanceSeconds(60);
    await refresh();
    expect(warnings.take().length).toBe(1);
  });

  it.each<[string, object, string]>([
    ['no limiter', {}, 'rateLimit.limiter'],
    ['something that is no function', { limiter: 5 }, 'rateLimit.limiter'],
    ['a misspelt name', { limiter: () => ({ allowed: true }), timeout: 5 }, 'rateLimit.timeout'],
    [
      'another consequence',
      { limiter: () => ({ allowed: true }), whenUnavailable: 'open' },
      'rateLimit.whenUnavailable',
    ],
    ['no time', { limiter: () => ({ allowed: true }), timeoutMs: 0 }, 'rateLimit.timeoutMs'],
  ])('does not start with %s', async (_case, rateLimit, path) => {
    const starting = TestApplication.withoutServer()
      .modules(await sessionModule({ options: { rateLimit: rateLimit as never } }))
      .run(async () => undefined);
    await expect(starting).rejects.toThrow(SessionConfigError);
    await expect(starting).rejects.toMatchObject({ problems: [{ path }] });
  });
});

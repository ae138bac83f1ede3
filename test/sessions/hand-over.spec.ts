import { describe, expect, it } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  CoreBadInputError,
  InvalidClaimsError,
  SessionEvents,
  TooManySessionsError,
  UnauthorisedError,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { HandOverInput, RedemptionInput } from 'nest-sessions/core';
import { parseSessionHandle } from '../../lib/core/embedded/session-handle.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { storeWithoutFeed } from '../support/feed-instance.js';
import { TestApplication } from '../support/test-application.js';

const AUDIENCE = 'shop-app';

async function application(options: Partial<SessionModuleOptions> = {}) {
  const store = await seededMemoryStore();
  const started = await TestApplication.withoutServer().store(store).with(options).start();
  const { sessions, clock } = started;
  const session = await sessions.createNewSessionWithoutRequestResponse({
    userId: 'ada',
    accessTokenPayload: { plan: 'pro' },
    sessionDataInDatabase: { cart: [1] },
  });
  const make = async (input: Partial<HandOverInput> = {}) =>
    sessions.createHandOverToken({ sessionHandle: session.getHandle(), audience: AUDIENCE, ...input });
  const redeem = async (token: string, audience = AUDIENCE) =>
    sessions.redeemHandOverTokenWithoutRequestResponse({ token, audience });
  const refusals = async () => {
    await started.get(SessionEvents).delivered();
    return started.events.filter(({ type }) => type === 'session.hand-over-refused');
  };
  return { store, sessions, clock, session, make, redeem, refusals };
}

describe('a hand-over token (S124)', () => {
  it('opens a session with payload, data and limits of the one that it came from, which it ends with', async () => {
    const { sessions, clock, session, make, redeem } = await application({
      lifetime: { absoluteSec: 7200, idleSec: 600 },
    });
    const token = await make();
    clock.advanceSeconds(30);
    const next = await redeem(token);
    expect(next.getHandle()).not.toBe(session.getHandle());
    const start = TEST_START_MS / 1000;
    expect(next.getAccessTokenPayload()).toMatchObject({
      sub: 'ada',
      plan: 'pro',
      auth_time: start,
      session_expiry: start + 7200,
      session_idle: 600,
    });
    expect(await next.getSessionDataFromDatabase()).toEqual({ cart: [1] });
    expect(await sessions.getSessionInformation(next.getHandle())).toMatchObject({
      parentSessionHandle: session.getHandle(),
    });
    await session.revokeSession();
    expect(await sessions.getSessionInformation(next.getHandle())).toBeUndefined();
  });

  it('opens a sibling that lives by itself, where that is asked for', async () => {
    const { sessions, session, make, redeem } = await application();
    const next = await redeem(await make({ as: 'sibling' }));
    expect(next.getAccessTokenPayload()).not.toHaveProperty('session_parent');
    await session.revokeSession();
    expect(await sessions.getSessionInformation(next.getHandle())).toBeDefined();
  });

  it('lets a child live as long as its parent, which goes on being refreshed', async () => {
    const { sessions, clock, session, make, redeem } = await application({ lifetime: { idleSec: 600 } });
    const refresh = async (refreshToken = '') => {
      const next = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
      const tokens = next.getAllSessionTokensDangerously();
      await sessions.getSessionWithoutRequestResponse({ accessToken: tokens.accessToken });
      return tokens;
    };
    let [here, there] = [session, await redeem(await make())].map((each) =>
      each.getAllSessionTokensDangerously(),
    );
    const child = (await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).find(
      (handle) => handle !== session.getHandle(),
    );
    for (let n = 0; n < 4; n++) {
      clock.advanceSeconds(500);
      [here, there] = [await refresh(here?.refreshToken), await refresh(there?.refreshToken)];
    }
    await sessions.revokeSession(session.getHandle());
    expect(await sessions.getSessionInformation(child ?? '')).toBeUndefined();
  });

  it('keeps an idle limit that is shorter than that of the others', async () => {
    const { sessions, redeem } = await application({ lifetime: { idleSec: 600 } });
    const short = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      lifetime: { idleSec: 300 },
    });
    const token = await sessions.createHandOverToken({
      sessionHandle: short.getHandle(),
      audience: AUDIENCE,
    });
    expect((await redeem(token)).getAccessTokenPayload()).toMatchObject({ session_idle: 300 });
  });

  it('begins a session that counts for maxSessionsPerUser', async () => {
    const { store, make, redeem } = await application({
      maxSessionsPerUser: { max: 2, whenExceeded: 'refuse' },
    });
    await redeem(await make());
    await expect(redeem(await make())).rejects.toThrow(TooManySessionsError);
    expect(store.size).toBe(2);
  });

  it('is used once: a replay is refused, and noted with the session', async () => {
    const { session, store, make, redeem, refusals } = await application();
    const token = await make();
    await redeem(token);
    await expect(redeem(token)).rejects.toThrow(UnauthorisedError);
    expect(store.size).toBe(2);
    expect(await refusals()).toMatchObject([
      { reason: 'replayed', userId: 'ada', sessionHandle: session.getHandle() },
    ]);
  });

  it('CVE-2026-22751: has one winner among many at once', async () => {
    const { store, make, redeem, refusals } = await application();
    const token = await make();
    const all = await Promise.allSettled(Array.from({ length: 10 }, async () => redeem(token)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(store.size).toBe(2);
    expect(await refusals()).toHaveLength(9);
  });

  it('is used up when it comes from another client than its own', async () => {
    const { make, redeem, refusals } = await application();
    const token = await make();
    await expect(redeem(token, 'other-app')).rejects.toThrow(UnauthorisedError);
    await expect(redeem(token)).rejects.toThrow(UnauthorisedError);
    expect(await refusals()).toMatchObject([{ reason: 'wrong-audience' }, { reason: 'replayed' }]);
  });

  it('is good for a minute', async () => {
    const { clock, make, redeem } = await application();
    const [first, second] = [await make(), await make()];
    clock.advance(59_999);
    await redeem(first);
    clock.advance(1);
    await expect(redeem(second)).rejects.toThrow(UnauthorisedError);
  });

  it('is good while its session lives', async () => {
    const { session, store, make, redeem, refusals } = await application();
    const token = await make({ as: 'sibling' });
    await session.revokeSession();
    await expect(redeem(token)).rejects.toThrow(UnauthorisedError);
    await expect(make()).rejects.toThrow(UnauthorisedError);
    expect(store.size).toBe(0);
    expect(await refusals()).toMatchObject([{ reason: 'session-ended' }]);
  });

  it('leaves no sibling where the user signs out while it is made', async () => {
    const { session, sessions, store, make, redeem } = await application();
    const token = await make({ as: 'sibling' });
    const insert = store.insertSession.bind(store);
    store.insertSession = async (...args) => {
      await insert(...args);
      await sessions.revokeSession(session.getHandle());
    };
    await expect(redeem(token)).rejects.toThrow(UnauthorisedError);
    expect(store.size).toBe(0);
  });

  it('is good while those live that its session belongs to, also where a process stopped between the two ends', async () => {
    const { sessions, store, session, make, redeem, refusals } = await application();
    const child = await sessions.createChildSession({ parentSessionHandle: session.getHandle() });
    const token = await make({ sessionHandle: child.getHandle(), as: 'sibling' });
    const key = parseSessionHandle(session.getHandle());
    await store.deleteSessions(key ? [key] : []);
    await expect(redeem(token)).rejects.toThrow('unknown, used, expired or for another client');
    expect(await refusals()).toMatchObject([{ reason: 'session-ended' }]);
  });

  it('is good for nothing after a process stopped between its use and the new session', async () => {
    const { sessions, store, make, redeem } = await application();
    const token = await make();
    const insert = store.insertSession.bind(store);
    store.insertSession = async () => Promise.reject(new Error('The process was killed'));
    await expect(redeem(token)).rejects.toThrow('session store failed');
    store.insertSession = insert;
    await expect(redeem(token)).rejects.toThrow(UnauthorisedError);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toHaveLength(1);
    await expect(redeem(await make())).resolves.toBeDefined();
  });

  it('widens nothing: actors stay, and a narrow session stays narrow and old', async () => {
    const { sessions, session, make, redeem } = await application({ claims: [AuthenticationTimeClaim] });
    const child = await sessions.createChildSession({
      parentSessionHandle: session.getHandle(),
      actorId: 'agent',
    });
    const fresh = AuthenticationTimeClaim.validators.freshWithin(3600);
    await (await redeem(await make())).assertClaims([fresh]);
    for (const as of ['child', 'sibling'] as const) {
      const next = await redeem(await make({ sessionHandle: child.getHandle(), as }));
      expect(next.getAccessTokenPayload()).toMatchObject({
        act: { sub: 'agent' },
        session_parent: { narrow: true, handles: expect.arrayContaining([session.getHandle()]) as unknown },
        session_expiry: child.getAccessTokenPayload()['session_expiry'],
      });
      expect(next.getAccessTokenPayload()).not.toHaveProperty('plan');
      await expect(next.assertClaims([fresh])).rejects.toThrow(InvalidClaimsError);
    }
  });

  it.each<[string, (token: string) => string]>([
    ['nothing', () => ''],
    ['another token', () => `ho1_${'A'.repeat(43)}`],
    ['a longer one', (token) => `${token}A`],
    ['a name of the store', () => 'children'],
    ['markup', () => '<script>'],
    ['a megabyte', () => 'x'.repeat(1_000_000)],
  ])('is not guessed: %s is refused, and the token stays good', async (_name, change) => {
    const { make, redeem, refusals } = await application();
    const token = await make();
    await expect(redeem(change(token))).rejects.toThrow('unknown, used, expired or for another client');
    expect(await refusals()).toEqual([]);
    await expect(redeem(token)).resolves.toBeDefined();
  });

  it.each<[string, object]>([
    ['without an audience', { audience: undefined }],
    ['for everybody', { audience: '' }],
    ['for a list', { audience: ['shop-app'] }],
    ['of another kind', { as: 'twin' }],
  ])('%s is a wrong call', async (_name, input) => {
    const { make } = await application();
    await expect(make(input as Partial<HandOverInput>)).rejects.toThrow(TypeError);
  });

  it('is refused in one clear error where instances could not see that it was used', async () => {
    const { sessions } = await TestApplication.withoutServer()
      .store(await storeWithoutValues())
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
    const input = { sessionHandle: session.getHandle(), audience: AUDIENCE };
    await expect(sessions.createHandOverToken(input)).rejects.toThrow(CoreBadInputError);
    await expect(sessions.createHandOverToken(input)).rejects.toThrow('Hand-over tokens need a place');
    const redemption: RedemptionInput = { token: `ho1_${'A'.repeat(43)}`, audience: AUDIENCE };
    const redeemed = sessions.redeemHandOverTokenWithoutRequestResponse(redemption);
    await expect(redeemed).rejects.toThrow('Hand-over tokens need a place');
    // Children need no such place.
    const child = await sessions.createChildSession({ parentSessionHandle: session.getHandle() });
    await session.revokeSession();
    expect(await sessions.getSessionInformation(child.getHandle())).toBeUndefined();
  });
});

async function storeWithoutValues() {
  const store = await storeWithoutFeed();
  return new Proxy(store, {
    get: (target, name) =>
      name === 'sharedValues' ? undefined : (Reflect.get(target, name, target) as unknown),
  });
}

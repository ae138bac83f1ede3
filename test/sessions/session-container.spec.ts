import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PrimitiveClaim, type SessionContainer, type SessionService } from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import { readFrontToken } from '../support/session-client.js';
import { watchedStore, type WatchedStore } from '../support/watched-store.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';

const clock = new TestClock(TEST_START_MS);
const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro', clock });
const nothing = new PrimitiveClaim<string>({ key: 'nothing', fetchValue: () => undefined, clock });

let application: StandaloneApplication;
let sessions: SessionService;
let watched: WatchedStore;

beforeAll(async () => {
  watched = await watchedStore();
  application = await TestApplication.withoutServer().clock(clock).store(watched.store).start();
  ({ sessions } = application);
});

afterAll(() => application.close());

async function newSession(payload: object = {}, data: object | null = null): Promise<SessionContainer> {
  return sessions.createNewSessionWithoutRequestResponse({
    userId: 'user-1',
    accessTokenPayload: payload,
    sessionDataInDatabase: data as object,
  });
}

describe('changing the payload of a session', () => {
  it('makes a new token and front token with the old expiry, and no new refresh token (T183, T184, T190)', async () => {
    const session = await newSession({ keep: 1, drop: 1 });
    const before = session.getAllSessionTokensDangerously();
    clock.advanceSeconds(100);
    await session.mergeIntoAccessTokenPayload({ k: 'v', drop: null });
    const after = session.getAllSessionTokensDangerously();
    expect(after.accessToken).not.toBe(before.accessToken);
    expect(after.refreshToken).toBe(before.refreshToken);
    expect(session.getAccessTokenPayload()).toEqual(jwtClaims(after.accessToken));
    expect(session.getAccessTokenPayload()).toMatchObject({ k: 'v', keep: 1 });
    expect(session.getAccessTokenPayload()).not.toHaveProperty('drop');
    expect(readFrontToken(after.frontToken)).toEqual({
      uid: 'user-1',
      ate: readFrontToken(before.frontToken).ate,
      up: jwtClaims(after.accessToken),
    });
    expect(jwtClaims(after.accessToken)['exp']).toBe(jwtClaims(before.accessToken)['exp']);
  });

  it('marks a verified session as changed, so that its tokens are sent', async () => {
    const accessToken = (await newSession()).getAccessToken();
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
    await session.mergeIntoAccessTokenPayload({ k: 'v' });
    expect(session.getAllSessionTokensDangerously()).toMatchObject({
      accessAndFrontTokenUpdated: true,
      refreshToken: undefined,
      antiCsrfToken: undefined,
    });
  });

  it('is kept for the next refresh when the token expires meanwhile, and seen at once (T186)', async () => {
    const session = await newSession({ keep: 1, drop: 1 });
    const before = session.getAllSessionTokensDangerously();
    clock.advanceSeconds(3601);
    await session.mergeIntoAccessTokenPayload({ k: 'v', drop: null });
    expect(session.getAccessToken()).toBe(before.accessToken);
    expect(session.getAccessTokenPayload()).toMatchObject({ sub: 'user-1', keep: 1, k: 'v' });
    expect(session.getAccessTokenPayload()).not.toHaveProperty('drop');
    const { refreshToken = '' } = before;
    const refreshed = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    expect(refreshed.getAccessTokenPayload()).toMatchObject({ keep: 1, k: 'v' });
    expect(refreshed.getAccessTokenPayload()).not.toHaveProperty('drop');
  });
});

describe('the payload that a session shows', () => {
  const expectFrozen = (session: SessionContainer): void => {
    const payload = session.getAccessTokenPayload();
    expect(() => Object.assign(payload, { sub: 'somebody' })).toThrow(TypeError);
    expect(() => (payload['deep'] as { list: number[] }).list.push(2)).toThrow(TypeError);
    expect(session.getUserId()).toBe('user-1');
    expect(payload).toMatchObject({ sub: 'user-1', deep: { list: [1] } });
  };

  it('cannot be changed by accident, wherever it comes from (S011)', async () => {
    const given = { deep: { list: [1] } };
    const created = await newSession(given);
    given.deep.list.push(3);
    expectFrozen(created);
    const { accessToken, refreshToken = '' } = created.getAllSessionTokensDangerously();
    expectFrozen(await sessions.getSessionWithoutRequestResponse({ accessToken }));
    expectFrozen(await sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true }));
    const refreshed = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    expectFrozen(refreshed);
    expectFrozen(
      await sessions.getSessionWithoutRequestResponse({ accessToken: refreshed.getAccessToken() }),
    );
    await created.mergeIntoAccessTokenPayload({ more: 1 });
    expectFrozen(created);
    clock.advanceSeconds(3601);
    await created.mergeIntoAccessTokenPayload({ late: 1 });
    expectFrozen(created);
    expect(created.getAccessTokenPayload()).toMatchObject({ deep: { list: [1] }, more: 1, late: 1 });
  });
});

describe('the data of a session', () => {
  it('is read, replaced and merged through the session', async () => {
    const session = await newSession({}, { a: 1 });
    expect(await session.getSessionDataFromDatabase()).toEqual({ a: 1 });
    await session.mergeSessionDataInDatabase({ a: null, b: 2 });
    expect(await session.getSessionDataFromDatabase()).toEqual({ b: 2 });
    await session.updateSessionDataInDatabase({ c: 3 });
    expect(await session.getSessionDataFromDatabase()).toEqual({ c: 3 });
  });

  it('is empty for null and undefined (T180, T182)', async () => {
    const session = await newSession(null as unknown as object, null);
    expect(await session.getSessionDataFromDatabase()).toEqual({});
    await session.updateSessionDataInDatabase({ a: 1 });
    await session.updateSessionDataInDatabase(null);
    expect(await session.getSessionDataFromDatabase()).toEqual({});
    await session.updateSessionDataInDatabase(undefined);
    expect(await session.getSessionDataFromDatabase()).toEqual({});
  });
});

describe('the times of a session', () => {
  it('are read from the store', async () => {
    const session = await newSession();
    expect(await session.getTimeCreated()).toBe(clock.now());
    expect(await session.getExpiry()).toBe(clock.now() + 8_640_000_000);
  });
});

describe('claims of a session', () => {
  it('are set and removed in the payload (T228, T229)', async () => {
    const session = await newSession();
    await session.setClaimValue(plan, 'free');
    expect(session.getAccessTokenPayload()).toMatchObject({ plan: { v: 'free', t: clock.now() } });
    expect(await session.getClaimValue(plan)).toBe('free');
    await session.removeClaim(plan);
    expect(await session.getClaimValue(plan)).toBeUndefined();
    expect(session.getAccessTokenPayload()).not.toHaveProperty('plan');
  });

  it('make a new token even when there is no value to fetch (T230)', async () => {
    const session = await newSession();
    watched.calls.length = 0;
    await session.fetchAndSetClaim(nothing);
    expect(watched.calls).toEqual(['findSession', 'findSession', 'update accessTokenPayload']);
    expect(session.getAccessTokenPayload()).not.toHaveProperty('nothing');
    await session.fetchAndSetClaim(plan);
    expect(await session.getClaimValue(plan)).toBe('pro');
  });

  it('cost nothing to assert when there are no validators (T218)', async () => {
    const session = await newSession();
    const { accessToken } = session.getAllSessionTokensDangerously();
    watched.calls.length = 0;
    await session.assertClaims([]);
    expect(watched.calls).toEqual([]);
    expect(session.getAccessToken()).toBe(accessToken);
  });

  it('that were fetched are kept before a failure is reported', async () => {
    const session = await newSession();
    const error = await sessionErrorOf(session.assertClaims([plan.validators.hasValue('free')]));
    expect(error).toMatchObject({
      type: 'INVALID_CLAIMS',
      message: 'INVALID_CLAIMS',
      payload: [
        { id: 'plan', reason: { message: 'wrong value', expectedValue: 'free', actualValue: 'pro' } },
      ],
    });
    expect(await session.getClaimValue(plan)).toBe('pro');
  });
});

describe('a session that has ended meanwhile', () => {
  it.each<[string, (session: SessionContainer) => Promise<unknown>]>([
    ['getSessionDataFromDatabase', (session) => session.getSessionDataFromDatabase()],
    ['updateSessionDataInDatabase', (session) => session.updateSessionDataInDatabase({})],
    ['mergeSessionDataInDatabase', (session) => session.mergeSessionDataInDatabase({})],
    ['mergeIntoAccessTokenPayload', (session) => session.mergeIntoAccessTokenPayload({})],
    ['getTimeCreated', (session) => session.getTimeCreated()],
    ['getExpiry', (session) => session.getExpiry()],
    ['fetchAndSetClaim', (session) => session.fetchAndSetClaim(plan)],
    ['setClaimValue', (session) => session.setClaimValue(plan, 'pro')],
    ['removeClaim', (session) => session.removeClaim(plan)],
    ['assertClaims', (session) => session.assertClaims([plan.validators.hasValue('pro')])],
  ])('refuses %s, and the client loses its tokens (T181, T191)', async (_method, call) => {
    const session = await newSession();
    await sessions.revokeSession(session.getHandle());
    expect(await sessionErrorOf(call(session))).toMatchObject({
      type: 'UNAUTHORISED',
      message: 'Session does not exist anymore',
      payload: { clearTokens: true },
    });
  });

  it('can be ended again (T192)', async () => {
    const session = await newSession();
    await session.revokeSession();
    await expect(session.revokeSession()).resolves.toBeUndefined();
  });
});

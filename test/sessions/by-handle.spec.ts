import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PrimitiveClaim, type SessionService } from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';

const UNKNOWN = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';
const SESSION_LIFE_MS = 8_640_000_000;

const clock = new TestClock(TEST_START_MS);
let level: number | undefined = 1;
const levelClaim = new PrimitiveClaim<number>({ key: 'level', fetchValue: () => level, clock });
const absentClaim = new PrimitiveClaim<number>({ key: 'absent', fetchValue: () => undefined, clock });

let application: StandaloneApplication;
let sessions: SessionService;

beforeAll(async () => {
  application = await TestApplication.withoutServer().clock(clock).start();
  ({ sessions } = application);
});

afterAll(() => application.close());

/** A new session of a new user, or of the one that is named. */
let users = 0;
async function newSession(
  input: { userId?: string; tenantId?: string; payload?: object; data?: object } = {},
) {
  const { userId = `user-${++users}`, tenantId = 'public', payload = {}, data = {} } = input;
  const session = await sessions.createNewSessionWithoutRequestResponse({
    userId,
    tenantId,
    accessTokenPayload: payload,
    sessionDataInDatabase: data,
  });
  return { userId, handle: session.getHandle(), accessToken: session.getAccessToken() };
}

async function storedPayload(handle: string): Promise<unknown> {
  return (await sessions.getSessionInformation(handle))?.customClaimsInAccessTokenPayload;
}

async function storedData(handle: string): Promise<unknown> {
  return (await sessions.getSessionInformation(handle))?.sessionDataInDatabase;
}

describe('the facts about a session by its handle', () => {
  it('is eight facts (T194)', async () => {
    const { handle, userId } = await newSession({ payload: { plan: 'pro' }, data: { cart: [1] } });
    expect(await sessions.getSessionInformation(handle)).toEqual({
      sessionHandle: handle,
      userId,
      recipeUserId: userId,
      tenantId: 'public',
      timeCreated: clock.now(),
      expiry: clock.now() + SESSION_LIFE_MS,
      sessionDataInDatabase: { cart: [1] },
      customClaimsInAccessTokenPayload: { plan: 'pro', iss: 'https://api.shop.io/auth' },
    });
  });

  it('is nothing once the session has ended (T179)', async () => {
    const { handle } = await newSession();
    await sessions.revokeSession(handle);
    expect(await sessions.getSessionInformation(handle)).toBeUndefined();
    expect(await sessions.getSessionInformation(UNKNOWN)).toBeUndefined();
  });

  it('is a copy: changing it changes nothing', async () => {
    const { handle } = await newSession({ payload: { deep: { a: 1 } }, data: { deep: { a: 1 } } });
    const information = await sessions.getSessionInformation<{ deep: { a: number } }>(handle);
    if (information === undefined) throw new Error('The session is there');
    information.customClaimsInAccessTokenPayload.deep.a = 2;
    information.sessionDataInDatabase['deep'] = 2;
    expect(await storedPayload(handle)).toMatchObject({ deep: { a: 1 } });
    expect(await storedData(handle)).toEqual({ deep: { a: 1 } });
  });
});

describe('ending sessions', () => {
  it('returns whether there was one (T175)', async () => {
    const { handle } = await newSession();
    expect(await sessions.revokeSession(handle)).toBe(true);
    expect(await sessions.revokeSession(handle)).toBe(false);
    expect(await sessions.revokeSession('unknown')).toBe(false);
  });

  it('returns which of several existed, each once (T176)', async () => {
    const [a, b] = [(await newSession()).handle, (await newSession()).handle];
    const revoked = await sessions.revokeMultipleSessions([a, UNKNOWN, b, a]);
    expect(revoked.toSorted()).toEqual([a, b].toSorted());
    expect(await sessions.revokeMultipleSessions([])).toEqual([]);
  });

  it('of a user leaves none, and those of others alone (T177, T178)', async () => {
    const { userId, handle } = await newSession();
    const second = await newSession({ userId });
    const elsewhere = await newSession({ userId, tenantId: 't1' });
    const other = await newSession();
    expect((await sessions.getAllSessionHandlesForUser({ userId })).toSorted()).toEqual(
      [handle, second.handle, elsewhere.handle].toSorted(),
    );
    expect((await sessions.revokeAllSessionsForUser({ userId })).toSorted()).toEqual(
      [handle, second.handle, elsewhere.handle].toSorted(),
    );
    expect(await sessions.getAllSessionHandlesForUser({ userId })).toEqual([]);
    expect(await sessions.getAllSessionHandlesForUser({ userId: other.userId })).toEqual([other.handle]);
    expect(await sessions.revokeAllSessionsForUser({ userId: 'nobody' })).toEqual([]);
  });

  it('of a user in one tenant leaves those in the others', async () => {
    const { userId, handle } = await newSession();
    const elsewhere = await newSession({ userId, tenantId: 't1' });
    expect(await sessions.getAllSessionHandlesForUser({ userId, tenantId: 't1' })).toEqual([
      elsewhere.handle,
    ]);
    expect(await sessions.revokeAllSessionsForUser({ userId, tenantId: 't1' })).toEqual([elsewhere.handle]);
    expect(await sessions.getAllSessionHandlesForUser({ userId })).toEqual([handle]);
  });

  it('counts at once where the database is asked, and at the next refresh elsewhere (S045)', async () => {
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
    await sessions.revokeSession(session.getHandle());
    const checked = sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true });
    await expect(checked).rejects.toMatchObject({ type: 'UNAUTHORISED', payload: { clearTokens: true } });
    const refreshed = sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    await expect(refreshed).rejects.toMatchObject({ type: 'UNAUTHORISED', payload: { clearTokens: true } });
  });
});

describe('the data of a session on the server', () => {
  it.each([
    ['null', null],
    ['undefined', undefined],
  ])('becomes empty when it is replaced by %s (T180)', async (_case, data) => {
    const { handle } = await newSession({ data: { cart: [1] } });
    expect(await sessions.updateSessionDataInDatabase(handle, data)).toBe(true);
    expect(await storedData(handle)).toEqual({});
  });

  it('is replaced as a whole, or merged by top-level names', async () => {
    const { handle } = await newSession({ data: { a: 1, b: { deep: true }, c: 3 } });
    expect(await sessions.mergeSessionDataInDatabase(handle, { b: { other: true }, c: null })).toBe(true);
    expect(await storedData(handle)).toEqual({ a: 1, b: { other: true } });
    expect(await sessions.updateSessionDataInDatabase(handle, { only: 1 })).toBe(true);
    expect(await storedData(handle)).toEqual({ only: 1 });
  });

  it('of an unknown session is not there to be changed (T181)', async () => {
    expect(await sessions.updateSessionDataInDatabase(UNKNOWN, {})).toBe(false);
    expect(await sessions.mergeSessionDataInDatabase(UNKNOWN, {})).toBe(false);
  });

  it('is no list', async () => {
    const { handle } = await newSession({ data: { a: 1 } });
    await expect(sessions.updateSessionDataInDatabase(handle, [1])).rejects.toThrow(TypeError);
    await expect(sessions.mergeSessionDataInDatabase(handle, [1])).rejects.toThrow(TypeError);
    expect(await storedData(handle)).toEqual({ a: 1 });
  });

  it('keeps every name that 1000 writers merge at the same time (S089)', async () => {
    const { handle } = await newSession({ data: { before: true } });
    const names = Array.from({ length: 1000 }, (_, index) => `writer-${index}`);
    const merged = await Promise.all(
      names.map((name) => sessions.mergeSessionDataInDatabase(handle, { [name]: true })),
    );
    expect(merged.every(Boolean)).toBe(true);
    expect(Object.keys((await storedData(handle)) as object).toSorted()).toEqual(
      ['before', ...names].toSorted(),
    );
  });
});

describe('the payload of a session', () => {
  it('is merged by handle: nulls remove, the issuer stays, clients see it after a refresh (T187)', async () => {
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      accessTokenPayload: { keep: 1, drop: 1, deep: { a: 1, b: 1 } },
    });
    const { refreshToken = '', accessToken } = session.getAllSessionTokensDangerously();
    const update = { drop: null, deep: { c: 1 }, added: [1] };
    expect(await sessions.mergeIntoAccessTokenPayload(session.getHandle(), update)).toBe(true);
    const expected = { keep: 1, deep: { c: 1 }, added: [1], iss: 'https://api.shop.io/auth' };
    expect(await storedPayload(session.getHandle())).toEqual(expected);
    const before = await sessions.getSessionWithoutRequestResponse({ accessToken });
    expect(before.getAccessTokenPayload()).toHaveProperty('drop');
    const after = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    expect(after.getAccessTokenPayload()).toMatchObject(expected);
    expect(after.getAccessTokenPayload()).not.toHaveProperty('drop');
  });

  it('of an unknown session is not there to be merged (T188)', async () => {
    expect(await sessions.mergeIntoAccessTokenPayload(UNKNOWN, { a: 1 })).toBe(false);
  });
});

describe('claims by handle', () => {
  beforeEach(() => {
    level = 1;
  });

  it('are set, read, fetched and removed', async () => {
    const { handle } = await newSession();
    expect(await sessions.getClaimValue(handle, levelClaim)).toEqual({ status: 'OK', value: undefined });
    expect(await sessions.setClaimValue(handle, levelClaim, 5)).toBe(true);
    expect(await sessions.getClaimValue(handle, levelClaim)).toEqual({ status: 'OK', value: 5 });
    expect(await storedPayload(handle)).toMatchObject({ level: { v: 5, t: clock.now() } });
    expect(await sessions.fetchAndSetClaim(handle, levelClaim)).toBe(true);
    expect(await sessions.getClaimValue(handle, levelClaim)).toEqual({ status: 'OK', value: 1 });
    expect(await sessions.removeClaim(handle, levelClaim)).toBe(true);
    expect(await storedPayload(handle)).toEqual({ iss: 'https://api.shop.io/auth' });
  });

  it('read as undefined when they are absent (T233)', async () => {
    const { handle } = await newSession();
    expect(await sessions.getClaimValue(handle, absentClaim)).toEqual({ status: 'OK', value: undefined });
  });

  it('stay as they are when there is no value to fetch (T230)', async () => {
    const { handle } = await newSession();
    await sessions.setClaimValue(handle, absentClaim, 7);
    expect(await sessions.fetchAndSetClaim(handle, absentClaim)).toBe(true);
    expect(await sessions.getClaimValue(handle, absentClaim)).toEqual({ status: 'OK', value: 7 });
  });

  it('of an unknown session are not there (T231)', async () => {
    const gone = { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
    expect(await sessions.fetchAndSetClaim(UNKNOWN, levelClaim)).toBe(false);
    expect(await sessions.setClaimValue(UNKNOWN, levelClaim, 1)).toBe(false);
    expect(await sessions.removeClaim(UNKNOWN, levelClaim)).toBe(false);
    expect(await sessions.getClaimValue(UNKNOWN, levelClaim)).toEqual(gone);
    expect(await sessions.validateClaimsForSessionHandle(UNKNOWN)).toEqual(gone);
  });

  it('are validated on the stored payload, and what was fetched for that is stored (T232)', async () => {
    const { handle } = await newSession();
    const validate = (expected: number) =>
      sessions.validateClaimsForSessionHandle(handle, () => [levelClaim.validators.hasValue(expected)]);
    expect(await validate(2)).toEqual({
      status: 'OK',
      invalidClaims: [{ id: 'level', reason: { message: 'wrong value', expectedValue: 2, actualValue: 1 } }],
    });
    expect(await storedPayload(handle)).toEqual({
      iss: 'https://api.shop.io/auth',
      level: { v: 1, t: clock.now() },
    });
    level = 2;
    expect(await validate(1)).toEqual({ status: 'OK', invalidClaims: [] });
  });
});

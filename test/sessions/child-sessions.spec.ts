import { describe, expect, it } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  CoreBadInputError,
  embeddedCore,
  InvalidClaimsError,
  PrimitiveClaim,
  TryRefreshTokenError,
  UnauthorisedError,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { ChildSessionInput, CoreProvider } from 'nest-sessions/core';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { TestApplication } from '../support/test-application.js';

/** A role that a user gets after the sign-in. */
function roles() {
  const source = { role: 'reader' };
  const claim = new PrimitiveClaim<string>({
    key: 'role',
    fetchValue: () => source.role,
    defaultMaxAgeInSeconds: 300,
  });
  return { source, claim };
}

async function application(options: Partial<SessionModuleOptions> = {}) {
  const store = await seededMemoryStore();
  const started = await TestApplication.withoutServer().store(store).with(options).start();
  const { sessions, clock } = started;
  const parent = await sessions.createNewSessionWithoutRequestResponse({
    userId: 'ada',
    accessTokenPayload: { plan: 'pro', team: 'red' },
  });
  const parentSessionHandle = parent.getHandle();
  const makeChild = async (input: Partial<ChildSessionInput> = {}) =>
    sessions.createChildSession({ parentSessionHandle, ...input });
  return { clock, sessions, store, parent, makeChild };
}

describe('a child session (S123)', () => {
  it('has the claims of its parent that are named, and what the server gives', async () => {
    const { claim } = roles();
    const { makeChild, parent } = await application({ claims: [claim] });
    const own = [
      'sub',
      'act',
      'session_parent',
      'session_expiry',
      'iss',
      'iat',
      'exp',
      'sessionHandle',
      'tId',
      'rsub',
    ];
    const child = await makeChild({
      actorId: 'agent:export',
      claims: ['plan', 'nothing'],
      accessTokenPayload: { scope: 'read' },
    });
    const names = Object.keys(child.getAccessTokenPayload()).filter(
      (name) => !own.includes(name) && !/Hash1|antiCsrf/.test(name),
    );
    expect(names.toSorted()).toEqual(['plan', 'scope']);
    expect(child.getAccessTokenPayload()).toMatchObject({
      sub: 'ada',
      act: { sub: 'agent:export' },
      plan: 'pro',
      scope: 'read',
    });
    const withClaim = await makeChild({ claims: [claim] });
    expect(claim.getValueFromPayload(withClaim.getAccessTokenPayload(), {})).toBe('reader');
    expect(claim.getValueFromPayload(parent.getAccessTokenPayload(), {})).toBe('reader');
    expect(withClaim.getAccessTokenPayload()).not.toHaveProperty('act');
  });

  it('gets no claim by a validator: neither one that it lacks nor a newer value', async () => {
    const { source, claim } = roles();
    const { makeChild, parent, clock, sessions } = await application({ claims: [claim] });
    const [bare, given] = [await makeChild(), await makeChild({ claims: [claim] })];
    source.role = 'admin';
    clock.advanceSeconds(301);
    const isAdmin = claim.validators.hasValue('admin', 300);
    await parent.assertClaims([isAdmin]);
    for (const child of [bare, given]) {
      await expect(child.assertClaims([isAdmin])).rejects.toThrow(InvalidClaimsError);
      const byHandle = await sessions.validateClaimsForSessionHandle(child.getHandle(), () => [isAdmin]);
      expect(byHandle).toMatchObject({ status: 'OK', invalidClaims: [{ id: 'role' }] });
    }
    const stored = await sessions.getSessionInformation(given.getHandle());
    expect(claim.getValueFromPayload(stored?.customClaimsInAccessTokenPayload ?? {}, {})).toBe('reader');
    await bare.setClaimValue(claim, 'admin'); // given by the server
    await bare.assertClaims([isAdmin]);
  });

  it('is not fresh, whenever its user has signed in', async () => {
    const { makeChild, parent } = await application({ claims: [AuthenticationTimeClaim] });
    const fresh = AuthenticationTimeClaim.validators.freshWithin(3600);
    await parent.assertClaims([fresh]);
    const child = await makeChild();
    await expect(child.assertClaims([fresh])).rejects.toThrow(InvalidClaimsError);
    await expect(child.recordAuthentication()).rejects.toThrow(InvalidClaimsError);
  });

  it('ends after an hour or as it is said, and not later than its parent would', async () => {
    const { makeChild, sessions, clock } = await application({ lifetime: { absoluteSec: 7200 } });
    const endOf = async (input?: Partial<ChildSessionInput>) =>
      Number((await makeChild(input)).getAccessTokenPayload()['session_expiry']) - TEST_START_MS / 1000;
    expect([await endOf(), await endOf({ expiresInSec: 60 }), await endOf({ expiresInSec: 99_999 })]).toEqual(
      [3600, 60, 7200],
    );
    clock.advanceSeconds(600);
    expect(await endOf({ expiresInSec: 99_999 })).toBe(7200);
    const short = await makeChild({ expiresInSec: 60 });
    clock.advanceSeconds(60);
    expect(await sessions.getSessionInformation(short.getHandle())).toBeUndefined();
    const { accessToken } = short.getAllSessionTokensDangerously();
    await expect(Promise.resolve(sessions.getSessionWithoutRequestResponse({ accessToken }))).rejects.toThrow(
      TryRefreshTokenError,
    );
  });

  it('is ended at its refresh by a core that does not know its end, without the option lifetime', async () => {
    const store = await seededMemoryStore();
    const { problems, create } = embeddedCore({ store });
    const core: CoreProvider = {
      problems,
      create: (context) => create({ ...context, clock: { now: () => context.clock.now() - 3_600_000 } }),
    };
    const { sessions, clock } = await TestApplication.withoutServer().with({ core }).start();
    const parent = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
    const input = { parentSessionHandle: parent.getHandle(), expiresInSec: 60 };
    const child = await sessions.createChildSession(input);
    const { refreshToken = '' } = child.getAllSessionTokensDangerously();
    clock.advanceSeconds(60);
    const refreshed = sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    await expect(refreshed).rejects.toThrow('has reached its absolute end');
    expect(store.size).toBe(1);
  });

  it('has children that are no wider, with their actors one behind the other', async () => {
    const { makeChild, sessions } = await application();
    const child = await makeChild({ actorId: 'agent', claims: ['plan'] });
    const parentSessionHandle = child.getHandle();
    const inner = await sessions.createChildSession({
      parentSessionHandle,
      actorId: 'tool',
      claims: ['plan', 'team'],
    });
    expect(inner.getAccessTokenPayload()).toMatchObject({
      act: { sub: 'tool', act: { sub: 'agent' } },
      plan: 'pro',
    });
    expect(inner.getAccessTokenPayload()).not.toHaveProperty('team');
    await child.revokeSession();
    expect(await sessions.getSessionInformation(inner.getHandle())).toBeUndefined();
  });

  it.each(['sub', 'act', 'session_parent', 'session_expiry', 'exp', 'iss'])(
    'cannot be given %s, which belongs to the session itself',
    async (name) => {
      const { makeChild } = await application();
      await expect(makeChild({ claims: [name] })).rejects.toThrow(CoreBadInputError);
      const child = await makeChild({ accessTokenPayload: { [name]: 'forged' } });
      expect(child.getAccessTokenPayload()[name]).not.toBe('forged');
    },
  );

  it.each<[string, object]>([
    ['without a parent', { parentSessionHandle: undefined }],
    ['with an empty actor', { actorId: '' }],
    ['with an actor that is too long', { actorId: 'x'.repeat(129) }],
    ['with an actor that is no text', { actorId: { sub: 'x' } }],
    ['with claims that are text', { claims: 'plan' }],
    ['with a life of nothing', { expiresInSec: 0 }],
    ['with an endless life', { expiresInSec: Number.POSITIVE_INFINITY }],
    ['with an unknown name', { expiresIn: 60 }],
  ])('%s is a wrong call', async (_name, input) => {
    const { makeChild, store } = await application();
    await expect(makeChild(input as Partial<ChildSessionInput>)).rejects.toThrow(TypeError);
    expect(store.size).toBe(1);
  });

  it('is accepted where tokens are for an audience, as its parent', async () => {
    const store = await seededMemoryStore();
    const options = {
      accessTokenAudience: 'https://shop.io',
      accessTokenIssuers: ['https://api.shop.io/auth'],
    };
    const { sessions } = await TestApplication.withoutServer().store(store).with(options).start();
    const parent = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      accessTokenPayload: { aud: 'https://shop.io' },
    });
    const child = await sessions.createChildSession({ parentSessionHandle: parent.getHandle() });
    const { accessToken } = child.getAllSessionTokensDangerously();
    expect((await sessions.getSessionWithoutRequestResponse({ accessToken })).getUserId()).toBe('ada');
  });

  it('is one of 500 at most', async () => {
    const { makeChild, clock, store } = await application();
    const many = await Promise.allSettled(
      Array.from({ length: 501 }, async () => makeChild({ expiresInSec: 60 })),
    );
    const refused = many.filter(({ status }) => status === 'rejected');
    expect(refused).toMatchObject([{ reason: expect.any(CoreBadInputError) as unknown }]);
    expect(store.size).toBe(501); // with the parent
    clock.advanceSeconds(60);
    await expect(makeChild()).resolves.toBeDefined();
  });

  it('is not made once its parent has ended', async () => {
    const { makeChild, parent, store } = await application();
    await parent.revokeSession();
    await expect(makeChild()).rejects.toThrow(UnauthorisedError);
    expect(store.size).toBe(0);
  });
});

import { describe, expect, it } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  CoreBadInputError,
  CoreUnavailableError,
  InvalidClaimsError,
  SessionEvents,
  UnauthorisedError,
  type SessionContainer,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { SessionActor } from 'nest-sessions/core';
import { EmptyError, lastValueFrom, NEVER } from 'rxjs';
import { confirmToken } from '../../lib/core/confirm-token.js';
import { CoreClient } from '../../lib/core/core-client.js';
import { parseSessionHandle } from '../../lib/core/embedded/session-handle.js';
import { revocationNote } from '../../lib/feed/revocation-feed.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { instance } from '../support/feed-instance.js';
import { TestApplication } from '../support/test-application.js';

const HOUR_SEC = 3600;

async function application(options: Partial<SessionModuleOptions> = {}) {
  const store = await seededMemoryStore();
  const started = await TestApplication.withoutServer().store(store).with(options).start();
  const { sessions, clock } = started;
  const signIn = async (userId: string): Promise<SessionContainer> =>
    sessions.createNewSessionWithoutRequestResponse({ userId });
  const impersonate = async (actor: SessionContainer, further: Partial<SessionActor> = {}) =>
    sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      actor: { sessionHandle: actor.getHandle(), ...further },
    });
  const isThere = async (session: SessionContainer): Promise<boolean> =>
    (await sessions.getSessionInformation(session.getHandle())) !== undefined;
  const events = async () => {
    await started.get(SessionEvents).delivered();
    return started.events;
  };
  /** As a process that was killed right after it had removed the row. */
  const removeRow = async (session: SessionContainer): Promise<unknown> => {
    const key = parseSessionHandle(session.getHandle());
    return key && store.deleteSessions([key]);
  };
  return {
    sessions,
    clock,
    store,
    core: started.app.get(CoreClient),
    signIn,
    impersonate,
    isThere,
    events,
    removeRow,
  };
}

function refreshTokenOf(session: SessionContainer): string {
  return session.getAllSessionTokensDangerously().refreshToken ?? '';
}

describe('a session that an actor uses for another user (S122)', () => {
  it('names the actor in its tokens, in lists, events and the audit trail', async () => {
    const { sessions, signIn, impersonate, events } = await application({ audit: true });
    const admin = await signIn('support-7');
    const session = await impersonate(admin, { claims: { ticket: 'T-1' } });
    expect(session.getUserId()).toBe('ada');
    expect(session.getAccessTokenPayload()).toMatchObject({
      sub: 'ada',
      act: { sub: 'support-7', ticket: 'T-1' },
    });
    const facts = { actorId: 'support-7', parentSessionHandle: admin.getHandle() };
    expect(await sessions.getSessionInformation(session.getHandle())).toMatchObject(facts);
    expect((await sessions.findSessions({ userId: 'ada' })).sessions).toMatchObject([facts]);
    await sessions.refreshSessionWithoutRequestResponse({ refreshToken: refreshTokenOf(session) });
    expect((await events()).filter(({ type }) => type !== 'key.rotated')).toMatchObject([
      { type: 'session.created', userId: 'support-7' },
      { type: 'session.created', userId: 'ada', ...facts },
      { type: 'session.refreshed', userId: 'ada', ...facts },
    ]);
    expect((await sessions.readAudit({ sessionHandle: session.getHandle() })).records).toMatchObject([
      { kind: 'session.created', ...facts },
    ]);
    expect(await sessions.getSessionInformation(admin.getHandle())).not.toHaveProperty('actorId');
  });

  it('keeps its actor whatever is merged, removed, set as a claim or regenerated', async () => {
    const { sessions, signIn, impersonate } = await application({
      override: {
        functions: (original) => ({
          ...original,
          createNewSession: (given) =>
            original.createNewSession({ ...given, accessTokenPayload: { act: { sub: 'nobody' }, mine: 1 } }),
          regenerateAccessToken: (given) =>
            original.regenerateAccessToken({
              ...given,
              newAccessTokenPayload: { act: { sub: 'nobody' } },
              currentAccessTokenPayload: undefined,
            }),
        }),
      },
    });
    const session = await impersonate(await signIn('support-7'));
    for (const name of ['act', 'session_parent', 'session_expiry']) {
      for (const value of [{ sub: 'nobody' }, null]) {
        await expect(session.mergeIntoAccessTokenPayload({ [name]: value })).rejects.toThrow(TypeError);
        const byHandle = sessions.mergeIntoAccessTokenPayload(session.getHandle(), { [name]: value });
        await expect(byHandle).rejects.toThrow(`cannot carry "${name}"`);
      }
    }
    const before = (await sessions.getSessionInformation(session.getHandle()))
      ?.customClaimsInAccessTokenPayload;
    await session.mergeIntoAccessTokenPayload({ mine: 2 });
    const { act, session_parent, session_expiry } = session.getAccessTokenPayload();
    expect({ act, session_parent, session_expiry }).toEqual({
      act: { sub: 'support-7' },
      session_parent: before?.['session_parent'],
      session_expiry: before?.['session_expiry'],
    });
  });

  it('is no ordinary session made to look like one: a payload cannot name an actor by itself', async () => {
    const { sessions } = await application();
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      accessTokenPayload: { act: { sub: 'forged' }, session_parent: { handles: [] }, mine: 1 },
    });
    expect(session.getAccessTokenPayload()).toMatchObject({ mine: 1 });
    for (const name of ['act', 'session_parent'])
      expect(session.getAccessTokenPayload()).not.toHaveProperty(name);
  });

  it('passes no check of freshness, and takes no proof of who its user is', async () => {
    const { sessions, signIn, impersonate } = await application({ claims: [AuthenticationTimeClaim] });
    const admin = await signIn('support-7');
    const fresh = AuthenticationTimeClaim.validators.freshWithin(HOUR_SEC);
    await admin.assertClaims([fresh]);
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      authenticatedAtMs: TEST_START_MS,
      actor: { sessionHandle: admin.getHandle() },
    });
    await expect(session.assertClaims([fresh])).rejects.toThrow(InvalidClaimsError);
    await expect(session.recordAuthentication()).rejects.toThrow(InvalidClaimsError);
    expect((await impersonate(admin)).getAccessTokenPayload()).toMatchObject({ auth_time: 0 });
    const other = { ...session.getAccessTokenPayload(), auth_time: TEST_START_MS / 1000 };
    const checked = await sessions.validateClaimsInJWTPayload({ userId: 'ada', jwtPayload: other }, () => [
      fresh,
    ]);
    expect(checked.invalidClaims).toMatchObject([{ id: 'auth_time', reason: { message: 'expired' } }]);
  });

  it('better-auth#6448: names the actors behind its actor, four at most', async () => {
    const { sessions, signIn } = await application();
    let session = await signIn('user-0');
    for (const userId of ['user-1', 'user-2', 'user-3']) {
      session = await sessions.createNewSessionWithoutRequestResponse({
        userId,
        actor: { sessionHandle: session.getHandle() },
      });
    }
    expect(session.getAccessTokenPayload()).toMatchObject({
      sub: 'user-3',
      act: { sub: 'user-2', act: { sub: 'user-1', act: { sub: 'user-0' } } },
    });
    const handle = session.getHandle();
    const last = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-4',
      actor: { sessionHandle: handle },
    });
    const tooDeep = sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-5',
      actor: { sessionHandle: last.getHandle() },
    });
    await expect(tooDeep).rejects.toThrow(CoreBadInputError);
  });

  it('is not counted by the limit of sessions, so that it signs nobody out', async () => {
    const { signIn, impersonate, isThere } = await application({
      maxSessionsPerUser: { max: 1, whenExceeded: 'end-oldest' },
    });
    const own = await signIn('ada');
    await impersonate(await signIn('support-7'));
    expect(await isThere(own)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['no handle', {}],
    ['a token', { sessionHandle: 'eyJhbGciOiJub25lIn0.e30.' }],
    ['the name alone', 'support-7'],
    ['claims that are a list', { sessionHandle: 'h', claims: ['x'] }],
    ['a name that nobody knows', { sessionHandle: 'h', sub: 'root' }],
  ])('is refused for %s: the call is wrong', async (_name, actor) => {
    const { sessions } = await application();
    const input = { userId: 'ada', actor: actor as SessionActor };
    await expect(sessions.createNewSessionWithoutRequestResponse(input)).rejects.toThrow(TypeError);
  });

  it.each<[string, object]>([
    ['another sub', { sub: 'root' }],
    ['an actor of its own', { act: { sub: 'root' } }],
    ['an expiry', { exp: 1 }],
    ['too much', { text: 'x'.repeat(1000) }],
  ])('is refused for claims with %s, and no session is made', async (_name, claims) => {
    const { signIn, impersonate, store } = await application();
    const admin = await signIn('support-7');
    await expect(impersonate(admin, { claims })).rejects.toThrow(CoreBadInputError);
    expect(store.size).toBe(1);
  });

  it('keeps hostile text as text', async () => {
    const { signIn, impersonate, sessions } = await application();
    const name = '<script>\u202E\u001B[31m\u0000"\u2028';
    const claims = JSON.parse(
      JSON.stringify({ name, __proto__x: 1 }).replace('__proto__x', '__proto__'),
    ) as object;
    const session = await impersonate(await signIn('support <b>'), { claims });
    const stored = await sessions.getSessionInformation(session.getHandle());
    expect(stored).toMatchObject({ actorId: 'support <b>' });
    expect(stored?.customClaimsInAccessTokenPayload['act']).toMatchObject({ name, sub: 'support <b>' });
    expect(({} as { isPolluted?: unknown }).isPolluted).toBeUndefined();
  });
});

type Application = Awaited<ReturnType<typeof application>>;

describe('the end of the actor (S122)', () => {
  it.each<[string, (made: Application, actor: SessionContainer) => Promise<unknown>]>([
    ['by its handle', async ({ sessions }, actor) => sessions.revokeSession(actor.getHandle())],
    ['by itself', async (_made, actor) => actor.revokeSession()],
    [
      'with all of its user',
      async ({ sessions }) => sessions.revokeAllSessionsForUser({ userId: 'support-7' }),
    ],
    ['in bulk', async ({ sessions }) => sessions.revokeSessions({ userIds: ['support-7'] })],
    [
      'by a theft',
      async ({ sessions }, actor) => {
        const next = await sessions.refreshSessionWithoutRequestResponse({
          refreshToken: refreshTokenOf(actor),
        });
        await sessions.refreshSessionWithoutRequestResponse({ refreshToken: refreshTokenOf(next) });
        const stolen = { refreshToken: refreshTokenOf(actor) };
        await sessions.refreshSessionWithoutRequestResponse(stolen).catch(() => undefined);
      },
    ],
  ])('%s is the end of the session, and of those that are made from it', async (_name, end) => {
    const made = await application();
    const { sessions, signIn, impersonate, isThere, events } = made;
    const [own, actor] = [await signIn('ada'), await signIn('support-7')];
    const session = await impersonate(actor);
    const next = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'bob',
      actor: { sessionHandle: session.getHandle() },
    });
    await end(made, actor);
    expect([await isThere(actor), await isThere(session), await isThere(next), await isThere(own)]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    const ended = (await events()).filter(({ type }) => type === 'session.revoked');
    expect(ended).toMatchObject([{}, { reason: 'parent-ended' }, { reason: 'parent-ended' }]);
  });

  it('counts although the process stopped before it ended the session: at the refresh, and where the store is asked', async () => {
    const { sessions, signIn, impersonate, isThere, removeRow, core, events } = await application();
    const actor = await signIn('support-7');
    const session = await impersonate(actor);
    await removeRow(actor);
    const accessToken = session.getAccessToken();
    expect(await confirmToken(core, accessToken)).toEqual({ status: 'UNAUTHORISED' });
    const checked = sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true });
    await expect(checked).rejects.toThrow(UnauthorisedError);
    const refreshed = sessions.refreshSessionWithoutRequestResponse({
      refreshToken: refreshTokenOf(session),
    });
    await expect(refreshed).rejects.toThrow('has ended with the one that it belongs to');
    expect(await isThere(session)).toBe(false);
    expect((await events()).at(-1)).toMatchObject({ type: 'session.revoked', reason: 'parent-ended' });
  });

  it('is the latest end of the session, however long others live', async () => {
    const { sessions, clock, impersonate, signIn, isThere } = await application({ lifetime: {} });
    const actor = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'support-7',
      lifetime: { absoluteSec: HOUR_SEC },
    });
    const [session, own] = [await impersonate(actor), await signIn('ada')];
    expect(session.getAccessTokenPayload()).toMatchObject({
      session_expiry: TEST_START_MS / 1000 + HOUR_SEC,
    });
    clock.advanceSeconds(HOUR_SEC);
    expect([await isThere(session), await isThere(own)]).toEqual([false, true]);
  });

  it('before the sign-in lets no session begin', async () => {
    const { signIn, impersonate, store } = await application();
    const actor = await signIn('support-7');
    await actor.revokeSession();
    await expect(impersonate(actor)).rejects.toThrow(UnauthorisedError);
    expect(store.size).toBe(0);
  });

  it('during the sign-in leaves no session', async () => {
    const made = await application();
    const { signIn, impersonate, store, removeRow, core } = made;
    const actor = await signIn('support-7');
    const original = core.createSession.bind(core);
    core.createSession = async (...args) => {
      const created = await original(...args);
      await removeRow(actor);
      return created;
    };
    await expect(impersonate(actor)).rejects.toThrow(UnauthorisedError);
    expect(store.size).toBe(0);
  });

  it('is known to other instances by the feed, although the process stopped before it ended the session', async () => {
    const store = await seededMemoryStore();
    const clock = new TestClock(TEST_START_MS);
    const [a, b] = [await instance(store, clock), await instance(store, clock)];
    const actor = await a.sessions.createNewSessionWithoutRequestResponse({ userId: 'support-7' });
    const session = await a.sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      actor: { sessionHandle: actor.getHandle() },
    });
    const accessToken = session.getAccessToken();
    expect([await b.accepts(accessToken), await b.accepts(accessToken)]).toEqual([true, true]);
    const key = parseSessionHandle(actor.getHandle());
    await store.deleteSessions(key ? [key] : [], revocationNote({}, clock.now(), HOUR_SEC * 1000));
    await b.watch.read();
    expect(await b.accepts(accessToken)).toBe(false);
  });

  it('by a cut-off of its tenant counts where the feed is read: for tokens of other users and tenants, and for streams', async () => {
    const store = await seededMemoryStore();
    const clock = new TestClock(TEST_START_MS);
    const [a, b] = [await instance(store, clock), await instance(store, clock)];
    const create = a.sessions.createNewSessionWithoutRequestResponse.bind(a.sessions);
    const actors = [];
    for (const tenantId of ['staff', 'partners'])
      actors.push(await create({ userId: 'support-7', tenantId }));
    const tokens = [];
    for (const actor of actors) {
      const actorHandle = { sessionHandle: actor.getHandle() };
      const session = await create({ userId: 'ada', tenantId: 'shop', actor: actorHandle });
      tokens.push(session.getAccessToken());
    }
    const own = (await create({ userId: 'ada', tenantId: 'shop' })).getAccessToken();
    const areOver = [false, false];
    for (const [n, accessToken] of tokens.entries()) {
      const session = await b.sessions.getSessionWithoutRequestResponse({ accessToken });
      NEVER.pipe(b.streams.untilSessionEnds(session)).subscribe({ complete: () => (areOver[n] = true) });
    }
    await a.sessions.revokeSessions({ tenantId: 'staff' });
    await b.watch.read();
    expect(areOver).toEqual([true, false]);
    for (const each of [a, b]) {
      const accepted = await Promise.all([...tokens, own].map(async (token) => each.accepts(token)));
      expect(accepted).toEqual([false, true, true]);
    }
  });

  it('counts although the core failed for another session of the same call', async () => {
    const { sessions, core, signIn, impersonate, isThere } = await application();
    const actor = await signIn('support-7');
    const session = await impersonate(actor);
    const original = core.revokeSessions.bind(core);
    core.revokeSessions = async (...args) => {
      core.revokeSessions = original;
      throw Object.assign(new CoreUnavailableError('away'), { endedHandles: await original(...args) });
    };
    await expect(sessions.revokeMultipleSessions([actor.getHandle()])).rejects.toThrow('away');
    expect(await isThere(session)).toBe(false);
  });

  it('closes the streams of the session', async () => {
    const { sessions, streams } = await instance(await seededMemoryStore());
    const actor = await sessions.createNewSessionWithoutRequestResponse({ userId: 'support-7' });
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      actor: { sessionHandle: actor.getHandle() },
    });
    let isOver = false;
    NEVER.pipe(streams.untilSessionEnds(session)).subscribe({ complete: () => (isOver = true) });
    expect(isOver).toBe(false);
    await sessions.revokeSession(actor.getHandle());
    expect(isOver).toBe(true);
  });

  it('ends a stream that is opened after a process has ended the actor alone', async () => {
    const store = await seededMemoryStore();
    const { sessions, streams } = await instance(store);
    const actor = await sessions.createNewSessionWithoutRequestResponse({ userId: 'support-7' });
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      actor: { sessionHandle: actor.getHandle() },
    });
    const key = parseSessionHandle(actor.getHandle());
    await store.deleteSessions(key ? [key] : []);
    await expect(lastValueFrom(NEVER.pipe(streams.untilSessionEnds(session)))).rejects.toThrow(EmptyError);
  });
});

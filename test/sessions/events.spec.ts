import { describe, expect, it } from '@jest/globals';
import { remoteCore, SessionEvents, type SessionEvent, type SessionService } from 'nest-sessions';
import { FakeCore, sendJson, sendText } from '../support/fake-core.js';
import { TestApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';

const CANARY = 'canary-in-the-payload';

async function newSession(sessions: SessionService) {
  const session = await sessions.createNewSessionWithoutRequestResponse({
    userId: 'user-1',
    tenantId: 't1',
    accessTokenPayload: { secret: CANARY },
    sessionDataInDatabase: { secret: CANARY },
  });
  const { refreshToken = '', ...tokens } = session.getAllSessionTokensDangerously();
  return { sessionHandle: session.getHandle(), refreshToken, ...tokens };
}

describe('the events of a session', () => {
  it('is told once each, with the time and whose session it is', async () => {
    const { sessions, clock, events, get } = await TestApplication.withoutServer()
      .with({ antiCsrf: 'VIA_TOKEN' })
      .start();
    const told = events as SessionEvent[];
    const created = await newSession(sessions);
    const { sessionHandle } = created;
    const about = { sessionHandle, userId: 'user-1', recipeUserId: 'user-1', tenantId: 't1' };
    const next = async (): Promise<SessionEvent[]> => {
      await get(SessionEvents).delivered();
      clock.advanceSeconds(1);
      return told.splice(0);
    };
    let timeMs = clock.now();
    expect(await next()).toEqual([{ type: 'session.created', timeMs, ...about }]);

    timeMs = clock.now();
    const { refreshToken } = created;
    const refreshed = (
      await sessions.refreshSessionWithoutRequestResponse({ refreshToken, disableAntiCsrf: true })
    ).getAllSessionTokensDangerously();
    expect(await next()).toEqual([{ type: 'session.refreshed', timeMs, ...about }]);

    timeMs = clock.now();
    const verified = await sessions.getSessionWithoutRequestResponse({
      accessToken: refreshed.accessToken,
      antiCsrfCheck: false,
    });
    expect(await next()).toEqual([{ type: 'session.promoted', timeMs, ...about }]);

    timeMs = clock.now();
    const never = { id: 'never', validate: () => ({ isValid: false as const, reason: CANARY }) };
    await sessionErrorOf(verified.assertClaims([never, never]));
    expect(await next()).toEqual([
      { type: 'session.claims-rejected', timeMs, ...about, failedClaimIds: ['never', 'never'] },
    ]);

    timeMs = clock.now();
    await sessionErrorOf(
      sessions.refreshSessionWithoutRequestResponse({ refreshToken, disableAntiCsrf: true }),
    );
    expect(await next()).toEqual([
      { type: 'session.theft-detected', timeMs, ...about },
      { type: 'session.revoked', timeMs, ...about, reason: 'token-theft' },
    ]);

    await sessions.revokeSession(sessionHandle);
    await sessions.getSessionInformation(sessionHandle);
    expect(await next()).toEqual([]);
  });

  it('is told for those that ended where a core failed for others (S030)', async () => {
    const fake = await FakeCore.start();
    fake.on('/recipe/session/remove', (response, request) => {
      const { sessionHandles } = request.body as { sessionHandles: string[] };
      const respond = sessionHandles.includes('b_t1')
        ? sendText(500, 'Internal Error')
        : sendJson({ status: 'OK', sessionHandlesRevoked: sessionHandles });
      respond(response, request);
    });
    const core = remoteCore({ connectionURI: fake.uri });
    const { sessions, events, get } = await TestApplication.withoutServer().with({ core }).start();
    await expect(sessions.revokeMultipleSessions(['a', 'b_t1', 'c_t2'])).rejects.toMatchObject({
      name: 'CoreResponseError',
      endedHandles: ['a', 'c_t2'],
    });
    await get(SessionEvents).delivered();
    const revoked = events.flatMap((event) => (event.type === 'session.revoked' ? event.sessionHandle : []));
    expect(revoked).toEqual(['a', 'c_t2']);
    await fake.kill();
  });

  it('is told for each of several sessions that end', async () => {
    const { sessions, events, get } = await TestApplication.withoutServer().start();
    const handles = [];
    for (let i = 0; i < 4; i++) handles.push((await newSession(sessions)).sessionHandle);
    const [a = '', b = '', ...rest] = handles;
    await sessions.revokeMultipleSessions([a, b, a, 'unknown']);
    await sessions.revokeAllSessionsForUser({ userId: 'user-1' });
    await get(SessionEvents).delivered();
    const revoked = events.flatMap((event) => (event.type === 'session.revoked' ? event.sessionHandle : []));
    expect(revoked.slice(0, 2).toSorted()).toEqual([a, b].toSorted());
    expect(revoked.slice(2).toSorted()).toEqual(rest.toSorted());
  });

  it('is told with the user wherever the caller knew whose session it ends (S104)', async () => {
    const options = { userSessionRoutes: true } as const;
    const { app, signedIn, events, sessions } = await TestApplication.on('express').with(options).start();
    const [first, second] = [await signedIn('header', 'ada'), await signedIn('header', 'ada')];
    const handleOf = async (client: typeof first): Promise<string> =>
      ((await client.get('/me')).body as { sessionHandle: string }).sessionHandle;
    const told = events as SessionEvent[];
    const ended = async (): Promise<object[]> => {
      await app.get(SessionEvents).delivered();
      return told.splice(0).flatMap((event) => {
        if (event.type !== 'session.revoked') return [];
        const { userId, recipeUserId } = event;
        return [{ userId, recipeUserId }];
      });
    };
    const both = { userId: 'ada', recipeUserId: 'ada' };
    const user = { userId: 'ada', recipeUserId: undefined };

    const body = { sessionHandle: await handleOf(second) };
    await first.post('/auth/sessions/revoke', body);
    expect(await ended()).toEqual([both]); // route for one session
    await signedIn('header', 'ada');
    await first.post('/auth/sessions/revoke-others');
    expect(await ended()).toEqual([user]); // the login method of another session is not looked up
    await signedIn('header', 'ada');
    await sessions.revokeAllOtherSessions({ userId: 'ada', sessionHandle: await handleOf(first) });
    expect(await ended()).toEqual([user]);
    await sessions.revokeAllSessionsForUser({ userId: 'ada' });
    expect(await ended()).toEqual([user]);

    const third = await signedIn('header', 'ada');
    await third.signOut();
    expect(await ended()).toEqual([both]);
    const fourth = await signedIn('header', 'ada');
    await sessions.revokeSession(await handleOf(fourth));
    expect(await ended()).toEqual([{ userId: undefined, recipeUserId: undefined }]);
  });

  it('is told of a theft in a request as theft, then as the end of the session', async () => {
    const { signedIn, events } = await TestApplication.on('express').start();
    const owner = await signedIn('cookie');
    const thief = owner.copy();
    await owner.refresh();
    await owner.get('/me');
    await thief.refresh();
    expect(events.map(({ type }) => type)).toEqual([
      'session.created',
      'session.refreshed',
      'session.promoted',
      'session.theft-detected',
      'session.revoked',
    ]);
  });

  it('is told without tokens, payloads and data', async () => {
    const { sessions, events, get } = await TestApplication.withoutServer()
      .with({ antiCsrf: 'VIA_TOKEN' })
      .start();
    const secrets = new Set<string>([CANARY]);
    const keep = (tokens: object): void => {
      for (const value of Object.values(tokens)) {
        if (typeof value === 'string' && value !== sessionHandle) secrets.add(value);
      }
    };
    const created = await newSession(sessions);
    const { sessionHandle } = created;
    keep(created);
    const refresh = () =>
      sessions.refreshSessionWithoutRequestResponse({
        refreshToken: created.refreshToken,
        disableAntiCsrf: true,
      });
    const refreshed = await refresh();
    keep(refreshed.getAllSessionTokensDangerously());
    const session = await sessions.getSessionWithoutRequestResponse({
      accessToken: refreshed.getAccessToken(),
      antiCsrfCheck: false,
    });
    keep(session.getAllSessionTokensDangerously());
    await sessionErrorOf(
      session.assertClaims([{ id: 'never', validate: () => ({ isValid: false, reason: CANARY }) }]),
    );
    await sessionErrorOf(refresh());
    await session.revokeSession();
    await get(SessionEvents).delivered();
    expect(new Set(events.map(({ type }) => type)).size).toBe(6);
    expect(secrets.size).toBeGreaterThan(6);
    const told = JSON.stringify(events);
    expect([...secrets].filter((secret) => told.includes(secret))).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { SessionEvents } from 'nest-sessions';
import type { UserSessionList } from 'nest-sessions/core';
import type { SessionClient } from '../../support/session-client.js';
import { decoded } from '../../support/core-calls.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { LIFETIME_HANDLERS } from './lifetime-handlers.js';

const handleOf = async (client: SessionClient): Promise<string> =>
  ((await client.get('/me')).body as { sessionHandle: string }).sessionHandle;
const list = async (client: SessionClient): Promise<UserSessionList> =>
  (await client.get('/auth/sessions')).body as UserSessionList;

describe.each(ADAPTERS)("a user's own sessions on %s", (adapter) => {
  const starter = TestApplication.on(adapter).handlers(LIFETIME_HANDLERS).with({ userSessionRoutes: true });

  it('are listed by their handles, the one that asks first, and never with a token (S052)', async () => {
    const { signedIn, clock } = await starter.start();
    const laptop = await signedIn('header');
    clock.advanceSeconds(60);
    const phone = await signedIn('header');
    clock.advanceSeconds(60);
    const tablet = await signedIn('cookie');
    await signedIn('cookie', 'user-2');
    const response = await laptop.get('/auth/sessions');
    expect(response.status).toBe(200);
    expect(response.header('cache-control')).toBe('no-store');
    const handles = [await handleOf(laptop), await handleOf(tablet), await handleOf(phone)];
    expect(response.body).toEqual({
      status: 'OK',
      hasMore: false,
      sessions: handles.map((sessionHandle, index) => ({
        sessionHandle,
        isCurrent: index === 0,
        timeCreated: TEST_START_MS + ([0, 120_000, 60_000][index] ?? 0),
        expiry: expect.any(Number) as unknown,
      })),
    });
    for (const token of [laptop.accessToken, laptop.refreshToken, phone.accessToken, phone.refreshToken]) {
      expect(response.text).not.toContain(token);
    }
  });

  it('give the token that asks for them no later end, however often it asks (S041, S052)', async () => {
    const { signedIn, clock } = await starter.start();
    const client = await signedIn('header');
    const copied = decoded(client.accessToken ?? '').payload['exp'];
    for (let times = 0; times < 5; times++) {
      clock.advanceSeconds(600);
      const thief = client.copy();
      expect((await thief.get('/auth/sessions')).status).toBe(200);
      expect(decoded(thief.accessToken ?? '').payload['exp']).toBe(copied);
    }
    clock.advanceSeconds(601);
    expect((await client.copy().get('/auth/sessions')).status).toBe(401);
  });

  it('are ended one by one, soon after an authentication (S052)', async () => {
    const { signedIn } = await starter.start();
    const [laptop, phone] = [await signedIn(), await signedIn()];
    const response = await laptop.post('/auth/sessions/revoke', { sessionHandle: await handleOf(phone) });
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ status: 'OK' });
    expect((await phone.get('/checked')).status).toBe(401);
    expect((await laptop.get('/checked')).status).toBe(200);
    expect((await list(laptop)).sessions).toHaveLength(1);
  });

  it('are ended all but one, with the number of them (S051 S052)', async () => {
    const { app, signedIn, events } = await starter.start();
    const [laptop, phone, tablet] = [await signedIn(), await signedIn('header'), await signedIn()];
    const stranger = await signedIn('cookie', 'user-2');
    const response = await laptop.post('/auth/sessions/revoke-others');
    expect(response.body).toEqual({ status: 'OK', revoked: 2 });
    const statuses = [laptop, phone, tablet, stranger].map(
      async (client) => (await client.get('/checked')).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 401, 401, 200]);
    await app.get(SessionEvents, { strict: false }).delivered();
    expect(events.filter(({ type }) => type === 'session.revoked')).toHaveLength(2);
    expect((await laptop.post('/auth/sessions/revoke-others')).body).toEqual({ status: 'OK', revoked: 0 });
  });

  it('end in events and records by the user, and why', async () => {
    const { app, signedIn, events, sessions } = await starter.with({ audit: true }).start();
    const [laptop, phone, _tablet] = [await signedIn(), await signedIn('header'), await signedIn()];
    await laptop.post('/auth/sessions/revoke', { sessionHandle: await handleOf(phone) });
    await laptop.post('/auth/sessions/revoke-others');
    await laptop.signOut();
    const expected = ['ended-by-user', 'ended-by-user', 'sign-out'].map((reason) => ({
      reason,
      initiator: 'user-1',
    }));
    await app.get(SessionEvents, { strict: false }).delivered();
    expect(events.filter(({ type }) => type === 'session.revoked')).toMatchObject(expected);
    expect((await sessions.readAudit({ kinds: 'ended' })).records).toMatchObject(expected);
  });

  it('are not ended by a session whose authentication is too long ago, until the user proves again who it is (S039 S052)', async () => {
    const { signedIn, clock } = await starter.start();
    const [laptop, phone] = [await signedIn(), await signedIn()];
    const sessionHandle = await handleOf(phone);
    clock.advanceSeconds(601);
    await laptop.refresh();
    for (const [path, body] of [
      ['/auth/sessions/revoke', { sessionHandle }],
      ['/auth/sessions/revoke-others', {}],
    ] as const) {
      const response = await laptop.post(path, body);
      expect(response.status).toBe(403);
      expect(response.body).toMatchObject({
        message: 'invalid claim',
        claimValidationErrors: [{ id: 'auth_time', reason: { message: 'expired' } }],
      });
    }
    expect((await phone.get('/checked')).status).toBe(200);
    expect((await list(laptop)).sessions).toHaveLength(2);
    await laptop.post('/run/step-up', { password: 'correct' });
    expect((await laptop.post('/auth/sessions/revoke', { sessionHandle })).status).toBe(200);
    expect((await phone.get('/checked')).status).toBe(401);
  });

  it('does not let anybody end the session of somebody else, or learn that there is one (S052)', async () => {
    const { signedIn, client } = await starter.start();
    const laptop = await signedIn();
    const stranger = await signedIn('cookie', 'user-2');
    const elsewhere = client();
    await elsewhere.login('user-1', { tenantId: 't1' });
    const handles = [await handleOf(stranger), await handleOf(elsewhere), 'nobody-s', '', "' OR 1=1 --"];
    const responses = [];
    for (const sessionHandle of handles)
      responses.push(await laptop.post('/auth/sessions/revoke', { sessionHandle }));
    expect(responses.map(({ status }) => status)).toEqual(handles.map(() => 404));
    expect(new Set(responses.map(({ text }) => text)).size).toBe(1);
    expect((await stranger.get('/checked')).status).toBe(200);
    expect((await elsewhere.get('/checked')).status).toBe(200);
    expect((await list(laptop)).sessions).toHaveLength(1);
  });

  it('ends the one that asks as signing out does, also long after the authentication (S052)', async () => {
    const { signedIn, clock } = await starter.start();
    const laptop = await signedIn();
    clock.advanceSeconds(1200);
    const response = await laptop.post('/auth/sessions/revoke', { sessionHandle: await handleOf(laptop) });
    expect(response.status).toBe(200);
    expect(response.header('front-token')).toBe('remove');
    expect(laptop.cookie('sAccessToken')).toBeUndefined();
    expect((await laptop.get('/me')).status).toBe(401);
  });

  it('are out of reach for a session that has ended, whatever its token still says (S045)', async () => {
    const { signedIn, sessions } = await starter.start();
    const [stolen, phone] = [await signedIn('header'), await signedIn('header')];
    await sessions.revokeSession(await handleOf(stolen));
    for (const send of [
      () => stolen.copy().get('/auth/sessions'),
      () => stolen.copy().post('/auth/sessions/revoke-others'),
      async () => stolen.copy().post('/auth/sessions/revoke', { sessionHandle: await handleOf(phone) }),
    ]) {
      expect((await send()).status).toBe(401);
    }
    expect((await phone.get('/checked')).status).toBe(200);
  });

  it('cannot be ended by another site (S068)', async () => {
    const { signedIn } = await starter.with({ antiCsrf: 'VIA_CUSTOM_HEADER' }).start();
    const [laptop, phone] = [await signedIn(), await signedIn()];
    const sessionHandle = await handleOf(phone);
    const headers = { rid: undefined };
    expect((await laptop.post('/auth/sessions/revoke', { sessionHandle }, headers)).status).toBe(401);
    expect((await laptop.post('/auth/sessions/revoke-others', {}, headers)).status).toBe(401);
    expect((await phone.get('/checked')).status).toBe(200);
  });

  it.each([[undefined], [{}], [{ sessionHandle: 7 }], [['a']], [{ sessionHandle: ['a'] }]])(
    'are not ended by a body that names none: %j',
    async (body) => {
      const { signedIn } = await starter.start();
      const laptop = await signedIn();
      expect((await laptop.post('/auth/sessions/revoke', body)).status).toBe(400);
      expect((await laptop.get('/checked')).status).toBe(200);
    },
  );

  it('have no routes unless the application asks for them (S109)', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const laptop = await signedIn();
    expect((await laptop.get('/auth/sessions')).status).toBe(404);
    expect((await laptop.post('/auth/sessions/revoke', { sessionHandle: 'x' })).status).toBe(404);
    expect((await laptop.post('/auth/sessions/revoke-others')).status).toBe(404);
  });

  it('are shown 200 at most, and it is said that there are more', async () => {
    const { signedIn, sessions } = await starter.start();
    const laptop = await signedIn();
    for (let n = 0; n < 201; n++) await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const { sessions: listed, hasMore } = await list(laptop);
    expect({ shown: listed.length, first: listed[0]?.isCurrent, hasMore }).toEqual({
      shown: 200,
      first: true,
      hasMore: true,
    });
  });
});

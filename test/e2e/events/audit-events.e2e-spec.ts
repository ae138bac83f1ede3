import { describe, expect, it } from '@jest/globals';
import { AuthenticationTimeClaim, type SessionEvent } from 'nest-sessions';
import {
  ADAPTERS,
  type Adapter,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';
import { watchedStore } from '../../support/watched-store.js';

type EventType = SessionEvent['type'];

const TIME = { timeMs: expect.any(Number) };
const SOURCE = { ip: '127.0.0.1', userAgent: 'Tester/1.0' };
const USER = { userId: 'user-1', recipeUserId: 'user-1', tenantId: 'public' };
const WITH_USER = { ...TIME, ...SOURCE, ...USER, sessionHandle: expect.any(String) };

/** The members that each record holds; it has no others. */
const SCHEMA: Readonly<Record<EventType, object>> = {
  'session.created': WITH_USER,
  'session.refreshed': WITH_USER,
  'session.promoted': WITH_USER,
  'session.grace-hit': WITH_USER,
  'session.theft-detected': WITH_USER,
  'session.claims-rejected': { ...WITH_USER, failedClaimIds: ['never'] },
  'session.reauthenticated': WITH_USER,
  'session.hand-over-refused': WITH_USER,
  'session.new-device': {
    ...TIME,
    ...USER,
    sessionHandle: expect.any(String),
    before: { ip: '127.0.0.0/24', userAgent: 'Unknown client', lastSeen: expect.any(Number) },
    now: { ip: '127.0.0.0/24', userAgent: 'Firefox on Linux', lastSeen: expect.any(Number) },
  },
  'device.registered': WITH_USER,
  'device.refreshed': WITH_USER,
  'device.proof-refused': WITH_USER,
  'device.skipped': WITH_USER,
  'session.revoked': WITH_USER,
  'revocations.state': { ...TIME, state: 'live', previousState: 'stale', feed: expect.any(String) },
  'revocations.overflow': { ...TIME, kept: expect.any(Number) },
  'sessions.ended-before': { ...TIME, ...SOURCE, createdBeforeMs: expect.any(Number) },
  'key.rotated': {
    ...TIME,
    kid: expect.stringMatching(/^d-\d+$/),
    previousKid: expect.stringMatching(/^d-\d+$/),
  },
  'core.unavailable': { ...TIME, message: 'The session store failed at findSession' },
  'core.available': { ...TIME, unavailableSinceMs: expect.any(Number), failedCalls: 2 },
};

const NEVER = { id: 'never', validate: () => ({ isValid: false as const, reason: 'no' }) };

const starter = (adapter: Adapter): ApplicationStarter =>
  TestApplication.on(adapter)
    .with({ claims: [AuthenticationTimeClaim] })
    .engine({ refreshTokenRotationGracePeriodSec: 30 })
    .handlers({
      guarded: {
        'fail-claims': (session) => session.assertClaims([NEVER]),
        reauthenticate: (session) => session.recordAuthentication(),
        'sign-in-often': async (session, { sessions }) => {
          for (let i = 0; i < 50; i++) {
            const { accessToken } = (
              await sessions.createNewSessionWithoutRequestResponse({ userId: `other-${i}` })
            ).getAllSessionTokensDangerously();
            await sessions.getSessionWithoutRequestResponse({ accessToken });
            await sessions.revokeAllSessionsForUser({ userId: `other-${i}` });
          }
          await session.revokeSession();
        },
      },
    });

describe.each(ADAPTERS)('the record of what happened on %s (S104)', (adapter) => {
  it('has one entry of a fixed form for each: who, which session, when, from where', async () => {
    const { store, failing } = await watchedStore();
    const { client, clock, events } = await starter(adapter).store(store).start();
    const headers = { 'user-agent': 'Tester/1.0' };
    const owner = client('cookie');
    const send = async (path: string, method = 'GET') => owner.send({ path, method, headers });
    const expectEvents = (...types: EventType[]): void => {
      const fresh = (events as SessionEvent[]).splice(0);
      expect(fresh.map(({ type }) => type)).toEqual(types);
      for (const event of fresh) {
        const { reason: _ofTheft, ...rest } = event as SessionEvent & { reason?: string };
        expect(rest).toEqual({ ...SCHEMA[event.type], type: event.type });
        expect(event.timeMs).toBe(clock.now());
      }
    };
    const signIn = async (): Promise<void> => {
      await owner.send({ path: '/login', method: 'POST', headers, body: { userId: 'user-1' } });
    };
    await signIn();
    expectEvents('session.created');
    await send('/me');
    expectEvents();
    const early = owner.copy();
    await send('/auth/session/refresh', 'POST');
    expectEvents('session.refreshed');
    clock.advanceSeconds(5);
    await send('/me');
    expectEvents('session.promoted');
    await early.send({ path: '/auth/session/refresh', method: 'POST', headers });
    expectEvents('session.grace-hit', 'session.refreshed');
    await send('/run/fail-claims');
    expectEvents('session.claims-rejected');
    await send('/run/reauthenticate');
    expectEvents('session.reauthenticated');

    failing.add('findSession');
    await send('/checked');
    expectEvents('core.unavailable');
    clock.advanceSeconds(20);
    await send('/checked');
    expectEvents();
    failing.clear();
    await send('/checked');
    expectEvents('core.available');

    await signIn();
    expectEvents('session.created');
    const stolen = owner.copy();
    await send('/auth/session/refresh', 'POST');
    await send('/me');
    expectEvents('session.refreshed', 'session.promoted');
    clock.advanceSeconds(60);
    await stolen.send({ path: '/auth/session/refresh', method: 'POST', headers });
    expectEvents('session.theft-detected', 'session.revoked');

    clock.advanceSeconds(594_800); // the fixtures' key has signed for a week then
    await signIn();
    expectEvents('key.rotated', 'session.created');
  });

  it('misses nothing of what one request does, and keeps the order', async () => {
    const { signedIn, events } = await starter(adapter).start();
    const user = await signedIn('cookie');
    (events as SessionEvent[]).splice(0);
    expect((await user.get('/run/sign-in-often')).status).toBe(200);
    const told = events.map((event) => [event.type, 'userId' in event ? event.userId : undefined]);
    const expected = Array.from({ length: 50 }, (_, i) => [
      ['session.created', `other-${i}`],
      ['session.revoked', `other-${i}`],
    ]).flat();
    expect(told).toEqual([...expected, ['session.revoked', 'user-1']]);
  });
});

describe('the user agent in the record', () => {
  it('is cut, and cannot forge a line of a log (S103)', async () => {
    const { http, events } = await TestApplication.on('express').start();
    const headers = { 'user-agent': `curl\u0085\u009b2J${'x'.repeat(5000)}` };
    await http.send({ path: '/login', method: 'POST', headers, body: { userId: 'user-1' } });
    const [event] = events;
    const { userAgent = '' } = event as { userAgent?: string };
    expect(userAgent).toMatch(/^curl.?\\u\{85\}.?\\u\{9b\}2Jx+…$/);
    expect(userAgent.length).toBeLessThan(280);
  });
});

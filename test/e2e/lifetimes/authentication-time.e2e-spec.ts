import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import {
  AuthenticationTimeClaim,
  RequireClaims,
  Session,
  SessionEvents,
  SessionGuard,
  type SessionContainer,
  VerifySession,
} from 'nest-sessions';
import { TEST_START_MS } from '../../support/embedded.js';
import { DemoController } from '../../support/demo.controller.js';
import { closeAfterTest } from '../../support/close-after-test.js';
import { ProcessWarnings } from '../../support/process-warnings.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { watchedStore } from '../../support/watched-store.js';
import { HOUR_SEC, LIFETIME_HANDLERS, MINUTE_SEC, signIn, use } from './lifetime-handlers.js';

/** Routes for a user who has just signed in or stepped up. */
@Controller()
@UseGuards(SessionGuard)
class AccountController {
  @Post('transfer')
  @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(5 * MINUTE_SEC))
  transfer(): object {
    return { done: true };
  }

  @Post('transfer-checked')
  @VerifySession({ checkDatabase: true })
  @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(5 * MINUTE_SEC))
  transferChecked(): object {
    return { done: true };
  }

  @Get('proved-at')
  provedAt(@Session(AuthenticationTimeClaim) timeSec: number | undefined): object {
    return { timeSec };
  }
}

describe.each(ADAPTERS)('the time of authentication on %s', (adapter) => {
  const starter = TestApplication.on(adapter)
    .controllers(DemoController, AccountController)
    .handlers(LIFETIME_HANDLERS)
    .with({ claims: [AuthenticationTimeClaim] });
  const NOT_FRESH = {
    message: 'invalid claim',
    claimValidationErrors: [
      { id: 'auth_time', reason: { message: 'expired', ageInSeconds: 301, maxAgeInSeconds: 300 } },
    ],
  };

  it('is that of the sign-in: refreshing never brings freshness back (S039)', async () => {
    const { signedIn, clock } = await starter.engine({ accessTokenValiditySec: MINUTE_SEC }).start();
    const client = await signedIn();
    expect((await client.post('/transfer')).status).toBe(201);
    for (let minute = 1; minute <= 5; minute++) {
      clock.advanceSeconds(MINUTE_SEC);
      expect((await client.refresh()).status).toBe(200);
      expect((await client.post('/transfer')).status).toBe(201);
    }
    clock.advanceSeconds(1);
    for (let refreshes = 0; refreshes < 5; refreshes++) {
      expect((await client.refresh()).status).toBe(200);
      const response = await client.post('/transfer');
      expect(response.status).toBe(403);
      expect(response.body).toEqual(NOT_FRESH);
    }
    expect((await client.get('/proved-at')).body).toEqual({ timeSec: TEST_START_MS / 1000 });
  });

  it('may lie before the sign-in, where an identity provider says so, and not behind it (S039)', async () => {
    const { client, sessions } = await starter.start();
    const visitor = client();
    await signIn(visitor, { userId: 'user-1', authenticatedAtMs: TEST_START_MS - 301_000 });
    expect((await visitor.post('/transfer')).body).toEqual(NOT_FRESH);
    const ahead = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      authenticatedAtMs: TEST_START_MS + HOUR_SEC * 1000,
    });
    expect(ahead.getAccessTokenPayload()['auth_time']).toBe(TEST_START_MS / 1000);
  });

  it('becomes now by a step-up, which renews the access token; the one before stays as old as it was (S040)', async () => {
    const { app, signedIn, clock, events } = await starter.start();
    const client = await signedIn('header');
    clock.advanceSeconds(301);
    expect((await client.post('/transfer')).status).toBe(403); // and now the token is a remembered one
    const before = client.copy();
    const stepUp = await client.post('/run/step-up', { password: 'correct' });
    expect(stepUp.header('st-access-token')).not.toBe(before.accessToken);
    expect(client.front.up['auth_time']).toBe(TEST_START_MS / 1000 + 301);
    expect((await client.post('/transfer')).status).toBe(201);
    for (let uses = 0; uses < 3; uses++) expect((await before.post('/transfer')).status).toBe(403);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.post('/transfer')).status).toBe(201);
    await app.get(SessionEvents, { strict: false }).delivered();
    expect(events.filter(({ type }) => type === 'session.reauthenticated')).toMatchObject([
      { userId: 'user-1', tenantId: 'public', timeMs: clock.now() },
    ]);
    clock.advanceSeconds(301);
    expect((await client.post('/transfer')).status).toBe(403);
  });

  it('is not handed to an older token by a look into the database, which shows it all the rest (S040)', async () => {
    const { signedIn, clock, sessions } = await starter.start();
    const client = await signedIn('header');
    clock.advanceSeconds(301);
    const old = client.copy();
    await client.post('/run/step-up', { password: 'correct' });
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    await sessions.mergeIntoAccessTokenPayload(sessionHandle, { role: 'guest' });
    for (let uses = 0; uses < 3; uses++) {
      const response = await old.post('/transfer-checked');
      expect(response.status).toBe(403);
      expect(response.header('st-access-token')).toBeUndefined();
      expect((await old.get('/checked')).body).toMatchObject({
        payload: { role: 'guest', auth_time: TEST_START_MS / 1000, sessionHandle },
      });
    }
    const checked = await client.post('/transfer-checked');
    expect(checked.status).toBe(201);
    expect(client.front.up).toMatchObject({ role: 'guest', auth_time: clock.now() / 1000 });
  });

  it('is not handed to an older token by a change of the payload (S040)', async () => {
    const { signedIn, clock } = await starter.start();
    const client = await signedIn('header');
    clock.advanceSeconds(301);
    const old = client.copy();
    await client.post('/run/step-up', { password: 'correct' });
    const change = await old.post('/run/merge', { role: 'guest' });
    expect([change.status, change.header('st-access-token')]).toEqual([200, undefined]);
    expect((await old.post('/transfer')).status).toBe(403);
    await client.get('/checked');
    expect(client.front.up).toMatchObject({ role: 'guest', auth_time: clock.now() / 1000 });
  });

  it('is not touched by a step-up that fails (S040)', async () => {
    const watched = await watchedStore();
    const { app, signedIn, clock, events } = await starter.store(watched.store).start();
    const client = await signedIn('header');
    clock.advanceSeconds(301);
    const { accessToken, refreshToken, frontToken } = client;
    const unchanged = async (): Promise<void> => {
      await app.get(SessionEvents, { strict: false }).delivered();
      expect(client).toMatchObject({ accessToken, refreshToken, frontToken });
      expect(events.map(({ type }) => type)).not.toContain('session.reauthenticated');
    };
    expect((await client.post('/run/step-up', { password: 'wrong' })).status).toBe(500);
    await unchanged();
    watched.failing.add('update accessTokenPayload');
    expect([502, 503]).toContain((await client.post('/run/step-up', { password: 'correct' })).status);
    await unchanged();
    expect((await client.post('/transfer')).status).toBe(403);
    watched.failing.clear();
    expect((await client.post('/transfer-checked')).status).toBe(403);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.post('/transfer')).status).toBe(403);
  });

  it('counts for a step-up only once it is complete: what stands between the factors is not fresh (S040)', async () => {
    const { signedIn, clock } = await starter
      .handlers({
        guarded: {
          'first-factor': async (session) => session.mergeIntoAccessTokenPayload({ pending: 'totp' }),
          'second-factor': async (session) => {
            await session.mergeIntoAccessTokenPayload({ pending: null });
            await session.recordAuthentication();
          },
        },
      })
      .start();
    const client = await signedIn('header');
    clock.advanceSeconds(301);
    await client.post('/run/first-factor');
    const pending = client.copy();
    for (const path of ['/transfer', '/transfer-checked', '/transfer']) {
      expect({ path, status: (await client.post(path)).status }).toEqual({ path, status: 403 });
    }
    await client.post('/run/second-factor');
    expect(client.front.up).not.toHaveProperty('pending');
    expect((await client.post('/transfer')).status).toBe(201);
    for (let uses = 0; uses < 3; uses++) expect((await pending.post('/transfer')).status).toBe(403);
  });

  it('cannot be renewed once the session has ended (S040 S046)', async () => {
    const { signedIn, sessions } = await starter.start();
    const client = await signedIn('header');
    await sessions.revokeAllSessionsForUser({ userId: 'user-1' });
    const response = await client.post('/run/step-up', { password: 'correct' });
    expect(response.status).toBe(401);
    expect(client.accessToken).toBeUndefined();
  });

  it('cannot be set, fetched or removed as other claims can (S013)', async () => {
    const { sessions, clock } = await starter.start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    clock.advanceSeconds(301);
    const attempts: ((session: SessionContainer) => Promise<unknown>)[] = [
      (own) => own.setClaimValue(AuthenticationTimeClaim, clock.now()),
      (own) => own.removeClaim(AuthenticationTimeClaim),
      (own) => sessions.setClaimValue(own.getHandle(), AuthenticationTimeClaim, clock.now()),
      (own) => sessions.removeClaim(own.getHandle(), AuthenticationTimeClaim),
    ];
    for (const attempt of attempts) await expect(attempt(session)).rejects.toThrow(TypeError);
    await session.fetchAndSetClaim(AuthenticationTimeClaim);
    expect(await sessions.fetchAndSetClaim(session.getHandle(), AuthenticationTimeClaim)).toBe(true);
    expect(await session.getClaimValue(AuthenticationTimeClaim)).toBe(TEST_START_MS / 1000);
  });

  it('is recorded only where something asks for it', async () => {
    const { signedIn, sessions } = await starter.with({ claims: [] }).start();
    const client = await signedIn();
    expect(client.front.up).not.toHaveProperty('auth_time');
    expect((await client.post('/transfer')).body).toEqual({
      message: 'invalid claim',
      claimValidationErrors: [{ id: 'auth_time', reason: { message: 'value does not exist' } }],
    });
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    await expect(session.recordAuthentication()).rejects.toThrow('AuthenticationTimeClaim');
    const create = sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      authenticatedAtMs: 1,
    });
    await expect(create).rejects.toThrow('AuthenticationTimeClaim');
  });

  it('can be demanded of every route', async () => {
    const { signedIn, clock } = await starter
      .with({
        globalClaimValidators: [AuthenticationTimeClaim.validators.freshWithin(HOUR_SEC)],
      })
      .start();
    const client = await signedIn();
    expect(await use(client)).toBe(200);
    clock.advanceSeconds(HOUR_SEC + 1);
    expect(await use(client)).toBe(403);
  });
});

describe('asking for freshness', () => {
  it('where it is not recorded lets nobody in, and a warning names the option', async () => {
    const warnings = new ProcessWarnings();
    closeAfterTest(async () => warnings.restore());
    const { signedIn } = await TestApplication.on('express')
      .controllers(DemoController, AccountController)
      .start();
    const client = await signedIn();
    for (let n = 0; n < 2; n++) expect((await client.post('/transfer')).status).toBe(403);
    expect(warnings.take()).toEqual([
      'A route asks for the time of authentication. The time of authentication is not recorded: put AuthenticationTimeClaim ' +
        'into the option claims of SessionModule, or set lifetime',
    ]);
  });

  it.each([0, -1, Number.NaN])('of %d seconds is refused where it is written', (seconds) => {
    expect(() => AuthenticationTimeClaim.validators.freshWithin(seconds)).toThrow(TypeError);
  });
});

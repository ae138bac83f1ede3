import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Post, UseGuards } from '@nestjs/common';
import {
  AuthenticationTimeClaim,
  CoreUnavailableError,
  RequireClaims,
  SessionConfigError,
  SessionGuard,
  UnauthorisedError,
  VerifySession,
  type RecipeInterface,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { OnRefresh, RefreshDecision, RefreshToDecide } from 'nest-sessions/core';
import { DemoController, type Call } from '../../support/demo.controller.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { ProcessWarnings } from '../../support/process-warnings.js';
import type { SessionClient } from '../../support/session-client.js';
import {
  ADAPTERS,
  sessionModule,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';
import { FIREFOX } from '../../support/user-agents.js';
import { HOUR_SEC, LIFETIME_HANDLERS, MINUTE_SEC } from './lifetime-handlers.js';

const CURL = 'curl/8.5.0';

/** Routes for a user who has just signed in or stepped up. */
@Controller()
@UseGuards(SessionGuard)
class AccountController {
  @Post('transfer')
  @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(HOUR_SEC))
  transfer(): object {
    return { done: true };
  }

  @Post('transfer-checked')
  @VerifySession({ checkDatabase: true })
  @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(HOUR_SEC))
  transferChecked(): object {
    return { done: true };
  }
}

/** A hook that notes what it is asked, and returns what the test says. */
class Hook {
  readonly asked: RefreshToDecide[] = [];
  decision: unknown = undefined;
  /** Runs before the decision. */
  before: (refresh: RefreshToDecide) => unknown = () => undefined;

  readonly decide: OnRefresh = async (refresh) => {
    this.asked.push(refresh);
    await this.before(refresh);
    return this.decision as RefreshDecision;
  };
}

/** The tokens that a client would send with a refresh. */
function held(client: SessionClient): unknown[] {
  const { cookie, authorization } = client.requestHeaders('/auth/session/refresh');
  return [cookie, authorization].filter((value) => value !== undefined);
}

const MODES = ['cookie', 'header'] as const;
const CASES = ADAPTERS.flatMap((adapter) => MODES.map((mode) => [adapter, mode] as const));
const PASSWORD = { password: 'correct' };

describe.each(CASES)('a refresh that the application decides on, on %s by %s', (adapter, mode) => {
  const start = async (options: Partial<SessionModuleOptions> = {}) => {
    const hook = new Hook();
    const application = await starter()
      .with({ onRefresh: hook.decide, ...options })
      .start();
    const { client, clock, events, sessions, signedIn } = application;
    return { hook, client, clock, events, sessions, signedIn };
  };
  const starter = (): ApplicationStarter =>
    TestApplication.on(adapter).controllers(DemoController, AccountController).handlers(LIFETIME_HANDLERS);

  it('goes on where the hook allows it, and is shown to it once', async () => {
    const { hook, signedIn } = await start();
    const client = await signedIn(mode);
    for (const decision of ['allow', undefined]) {
      hook.decision = decision;
      const older = client.copy();
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/me')).status).toBe(200);
      expect((await older.refresh()).status).toBe(401); // theft, which the core refuses
      await client.login();
    }
    expect(hook.asked).toHaveLength(2);
    const [first] = hook.asked;
    expect(first?.device).toEqual({ before: undefined, now: undefined });
    expect(first).toMatchObject({ deviceBound: undefined, skipped: [] });
    expect(first?.session.getUserId()).toBe('user-1');
  });

  it('shows the device of the last refresh beside the present one, as precisely as it is kept (S106)', async () => {
    const { hook, client, clock } = await start({ devices: {} });
    const visitor = client(mode);
    await visitor.post('/login', { userId: 'user-1' }, { 'user-agent': FIREFOX });
    clock.advanceSeconds(MINUTE_SEC);
    await visitor.refresh({ 'user-agent': CURL });
    const ip = '127.0.0.0/24';
    expect(hook.asked.map(({ device }) => device)).toEqual([
      {
        before: { ip, userAgent: 'Firefox on Windows', lastSeen: TEST_START_MS },
        now: { ip, userAgent: 'Unknown client', lastSeen: TEST_START_MS + 60_000 },
      },
    ]);
  });

  it('ends the session where the hook says so: its client is signed out', async () => {
    const { hook, signedIn, sessions, events } = await start();
    const client = await signedIn(mode);
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    hook.decision = 'end';
    const response = await client.refresh();
    expect(response.status).toBe(401);
    expect(response.body).toEqual({ message: 'unauthorised' });
    expect(held(client)).toEqual([]);
    expect(await sessions.getSessionInformation(sessionHandle)).toBeUndefined();
    expect(events.find(({ type }) => type === 'session.revoked')).toMatchObject({
      sessionHandle,
      userId: 'user-1',
      reason: 'risk',
      initiator: 'policy',
    });
  });

  it('leaves a client alone that has signed in anew while the hook decided', async () => {
    const { hook, signedIn } = await start();
    const client = await signedIn(mode);
    const tab = client.copy();
    hook.decision = 'end';
    hook.before = async () => client.login('user-2');
    const response = await tab.refresh();
    expect(response.status).toBe(401);
    // Clearing them would take the new session's tokens from the browser that both tabs share.
    expect(held(tab)).not.toEqual([]);
  });

  it('refuses the client of a session that the hook has ended by itself, and says why to the application', async () => {
    const refreshing = async ({ sessions, req, res }: Call): Promise<object> =>
      sessions.refreshSession(req, res).then(
        () => ({}),
        ({ message }: UnauthorisedError) => ({ message }),
      );
    const hook = new Hook();
    const { signedIn } = await starter()
      .with({ onRefresh: hook.decide })
      .handlers({ ...LIFETIME_HANDLERS, open: { refreshing } })
      .start();
    const client = await signedIn(mode);
    hook.before = async ({ session }) => session.revokeSession();
    const headers = client.requestHeaders('/auth/session/refresh');
    expect((await client.send({ path: '/open/refreshing', headers })).body).toEqual({
      message: 'The session has ended while its refresh was decided on',
    });
  });

  it('asks for a new authentication where the hook says so, and for no second one (S039)', async () => {
    const { hook, signedIn, clock } = await start();
    const client = await signedIn(mode);
    const older = client.copy();
    const transfer = async (holder = client): Promise<number> => (await holder.post('/transfer')).status;
    expect(await transfer()).toBe(201);
    hook.decision = 'step-up';
    clock.advanceSeconds(MINUTE_SEC);
    expect((await client.refresh()).status).toBe(200);
    hook.decision = 'allow';
    expect((await client.get('/me')).status).toBe(200);
    const refused = await client.post('/transfer');
    expect(refused.status).toBe(403);
    expect(refused.body).toEqual({
      message: 'invalid claim',
      claimValidationErrors: [{ id: 'auth_time', reason: { message: 'expired', maxAgeInSeconds: HOUR_SEC } }],
    });
    // The application can undo it as little as the next refreshes do.
    expect((await client.post('/run/merge', { auth_time: TEST_START_MS / 1000 })).status).toBe(500);
    expect((await client.post('/run/merge', { theme: 'dark' })).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect(await transfer()).toBe(403);
    // A token from before is fresh for as long as it lives, unless the route asks the core.
    expect(await transfer(older)).toBe(201);
    expect((await older.post('/transfer-checked')).status).toBe(403);

    expect((await client.post('/run/step-up', PASSWORD)).status).toBe(200);
    expect(await transfer()).toBe(201);
    expect((await client.refresh()).status).toBe(200);
    expect(await transfer()).toBe(201);
    expect((await client.post('/transfer-checked')).status).toBe(201);
  });

  it('asks for it once, where two tabs refresh at the same time', async () => {
    const { hook, signedIn, sessions } = await start();
    const client = await signedIn(mode);
    const tab = client.copy();
    hook.decision = 'step-up';
    const responses = await Promise.all([client.refresh(), tab.refresh()]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    expect((await client.post('/transfer')).status).toBe(403);
    expect((await tab.post('/transfer')).status).toBe(403);
    expect((await client.post('/run/step-up', PASSWORD)).status).toBe(200);
    expect((await client.post('/transfer')).status).toBe(201);
    const information = await sessions.getSessionInformation(sessionHandle);
    expect(information?.customClaimsInAccessTokenPayload['auth_time']).toBe(TEST_START_MS / 1000);
  });

  describe('while the hook fails', () => {
    let warnings: ProcessWarnings;
    beforeEach(() => {
      warnings = new ProcessWarnings();
    });
    afterEach(() => warnings.restore());

    it.each<[string, (hook: Hook) => void]>([
      [
        'throws',
        (hook) =>
          (hook.before = () => {
            throw new Error('the risk service is down');
          }),
      ],
      ['takes too long', (hook) => (hook.before = () => new Promise(() => {}))],
      ['decides something else', (hook) => (hook.decision = true)],
    ])('is 503 and takes nothing away: it %s', async (_, fail) => {
      const { hook, signedIn } = await start({ onRefreshTimeoutMs: 30 });
      const client = await signedIn(mode);
      const before = held(client);
      fail(hook);
      const response = await client.refresh();
      expect(response.status).toBe(503);
      expect(response.header('retry-after')).toBe('1');
      expect(held(client)).toEqual(before);
      expect((await client.get('/me')).status).toBe(200);
      expect(warnings.noted[0]?.text).toMatch(/(risk service|longer than 30 ms|must return)[^]*\n\s+at /);
      expect(warnings.take()).toEqual(['The hook onRefresh fails: refreshes get 503']);
      hook.before = () => undefined;
      hook.decision = 'allow';
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/me')).status).toBe(200);
    });
  });

  it('is not undone with an older token, by an override that gives no stored payload', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      regenerateAccessToken: async ({ accessToken, newAccessTokenPayload, userContext }) =>
        original.regenerateAccessToken({ accessToken, newAccessTokenPayload, userContext }),
    });
    const { hook, signedIn, sessions } = await start({ override: { functions } });
    const client = await signedIn(mode);
    const older = client.copy();
    hook.decision = 'step-up';
    expect((await client.refresh()).status).toBe(200);
    expect((await older.post('/run/merge', { theme: 'dark' })).status).toBe(200);
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    const information = await sessions.getSessionInformation(sessionHandle);
    expect(information?.customClaimsInAccessTokenPayload).toMatchObject({ theme: 'dark', auth_time: 0 });
  });

  it('sends with the new tokens what the hook writes into the payload', async () => {
    const { hook, signedIn } = await start();
    const client = await signedIn(mode);
    hook.before = ({ session }) => session.mergeIntoAccessTokenPayload({ risk: 'low' });
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).body).toMatchObject({ payload: { risk: 'low' } });
  });
});

describe('a refresh without request and response', () => {
  it('is decided on, too', async () => {
    const hook = new Hook();
    const { sessions } = await TestApplication.withoutServer()
      .with({ onRefresh: hook.decide, onRefreshTimeoutMs: 30 })
      .start();
    const created = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const userContext = { mine: 1 };
    const { refreshToken = '' } = created.getAllSessionTokensDangerously();
    const refresh = async () =>
      sessions.refreshSessionWithoutRequestResponse({ refreshToken, disableAntiCsrf: true, userContext });
    hook.decision = 'step-up';
    const session = await refresh();
    expect(hook.asked[0]?.userContext).toBe(userContext);
    const isFresh = AuthenticationTimeClaim.validators.freshWithin(HOUR_SEC);
    await expect(session.assertClaims([isFresh])).rejects.toThrow('INVALID_CLAIMS');
    expect(session.getAllSessionTokensDangerously().accessAndFrontTokenUpdated).toBe(true);
    const failure = { message: 'The hook onRefresh gave no decision' };
    hook.decision = 7;
    await expect(refresh()).rejects.toBeInstanceOf(CoreUnavailableError);
    const expected = "onRefresh must return 'allow', 'step-up', 'end' or undefined";
    await expect(refresh()).rejects.toMatchObject({ ...failure, cause: new TypeError(expected) });
    hook.before = () => new Promise(() => {});
    const late = { ...failure, cause: { message: 'It took longer than 30 ms' } };
    await expect(refresh()).rejects.toMatchObject(late);
    hook.before = () => undefined;
    hook.decision = 'end';
    await expect(refresh()).rejects.toThrow(
      new UnauthorisedError('The hook onRefresh has ended the session'),
    );
    expect(await sessions.getSessionInformation(session.getHandle())).toBeUndefined();
  });
});

describe('the options onRefresh and onRefreshTimeoutMs', () => {
  it.each([
    [{ onRefresh: 'end' }, 'onRefresh'],
    [{ onRefreshTimeoutMs: 0 }, 'onRefreshTimeoutMs'],
  ])('are refused when they make no sense: %j', async (options, path) => {
    const error = await TestApplication.on('express')
      .modules(await sessionModule({ options: options as never }))
      .run(async () => {})
      .catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(SessionConfigError);
    expect((error as SessionConfigError).problems.map((problem) => problem.path)).toEqual([path]);
  });
});

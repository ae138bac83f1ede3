import { Logger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import {
  CoreError,
  remoteCore,
  SessionEvents,
  TooManySessionsError,
  type SessionContainer,
  type SessionModuleOptions,
} from 'nest-sessions';
import { TestClock } from '../../../lib/testing/test-clock.js';
import {
  ADAPTERS,
  TestApplication,
  type StandaloneApplication,
  type EngineOptions,
} from '../../support/test-application.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { mostWhile } from '../../support/most-while.js';
import { startServedCore } from '../../support/served-core.js';
import { watchedStore } from '../../support/watched-store.js';

type Policy = NonNullable<SessionModuleOptions['maxSessionsPerUser']>['whenExceeded'];
const CORES = ['embedded', 'remote'] as const;

/** An application with a cap, on an embedded core or as the client of a served one. */
async function withCap(
  core: (typeof CORES)[number],
  maxSessionsPerUser: { max: number; whenExceeded: Policy },
  test: (application: StandaloneApplication) => Promise<void>,
  engine: EngineOptions = {},
): Promise<void> {
  const starter = TestApplication.withoutServer().with({ maxSessionsPerUser });
  if (core === 'embedded') return starter.engine(engine).run(test);
  const clock = new TestClock(TEST_START_MS);
  const served = await startServedCore({ coreOptions: engine, clock });
  try {
    const remote = remoteCore({ connectionURI: served.uri });
    await starter.clock(clock).with({ core: remote }).run(test);
  } finally {
    await served.close();
  }
}

function signIn(
  { sessions }: StandaloneApplication,
  input: { userId?: string; tenantId?: string } = {},
): Promise<SessionContainer> {
  return sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', ...input });
}

describe.each(CORES)('a cap on the sessions of a user, with an %s core', (core) => {
  it.each<[Policy, refused: number, revoked: number]>([
    ['refuse', 45, 0],
    ['end-oldest', 0, 45],
  ])('of five leaves five when fifty sign in at once (%s) (S038)', async (whenExceeded, refused, revoked) => {
    await withCap(core, { max: 5, whenExceeded }, async (application) => {
      const { sessions, events } = application;
      const count = async (): Promise<number> =>
        (await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).length;
      const signIns = Promise.allSettled(Array.from({ length: 50 }, () => signIn(application)));
      expect(await mostWhile(signIns, count)).toBeLessThanOrEqual(5);
      expect(await count()).toBe(5);
      const failures = (await signIns).filter((outcome) => outcome.status === 'rejected');
      expect(failures.filter(({ reason }) => reason instanceof TooManySessionsError)).toHaveLength(refused);
      expect(failures).toHaveLength(refused);
      await application.get(SessionEvents).delivered();
      expect(events.filter(({ type }) => type === 'session.revoked')).toHaveLength(revoked);
    });
  });

  it('ends the session that began first, at once in this process, and tells of it (S038)', async () => {
    await withCap(core, { max: 2, whenExceeded: 'end-oldest' }, async (application) => {
      const { sessions, events, clock } = application;
      const first = await signIn(application);
      clock.advanceSeconds(1);
      const second = await signIn(application);
      clock.advanceSeconds(1);
      const third = await signIn(application);
      await application.get(SessionEvents).delivered();
      expect(events.filter(({ type }) => type === 'session.revoked')).toMatchObject([
        { sessionHandle: first.getHandle() },
      ]);
      const live = await sessions.getAllSessionHandlesForUser({ userId: 'user-1' });
      expect(live.toSorted()).toEqual([second.getHandle(), third.getHandle()].toSorted());
    });
  });

  it('counts each user and each tenant by themselves, and sessions that have run out not at all', async () => {
    await withCap(
      core,
      { max: 1, whenExceeded: 'refuse' },
      async (application) => {
        await signIn(application);
        await signIn(application, { userId: 'user-2' });
        await signIn(application, { tenantId: 't1' });
        await expect(signIn(application)).rejects.toThrow(TooManySessionsError);
        await application.sessions.revokeAllSessionsForUser({ userId: 'user-1', tenantId: 'public' });
        await signIn(application);
        application.clock.advanceSeconds(7201);
        await signIn(application);
        await expect(signIn(application)).rejects.toThrow(TooManySessionsError);
      },
      { accessTokenValiditySec: 3600, refreshTokenValiditySec: 7200 },
    );
  });
});

describe('a sign-in that fails after room was made for it, with a remote core', () => {
  it('tells of the session that was ended all the same (S038)', async () => {
    const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const clock = new TestClock(TEST_START_MS);
    const { store, failing } = await watchedStore();
    const served = await startServedCore({ coreOptions: { store }, clock });
    const maxSessionsPerUser = { max: 1, whenExceeded: 'end-oldest' } as const;
    const core = remoteCore({ connectionURI: served.uri });
    try {
      await TestApplication.withoutServer()
        .clock(clock)
        .with({ maxSessionsPerUser, core })
        .run(async (application) => {
          const { sessions, events } = application;
          const first = await signIn(application);
          failing.add('insertSession');
          await expect(signIn(application)).rejects.toThrow(CoreError);
          await application.get(SessionEvents).delivered();
          expect(events.filter(({ type }) => type === 'session.revoked')).toMatchObject([
            { sessionHandle: first.getHandle(), userId: 'user-1' },
          ]);
          failing.clear();
          await signIn(application);
          expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toHaveLength(1);
        });
    } finally {
      await served.close();
      log.mockRestore();
    }
  });
});

describe('a cap on the sessions of a user', () => {
  it('counts the login methods of one account together (S038)', async () => {
    const accountLinking = {
      getPrimaryUserId: (id: string) => (id === 'github-1' ? 'user-1' : id),
      getLinkedRecipeUserIds: (id: string) => (id === 'user-2' ? [id] : ['user-1', 'github-1']),
    };
    await withCap(
      'embedded',
      { max: 1, whenExceeded: 'refuse' },
      async (application) => {
        await signIn(application, { userId: 'github-1' });
        await expect(signIn(application)).rejects.toThrow(TooManySessionsError);
        await signIn(application, { userId: 'user-2' });
      },
      { accountLinking },
    );
  });

  it.each(ADAPTERS)('gets 409 on %s, and the tokens of the client stay (S038)', async (adapter) => {
    const options = { maxSessionsPerUser: { max: 1, whenExceeded: 'refuse' } } as const;
    const { client } = await TestApplication.on(adapter).with(options).start();
    const visitor = client();
    await visitor.login();
    const response = await visitor.post('/login', { userId: 'user-1' });
    expect(response.status).toBe(409);
    expect(response.body).toEqual({ message: 'too many sessions', maxSessions: 1 });
    expect(response.lines('set-cookie')).toEqual([]);
    expect((await visitor.get('/me')).status).toBe(200);
  });
});

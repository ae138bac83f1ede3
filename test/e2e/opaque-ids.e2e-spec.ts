import { describe, expect, it } from '@jest/globals';
import { CoreBadInputError, remoteCore, SessionEvents } from 'nest-sessions';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { FakeCore } from '../support/fake-core.js';

/** Names that a neighbour of `alice` may choose, where an application lets users choose. */
const NEIGHBOURS = [
  'alice ',
  ' alice',
  'alice\n',
  'alice\u00a0',
  '\ufeffalice',
  '\u2003alice',
  'Alice',
  'ａlice',
];

describe.each(ADAPTERS)('user ids on %s', (adapter) => {
  it.each(NEIGHBOURS)('%j is not alice, wherever a session says whose it is (S094)', async (userId) => {
    const options = { userSessionRoutes: true } as const;
    const { app, clock, signedIn, sessions } = await TestApplication.on(adapter).with(options).start();
    const told: unknown[] = [];
    app.get(SessionEvents).immediate.subscribe((event) => told.push('userId' in event && event.userId));
    const alice = await signedIn('cookie', 'alice');
    const neighbour = await signedIn('header', userId);
    const ids = { userId, recipeUserId: userId };
    expect((await neighbour.get('/me')).body).toMatchObject(ids);
    expect((await neighbour.get('/checked')).body).toMatchObject(ids);
    expect(neighbour.front.uid).toBe(userId);

    clock.advance(1000);
    await neighbour.refresh();
    expect((await neighbour.get('/me')).body).toMatchObject(ids);
    expect(new Set(told)).toEqual(new Set(['alice', userId]));

    expect((await neighbour.get('/auth/sessions')).body).toMatchObject({ sessions: [{ isCurrent: true }] });
    expect((await neighbour.post('/auth/sessions/revoke-others')).body).toMatchObject({ revoked: 0 });
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'alice' })).toHaveLength(1);
    expect((await alice.refresh()).status).toBe(200);
  });
});

describe('half a surrogate pair', () => {
  it('reaches no remote core, whose database would make a question mark of it (S094)', async () => {
    const core = await FakeCore.start();
    try {
      await TestApplication.withoutServer()
        .with({ core: remoteCore({ connectionURI: core.uri }) })
        .run(async ({ sessions }) => {
          await expect(
            sessions.createNewSessionWithoutRequestResponse({ userId: 'alice\ud83d' }),
          ).rejects.toThrow(CoreBadInputError);
        });
      expect(core.received.filter(({ method }) => method === 'POST')).toEqual([]);
    } finally {
      await core.kill();
    }
  });
});

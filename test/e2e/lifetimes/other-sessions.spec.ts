import { describe, expect, it } from '@jest/globals';
import { TestApplication, type StandaloneApplication } from '../../support/test-application.js';

const USER = { userId: 'user-1' };

async function signIn({ sessions }: StandaloneApplication, input: object = {}) {
  return sessions.createNewSessionWithoutRequestResponse({ ...USER, ...input });
}

describe('ending all other sessions of a user', () => {
  it('leaves the one that asks, and says which have ended (S051)', async () => {
    const application = await TestApplication.withoutServer().start();
    const { sessions } = application;
    const mine = await signIn(application);
    const others = [await signIn(application), await signIn(application, { tenantId: 't1' })];
    const stranger = await signIn(application, { userId: 'user-2' });
    const ended = await mine.revokeAllOtherSessions();
    expect(ended.toSorted()).toEqual(others.map((session) => session.getHandle()).toSorted());
    expect(await sessions.getAllSessionHandlesForUser(USER)).toEqual([mine.getHandle()]);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-2' })).toEqual([stranger.getHandle()]);
    expect(await mine.revokeAllOtherSessions()).toEqual([]);
  });

  it('can be done by whoever knows the handle, and in one tenant alone (S051)', async () => {
    const application = await TestApplication.withoutServer().start();
    const { sessions } = application;
    const mine = await signIn(application);
    const here = await signIn(application);
    const there = await signIn(application, { tenantId: 't1' });
    const sessionHandle = mine.getHandle();
    expect(await sessions.revokeAllOtherSessions({ ...USER, sessionHandle, tenantId: 'public' })).toEqual([
      here.getHandle(),
    ]);
    expect(await sessions.revokeAllOtherSessions({ ...USER, sessionHandle })).toEqual([there.getHandle()]);
  });

  it('includes the other login methods of the account, unless they are left out (S051)', async () => {
    const accountLinking = {
      getPrimaryUserId: () => 'user-1',
      getLinkedRecipeUserIds: () => ['user-1', 'github-1'],
    };
    const application = await TestApplication.withoutServer().engine({ accountLinking }).start();
    const mine = await signIn(application);
    const linked = await application.sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      recipeUserId: 'github-1',
    });
    const linkedToo = await application.sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      recipeUserId: 'github-1',
    });
    expect(await mine.revokeAllOtherSessions({ includeLinkedAccounts: false })).toEqual([]);
    expect(await linked.revokeAllOtherSessions({ includeLinkedAccounts: false })).toEqual([
      linkedToo.getHandle(),
    ]);
    expect(await mine.revokeAllOtherSessions()).toEqual([linked.getHandle()]);
  });

  it('is refused to a session that has ended itself (S051 S045)', async () => {
    const application = await TestApplication.withoutServer().start();
    const [stolen, mine] = [await signIn(application), await signIn(application)];
    await stolen.revokeSession();
    for (const input of [{}, { tenantId: 'public' }, { tenantId: 't1' }]) {
      await expect(stolen.revokeAllOtherSessions(input)).rejects.toMatchObject({ type: 'UNAUTHORISED' });
    }
    expect(await mine.revokeAllOtherSessions({ tenantId: 't1' })).toEqual([]);
    expect(await application.sessions.getAllSessionHandlesForUser(USER)).toEqual([mine.getHandle()]);
  });

  it('ends each session that was there before, however many sign in meanwhile (S051 S050)', async () => {
    const application = await TestApplication.withoutServer().start();
    const { sessions } = application;
    const mine = await signIn(application);
    const before = await Promise.all(Array.from({ length: 30 }, () => signIn(application)));
    const meanwhile = Promise.all(Array.from({ length: 30 }, () => signIn(application)));
    const ended = new Set(await mine.revokeAllOtherSessions());
    const begun = await meanwhile;
    for (const session of before) expect(ended).toContain(session.getHandle());
    const live = new Set(await sessions.getAllSessionHandlesForUser(USER));
    expect(live).toContain(mine.getHandle());
    // Each one either has ended and is told of, or lives.
    for (const session of begun) {
      expect(live.has(session.getHandle())).toBe(!ended.has(session.getHandle()));
    }
    expect(ended.size + live.size).toBe(61);
  });
});

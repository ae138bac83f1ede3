import { describe, expect, it } from '@jest/globals';
import {
  RecipeDependencies,
  SessionConfigError,
  SessionEvents,
  SessionModule,
  type SessionModuleOptions,
} from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { SHOP, TestApplication } from '../support/test-application.js';

/** How many of so many tokens are remembered after each has been used once. */
async function remembered(count: number, options: Partial<SessionModuleOptions>): Promise<number> {
  let cachedTokens = -1;
  await TestApplication.on('express')
    .with(options)
    .run(async ({ app, sessions }) => {
      for (let n = 0; n < count; n++) {
        const session = await sessions.createNewSessionWithoutRequestResponse({ userId: `user-${n}` });
        await sessions.getSessionWithoutRequestResponse({ accessToken: session.getAccessToken() });
      }
      ({ cachedTokens } = app.get(RecipeDependencies, { strict: false }).verifier);
    });
  return cachedTokens;
}

describe('remembering verified tokens', () => {
  it.each<[what: string, options: Partial<SessionModuleOptions>, count: number]>([
    ['all of a few by default', {}, 5],
    ['as many as maxCachedTokens says', { maxCachedTokens: 3 }, 3],
    ['none with maxCachedTokens 0', { maxCachedTokens: 0 }, 0],
    ['none with maxCachedTokenBytes 0', { maxCachedTokenBytes: 0 }, 0],
    ['none that takes more than a 64th of maxCachedTokenBytes', { maxCachedTokenBytes: 64_000 }, 0],
    ['all while maxCachedTokenBytes suffices', { maxCachedTokenBytes: 64 * 4000 }, 5],
  ])('keeps %s (S012)', async (_, options, count) => {
    expect(await remembered(5, options)).toBe(count);
  });

  it('forgets those of a session that is revoked (S012)', async () => {
    const { app, sessions } = await TestApplication.on('express').start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    await sessions.getSessionWithoutRequestResponse({ accessToken: session.getAccessToken() });
    const { verifier } = app.get(RecipeDependencies, { strict: false });
    expect(verifier.cachedTokenBytes).toBeGreaterThan(session.getAccessToken().length);
    await sessions.revokeSession(session.getHandle());
    expect([verifier.cachedTokens, verifier.cachedTokenBytes]).toEqual([0, 0]);
  });

  it('forgets them also where the session was ended by another process already, without an event (S012)', async () => {
    const store = await seededMemoryStore();
    const { app, sessions, events } = await TestApplication.on('express').store(store).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const sessionHandle = session.getHandle();
    await sessions.getSessionWithoutRequestResponse({ accessToken: session.getAccessToken() });
    await store.deleteSessions([{ tenantId: 'public', sessionHandle }]);
    expect(await sessions.revokeMultipleSessions([sessionHandle])).toEqual([]);
    expect(app.get(RecipeDependencies, { strict: false }).verifier.cachedTokens).toBe(0);
    await app.get(SessionEvents, { strict: false }).delivered();
    expect(events.map(({ type }) => type)).toEqual(['session.created']);
  });

  it.each([-1, 1.5, '32MiB', Number.NaN])('refuses maxCachedTokenBytes %p', async (maxCachedTokenBytes) => {
    const options = { appInfo: SHOP, maxCachedTokenBytes } as SessionModuleOptions;
    await expect(
      TestApplication.on('express')
        .modules(SessionModule.forRoot(options))
        .run(async () => {}),
    ).rejects.toThrow(SessionConfigError);
  });
});

import { describe, expect, it } from '@jest/globals';
import { CoreBadInputError, remoteCore, UnauthorisedError } from 'nest-sessions';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { startServedCore } from '../../support/served-core.js';
import { TestApplication } from '../../support/test-application.js';

describe('sessions that belong to others, with a remote core', () => {
  const start = async () => {
    const clock = new TestClock(TEST_START_MS);
    const served = await startServedCore({ clock });
    const instance = async () =>
      (
        await TestApplication.withoutServer()
          .clock(clock)
          .with({ core: remoteCore({ connectionURI: served.uri }) })
          .start()
      ).sessions;
    return { a: await instance(), b: await instance(), served };
  };

  it('end with their parent at once in the process that has made them, and elsewhere at their refresh (S122, S123)', async () => {
    const { a, b, served } = await start();
    try {
      for (const [ending, isThere] of [
        [a, false],
        [b, true],
      ] as const) {
        const parent = await a.createNewSessionWithoutRequestResponse({ userId: 'support-7' });
        const child = await a.createNewSessionWithoutRequestResponse({
          userId: 'ada',
          actor: { sessionHandle: parent.getHandle() },
        });
        await ending.revokeSession(parent.getHandle());
        expect((await b.getSessionInformation(child.getHandle())) !== undefined).toBe(isThere);
        const { accessToken, refreshToken = '' } = child.getAllSessionTokensDangerously();
        const checked = b.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true });
        await expect(Promise.resolve(checked)).rejects.toThrow(UnauthorisedError);
        const refreshed = b.refreshSessionWithoutRequestResponse({ refreshToken });
        await expect(refreshed).rejects.toThrow(UnauthorisedError);
        expect(await b.getSessionInformation(child.getHandle())).toBeUndefined();
      }
    } finally {
      await served.close();
    }
  });

  it('are not begun by hand-over tokens, which the core could not note as used (S124)', async () => {
    const { a, served } = await start();
    try {
      const session = await a.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      const token = a.createHandOverToken({ sessionHandle: session.getHandle(), audience: 'app' });
      await expect(token).rejects.toThrow(CoreBadInputError);
      await expect(token).rejects.toThrow('a SuperTokens Core has none');
    } finally {
      await served.close();
    }
  });
});

import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { UnauthorisedError } from '../../lib/errors.js';
import type { SessionService } from '../../lib/session.service.js';
import type { SessionContainer } from '../../lib/sessions/session-container.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { parseSessionHandle } from '../../lib/core/embedded/session-handle.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seedSigningKeys, TEST_START_MS } from '../support/embedded.js';
import type { StorePair } from '../support/store-pairs.js';
import { TestApplication } from '../support/test-application.js';

const PARENTS = 8;

/** Sessions that end with others, made and ended by two instances. */
export function describeDelegation(where: string, open: () => Promise<StorePair>): void {
  describe(`sessions that belong to others, ${where}`, () => {
    const start = async () => {
      const { here, there } = await open();
      await seedSigningKeys(here);
      const clock = new TestClock(TEST_START_MS);
      const on = (store: SessionStore) => TestApplication.withoutServer().store(store).clock(clock).start();
      const [a, b] = [await on(here), await on(there)];
      return { a: a.sessions, b: b.sessions, here, clock };
    };
    const signIn = async (sessions: SessionService, userId = 'ada') =>
      sessions.createNewSessionWithoutRequestResponse({ userId });
    const live = async (sessions: SessionService, made: readonly SessionContainer[]): Promise<boolean[]> =>
      Promise.all(
        made.map(async (each) => (await sessions.getSessionInformation(each.getHandle())) !== undefined),
      );

    it('end in the call that ends their parent in another instance (S122, S123)', async () => {
      const { a, b } = await start();
      const [parent, user] = [await signIn(a, 'support-7'), await signIn(a)];
      const parentSessionHandle = parent.getHandle();
      const made = [
        await a.createChildSession({ parentSessionHandle, actorId: 'job' }),
        await a.createNewSessionWithoutRequestResponse({
          userId: 'ada',
          actor: { sessionHandle: parentSessionHandle },
        }),
      ];
      expect(await live(b, [parent, ...made, user])).toEqual([true, true, true, true]);
      await b.revokeAllSessionsForUser({ userId: 'support-7' });
      expect(await live(a, [parent, ...made, user])).toEqual([false, false, false, true]);
    });

    it('end at their refresh when the process stopped after their parent had ended (S122, S123)', async () => {
      const { a, b, here } = await start();
      const parent = await signIn(a);
      const child = await a.createChildSession({ parentSessionHandle: parent.getHandle() });
      const key = parseSessionHandle(parent.getHandle());
      await here.deleteSessions(key ? [key] : []);
      const { accessToken, refreshToken = '' } = child.getAllSessionTokensDangerously();
      const checked = b.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true });
      await expect(Promise.resolve(checked)).rejects.toThrow('has ended with the one that it belongs to');
      const refresh = b.refreshSessionWithoutRequestResponse({ refreshToken });
      await expect(refresh).rejects.toThrow('has ended with the one that it belongs to');
      expect(await live(a, [child])).toEqual([false]);
    });

    it('none outlives its parent when it is made while that ends (S123)', async () => {
      const { a, b } = await start();
      const parents = await Promise.all(Array.from({ length: PARENTS }, async () => signIn(a)));
      const children = await Promise.all(
        parents.map(async (parent) => {
          const making = a
            .createChildSession({ parentSessionHandle: parent.getHandle() })
            .catch(() => undefined);
          await b.revokeSession(parent.getHandle());
          return making;
        }),
      );
      for (const child of children.filter((each) => each !== undefined)) {
        const { refreshToken = '' } = child.getAllSessionTokensDangerously();
        await expect(a.refreshSessionWithoutRequestResponse({ refreshToken })).rejects.toThrow(
          UnauthorisedError,
        );
      }
      expect((await a.getAllSessionHandlesForUser({ userId: 'ada' })).length).toBe(0);
    });

    it('all end with their parent when two instances have made many at once (S123)', async () => {
      const { a, b } = await start();
      const parent = await signIn(a);
      const making = Array.from({ length: 30 }, async (_, n) =>
        (n % 2 === 0 ? a : b).createChildSession({ parentSessionHandle: parent.getHandle() }),
      );
      const children = await Promise.all(making);
      await b.revokeSession(parent.getHandle());
      expect(await live(a, [parent, ...children])).not.toContain(true);
    });

    it('begin once for a hand-over token, whichever instance it comes to, and the store has no token (S124)', async () => {
      const { a, b, here } = await start();
      const session = await signIn(a);
      const audience = 'app';
      const token = await a.createHandOverToken({ sessionHandle: session.getHandle(), audience });
      const name = `hand-over.${createHash('sha256').update(token).digest('base64url')}`;
      const stored = await here.sharedValues?.read(name, TEST_START_MS);
      expect(stored).toContain(session.getHandle());
      expect(stored).not.toContain(token.slice(4, 24));
      const redemptions = [a, b, a, b].map(async (each) =>
        each.redeemHandOverTokenWithoutRequestResponse({ token, audience }),
      );
      const results = await Promise.allSettled(redemptions);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await b.getAllSessionHandlesForUser({ userId: 'ada' })).toHaveLength(2);
    });
  });
}

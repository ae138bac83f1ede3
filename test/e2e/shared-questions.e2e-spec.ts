import { describe, expect, it } from '@jest/globals';
import { seededMemoryStore } from '../support/embedded.js';
import { interceptedStore } from '../support/intercepted-store.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

/**
 * An application whose store holds back what the first look found, until `count` requests have asked for a session. Until
 * {@link hold} is called no look waits.
 */
async function heldApplication(adapter: (typeof ADAPTERS)[number]) {
  let looks = 0;
  let asked = 0;
  let expected = 0;
  let released = Promise.resolve();
  let release: () => void = () => undefined;
  let begun: () => void = () => undefined;
  const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
    if (name !== 'findSession') return call();
    looks++;
    const found = await call();
    begun();
    await released;
    return found;
  });
  const application = await TestApplication.on(adapter)
    .store(store)
    .with({
      override: {
        functions: (original) => ({
          ...original,
          getSession: async (input) => {
            const session = original.getSession(input);
            if (++asked === expected) setImmediate(() => release());
            return session;
          },
        }),
      },
    })
    .start();
  return {
    application,
    looks: () => looks,
    /** @returns resolves when a look has found something that is held back */
    hold(count: number): Promise<void> {
      looks = 0;
      asked = 0;
      expected = count;
      released = new Promise((resolve) => (release = resolve));
      return new Promise((resolve) => (begun = resolve));
    },
  };
}

describe.each(ADAPTERS)(
  'requests that ask the database about a session at the same time on %s',
  (adapter) => {
    it('share one look with the same token, and one more for those that came too late for it (S102)', async () => {
      const { application, looks, hold } = await heldApplication(adapter);
      const client = await application.signedIn('header', 'ada');
      void hold(20);
      const responses = await Promise.all(Array.from({ length: 20 }, async () => client.get('/checked')));
      expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
      expect(looks()).toBeLessThanOrEqual(2);
    });

    it('do not share a look with another session, of the same user either (S080)', async () => {
      const { application, looks, hold } = await heldApplication(adapter);
      const clients = [
        await application.signedIn('header', 'ada'),
        await application.signedIn('header', 'ada'),
      ];
      const [ended, live] = clients;
      const handle = String(ended?.front.up['sessionHandle']);
      await application.sessions.revokeSession(handle);
      void hold(10);
      const send = async (_: unknown, n: number) =>
        (await (n % 2 === 0 ? ended : live)?.get('/checked'))?.status;
      const statuses = await Promise.all(Array.from({ length: 10 }, send));
      expect(statuses).toEqual(Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? 401 : 200)));
      expect(looks()).toBeLessThanOrEqual(4);
    });

    it('get no result that is older than a revocation which had returned before they came (S045)', async () => {
      const { application, hold } = await heldApplication(adapter);
      const client = await application.signedIn('header', 'ada');
      const late = client.copy();
      const held = hold(2);
      const early = client.get('/checked');
      await held;
      await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
      expect((await late.get('/checked')).status).toBe(401);
      expect([200, 401]).toContain((await early).status);
    });
  },
);

import { describe, expect, it } from '@jest/globals';
import { prepareStore } from '../../../sample/07-fleet/shared-store.js';
import { startInstance } from '../../../sample/07-fleet/start-instance.js';
import { closeAfterTest } from '../../support/close-after-test.js';

// With three processes, and with its page: test/browser/fleet.browser-spec.ts.
describe('the sample with a fleet', () => {
  it('lets each instance on one SQLite file refuse what ended on another one', async () => {
    const store = await prepareStore({});
    closeAfterTest(store.close);
    const origin = 'http://127.0.0.1:3000';
    const ports: number[] = [];
    for (const name of ['A', 'B', 'C']) {
      const instance = await startInstance({ name, origin, store });
      closeAfterTest(instance.close);
      ports.push(instance.port);
    }
    const call = async (port: number | undefined, method: string, path: string, token?: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { 'st-auth-mode': 'header', ...(token && { authorization: `Bearer ${token}` }) },
      });
    const signedIn = await call(ports[0], 'POST', '/sign-in');
    const token = signedIn.headers.get('st-access-token') ?? '';
    const responses = async () => Promise.all(ports.map(async (port) => call(port, 'GET', '/me', token)));
    const before = await responses();
    expect(before.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(before.map(({ headers }) => headers.get('x-instance'))).toEqual(['A', 'B', 'C']);
    expect(before.map(({ headers }) => headers.get('x-feed'))).toEqual(['polling', 'polling', 'polling']);
    expect(await (await call(ports[1], 'POST', '/end-everywhere', token)).json()).toEqual({ ended: 1 });
    while ((await responses()).some(({ status }) => status !== 401));
  });

  it('names the stores that it knows', async () => {
    await expect(prepareStore({ STORE: 'mongo' })).rejects.toThrow(/sqlite, postgres or redis/);
  });
});

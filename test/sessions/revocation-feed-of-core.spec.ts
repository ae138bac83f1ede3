import { describe, expect, it } from '@jest/globals';
import { remoteCore } from '../../lib/core/remote/http-core-client.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { TEST_START_MS } from '../support/embedded.js';
import { instanceOn, signIn, storeWithoutFeed } from '../support/feed-instance.js';
import { startServedCore, type ServedCoreInput } from '../support/served-core.js';
import { closeAfterTest } from '../support/close-after-test.js';

const API_KEY = 'a-key-of-twenty-letters';

async function served(options: ServedCoreInput['options'] = { revocationFeed: true, apiKeys: [API_KEY] }) {
  const clock = new TestClock(TEST_START_MS);
  const core = await startServedCore({ clock, options });
  closeAfterTest(core.close);
  const instance = async () =>
    instanceOn(remoteCore({ connectionURI: core.uri, apiKey: API_KEY }), clock, { pollMs: 60_000 });
  return { core, a: await instance(), b: await instance() };
}

describe('a core that this library serves', () => {
  it('tells its instances at once which sessions have ended', async () => {
    const { a, b } = await served();
    const { handle, accessToken } = await signIn(a);
    expect(await b.accepts(accessToken)).toBe(true);
    await a.sessions.revokeSession(handle);
    while (await b.accepts(accessToken)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(b.watch.size).toBe(1);
  });

  it('serves the feed to those alone who have a key', async () => {
    const { core } = await served();
    const path = '/nest-sessions/revocations';
    expect((await core.send({ path })).status).toBe(401);
    const headers = { 'api-key': API_KEY };
    const answer = await core.send({ path, headers });
    expect(answer.json).toMatchObject({ status: 'OK', records: [] });
    for (const query of ['waitMs=x', 'waitMs=-1', "after=1'", 'after=']) {
      expect((await core.send({ path: `${path}?${query}`, headers })).status).toBe(400);
    }
  });

  it('has none unless the option says so: then the state is none, and access tokens live until they expire', async () => {
    const { a, b } = await served({ apiKeys: [API_KEY] });
    const { handle, accessToken } = await signIn(a);
    expect(await b.accepts(accessToken)).toBe(true);
    await a.sessions.revokeSession(handle);
    await b.watch.read();
    expect([b.watch.state, await b.accepts(accessToken)]).toEqual(['none', true]);
  });

  it('does not start with the option where its store has no feed, and says what to do', async () => {
    const store = await storeWithoutFeed();
    const started = startServedCore({ options: { revocationFeed: true }, coreOptions: { store } });
    closeAfterTest(async () => started.then(({ close }) => close()).catch(() => undefined));
    await expect(started).rejects.toThrow(
      /^SessionCoreModule cannot start[^]*revocationFeed: is true, but the core or its store has no feed of its own/,
    );
  });

  it('refuses to end the sessions of everybody, which the CDI does not offer, and ends those of users', async () => {
    const { a } = await served();
    const { handle } = await signIn(a);
    await expect(a.sessions.revokeSessions({ all: true })).rejects.toThrow(/name userIds/);
    expect(await a.sessions.revokeSessions({ userIds: ['user-1', 'user-2'] })).toEqual([handle]);
  });
});

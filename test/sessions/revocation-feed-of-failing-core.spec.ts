import { describe, expect, it } from '@jest/globals';
import { remoteCore } from '../../lib/core/remote/http-core-client.js';
import { CoreUnavailableError } from '../../lib/errors.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { FakeCore, hang, reset, sendJson, sendText, type Behaviour } from '../support/fake-core.js';
import { instanceOn, signIn } from '../support/feed-instance.js';
import { sendRaw, startServedCore } from '../support/served-core.js';

const API_KEY = 'a-key-of-twenty-letters';
const FEED = '/nest-sessions/revocations';
/** Far above the time of a test, so that nothing is read unless it is announced, or the test says so. */
const POLL_MS = 60_000;

/** Hands a request on to a core. */
function passTo(port: number): Behaviour {
  return (response, { method, path, query, headers, body }) => {
    const sent = {
      method,
      path: `${path}?${new URLSearchParams(query).toString()}`,
      headers: { 'api-key': API_KEY, 'cdi-version': String(headers['cdi-version'] ?? '5.4') },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const answer = sendRaw(port, sent);
    answer.then(
      ({ status, text }) => response.writeHead(status, { 'content-type': 'application/json' }).end(text),
      () => response.destroy(),
    );
  };
}

/** Served cores on one store, an instance beside them, and one behind a front that can fail. */
async function behindFront() {
  const clock = new TestClock(TEST_START_MS);
  const store = await seededMemoryStore();
  const serve = async () => {
    const options = { revocationFeed: true, apiKeys: [API_KEY] };
    const core = await startServedCore({ clock, options, coreOptions: { store } });
    closeAfterTest(core.close);
    return core;
  };
  const core = await serve();
  const front = await FakeCore.start();
  front.on('*', passTo(core.port));
  const instanceAt = async (connectionURI: string) =>
    instanceOn(remoteCore({ connectionURI, apiKey: API_KEY }), clock, {
      pollMs: POLL_MS,
      whenStale: 'refuse',
    });
  const a = await instanceAt(core.uri);
  const b = await instanceAt(front.uri);
  closeAfterTest(async () => front.kill());
  /** Lets the front pass on requests to a core again, on new connections. */
  const recover = async (port = core.port): Promise<void> => {
    await front.kill();
    front.reset();
    front.on('*', passTo(port));
    await front.start();
  };
  return { clock, serve, front, recover, a, b };
}

/** The state is `live` once a waiting call has got its response. */
async function untilLive({ a, b }: Pick<Awaited<ReturnType<typeof behindFront>>, 'a' | 'b'>): Promise<void> {
  await a.sessions.revokeSession((await signIn(a)).handle);
  while (b.watch.size < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(b.watch.state).toBe('live');
}

describe('a served core whose feed fails (S048)', () => {
  it.each<[string, Behaviour | 'gone']>([
    ['that is gone', 'gone'],
    ['that cuts connections', reset],
    ['that never responds', hang],
    ['that no longer knows the key', sendText(401, 'Invalid API key')],
    ['that has no feed any more', sendText(404, 'Not found')],
    ['that is ill', sendText(500, 'Internal Error')],
    ['that is no core', sendText(200, '<h1>It works!</h1>')],
    ['that responds with a list', sendJson([])],
    ['that responds with null', sendJson(null)],
    ['that responds without records', sendJson({ status: 'OK', position: '1', seen: '1' })],
    ['that responds with other records', sendJson({ status: 'OK', records: {}, position: '1', seen: '1' })],
    ['that responds without a position', sendJson({ status: 'OK', records: [], seen: '1' })],
  ])('%s makes the state stale before anything is accepted, and loses nothing', async (_name, failure) => {
    const made = await behindFront();
    const { clock, front, recover, a, b } = made;
    await untilLive(made);
    const [ending, staying] = [await signIn(a), await signIn(a)];
    expect([await b.accepts(ending.accessToken), await b.accepts(staying.accessToken)]).toEqual([true, true]);

    if (failure === 'gone') await front.kill();
    else front.on(FEED, failure);
    await a.sessions.revokeSession(ending.handle);
    const isRead = failure !== hang && (await b.watch.read());
    expect(isRead).toBe(false);
    clock.advance(2 * POLL_MS + 1);
    for (const { accessToken } of [ending, staying])
      await expect(b.accepts(accessToken)).rejects.toBeInstanceOf(CoreUnavailableError);
    expect(b.watch.state).toBe('stale');

    await recover();
    while (!(await b.watch.read()));
    expect(b.watch.state).not.toBe('stale');
    expect([await b.accepts(ending.accessToken), await b.accepts(staying.accessToken)]).toEqual([
      false,
      true,
    ]);
    const states = (await b.events()).flatMap((event) =>
      event.type === 'revocations.state' ? [event.state] : [],
    );
    expect(states.filter((state) => state === 'stale' || state === 'none')).toEqual(['stale']);
  });

  it('that is slow proves only the moment of the question', async () => {
    const made = await behindFront();
    const { clock, front, recover, b } = made;
    await untilLive(made);
    await recover(); // so that no call waits for a response by the former way
    while (!(await b.watch.read()));
    let answer = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => {
      const late: Behaviour = (response) => {
        answer = () =>
          sendJson({ status: 'OK', records: [], position: '0', seen: '0' })(response, undefined as never);
        resolve();
      };
      front.on(FEED, (response, request) =>
        (request.body as { waitMs: number }).waitMs === 0 ? late(response, request) : hang(response, request),
      );
    });
    const reading = b.watch.read();
    await isAsked;
    clock.advance(2 * POLL_MS + 1);
    answer();
    expect(await reading).toBe(true);
    expect(b.watch.state).toBe('stale');
  });

  it('that is replaced by another one tells at once what ended meanwhile', async () => {
    const made = await behindFront();
    const { serve, front, recover, a, b } = made;
    await untilLive(made);
    const ending = await signIn(a);
    expect(await b.accepts(ending.accessToken)).toBe(true);
    await front.kill();
    const successor = await serve();
    const headers = { 'api-key': API_KEY };
    const body = JSON.stringify({ sessionHandles: [ending.handle] });
    const path = '/recipe/session/remove';
    expect(await sendRaw(successor.port, { method: 'POST', path, headers, body })).toMatchObject({
      status: 200,
    });
    await recover(successor.port);
    while (await b.accepts(ending.accessToken)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(b.watch.state).toBe('live');
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpCoreClient } from '../../../lib/core/remote/http-core-client.js';
import { CoreUnavailableError } from '../../../lib/errors.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { CORE_OPERATIONS, operation } from '../../support/core-operations.js';
import { clientOf, content, FakeCore, hang, reset, sendText, until } from '../../support/fake-core.js';

let first: FakeCore;
let second: FakeCore;
let client: HttpCoreClient | undefined;

beforeEach(async () => {
  [first, second] = [await FakeCore.start(), await FakeCore.start()];
});
afterEach(async () => {
  await client?.close();
  await Promise.all([first.kill(), second.kill()]);
});

function connect(
  options: Parameters<typeof clientOf>[1] = {},
  parts: Parameters<typeof clientOf>[2] = {},
): HttpCoreClient {
  client = clientOf([first, second], options, parts);
  return client;
}

describe('a core with two hosts', () => {
  it('shares the load', async () => {
    const remote = connect();
    for (let i = 0; i < 10; i++) await operation('verifySession')(remote);
    expect([first.calls.length, second.calls.length]).toEqual([5, 5]);
  });

  it.each(CORE_OPERATIONS)(
    'of which the first listed is down serves even the very first $name (T268, C152, C153)',
    async ({ run }) => {
      await first.kill();
      await expect(run(connect())).resolves.toBeDefined();
      expect(second.calls).not.toEqual([]);
    },
  );

  it('of which both are down says so, with what happened at each (T267)', async () => {
    const remote = connect();
    await operation('verifySession')(remote);
    await Promise.all([first.kill(), second.kill()]);
    const error: unknown = await operation('refreshSession')(remote).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CoreUnavailableError);
    expect(String(error)).toContain('/recipe/session/refresh');
    expect(String(error)).toContain(first.uri);
    expect(String(error)).toContain(second.uri);
  });

  it.each([
    ['cuts the connection after reading', reset],
    ['hangs', hang],
    ['has only a gateway left', sendText(502, 'Bad Gateway')],
  ])('of which one %s: whatever may be repeated is served by the other', async (_what, behaviour) => {
    const remote = connect({ requestTimeoutMs: behaviour === hang ? 1500 : 60_000 });
    await operation('getPrimaryUserId')(remote);
    first.on('*', behaviour);
    const repeatable = CORE_OPERATIONS.filter(({ isRepeatable }) => isRepeatable);
    await Promise.all(repeatable.map(async ({ run }) => expect(run(remote)).resolves.toBeDefined()));
    expect(remote.hostHealth.map(({ state }) => state)).toEqual([expect.not.stringMatching('UP'), 'UP']);
  });

  it('asks a host that failed last, without trying it at the expense of a call', async () => {
    const clock = new TestClock();
    const remote = connect({ requestTimeoutMs: 1500 }, { clock });
    await operation('getPrimaryUserId')(remote);
    first.on('*', hang);
    await Promise.all([operation('verifySession')(remote), operation('verifySession')(remote)]);
    first.received.length = 0;
    for (let i = 0; i < 5; i++) await operation('createSession')(remote);
    expect(first.received).toEqual([]);

    first.reset();
    clock.advance(1000);
    await operation('createSession')(remote);
    await until(() => remote.hostHealth.every(({ state }) => state === 'UP'));
    expect(first.received.map(({ path }) => path)).toEqual(['/apiversion']);
    await operation('createSession')(remote);
    await operation('createSession')(remote);
    expect(first.calls).toEqual(['POST /public/recipe/session']);
  });

  it('loses no call that could be served while one host is killed under load and started again (S097)', async () => {
    const clock = new TestClock();
    const remote = connect({ requestTimeoutMs: 5000 }, { clock });
    await operation('getPrimaryUserId')(remote);
    // Responses take a moment, so that many calls are under way when the host dies.
    for (const host of [first, second]) {
      host.on('*', (response, request) => {
        setImmediate(() => content(response, request));
      });
    }

    const failures: { name: string; error: unknown }[] = [];
    let served = 0;
    const load = { isOn: true };
    const worker = async (offset: number): Promise<void> => {
      for (let i = offset; load.isOn; i++) {
        const { name, run } = CORE_OPERATIONS[i % CORE_OPERATIONS.length] ?? CORE_OPERATIONS[0]!;
        try {
          await run(remote);
          served += 1;
        } catch (error) {
          failures.push({ name, error });
        }
      }
    };
    const workers = Array.from({ length: 20 }, async (_, offset) => worker(offset));
    await until(() => served > 200);
    await first.kill();
    const servedAtDeath = served;
    await until(() => served > servedAtDeath + 200);
    expect(remote.hostHealth.map(({ state }) => state)).toEqual(['DOWN', 'UP']);
    await first.start();
    clock.advance(1000);
    await until(() => remote.hostHealth.every(({ state }) => state === 'UP'));
    const receivedAtReturn = first.calls.length;
    await until(() => first.calls.length > receivedAtReturn + 50);
    load.isOn = false;
    await Promise.all(workers);

    // Only a creation that may have reached the dying host cannot be taken to the other one.
    for (const { name, error } of failures) {
      expect(name).toBe('createSession');
      expect(String(error)).toMatch(/connection/);
    }
    expect(failures.length).toBeLessThanOrEqual(20);
  });
});

describe('a core with one host', () => {
  it('is asked once more, on a new connection, where a kept one turns out to be closed', async () => {
    const remote = (client = clientOf(first));
    await operation('verifySession')(remote);
    first.on('/recipe/session/verify', reset, content);
    await expect(operation('verifySession')(remote)).resolves.toMatchObject({ status: 'OK' });
    first.on('/recipe/session/verify', reset);
    await expect(operation('verifySession')(remote)).rejects.toThrow(CoreUnavailableError);
    expect(first.calls).toHaveLength(4);
  });

  it('that refused connections serves again as soon as it is back', async () => {
    const remote = (client = clientOf(first, {}, { clock: new TestClock() }));
    await operation('verifySession')(remote);
    await first.kill();
    for (let i = 0; i < 10; i++) {
      await expect(operation('createSession')(remote)).rejects.toThrow(CoreUnavailableError);
    }
    await first.start();
    await expect(operation('createSession')(remote)).resolves.toBeDefined();
  });
});

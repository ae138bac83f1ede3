import { tracingChannel } from 'node:diagnostics_channel';
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it } from '@jest/globals';
import { channels, traced, tracedSession } from './channels.js';
import { SessionEvents } from './session-events.js';

const NAMES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
const source = new SessionEvents();
const session = { getHandle: () => 'handle-1', getTenantId: () => 'public' };
const unsubscribers: (() => void)[] = [];

/** Subscribes by name, as an application does. */
function subscribe(name: string, onStart?: (message: object) => void) {
  const heard: [string, object][] = [];
  const handlers = Object.fromEntries(
    NAMES.map((event) => [
      event,
      (message: object) => {
        heard.push([event, { ...message }]);
        if (event === 'start') onStart?.(message);
      },
    ]),
  );
  const channel = tracingChannel<unknown, object>(name);
  channel.subscribe(handlers as unknown as Parameters<typeof channel.subscribe>[0]);
  unsubscribers.push(() => {
    channel.unsubscribe(handlers as unknown as Parameters<typeof channel.unsubscribe>[0]);
  });
  return heard;
}

afterEach(() => {
  for (const unsubscribe of unsubscribers.splice(0)) unsubscribe();
});

describe('traced work', () => {
  it('is only done where there are no subscribers', async () => {
    // A channel of its own, because channels belong to the process, in which other specs may have subscribed.
    const quiet: typeof channels.coreCall = tracingChannel('nest-sessions:test');
    const promise = Promise.resolve('done');
    expect(traced(quiet, { source, operation: 'store.any' }, () => promise)).toBe(promise);
    const heard = subscribe('nest-sessions:test');
    expect(traced(quiet, { source, operation: 'store.any' }, () => promise)).not.toBe(promise);
    expect(heard).not.toEqual([]);
  });

  it('is published from start to end, with the source and without the result', async () => {
    const heard = subscribe('nest-sessions:core.call');
    const result = { token: 'secret' };
    expect(await traced(channels.coreCall, { source, operation: 'store.any' }, async () => result)).toBe(
      result,
    );
    expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    for (const [, message] of heard) expect(message).toMatchObject({ source, operation: 'store.any' });
    expect(heard.at(-1)?.[1]).not.toHaveProperty('result.token');
  });

  it('is published with the reason of a failure, which the caller gets', async () => {
    const heard = subscribe('nest-sessions:core.call');
    const error = new Error('broken');
    const failing = [
      async () => Promise.reject(error),
      (): Promise<never> => {
        throw error;
      },
    ];
    for (const work of failing) {
      await expect(traced(channels.coreCall, { source, operation: 'store.any' }, work)).rejects.toBe(error);
      expect(heard.map(([event]) => event)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
      expect(heard.splice(0)[2]?.[1]).toMatchObject({ error });
    }
  });

  it('runs in the scope of subscribers of its start', async () => {
    const scope = new AsyncLocalStorage<string>();
    subscribe('nest-sessions:core.call', (message) =>
      Object.assign(message, { enclose: (work: () => Promise<void>) => scope.run('inside', work) }),
    );
    const work = async () => {
      await Promise.resolve();
      return scope.getStore();
    };
    expect(await traced(channels.coreCall, { source, operation: 'store.any' }, work)).toBe('inside');
  });

  it.each(['sessionCreate', 'sessionVerify', 'sessionRefresh'] as const)(
    'on a session names its handle and tenant: %s',
    async (key) => {
      const heard = subscribe(key.replace('session', 'nest-sessions:session.').toLowerCase());
      expect(await tracedSession(channels[key], source, async () => session)).toBe(session);
      expect(heard[0]?.[1]).toEqual({ source });
      expect(heard.at(-1)?.[1]).toMatchObject({ source, sessionHandle: 'handle-1', tenantId: 'public' });
      expect(await tracedSession(channels[key], source, async () => undefined)).toBeUndefined();
      expect(heard.at(-1)?.[1]).not.toHaveProperty('sessionHandle');
    },
  );
});

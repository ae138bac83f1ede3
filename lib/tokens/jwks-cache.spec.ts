import { describe, expect, it, jest } from '@jest/globals';
import type { PublicJwk } from '../util/verification-keys.js';
import { TestClock } from '../testing/test-clock.js';
import { JwksCache } from './jwks-cache.js';

const key = (kid: string, n = kid): PublicJwk => ({ kty: 'RSA', kid, n, e: 'AQAB' });

function setUp() {
  const clock = new TestClock(1_760_000_000_000);
  const host = { origin: 'http://127.0.0.1:3567', basePath: '' };
  const state = { keys: [key('d-2'), key('d-1'), key('s-1')], loads: 0, isDown: false, hangs: false };
  const cache = new JwksCache(clock, {
    hosts: [host],
    maxAgeMs: 10_000,
    load: async () => {
      state.loads += 1;
      if (state.isDown) throw new Error('down');
      if (state.hangs) await new Promise(() => undefined);
      return structuredClone(state.keys);
    },
  });
  return { clock, state, cache };
}

describe('the published keys of a remote core', () => {
  it('are all of them, in the order of the core, for a token that names none', async () => {
    const { cache, state } = setUp();
    expect(await cache.find(undefined)).toEqual(state.keys);
  });

  it('grow a generation when a key leaves or changes, and only then', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    const renew = async (): Promise<number> => {
      clock.advance(10_000);
      await cache.find('d-2');
      return cache.generation;
    };
    expect(await renew()).toBe(0);
    state.keys = [key('d-3'), ...state.keys];
    expect(await renew()).toBe(0);
    state.keys = state.keys.filter(({ kid }) => kid !== 'd-1');
    expect(await renew()).toBe(1);
    state.keys = state.keys.map(({ kid }) => key(kid, `${kid} of another core`));
    expect(await renew()).toBe(2);
  });

  it('stay the same objects over a renewal, so that nobody imports them again', async () => {
    const { cache, clock } = setUp();
    const [before] = await cache.find('d-1');
    clock.advance(10_000);
    const [after] = await cache.find('d-1');
    expect(after).toBe(before);
  });

  it('are renewed in time even if every token has been verified before', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    state.keys = [key('d-2')];
    expect([cache.isDue, cache.generation]).toEqual([false, 0]);
    clock.advance(10_000);
    expect(cache.isDue).toBe(true);
    expect(await Promise.all([cache.find('d-1'), cache.find('d-1')])).toEqual([[], []]);
    expect([cache.isDue, cache.generation]).toEqual([false, 1]);
    expect(state.loads).toBe(2);
  });

  it('are loaded again at once where the caller knows of a removal, also over a load under way', async () => {
    const { cache, state } = setUp();
    await cache.find('d-1');
    state.keys = [key('d-2')];
    await Promise.all([cache.renewIfUsed(), cache.reload()]);
    expect(state.loads).toBe(3);
    expect(await cache.find('d-2')).toHaveLength(1);
    expect(cache.generation).toBe(1);
    state.isDown = true;
    await expect(cache.reload()).rejects.toThrow('down');
    expect(await cache.find('d-2')).toHaveLength(1);
  });

  it('are not renewed before anything has needed them', async () => {
    const { cache, clock, state } = setUp();
    await cache.renewIfUsed();
    expect([cache.isDue, state.loads]).toEqual([false, 0]);
    state.isDown = true;
    await expect(cache.find('d-1')).rejects.toThrow('down');
    clock.advance(10_000);
    expect([cache.isDue, state.loads]).toEqual([false, 1]);
  });

  it('are those of the first host that responds, for a token that names none', async () => {
    const asked: string[] = [];
    const cache = new JwksCache(new TestClock(1_760_000_000_000), {
      hosts: ['a', 'b', 'c'],
      maxAgeMs: 10_000,
      load: async (host) => {
        asked.push(host);
        if (host === 'a') throw new Error('down');
        return [key(`d-${host}`)];
      },
    });
    expect(await cache.find(undefined)).toEqual([key('d-b')]);
    expect(asked).toEqual(['a', 'b']);
  });

  it('serve after a second where the core hangs, and then nothing waits for it', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    jest.useFakeTimers();
    state.hangs = true;
    clock.advance(10_000);
    const waiting = Promise.all([cache.find('d-1'), cache.find('d-2')]);
    await jest.advanceTimersByTimeAsync(1000);
    jest.useRealTimers();
    expect(await waiting).toEqual([[key('d-1')], [key('d-2')]]);
    expect(cache.isDue).toBe(false);
    expect(cache.find('d-1')).toEqual([key('d-1')]);
  });

  it('are waited for without keeping the process alive', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    const timers = jest.spyOn(globalThis, 'setTimeout');
    state.hangs = true;
    clock.advance(10_000);
    void cache.find('d-1');
    const made = timers.mock.results.map(({ value }) => value as NodeJS.Timeout);
    timers.mockRestore();
    const keeping = made.map((timer) => timer.hasRef());
    for (const timer of made) clearTimeout(timer);
    expect(keeping).toEqual([false]);
  });

  it('are asked for again when the cool-down after the attempt ends, however many shared that attempt', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    clock.advance(1000);
    const attempt = cache.find('d-3');
    clock.advance(400);
    await Promise.all([attempt, cache.find('d-4')]);
    clock.advance(100);
    await cache.find('d-3');
    expect(state.loads).toBe(3);
  });

  it('are asked for at most once per cool-down while the core is away', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    state.isDown = true;
    clock.advance(10_000);
    for (let i = 0; i < 50; i++) {
      expect(await cache.find('d-1')).toHaveLength(1);
      // It may be a key that the core has made meanwhile.
      await expect(cache.find(`unknown-${i}`)).rejects.toThrow('down');
    }
    expect(state.loads).toBe(2);
    clock.advance(500);
    await cache.find('d-1');
    await cache.find('d-1');
    expect(state.loads).toBe(3);
    await new Promise((resolve) => setImmediate(resolve)); // that load has failed
    state.isDown = false;
    state.keys = [key('d-9')];
    clock.advance(500);
    expect(await cache.find('d-9')).toHaveLength(1);
  });

  it('are loaded again after the clock was set back', async () => {
    const { cache, clock, state } = setUp();
    await cache.find('d-1');
    clock.advance(-3_600_000);
    await cache.find('d-1');
    expect(state.loads).toBe(2);
  });

  it('that others are there for a token that names none are loaded, once per cool-down', async () => {
    const { cache, clock, state } = setUp();
    const known = await cache.find(undefined);
    state.keys = [key('d-3'), ...state.keys];
    expect(await cache.findOthers(known)).toEqual([]);
    clock.advance(500);
    expect(await cache.findOthers(known)).toEqual([key('d-3')]);
    expect(state.loads).toBe(2);
  });

  it('are looked for at all hosts in turn, until the wanted one is there', async () => {
    const asked: string[] = [];
    const loaded: (readonly string[])[] = [];
    const keysOf: Record<string, PublicJwk[] | undefined> = {
      b: [key('d-1')],
      c: [key('d-1', 'another'), key('d-2')],
      d: [key('d-3')],
    };
    const cache = new JwksCache(new TestClock(1_760_000_000_000), {
      hosts: ['a', 'b', 'c', 'd'],
      maxAgeMs: 10_000,
      load: async (host) => {
        asked.push(host);
        const keys = keysOf[host];
        if (keys === undefined) throw new Error('down');
        return keys;
      },
      onLoaded: (kids) => loaded.push(kids),
    });
    expect(await cache.find('d-2')).toEqual([key('d-2')]);
    expect(asked).toEqual(['a', 'b', 'c']);
    expect(await cache.find('d-1')).toEqual([key('d-1')]);
    expect(loaded).toEqual([['d-1', 'd-2']]);
  });

  it('that cannot be had fail the search', async () => {
    const { cache, clock, state } = setUp();
    state.isDown = true;
    await expect(cache.find('d-1')).rejects.toThrow('down');
    await expect(cache.find('d-1')).rejects.toThrow('down');
    state.isDown = false;
    await cache.find('d-1');
    state.isDown = true;
    clock.advance(500);
    await expect(cache.find('unknown')).rejects.toThrow('down');
  });
});

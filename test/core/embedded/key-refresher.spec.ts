import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { create, kidOf, verify } from '../../support/core-calls.js';
import {
  DYNAMIC_TEST_KEY_CREATED_AT_MS,
  DYNAMIC_TEST_KID,
  embeddedCoreOn,
  seededMemoryStore,
  TEST_START_MS,
  type TestCore,
} from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import type { EmbeddedCoreOptions } from '../../../lib/core/embedded/embedded-core-config.js';
import type { MemoryStore } from '../../../lib/stores/memory.store.js';

const WEEK_MS = 604_800_000;
const END_MS = DYNAMIC_TEST_KEY_CREATED_AT_MS + WEEK_MS;

describe('the keys of several instances', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  async function instances(count: number, options: EmbeddedCoreOptions = {}) {
    const inner = await seededMemoryStore();
    const state = { isDown: false };
    const store = interceptedStore(inner, async (_, call) => {
      if (state.isDown) throw new Error('down');
      return call();
    });
    const first = embeddedCoreOn(store, options);
    const engines = [first];
    for (let n = 1; n < count; n++) engines.push(embeddedCoreOn(store, options, first.clock));
    await Promise.all(engines.map(({ core }) => core.start()));
    const { clock } = first;
    /** Time for timers and clock; what the timers began is waited for. */
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await jest.advanceTimersByTimeAsync(ms);
      for (let turn = 0; turn < 20; turn++) await nextTurn();
    };
    const close = (): Promise<unknown> => Promise.all(engines.map(({ core }) => core.close()));
    return { engines, clock, store: inner, state, pass, close };
  }

  const verdicts = async (engines: readonly Pick<TestCore, 'core'>[], token: string): Promise<string[]> =>
    Promise.all(engines.map(async ({ core }) => (await verify(core, token)).status));

  /** As in an emergency: the key is removed. Its successor is there already, so that nothing has to be made. */
  async function replaceKey(store: MemoryStore): Promise<void> {
    const [known] = await store.findDynamicKeys(0);
    await store.addDynamicKey({ createdAtMs: TEST_START_MS, value: known?.value ?? '' }, TEST_START_MS);
    await store.deleteDynamicKeys(TEST_START_MS);
  }

  it('refuse a key within a minute of its removal from the store, without being asked for anything (S019)', async () => {
    const { engines, store, pass, close } = await instances(3);
    const [{ core }] = engines as [TestCore];
    const { accessToken } = await create(core);
    await replaceKey(store);
    expect(await verdicts(engines, accessToken.token)).toEqual(['OK', 'OK', 'OK']);
    await pass(33_749);
    expect(await verdicts(engines, accessToken.token)).toEqual(['OK', 'OK', 'OK']);
    await pass(11_251);
    expect(await verdicts(engines, accessToken.token)).toEqual(Array(3).fill('TRY_REFRESH_TOKEN'));
    for (const engine of engines)
      expect(kidOf((await create(engine.core)).accessToken.token)).toBe(`d-${TEST_START_MS}`);
    await close();
  });

  it('refuse it at once where somebody says so (S019)', async () => {
    const { engines, store, close } = await instances(2);
    const [one] = engines as [TestCore];
    const { accessToken } = await create(one.core);
    await replaceKey(store);
    await one.core.reloadSigningKeys();
    expect(await verdicts(engines, accessToken.token)).toEqual(['TRY_REFRESH_TOKEN', 'OK']);
    await close();
  });

  it('keep what they know while the store is away, and look again after it (S019)', async () => {
    const { engines, store, state, pass, close } = await instances(1);
    const [{ core }] = engines as [TestCore];
    const { accessToken } = await create(core);
    await replaceKey(store);
    state.isDown = true;
    await pass(120_000);
    expect(await verdicts(engines, accessToken.token)).toEqual(['OK']);
    state.isDown = false;
    await pass(60_000);
    expect(await verdicts(engines, accessToken.token)).toEqual(['TRY_REFRESH_TOKEN']);
    await close();
  });

  it('know the next key a minute before it signs, though nobody signs in, and change to it in time (S015)', async () => {
    const { engines, clock, store, close, pass } = await instances(2);
    clock.set(END_MS - 179_000);
    await pass(60_000);
    // An RSA key is being made in the thread pool.
    while ((await store.findDynamicKeys(0)).length < 2) await nextTurn();
    const [next] = await store.findDynamicKeys(0);
    const createdAtMs = next?.createdAtMs ?? 0;
    expect(createdAtMs).toBeLessThanOrEqual(END_MS - 60_000);
    for (const { core } of engines) {
      await core.reloadSigningKeys();
      expect(kidOf((await create(core)).accessToken.token)).toBe(DYNAMIC_TEST_KID);
    }
    clock.set(createdAtMs + 60_000);
    for (const { core } of engines)
      expect(kidOf((await create(core)).accessToken.token)).toBe(`d-${createdAtMs}`);
    await close();
  });

  it('have one timer more, which ends with the engine (S086)', async () => {
    const { close } = await instances(2, { signingKeyReloadIntervalSec: 5 });
    expect(jest.getTimerCount()).toBe(4);
    await close();
    expect(jest.getTimerCount()).toBe(0);
  });
});

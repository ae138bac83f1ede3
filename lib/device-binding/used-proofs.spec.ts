import { describe, expect, it } from '@jest/globals';
import { DeviceCheckUnavailableError } from '../errors.js';
import type { ReplayStore } from '../options/replay-store.js';
import { TestClock } from '../testing/test-clock.js';
import { ProofError } from './proof.js';
import { MemoryReplayStore, UsedProofs } from './used-proofs.js';

const START = 1_760_000_000_000;
const JKT = 'k'.repeat(43);
const OTHER = 'o'.repeat(43);

function newStore(maxProofs?: number) {
  const clock = new TestClock(START);
  return { clock, store: new MemoryReplayStore(clock, maxProofs) };
}

describe('used proofs in memory', () => {
  it('are known until their end, and forgotten within half a minute after it (P12)', () => {
    const { clock, store } = newStore();
    expect(store.add(`${JKT}.1`, START + 65_000)).toBe(true);
    expect(store.add(`${JKT}.1`, START + 65_000)).toBe(false);
    clock.advance(64_999);
    expect(store.add(`${JKT}.1`, START + 65_000)).toBe(false);
    clock.advance(30_001);
    expect(store.add(`${JKT}.2`, START + 200_000)).toBe(true);
    expect(store.size).toBe(1);
    expect(store.add(`${JKT}.1`, START + 200_000)).toBe(true);
  });

  it('are known whatever end a repetition names', () => {
    const { store } = newStore();
    store.add(`${JKT}.1`, START + 5000);
    expect(store.add(`${JKT}.1`, START + 300_000)).toBe(false);
  });

  it('are bounded by the window and the rate: those of a day do not add up', () => {
    const { clock, store } = newStore();
    let most = 0;
    for (let second = 0; second < 3600; second++) {
      for (let n = 0; n < 10; n++) store.add(`${JKT}.${second}-${n}`, clock.now() + 66_000);
      most = Math.max(most, store.size);
      clock.advance(1000);
    }
    expect(most).toBeLessThanOrEqual((66 + 30) * 10 + 10);
  });

  it('find no room in a full store, until some are forgotten (P12)', () => {
    const { clock, store } = newStore(3);
    for (const owner of [JKT, OTHER, 'p'.repeat(43)]) store.add(`${owner}.1`, START + 60_000);
    expect(() => store.add(`${'q'.repeat(43)}.1`, START + 60_000)).toThrow('limit');
    clock.advance(90_000);
    expect(store.add(`${'q'.repeat(43)}.1`, START + 150_000)).toBe(true);
  });

  it('of one client leave half of the room to all others (P12)', () => {
    const { store } = newStore(1000);
    let used = 0;
    try {
      for (; used < 1000; used++) store.add(`${JKT}.${used}`, START + 60_000);
    } catch {
      // it has more than its share
    }
    expect(used).toBeGreaterThanOrEqual(500);
    expect(used).toBeLessThan(520);
    expect(store.add(`${OTHER}.1`, START + 60_000)).toBe(true);
  });
});

describe('whether a proof was used', () => {
  const PROOF = { jkt: JKT, jti: 'id', untilMs: START + 60_000 };
  const proofsOn = (store: ReplayStore): UsedProofs => new UsedProofs(store, new TestClock(START));

  it('is asked by the key and the hash of the id, at most a hundred characters', () => {
    const asked: unknown[][] = [];
    const proofs = proofsOn({
      add: (...input) => {
        asked.push(input);
        return true;
      },
    });
    expect(proofs.add({ ...PROOF, jti: 'i'.repeat(256) })).toBeUndefined();
    expect(asked).toEqual([[expect.stringMatching(/^k{43}\.[\w-]{22}$/), START + 60_000, START]]);
  });

  it.each([
    ['at once', () => false],
    ['later', async () => false],
    ['with nothing', () => undefined as unknown as boolean],
  ])('and a store that says so %s refuses it', async (_how, add) => {
    await expect(async () => proofsOn({ add }).add(PROOF)).rejects.toBeInstanceOf(ProofError);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('gone'))],
  ])('is not known where the store %s: the client may try again', async (_how, add) => {
    const failure = await Promise.resolve()
      .then(async () => proofsOn({ add }).add(PROOF))
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DeviceCheckUnavailableError);
    expect(failure).toMatchObject({ retryAfterSec: 1 });
  });
});

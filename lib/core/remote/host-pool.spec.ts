import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../testing/test-clock.js';
import { type CoreHost, HostPool } from './host-pool.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => ({ origin: `http://${name}`, basePath: '' })) as [
  CoreHost,
  CoreHost,
  CoreHost,
];

function setUp(hosts: readonly CoreHost[] = [A, B, C]) {
  const clock = new TestClock();
  const probes: { host: CoreHost; finish: (isAlive: boolean) => Promise<void> }[] = [];
  const pool = new HostPool(hosts, clock, async (host) => {
    return new Promise((resolve) => {
      const finish = async (isAlive: boolean): Promise<void> => {
        resolve(isAlive);
        await new Promise((next) => setImmediate(next));
      };
      probes.push({ host, finish });
    });
  });
  return { clock, pool, probes };
}

const names = (hosts: readonly CoreHost[]): string => hosts.map(({ origin }) => origin.at(-1)).join('');
const states = (pool: HostPool): string[] => pool.health.map(({ state }) => state);

describe('the hosts of a core', () => {
  it('are asked by turns', () => {
    const { pool } = setUp();
    expect([1, 2, 3, 4].map(() => names(pool.candidates()))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('that failed come last, until they respond', () => {
    const { pool } = setUp();
    pool.failed(A, { isTimeout: false });
    expect([1, 2, 3].map(() => names(pool.candidates()))).toEqual(['bca', 'bca', 'cba']);
    pool.responded(A);
    expect(names(pool.candidates())).toBe('abc');
  });

  it('that hang five times in a row are not asked at all; that refuse connections are', () => {
    const { pool } = setUp([A]);
    for (let i = 0; i < 4; i++) pool.failed(A, { isTimeout: true });
    expect(states(pool)).toEqual(['DOWN']);
    pool.failed(A, { isTimeout: true });
    expect(states(pool)).toEqual(['BLOCKED']);
    expect(pool.candidates()).toEqual([]);
    pool.failed(A, { isTimeout: false });
    expect(names(pool.candidates())).toBe('a');
  });

  it('that failed are probed once per second, one probe at a time, until one gets a response', async () => {
    const { clock, pool, probes } = setUp();
    pool.failed(B, { isTimeout: true });
    clock.advance(999);
    pool.candidates();
    expect(probes).toEqual([]);
    clock.advance(1);
    pool.candidates();
    pool.candidates();
    expect(probes.map(({ host }) => host)).toEqual([B]);
    clock.advance(5000);
    await probes[0]?.finish(false);
    pool.candidates();
    expect(probes).toHaveLength(1);
    clock.advance(1000);
    pool.candidates();
    await probes[1]?.finish(true);
    expect(states(pool)).toEqual(['UP', 'UP', 'UP']);
    clock.advance(5000);
    pool.candidates();
    expect(probes).toHaveLength(2);
  });

  it('are probed in time even if the clock is set back', () => {
    const { clock, pool, probes } = setUp();
    pool.failed(A, { isTimeout: false });
    clock.advance(-3_600_000);
    pool.candidates();
    expect(probes).toHaveLength(1);
  });
});

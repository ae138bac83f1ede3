import { describe, expect, it } from '@jest/globals';
import { CreationIndex } from './creation-index.js';
import type { SessionPosition } from './store-inputs.js';

const TENANTS = ['public', 't1', 't2'];

/** The same numbers in each run. */
function* numbers(seed = 1): Generator<number, never> {
  for (let n = seed; ; n = (n * 48_271) % 2_147_483_647) yield n;
}

function newestFirst(a: SessionPosition, b: SessionPosition): number {
  return b.createdAtMs - a.createdAtMs || (a.sessionHandle < b.sessionHandle ? 1 : -1);
}

describe('the index of sessions by creation', () => {
  it.each([
    ['many at the same moments', 50],
    ['at any moment', 1_000_000],
    ['ever newer ones', 0],
  ])('has the order of a sorted list after thousands of additions and removals: %s', (_, range) => {
    const random = numbers();
    const next = (below: number): number => random.next().value % below;
    const index = new CreationIndex();
    const kept: SessionPosition[] = [];
    for (let n = 0; n < 12_000; n++) {
      const position = {
        tenantId: TENANTS[next(3)] ?? '',
        createdAtMs: range === 0 ? n : next(range),
        sessionHandle: `h-${n}`,
      };
      index.add(position);
      kept.push(position);
      if (next(3) > 0) continue;
      for (const removed of kept.splice(next(kept.length), 1)) index.remove(removed);
    }
    const sorted = kept.toSorted(newestFirst);
    const handles = (positions: SessionPosition[]): string[] => positions.map((each) => each.sessionHandle);
    expect([...index.handlesBefore(undefined, undefined)]).toEqual(handles(sorted));
    for (const tenantId of TENANTS) {
      const ofTenant = sorted.filter((each) => each.tenantId === tenantId);
      expect([...index.handlesBefore(undefined, tenantId)]).toEqual(handles(ofTenant));
      const after = ofTenant[1000];
      expect([...index.handlesBefore(after, tenantId)]).toEqual(handles(ofTenant.slice(1001)));
      expect([...index.handlesBefore(after, undefined)]).toEqual(
        handles(sorted.slice(sorted.indexOf(after as SessionPosition) + 1)),
      );
    }
    for (const position of kept) index.remove(position);
    expect([...index.handlesBefore(undefined, undefined)]).toEqual([]);
  });
});

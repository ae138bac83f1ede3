import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  RECORDS_OF_A_PAGE,
  type Revocation,
  type RevocationFeed,
  type RevocationPage,
} from '../../lib/feed/revocation-feed.js';

const NOW = 1_760_000_000_000;
const record = (id: string, more: Partial<Revocation> = {}): Revocation => ({
  kind: 'session',
  id,
  tenantId: 'public',
  notBeforeMs: NOW,
  untilMs: NOW + 3_600_000,
  ...more,
});

/** Feeds of two instances on one channel. */
export interface TwoFeeds {
  readonly here: RevocationFeed;
  readonly there: RevocationFeed;
  close(): Promise<void>;
}

/** The promises of every feed (lib/feed/revocation-feed.ts). */
export function describeRevocationFeed(name: string, makeFeeds: () => Promise<TwoFeeds>): void {
  describe(`the revocation feed ${name}`, () => {
    let feeds: TwoFeeds;
    beforeEach(async () => {
      feeds = await makeFeeds();
    });
    afterEach(async () => {
      await feeds.close();
    });

    it('brings each record as it was published, to whoever reads', async () => {
      const records = [
        record('handle-1'),
        record('user-1', { kind: 'user', tenantId: undefined, reason: 'password changed', initiator: 'zoë' }),
        record('t1', { kind: 'tenant', tenantId: 't1' }),
        record('', { kind: 'all', tenantId: undefined }),
      ];
      await feeds.here.publish(records);
      for (const feed of [feeds.here, feeds.there]) {
        const page = await feed.read(undefined);
        expect(page.records).toHaveLength(4);
        expect(page.records).toEqual(expect.arrayContaining(records));
      }
    });

    it('is empty at first, and keeps its position then', async () => {
      const first = await feeds.there.read(undefined);
      expect(first.records).toEqual([]);
      await feeds.here.publish([]);
      await feeds.here.publish([record('handle-1')]);
      expect((await feeds.there.read(first.position)).records).toEqual([record('handle-1')]);
    });

    it('loses none of many records that are written at once while others read', async () => {
      const ids = Array.from({ length: 200 }, (_, n) => `handle-${n}`);
      const seen = new Set<string>();
      let position: string | undefined;
      const read = async (): Promise<void> => {
        const page = await feeds.there.read(position);
        position = page.position;
        for (const each of page.records) seen.add((each as Revocation).id);
      };
      const writing = Promise.all(
        ids.map(async (id, n) => (n % 2 === 0 ? feeds.here : feeds.there).publish([record(id)])),
      );
      const state = { isWriting: true };
      const done = writing.finally(() => (state.isWriting = false));
      while (state.isWriting) await read();
      await done;
      await read();
      expect([...seen].sort()).toEqual([...ids].sort());
    });

    it('brings many records page by page, and none is lost that is written between two pages', async () => {
      const old = Array.from({ length: RECORDS_OF_A_PAGE * 2.5 }, (_, n) => `old-${n}`);
      for (let from = 0; from < old.length; from += 5000)
        await feeds.here.publish(old.slice(from, from + 5000).map((id) => record(id)));
      const seen = new Set<string>();
      const between: string[] = [];
      let page: RevocationPage = await feeds.there.read(undefined);
      expect(page.mayHaveMore).toBe(true);
      for (let n = 0; page.mayHaveMore === true; n++) {
        expect(page.records.length).toBeLessThanOrEqual(2 * RECORDS_OF_A_PAGE);
        for (const each of page.records) seen.add((each as Revocation).id);
        if (n < 2) {
          between.push(`between-${n}`);
          await feeds.here.publish([record(`between-${n}`)]);
        }
        const { position } = page;
        page = await feeds.there.read(position);
      }
      for (const each of page.records) seen.add((each as Revocation).id);
      expect(seen.size).toBe(old.length + between.length);
      expect((await feeds.there.read(page.position)).records).toEqual([]);
    });

    it.each([
      ['an empty text', ''],
      ['a word', "1'; --"],
      ['a number that is not reached yet', '9223372036854775'],
      ['a number that no database can hold', '99999999999999999999'],
      ['one of a memory feed of another process', '3f2a9c1e-1'],
      ['one of a Redis whose numbers are too large', '0_99999999999999999999-99999999999999999999_f38d9d'],
      ['one of a Redis with other entries', '0_1796000000000-0_f38d9d.17_1796000000000-3_abcdef'],
      ['several thousand characters', '0_1796000000000-0_f38d9d.'.repeat(300)],
    ])('begins anew at a position that is none of its own: %s', async (_name, position) => {
      const records = [record('handle-1'), record('handle-2')];
      await feeds.here.publish(records);
      const page = await feeds.there.read(position);
      expect(page.records).toHaveLength(2);
      expect(page.records).toEqual(expect.arrayContaining(records));
      await feeds.here.publish([record('handle-3')]);
      expect((await feeds.there.read(page.position)).records).toContainEqual(record('handle-3'));
    });

    it('goes on after a sweep, which removes the records that no longer matter', async () => {
      await feeds.here.publish([record('old', { untilMs: NOW - 1 })]);
      const { position } = await feeds.there.read(undefined);
      await feeds.here.sweep(NOW);
      expect((await feeds.here.read(undefined)).records).toEqual([]);
      await feeds.here.publish([record('new')]);
      expect((await feeds.there.read(position)).records).toEqual([record('new')]);
      await feeds.here.sweep(NOW);
      expect((await feeds.here.read(undefined)).records).toEqual([record('new')]);
    });
  });
}

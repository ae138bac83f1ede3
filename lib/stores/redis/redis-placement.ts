import { replyList, replyNumber, replyText, type RedisConnection } from './redis-connection.js';
import { keySlot, type RedisLayout } from './redis-layout.js';

/** How long partitions are asked one by one after a server has refused to be asked for several, milliseconds. */
const APART_MS = 60_000;
/** Messages of a server about keys that are in several slots, or of another server since. */
const MISPLACED = /non local key|same slot|CROSSSLOT/i;

/** The partitions of each primary, so that one script reads from all of them, as no command of a cluster can. */
export class RedisPlacement {
  private known: Promise<readonly (readonly number[])[]> | undefined;
  private apartUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {}

  /**
   * Does work for the partitions of each primary, again with a newer list where some have moved, and in the end for each partition alone:
   * while some are moving, or where a provider allows no script on several slots.
   */
  async forEachServer<T>(work: (together: readonly number[]) => Promise<T>): Promise<T[]> {
    for (let attempt = 0; attempt < 2 && performance.now() >= this.apartUntil; attempt++) {
      try {
        const groups = await this.groups();
        return await Promise.all(groups.map(work));
      } catch (error) {
        if (!(error instanceof Error && MISPLACED.test(error.message))) throw error;
        this.known = undefined;
      }
    }
    this.apartUntil = Math.max(this.apartUntil, performance.now() + APART_MS);
    return Promise.all(this.layout.allPartitions().map(async (partition) => work([partition])));
  }

  private async groups(): Promise<readonly (readonly number[])[]> {
    if (!this.connection.port.isCluster) return [this.layout.allPartitions()];
    const known = (this.known ??= this.ask());
    try {
      return await known;
    } catch (error) {
      if (this.known === known) this.known = undefined;
      throw error;
    }
  }

  private async ask(): Promise<number[][]> {
    const ranges = replyList(await this.connection.command(this.layout.indexKey(0), 'CLUSTER', 'SLOTS')).map(
      readRange,
    );
    const groups = new Map<string, number[]>();
    for (const partition of this.layout.allPartitions()) {
      const slot = keySlot(this.layout.indexKey(partition));
      const primary = ranges.find(({ first, last }) => first <= slot && slot <= last)?.primary;
      const key = primary ?? `slot ${slot}`;
      groups.set(key, [...(groups.get(key) ?? []), partition]);
    }
    return [...groups.values()];
  }
}

/** Reads a range of slots, with the id of their primary. @see https://redis.io/commands/cluster-slots */
function readRange(range: unknown): { first: number; last: number; primary: string } {
  const [first, last, primary] = replyList(range);
  return {
    first: replyNumber(first),
    last: replyNumber(last),
    primary: replyText(replyList(primary)[2]),
  };
}

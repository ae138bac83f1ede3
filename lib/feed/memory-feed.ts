import { randomUUID } from 'node:crypto';
import {
  RECORDS_OF_A_PAGE,
  RevocationFeed,
  type Revocation,
  type RevocationPage,
} from './revocation-feed.js';

/**
 * A feed in the memory of this process, for modules that share a store or a core in it, and for tests.
 *
 * @publicApi
 */
export class MemoryFeed extends RevocationFeed {
  /** Begins each position, so that those of a feed before, in a process that is gone, are not taken for its own. */
  private readonly name = randomUUID();
  private records: Revocation[] = [];
  /** The number of records that were removed before the first one that is kept. */
  private removed = 0;
  private readonly wakes = new Set<() => void>();

  override get description(): string {
    return 'the memory of this process';
  }

  override get isPushing(): boolean {
    return true;
  }

  override async publish(records: readonly Revocation[]): Promise<void> {
    this.add(records);
  }

  /** Publishes at once, for a store that removes its rows in the same step. */
  add(records: readonly Revocation[]): void {
    if (records.length === 0) return;
    for (const record of records) this.records.push(record); // as arguments of one call, many would exceed the stack
    for (const wake of this.wakes) wake();
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    const [name, number] = after?.split('_') ?? [];
    const from = name === this.name ? Math.max(0, Number(number) - this.removed) : 0;
    const to = Math.min(from + RECORDS_OF_A_PAGE, this.records.length);
    return {
      records: this.records.slice(from, to),
      position: `${this.name}_${this.removed + to}`,
      mayHaveMore: to < this.records.length,
    };
  }

  override subscribe(wake: () => void): () => Promise<void> {
    this.wakes.add(wake);
    return async () => void this.wakes.delete(wake);
  }

  /** Removes from the oldest on, up to the first that still matters. */
  override async sweep(beforeMs: number): Promise<void> {
    const kept = this.records.findIndex(({ untilMs }) => untilMs >= beforeMs);
    const passed = kept === -1 ? this.records.length : kept;
    this.records = this.records.slice(passed);
    this.removed += passed;
  }
}

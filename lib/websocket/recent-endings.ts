/** A moment among the endings, to look back to. */
export type EndingsMark = number;

/**
 * The sessions that ended last, for those who prove one meanwhile. One record for all of them, bounded whatever clients do:
 * they decide how many proofs are under way, and one record for each would grow with every revocation.
 */
export class RecentEndings {
  private readonly handles: string[] = [];
  private count = 0;

  /** @param capacity how many are remembered */
  constructor(private readonly capacity = 10_000) {}

  /** Now. */
  get mark(): EndingsMark {
    return this.count;
  }

  add(sessionHandle: string): void {
    this.handles[this.count % this.capacity] = sessionHandle;
    this.count += 1;
  }

  /** @returns undefined when more have ended since than are remembered, so that nobody can tell */
  includesSince(mark: EndingsMark, sessionHandle: string): boolean | undefined {
    if (this.count - mark > this.capacity) return undefined;
    for (let n = mark; n < this.count; n++) {
      if (this.handles[n % this.capacity] === sessionHandle) return true;
    }
    return false;
  }
}

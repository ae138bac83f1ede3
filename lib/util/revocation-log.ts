/** A position in a revocation log. */
export type RevocationMark = number;

/**
 * The sessions that were revoked last, for work that runs meanwhile. It is one bounded log for all of that work, because
 * clients decide how much of it runs. Each call takes the same few steps, however full the log is.
 */
export class RevocationLog {
  private readonly handles: (string | undefined)[] = [];
  /** The last position of each handle that is kept. */
  private readonly positions = new Map<string, number>();
  /** The position of the last entry that stands for unknown sessions. */
  private lastUnknown = -1;
  /** The present end of the log. */
  mark: RevocationMark = 0;

  /** @param capacity number of entries that are kept */
  constructor(private readonly capacity = 10_000) {}

  add(sessionHandle: string): void {
    this.positions.set(sessionHandle, this.advance(sessionHandle));
  }

  /** Notes that sessions were revoked whose handles are not known. */
  addUnknown(): void {
    this.lastUnknown = this.advance(undefined);
  }

  /** Returns whether a session is among those that are kept. */
  includes(sessionHandle: string): boolean {
    return this.positions.has(sessionHandle);
  }

  /** @returns undefined when it is not known, because more was added since than the log keeps, or unknown sessions */
  includesSince(mark: RevocationMark, sessionHandle: string): boolean | undefined {
    const position = this.positions.get(sessionHandle);
    if (position !== undefined && position >= mark) return true;
    return mark <= this.lastUnknown || this.mark - mark > this.capacity ? undefined : false;
  }

  /** @returns the position of the new entry */
  private advance(sessionHandle: string | undefined): number {
    const place = this.mark % this.capacity;
    const oldest = this.handles[place];
    // A handle that was added again has a later position, which stays.
    if (oldest !== undefined && this.positions.get(oldest) === this.mark - this.capacity) {
      this.positions.delete(oldest);
    }
    this.handles[place] = sessionHandle;
    return this.mark++;
  }
}

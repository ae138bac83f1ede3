/** Room for the counters of the instrumented library; a run without instrumentation leaves them at 0. */
const COUNTERS = 32_768;

const holder = globalThis as { __fuzzHits?: Uint32Array };

/** The counters that instrumented code increments. */
export const hits: Uint32Array = (holder.__fuzzHits ??= new Uint32Array(COUNTERS));

/** The ranges seen of each counter: one bit for each of eight ranges of numbers, as in AFL. */
export class Coverage {
  private readonly seen = new Uint8Array(COUNTERS);
  /** Counters that have counted at all. */
  places = 0;
  /** Pairs of a counter and a range. */
  features = 0;

  /** @param counters how many of them the instrumented code has */
  constructor(private readonly counters = COUNTERS) {}

  /** Leaves out what ran while the modules were loaded. */
  begin(): void {
    hits.fill(0);
  }

  /** Notes what ran since the last call. @returns whether any of it is new */
  note(): boolean {
    let isNew = false;
    for (let i = 0; i < this.counters; i++) {
      const count = hits[i] ?? 0;
      if (count === 0) continue;
      hits[i] = 0;
      const bit = range(count);
      const before = this.seen[i] ?? 0;
      if ((before & bit) !== 0) continue;
      this.seen[i] = before | bit;
      if (before === 0) this.places++;
      this.features++;
      isNew = true;
    }
    return isNew;
  }

  has(counter: number): boolean {
    return this.seen[counter] !== 0;
  }
}

function range(count: number): number {
  if (count < 4) return 1 << (count - 1);
  if (count < 8) return 8;
  if (count < 16) return 16;
  if (count < 32) return 32;
  return count < 128 ? 64 : 128;
}

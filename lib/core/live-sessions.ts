import type { Clock } from '../util/clock.js';
import type { CoreClient } from './core-client.js';

/** Sessions that are counted at most: a count looks at as many rows. */
export const MAX_LIVE_COUNTED = 10_000;
/** The shortest time between two counts. */
const PAUSE_MS = 60_000;
/** How long a count is shown, if no other succeeds. */
const SHOWN_MS = 300_000;

/** The number of live sessions of all instances, for a metric. It is counted in the background, and only while somebody asks. */
export class LiveSessions {
  private known: { readonly count: number; readonly atMs: number } | undefined;
  private askedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly core: Pick<CoreClient, 'countSessions'>,
    private readonly clock: Clock,
  ) {}

  /** The last count; undefined before the first, while the core is away, and for a core that cannot count. */
  get count(): number | undefined {
    const now = this.clock.now();
    if (now < this.askedMs || now - this.askedMs >= PAUSE_MS) void this.renew(now);
    return this.known !== undefined && now - this.known.atMs < SHOWN_MS ? this.known.count : undefined;
  }

  private async renew(now: number): Promise<void> {
    this.askedMs = now;
    const all = { tenantId: undefined, userId: undefined, createdSinceMs: undefined, after: undefined };
    const counted = await this.core
      .countSessions({ ...all, limit: MAX_LIVE_COUNTED }, {})
      .catch(() => undefined); // the metric is missing then
    if (counted !== undefined) this.known = { count: counted.count, atMs: now };
  }
}

import type { RateLimitDecision, RateLimitedAttempt, RateLimiter } from '../options/observability-options.js';
import { SystemClock, type Clock } from '../util/clock.js';

/**
 * How many attempts go on in each window; what is left out is not limited.
 *
 * @publicApi
 */
export interface FixedWindowLimits {
  /** Length of a window, seconds; it begins with the first attempt. */
  windowSec: number;
  /**
   * Refreshes, by address group, by session and by login method. The latter two are known to the embedded core only. Prefer
   * the first two: by login method the tokens of ended sessions count, too, and who holds one can use up what the user may do.
   */
  refresh?: { perIpGroup?: number; perSession?: number; perUser?: number };
  /** Refused access tokens by address group; expired ones are among them. */
  failedVerify?: { perIpGroup?: number };
  /** Counters that are kept; the oldest make room. Default 100,000. */
  maxCounters?: number;
  /** What windows are measured by: a test moves its own. Default: the system's. */
  clock?: Clock;
}

interface Window {
  readonly endsAtMs: number;
  count: number;
}

/**
 * A limiter that counts in this process's memory: for one instance, or as a bound for each. Deciding and counting are one
 * step, so of parallel attempts exactly as many go on as are allowed.
 *
 * @example
 * rateLimit: { limiter: fixedWindowLimiter({ windowSec: 60, refresh: { perIpGroup: 600, perSession: 20 } }) }
 * @throws {TypeError} a number that is no whole number above 0
 * @publicApi
 */
export function fixedWindowLimiter({
  windowSec,
  refresh,
  failedVerify,
  maxCounters = 100_000,
  clock = new SystemClock(),
}: FixedWindowLimits): RateLimiter {
  assertPositive({ windowSec, maxCounters, ...refresh });
  assertPositive({ ...failedVerify });
  const counters = new WindowCounters(windowSec * 1000, maxCounters, clock);
  return (attempt) =>
    counters.take(
      attempt.kind === 'refresh'
        ? refreshLimits(attempt, refresh)
        : [{ key: keyOf('failed-verify', attempt.ipGroup), max: failedVerify?.perIpGroup }],
    );
}

interface Limit {
  /** Undefined where the attempt has nothing to count by. */
  readonly key: string | undefined;
  readonly max: number | undefined;
}

function refreshLimits(
  { ipGroup, sessionHandle, recipeUserId }: Extract<RateLimitedAttempt, { kind: 'refresh' }>,
  max: FixedWindowLimits['refresh'],
): Limit[] {
  return [
    { key: keyOf('refresh-ip', ipGroup), max: max?.perIpGroup },
    { key: keyOf('refresh-session', sessionHandle), max: max?.perSession },
    { key: keyOf('refresh-user', recipeUserId), max: max?.perUser },
  ];
}

function keyOf(what: string, whose: string | undefined): string | undefined {
  return whose === undefined ? undefined : `${what} ${whose}`;
}

class WindowCounters {
  /** In the order in which they end, because all windows are of one length. */
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly windowMs: number,
    private readonly maxCounters: number,
    private readonly clock: Clock,
  ) {}

  /** Counts against all limits, or against none when one of them is reached. */
  take(limits: readonly Limit[]): RateLimitDecision {
    const now = this.clock.now();
    const wanted: { key: string; window: Window | undefined }[] = [];
    for (const { key, max } of limits) {
      if (key === undefined || max === undefined) continue;
      const window = this.current(key, now);
      if (window !== undefined && window.count >= max) {
        return { allowed: false, retryAfterSec: Math.max(1, Math.ceil((window.endsAtMs - now) / 1000)) };
      }
      wanted.push({ key, window });
    }
    for (const { key, window } of wanted) {
      if (window === undefined) this.begin(key, now);
      else window.count += 1;
    }
    return { allowed: true };
  }

  private current(key: string, now: number): Window | undefined {
    const window = this.windows.get(key);
    // A clock that was set back must not keep anybody out for longer than a window.
    const isOver = window === undefined || window.endsAtMs <= now || window.endsAtMs > now + this.windowMs;
    if (isOver) this.windows.delete(key);
    return isOver ? undefined : window;
  }

  private begin(key: string, now: number): void {
    for (const [oldest, { endsAtMs }] of this.windows) {
      if (endsAtMs > now && this.windows.size < this.maxCounters) break;
      this.windows.delete(oldest);
    }
    this.windows.set(key, { endsAtMs: now + this.windowMs, count: 1 });
  }
}

function assertPositive(numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new TypeError(`fixedWindowLimiter: ${name} must be a whole number above 0, not ${String(value)}`);
    }
  }
}

/** One step of a ramp: calls at a fixed rate. */
export interface Step {
  /** Calls a second that began, whether or not those before had ended. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
}

/** The longest time of a call that the rate of a ramp may lead to, for 99 of 100 calls. */
export const LIMIT_MS = 50;
/** A ramp ends after so many steps in a row that are too slow, because one may be a disturbance. */
const SLOW_STEPS = 2;

/** Returns the time that this share of the calls does not exceed; the list is sorted by it. */
export function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.ceil(sorted.length * share), sorted.length) - 1] ?? Number.POSITIVE_INFINITY;
}

export function isGood({ p99Ms, failures }: Step): boolean {
  return failures === 0 && p99Ms < LIMIT_MS;
}

/** Returns the highest rate whose step was good; 0: none was. */
export function bestRate(steps: readonly Step[]): number {
  return Math.max(0, ...steps.filter(isGood).map(({ rate }) => rate));
}

export function isOver(steps: readonly Step[]): boolean {
  return steps.length >= SLOW_STEPS && !steps.slice(-SLOW_STEPS).some(isGood);
}

/** Values of one quantity at times in minutes. */
export type Series = readonly (readonly [minute: number, value: number])[];

/** Returns how fast a quantity grows, per hour, as the line that lies nearest to its values. */
export function slopePerHour(series: Series): number {
  const n = series.length;
  if (n < 2) return 0;
  const meanTime = series.reduce((sum, [time]) => sum + time, 0) / n;
  const meanValue = series.reduce((sum, [, value]) => sum + value, 0) / n;
  let [above, below] = [0, 0];
  for (const [time, value] of series) {
    above += (time - meanTime) * (value - meanValue);
    below += (time - meanTime) ** 2;
  }
  return below === 0 ? 0 : (above / below) * 60;
}

/**
 * Returns whether a quantity grows: the mean of its last third is above that of the middle third by more than a tenth and more than
 * a least amount. The first third is left out, in which caches fill.
 */
export function grows(series: Series, leastGrowth: number): boolean {
  const third = Math.floor(series.length / 3);
  if (third === 0) return false;
  const mean = (part: Series): number => part.reduce((sum, [, value]) => sum + value, 0) / part.length;
  const middle = mean(series.slice(third, 2 * third));
  const last = mean(series.slice(-third));
  return last > middle * 1.1 && last - middle > leastGrowth;
}

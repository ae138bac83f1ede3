import { setTimeout as delay } from 'node:timers/promises';
import { percentile, type Step } from './figures.js';

/** The most calls under way at a time; beyond it a call counts as failed, so that an overload comes to its end. */
const MOST_OPEN = 2000;

/**
 * Begins calls at a fixed rate, whether or not those before have ended, and measures each from the time at which it was due: a server
 * that stands still makes all calls late that were due meanwhile.
 *
 * @param call throws where it failed
 */
export async function runAtRate(rate: number, seconds: number, call: () => Promise<void>): Promise<Step> {
  const times: number[] = [];
  let [failures, open] = [0, 0];
  const began = performance.now();
  const calls: Promise<void>[] = [];
  const make = async (dueMs: number): Promise<void> => {
    open++;
    try {
      await call();
      times.push(performance.now() - dueMs);
    } catch {
      failures++;
    } finally {
      open--;
    }
  };
  const count = Math.round(rate * seconds);
  for (let n = 0; n < count;) {
    const dueMs = began + (n * 1000) / rate;
    if (dueMs > performance.now()) {
      await delay(dueMs - performance.now());
      continue;
    }
    n++;
    if (open >= MOST_OPEN) failures++;
    else calls.push(make(dueMs));
  }
  await Promise.all(calls);
  return {
    rate,
    p50Ms: Math.round(percentile(times, 0.5) * 10) / 10,
    p99Ms: Math.round(percentile(times, 0.99) * 10) / 10,
    failures,
  };
}

// Compares measured figures with published ones. This file does not measure, so it can be tested without a clock.

/** @typedef {Readonly<Record<string, number>>} Ratios by what they say; more is better */

export const DEFAULT_TOLERANCE_PERCENT = 25;

/**
 * The peer that is judged by: it works on the same thread, as ours does. Peers that use the thread pool get slower and
 * faster by half with what else a machine does, and would cry wolf, or hide one.
 */
const STEADY_PEER = ', of crypto.verify';

/**
 * Each published ratio with the one of today, then what was not published yet.
 *
 * @param {Ratios} published
 * @param {Ratios} measured
 * @param {number} tolerancePercent how much of it a ratio may lose
 * @returns {{ name: string, published?: number, measured?: number, changePercent?: number, verdict: string }[]} `verdict`:
 *   empty where the ratio is only shown. One that is not measured any more is `missing`: renaming a subject must not hide it
 */
export function compareRatios(published, measured, tolerancePercent) {
  const compared = Object.entries(published).map(([name, before]) => {
    const now = measured[name];
    if (now === undefined) return { name, published: before, verdict: 'missing' };
    const changePercent = (now / before - 1) * 100;
    // Not the other way round: what is no number has fallen.
    const isGood = now >= before * (1 - tolerancePercent / 100);
    const verdict = name.endsWith(STEADY_PEER) ? (isGood ? 'good' : 'fallen') : '';
    return { name, published: before, measured: now, changePercent, verdict };
  });
  const others = Object.keys(measured).filter((name) => !Object.hasOwn(published, name));
  return [...compared, ...others.map((name) => ({ name, measured: measured[name], verdict: '' }))];
}

/** The cells of a table of them. */
export function comparisonCells({ name, published, measured, changePercent, verdict }) {
  const change =
    changePercent === undefined ? '' : `${changePercent < 0 ? '' : '+'}${changePercent.toFixed(0)} %`;
  return [name, ratio(published), ratio(measured), change, verdict];
}

/**
 * Which of the two is asked for, and with what tolerance.
 *
 * @param {{ publish: boolean, compare: boolean, tolerance?: string, quick: boolean, part?: string }} options
 * @param {boolean} hasRatios whether the suite can tell ratios
 * @returns {{ publish: boolean, compare: boolean, tolerancePercent: number }}
 * @throws {TypeError} the options do not go together
 */
export function readComparisonOptions({ publish, compare, tolerance, quick, part }, hasRatios) {
  const tolerancePercent = Number(tolerance ?? DEFAULT_TOLERANCE_PERCENT);
  if (tolerance !== undefined && !compare) throw new TypeError('--tolerance goes with --compare');
  if (!(tolerancePercent >= 0 && tolerancePercent < 100))
    throw new TypeError('--tolerance takes percent, 0 to 99');
  if (publish && compare)
    throw new TypeError('--publish would make what --compare compares with: choose one');
  if (publish || compare) {
    if (!hasRatios) throw new TypeError('This suite has no published ratios; verify has');
    if (quick || part !== undefined) {
      throw new TypeError('--publish and --compare take the whole suite: leave out --quick and --part');
    }
  }
  return { publish, compare, tolerancePercent };
}

function ratio(value) {
  return value === undefined ? '' : value.toFixed(2);
}

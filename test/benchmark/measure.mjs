/** @typedef {{ wallMs: number, cpuMs: number }} Cost of one operation; the CPU time is that of this process, all threads */

/** The middle of some numbers: what a disturbed round cannot move. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The middle half of some numbers, which tells how far rounds lie apart: a quarter of them is below, another one above. */
export function middleHalf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.round((sorted.length - 1) * share)];
  return [at(0.25), at(0.75)];
}

/** CPU time of this process so far, milliseconds. */
export function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Runs an operation several times, one after the other.
 *
 * @returns {Promise<Cost>} the mean of one run
 */
export async function costOf(operation, times) {
  const cpuBefore = cpuMs();
  const began = performance.now();
  for (let i = 0; i < times; i++) await operation();
  return { wallMs: (performance.now() - began) / times, cpuMs: (cpuMs() - cpuBefore) / times };
}

/**
 * Measures cases against each other: each round runs all of them, beginning with another one, so that what else the
 * machine does meets all alike.
 *
 * @param {readonly (() => Promise<unknown>)[]} cases
 * @param {{ rounds: number, times: number }} effort rounds that count, and operations of a case in a round
 * @returns {Promise<Cost[]>} medians over the rounds, in the order of the cases
 */
export async function interleaved(cases, { rounds, times }) {
  const costs = cases.map(() => []);
  for (const operation of cases) await costOf(operation, Math.ceil(times / 4));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const index = (round + i) % cases.length;
      costs[index].push(await costOf(cases[index], times));
    }
  }
  return costs.map((rounds) => ({
    wallMs: median(rounds.map(({ wallMs }) => wallMs)),
    cpuMs: median(rounds.map(({ cpuMs }) => cpuMs)),
  }));
}

/**
 * Lets callers work at once, each beginning again as soon as it is done.
 *
 * @param {(caller: number) => Promise<unknown>} work
 * @param {{ callers: number, seconds: number, serverCpuMs: () => number }} setting
 * @returns operations per second, and CPU milliseconds of one here and at the server
 */
export async function rateOf(work, { callers, seconds, serverCpuMs }) {
  const [cpuBefore, serverBefore, began] = [cpuMs(), serverCpuMs(), performance.now()];
  let done = 0;
  const caller = async (_, index) => {
    while (performance.now() - began < seconds * 1000) {
      await work(index);
      done++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return {
    perSecond: (done / (performance.now() - began)) * 1000,
    clientCpuMs: (cpuMs() - cpuBefore) / done,
    serverCpuMs: (serverCpuMs() - serverBefore) / done,
  };
}

/** Number of runs of an expensive property: that of the environment variable `FC_RUNS`, or a modest one. */
export function fcRuns(modest: number): number {
  return countFrom('FC_RUNS', modest);
}

/** A whole number above 0 from an environment variable, or a modest one. */
export function countFrom(variable: string, modest: number): number {
  const wanted = Number(process.env[variable] ?? modest);
  if (!Number.isSafeInteger(wanted) || wanted < 1) {
    throw new TypeError(`${variable} must be a whole number above 0`);
  }
  return wanted;
}

/** Time that a property of so many runs may take, milliseconds. */
export function fcTimeoutMs(modest: number): number {
  return 30_000 + 50 * fcRuns(modest);
}

import type { ConfigProblem } from './config-error.js';

/**
 * Returns a problem for each unknown option name, with the known name that is closest. An option whose value is undefined
 * counts as absent.
 *
 * @param prefix stands before the names in the paths of problems, `appInfo.` for example
 */
export function findUnknownOptions(
  options: object,
  knownNames: readonly string[],
  prefix = '',
): ConfigProblem[] {
  return Object.keys(options)
    .filter((name) => !knownNames.includes(name) && Reflect.get(options, name) !== undefined)
    .map((name) => ({ path: `${prefix}${name}`, message: unknownOptionMessage(name, knownNames) }));
}

function unknownOptionMessage(name: string, knownNames: readonly string[]): string {
  const closest = closestName(name, knownNames);
  return closest === undefined
    ? 'there is no such option'
    : `there is no such option; did you mean ${closest}?`;
}

/** Returns the known name that a misspelt one is closest to; undefined where none is close. */
export function closestName(name: string, knownNames: readonly string[]): string | undefined {
  const [closest] = knownNames
    .map((known) => ({ known, distance: editDistance(name.toLowerCase(), known.toLowerCase()) }))
    .filter(({ known, distance }) => distance <= Math.max(1, Math.floor(known.length / 4)))
    .sort((a, b) => a.distance - b.distance);
  return closest?.known;
}

/** Levenshtein distance, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

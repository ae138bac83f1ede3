/** CDI versions that can be served, oldest first. For the session and jwt calls they are all the same (A5). */
export const CDI_VERSIONS: readonly string[] = ['5.0', '5.1', '5.2', '5.3', '5.4'];

const WELL_FORMED = /^[0-9]+(\.[0-9]+)*$/;

/**
 * Why a call with this `cdi-version` header is refused, in a Core's words; undefined when it is not. A call without the
 * header gets the newest version served. The oldest one acts as a Core's `supertokens_min_cdi_version`, the newest as its
 * maximum.
 *
 * @param served oldest first, at least one
 * @param mustBeListed false for the calls that take any version in the range, listed or not
 * @see docs/protocol/core.md A3, checks 4 to 8
 */
export function refusalOfVersion(
  version: string | undefined,
  served: readonly string[],
  mustBeListed: boolean,
): string | undefined {
  if (version === undefined) return undefined;
  if (!WELL_FORMED.test(version)) return 'cdi-version header is invalid';
  const oldest = served[0] ?? '';
  if (compareVersions(version, served.at(-1) ?? '') > 0) return `cdi-version ${version} not supported`;
  if (compareVersions(version, oldest) < 0) {
    return `cdi-version ${version} is lower than the minimum allowed version ${oldest}`;
  }
  return mustBeListed && !served.includes(version) ? `cdi-version ${version} not supported` : undefined;
}

/** Numeric per component: `5.10` is later than `5.9`, `5.4.0` equals `5.4`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}

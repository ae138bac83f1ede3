import { CoreBadInputError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';

/** Versions of the CDI that this client speaks, best first. From 5.6 on a refresh replaces its token at once. */
export const SPOKEN_CDI_VERSIONS = ['5.6', '5.4', '5.3', '5.2', '5.1', '5.0', '4.0'] as const;

export type CdiVersion = (typeof SPOKEN_CDI_VERSIONS)[number];

/** How long a version that was refused is not offered again, milliseconds. */
const REFUSAL_MS = 60_000;

/** The versions that are agreed with a core. */
export interface AgreedCdiVersions {
  /** The best one that both sides speak. */
  readonly best: CdiVersion;
  /** The best one in which a refreshed token replaces its parent at its first use; the best one if the core has no such. */
  readonly atFirstUse: CdiVersion;
}

/** The versions that are not to be chosen. */
export interface VersionLimits {
  /** The best one that may be chosen. */
  readonly newest: CdiVersion;
  /** Chosen only if the core offers no other. */
  readonly refused?: ReadonlySet<CdiVersion>;
}

/** Returns the best versions that both sides speak; undefined when there is none. */
export function chooseCdiVersions(
  offered: readonly string[],
  { newest, refused = new Set() }: VersionLimits,
): AgreedCdiVersions | undefined {
  const common = SPOKEN_CDI_VERSIONS.slice(SPOKEN_CDI_VERSIONS.indexOf(newest)).filter((version) =>
    offered.includes(version),
  );
  const accepted = common.filter((version) => !refused.has(version));
  const best = accepted[0] ?? common[0];
  if (best === undefined) return undefined;
  return { best, atFirstUse: accepted.find((version) => !rotatesAtOnce(version)) ?? best };
}

/**
 * Returns whether a refresh by this version replaces the refresh token at once, and a verification changes nothing.
 *
 * @see docs/protocol/core.md B9
 */
export function rotatesAtOnce(version: CdiVersion): boolean {
  return version === '5.6';
}

/** @throws {CoreBadInputError} the version has no word for the validity of one access token */
export function assertTakesValidity(version: CdiVersion, validityMs: number | undefined): void {
  if (validityMs === undefined || rotatesAtOnce(version)) return;
  throw new CoreBadInputError(
    `accessTokenValiditySec needs CDI 5.6, and CDI ${version} is agreed with the core: run a SuperTokens Core 12.1 or newer, ` +
      'and allow that version in the option newestCdiVersion of remoteCore',
  );
}

/** The versions agreed with the core: requested once, and shared by the calls that need them meanwhile. */
export class CdiAgreement {
  private agreed: Promise<AgreedCdiVersions> | undefined;
  private readonly refused = new Set<CdiVersion>();
  private renewalMs = Infinity;

  constructor(private readonly clock: Clock) {}

  /** @param ask called with the refused versions, only if none are agreed yet; a failure is not kept */
  get(ask: (refused: ReadonlySet<CdiVersion>) => Promise<AgreedCdiVersions>): Promise<AgreedCdiVersions> {
    if (this.clock.now() >= this.renewalMs) this.renew();
    if (this.agreed === undefined) {
      const agreed = ask(this.refused);
      this.agreed = agreed;
      agreed.catch(() => this.forget(agreed));
    }
    return this.agreed;
  }

  /**
   * Notes that a core refused a version. Cores of two releases may respond by turns, during an update of them, so the next
   * agreement is on another version; a minute later the refused one is tried again. The next call agrees anew, unless another
   * call has done so.
   *
   * @param isTooOld the core has a lower limit, so that it refuses all older ones, too
   */
  noteRefused(agreed: Promise<AgreedCdiVersions>, version: CdiVersion, { isTooOld = false } = {}): void {
    const older = SPOKEN_CDI_VERSIONS.slice(SPOKEN_CDI_VERSIONS.indexOf(version));
    for (const each of isTooOld ? older : [version]) this.refused.add(each);
    this.renewalMs = this.clock.now() + REFUSAL_MS;
    this.forget(agreed);
  }

  private renew(): void {
    this.refused.clear();
    this.renewalMs = Infinity;
    this.agreed = undefined;
  }

  private forget(agreed: Promise<AgreedCdiVersions>): void {
    if (this.agreed === agreed) this.agreed = undefined;
  }
}

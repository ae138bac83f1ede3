import { CoreBadInputError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';

/** Versions of the CDI that this client speaks, best first. From 5.6 on a refresh replaces its token at once. */
export const SPOKEN_CDI_VERSIONS = ['5.6', '5.4', '5.3', '5.2', '5.1', '5.0', '4.0'] as const;

export type CdiVersion = (typeof SPOKEN_CDI_VERSIONS)[number];

/** How long a version that was refused is not offered again, milliseconds. */
const REFUSAL_MS = 60_000;

/** The versions that are not to be chosen. */
export interface VersionLimits {
  /** The best one that may be chosen. */
  readonly newest: CdiVersion;
  /** Chosen only if the core offers no other. */
  readonly refused?: ReadonlySet<CdiVersion>;
}

/** Returns the best version that both sides speak; undefined when there is none. */
export function chooseCdiVersion(
  offered: readonly string[],
  { newest, refused = new Set() }: VersionLimits = { newest: SPOKEN_CDI_VERSIONS[0] },
): CdiVersion | undefined {
  const common = SPOKEN_CDI_VERSIONS.slice(SPOKEN_CDI_VERSIONS.indexOf(newest)).filter((version) =>
    offered.includes(version),
  );
  return common.find((version) => !refused.has(version)) ?? common[0];
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

/** The version agreed with the core: requested once, and shared by the calls that need it meanwhile. */
export class AgreedCdiVersion {
  private agreement: Promise<CdiVersion> | undefined;
  private readonly refused = new Set<CdiVersion>();
  private renewalMs = Infinity;

  constructor(private readonly clock: Clock) {}

  /** @param ask called with the refused versions, only if no version is agreed yet; a failure is not kept */
  get(ask: (refused: ReadonlySet<CdiVersion>) => Promise<CdiVersion>): Promise<CdiVersion> {
    if (this.clock.now() >= this.renewalMs) this.renew();
    if (this.agreement === undefined) {
      const agreement = ask(this.refused);
      this.agreement = agreement;
      agreement.catch(() => this.forget(agreement));
    }
    return this.agreement;
  }

  /**
   * Notes that a core refused an agreed version. Cores of two releases may respond by turns, during an update of them, so the next
   * agreement is on another version; a minute later the refused one is tried again. The next call agrees anew, unless another
   * call has done so.
   */
  noteRefused(agreement: Promise<CdiVersion>, version: CdiVersion): void {
    this.refused.add(version);
    this.renewalMs = this.clock.now() + REFUSAL_MS;
    this.forget(agreement);
  }

  private renew(): void {
    this.refused.clear();
    this.renewalMs = Infinity;
    this.agreement = undefined;
  }

  private forget(agreement: Promise<CdiVersion>): void {
    if (this.agreement === agreement) this.agreement = undefined;
  }
}

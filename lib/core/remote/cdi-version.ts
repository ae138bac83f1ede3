/** Versions of the CDI that this client speaks, best first. 5.6 and later refresh by other rules. */
export const SPOKEN_CDI_VERSIONS = ['5.4', '5.3', '5.2', '5.1', '5.0', '4.0'] as const;

export type CdiVersion = (typeof SPOKEN_CDI_VERSIONS)[number];

/** The best version that both sides speak; undefined when there is none. */
export function chooseCdiVersion(offered: readonly string[]): CdiVersion | undefined {
  return SPOKEN_CDI_VERSIONS.find((version) => offered.includes(version));
}

/** The version agreed with the core: asked once, and once for all that need it meanwhile. */
export class AgreedCdiVersion {
  private agreement: Promise<CdiVersion> | undefined;

  /** @param ask called only where nothing has been agreed; a failure is not kept */
  get(ask: () => Promise<CdiVersion>): Promise<CdiVersion> {
    if (this.agreement === undefined) {
      const agreement = ask();
      this.agreement = agreement;
      agreement.catch(() => this.forget(agreement));
    }
    return this.agreement;
  }

  /** The core does not know the version any more; the next call asks again, unless one has already. */
  forget(agreement: Promise<CdiVersion>): void {
    if (this.agreement === agreement) this.agreement = undefined;
  }
}

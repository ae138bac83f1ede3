import { CoreUnavailableError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import { SingleFlight } from '../util/single-flight.js';
import type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';
import { withTimeout } from '../util/with-timeout.js';

/** An unknown key id makes the hosts be called at most this often. */
const COOLDOWN_MS = 500;
/** The longest wait of a verification for the renewal of keys that are too old. */
const RENEWAL_WAIT_MS = 1000;

export interface JwksCacheOptions<Host> {
  /** The hosts, called in this order. */
  readonly hosts: readonly Host[];
  /** How old the set may get, milliseconds. */
  readonly maxAgeMs: number;
  /** Loads the set of one host; at least one key, or an error. */
  readonly load: (host: Host) => Promise<readonly PublicJwk[]>;
  /** Called with the ids of the keys after each load. */
  readonly onLoaded?: (kids: readonly string[]) => void;
}

/**
 * The published keys of a core or an application in another process.
 *
 * They are loaded when first needed, when they are too old, and when a token names an unknown key, or names none and
 * fails with every known key. Keys that are too old are loaded before a token is judged by them; while no host responds,
 * they keep verifying.
 *
 * @see docs/protocol/sdk.md §4.5
 */
export class JwksCache<Host> implements VerificationKeys {
  protected keys: readonly PublicJwk[] = [];
  private loadedAtMs: number | undefined;
  private askedAtMs: number | undefined;
  private readonly loading = new SingleFlight(async (kid: string | undefined) => this.loadFromHosts(kid));
  /** The reason why the last attempt brought no keys; undefined after a load. */
  private failure: unknown;
  private removals = 0;

  constructor(
    private readonly clock: Clock,
    private readonly options: JwksCacheOptions<Host>,
  ) {}

  get generation(): number {
    return this.removals;
  }

  get isDue(): boolean {
    if (this.loadedAtMs === undefined || this.isWithin(this.options.maxAgeMs, this.loadedAtMs)) return false;
    if (this.failure === undefined) return true;
    this.loadInBackground(); // no verification waits again for a core that does not respond
    return false;
  }

  /** Loads the set, even if it is recent. */
  async reload(): Promise<void> {
    await this.loading.settle(); // it may have begun before the change that the caller knows of
    await this.load(undefined);
  }

  /** Loads the set again if it was needed before. */
  async renewIfUsed(): Promise<void> {
    if (this.loadedAtMs !== undefined) await this.load(undefined);
  }

  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]> {
    const known = this.isDue ? [] : this.select(kid); // before the first load there is none to select
    return known.length > 0 ? known : this.findOrLoad(kid);
  }

  private async findOrLoad(kid: string | undefined): Promise<readonly PublicJwk[]> {
    if (this.loadedAtMs === undefined) await this.load(kid);
    else if (this.isDue) await this.renew();
    const known = this.select(kid);
    if (known.length > 0) return known;
    await this.loadForUnknown(kid);
    return this.select(kid);
  }

  async findOthers(known: readonly PublicJwk[]): Promise<readonly PublicJwk[]> {
    await this.loadForUnknown(undefined);
    return this.keys.filter((key) => !known.includes(key));
  }

  private select(kid: string | undefined): readonly PublicJwk[] {
    return kid === undefined ? this.keys : this.keys.filter((key) => key.kid === kid);
  }

  /** During an outage an unknown key may be one that the core has made meanwhile, so it is an error and not an empty set. */
  private async loadForUnknown(kid: string | undefined): Promise<void> {
    if (!this.isCoolingDown()) await this.load(kid);
    else if (this.failure !== undefined) throw this.failure;
  }

  /** A core that does not respond in time counts as away: then the keys at hand are used, and nothing waits for it. */
  private async renew(): Promise<void> {
    const message = `The core has not sent its keys within ${RENEWAL_WAIT_MS} ms`;
    try {
      await withTimeout(this.load(undefined), RENEWAL_WAIT_MS, message, { keepsProcess: false });
    } catch (error) {
      this.failure ??= new CoreUnavailableError(message, { cause: error });
    }
  }

  private loadInBackground(): void {
    if (!this.isCoolingDown()) this.load(undefined).catch(() => undefined);
  }

  /** One load runs at a time; other callers share it. */
  private load(kid: string | undefined): Promise<void> {
    if (!this.loading.isRunning) this.askedAtMs = this.clock.now();
    return this.loading.run(kid);
  }

  /**
   * Takes the keys of the first host that responds; if the wanted key is not among them, the other hosts are called,
   * too.
   */
  private async loadFromHosts(kid: string | undefined): Promise<void> {
    const found = new Map<string, PublicJwk>();
    let failure: unknown;
    for (const host of this.options.hosts) {
      try {
        for (const key of await this.options.load(host)) if (!found.has(key.kid)) found.set(key.kid, key);
      } catch (error) {
        failure = error;
      }
      if (found.size > 0 && (kid === undefined || found.has(kid))) break;
    }
    if (found.size === 0) {
      this.failure = failure;
      throw failure;
    }
    this.replaceKeys([...found.values()]);
  }

  private replaceKeys(fresh: readonly PublicJwk[]): void {
    // A key that stays keeps its object, so that it is not imported again.
    const kept = fresh.map((key) => this.keys.find((known) => isSameKey(known, key)) ?? key);
    if (this.keys.some((known) => !kept.includes(known))) this.removals += 1;
    this.keys = kept;
    this.loadedAtMs = this.clock.now();
    this.failure = undefined;
    this.options.onLoaded?.(kept.map(({ kid }) => kid));
  }

  private isCoolingDown(): boolean {
    return (
      !this.loading.isRunning && this.askedAtMs !== undefined && this.isWithin(COOLDOWN_MS, this.askedAtMs)
    );
  }

  /** False after a clock was set back, so that nothing is postponed by as much. */
  private isWithin(periodMs: number, sinceMs: number): boolean {
    const passedMs = this.clock.now() - sinceMs;
    return passedMs >= 0 && passedMs < periodMs;
  }
}

function isSameKey(a: PublicJwk, b: PublicJwk): boolean {
  const members = ['kid', 'kty', 'alg', 'use', 'n', 'e', 'crv', 'x', 'y'] as const;
  return members.every((member) => a[member] === b[member]);
}

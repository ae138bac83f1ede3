import type { Clock } from '../../util/clock.js';
import type { MaybePromise } from '../../util/maybe-promise.js';
import type { PublicJwk, VerificationKeys } from '../../util/verification-keys.js';
import type { CoreHost } from './host-pool.js';
import { jwksRequest } from './cdi-requests.js';
import { parsePublicKeys, readResponse } from './cdi-responses.js';
import { attemptError, errorOfStatus, unavailable } from './core-call-errors.js';
import { HttpFailure, type HttpTransport, type HttpResponse } from './http-transport.js';
import { isTemporary } from './host-exchange.js';

/** An unknown key id makes the hosts be asked at most this often. */
const COOLDOWN_MS = 500;

export interface JwksCacheOptions {
  /** In this order they are asked. */
  readonly hosts: readonly CoreHost[];
  /** How old the set may get, milliseconds. */
  readonly maxAgeMs: number;
  /** Loads the set of one host; at least one key, or an error. */
  readonly load: (host: CoreHost) => Promise<readonly PublicJwk[]>;
  /** Hears of the ids of the keys whenever they have been loaded. */
  readonly onLoaded?: (kids: readonly string[]) => void;
}

/**
 * The published keys of a remote core.
 *
 * Loaded when first needed, when they are too old, and when a token names a key that is not among them, or names none and
 * is proven by none. Keys that are
 * known keep verifying while no host answers.
 *
 * @see docs/protocol/sdk.md §4.5
 */
export class JwksCache implements VerificationKeys {
  private keys: readonly PublicJwk[] = [];
  private loadedAtMs: number | undefined;
  private askedAtMs: number | undefined;
  private loading: Promise<void> | undefined;
  private hasFailedSinceLoaded = false;
  private removals = 0;

  constructor(
    private readonly clock: Clock,
    private readonly options: JwksCacheOptions,
  ) {}

  get generation(): number {
    // Verified tokens are remembered and find no key any more; a key that left must be noticed all the same.
    if (this.isTooOld()) this.loadInBackground();
    return this.removals;
  }

  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]> {
    const known = this.loadedAtMs === undefined || this.isTooOld() ? [] : this.select(kid);
    return known.length > 0 ? known : this.findOrLoad(kid);
  }

  private async findOrLoad(kid: string | undefined): Promise<readonly PublicJwk[]> {
    if (this.loadedAtMs === undefined) await this.load(kid);
    else if (this.isTooOld()) await this.renew();
    const known = this.select(kid);
    if (known.length > 0 || this.isCoolingDown()) return known;
    await this.load(kid);
    return this.select(kid);
  }

  async findOthers(known: readonly PublicJwk[]): Promise<readonly PublicJwk[]> {
    if (!this.isCoolingDown()) await this.load(undefined);
    return this.keys.filter((key) => !known.includes(key));
  }

  private select(kid: string | undefined): readonly PublicJwk[] {
    return kid === undefined ? this.keys : this.keys.filter((key) => key.kid === kid);
  }

  /**
   * At most the first to meet old keys waits for new ones. While a load is under way, or once no host answered, the keys
   * at hand serve: a core that hangs must not hold up who can be verified without it.
   */
  private async renew(): Promise<void> {
    if (this.hasFailedSinceLoaded || this.loading !== undefined) {
      this.loadInBackground();
      return;
    }
    try {
      await this.load(undefined);
    } catch {
      // The keys at hand serve on; what failed is tried again by later uses.
    }
  }

  private loadInBackground(): void {
    if (!this.isCoolingDown()) this.load(undefined).catch(() => undefined);
  }

  /** One at a time: whoever comes meanwhile shares it. */
  private load(kid: string | undefined): Promise<void> {
    if (this.loading === undefined) {
      this.askedAtMs = this.clock.now();
      this.loading = this.loadFromHosts(kid).finally(() => {
        this.loading = undefined;
      });
    }
    return this.loading;
  }

  /** The first host that answers wins; where it does not have the wanted key, the others are asked for it, too. */
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
      this.hasFailedSinceLoaded = true;
      throw failure;
    }
    this.replaceKeys([...found.values()]);
  }

  private replaceKeys(fresh: readonly PublicJwk[]): void {
    // Keys that stay are kept as they are, so that whoever imported one need not do it again.
    const kept = fresh.map((key) => this.keys.find((known) => isSameKey(known, key)) ?? key);
    if (this.keys.some((known) => !kept.includes(known))) this.removals += 1;
    this.keys = kept;
    this.loadedAtMs = this.clock.now();
    this.hasFailedSinceLoaded = false;
    this.options.onLoaded?.(kept.map(({ kid }) => kid));
  }

  private isTooOld(): boolean {
    return this.loadedAtMs !== undefined && !this.isWithin(this.options.maxAgeMs, this.loadedAtMs);
  }

  private isCoolingDown(): boolean {
    return (
      this.loading === undefined && this.askedAtMs !== undefined && this.isWithin(COOLDOWN_MS, this.askedAtMs)
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

/**
 * The published keys of one host. They are public: neither the API key nor a version goes with the request, and no
 * network interceptor sees it.
 *
 * @throws {CoreUnavailableError} the host did not answer, or cannot for now (status 429, 502, 503, 504)
 * @throws {CoreResponseError} it answered something else than a set of keys
 * @see docs/protocol/sdk.md §4.5
 */
export async function loadCoreKeys(transport: HttpTransport, host: CoreHost): Promise<readonly PublicJwk[]> {
  const request = jwksRequest();
  const answer = await fetchKeys(transport, host);
  const { status } = answer;
  if (isTemporary(status))
    throw unavailable(request, [attemptError(request, host, `status ${status}`, { status })]);
  if (status !== 200) throw errorOfStatus(request, host, answer, []);
  return readResponse(request, { ...answer, host }, parsePublicKeys);
}

async function fetchKeys(transport: HttpTransport, host: CoreHost): Promise<HttpResponse> {
  const request = jwksRequest();
  const url = new URL(host.origin + host.basePath + request.path);
  try {
    return await transport.send({ method: request.method, url, headers: {} });
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    throw unavailable(request, [attemptError(request, host, error.message)]);
  }
}

import { CoreUnavailableError } from '../../errors.js';
import type { SessionStore } from '../../stores/session-store.js';
import type { SigningKey } from '../../tokens/jws.js';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../tokens/key-pairs.js';
import type { Clock } from '../../util/clock.js';
import type { MaybePromise } from '../../util/maybe-promise.js';
import { SingleFlight } from '../../util/single-flight.js';
import { newestKeyMs, type PublicJwk, type VerificationKeys } from '../../util/verification-keys.js';
import { withTimeout } from '../../util/with-timeout.js';
import type { KeyRotations } from '../key-rotations.js';
import type { ClockDoubts } from './clock-doubts.js';
import { KeyVault, type LoadedKey } from './key-vault.js';
import {
  keysOfAlgorithm,
  publishedKeys,
  StoredKeys,
  type KeyKind,
  type KeySet,
  type SigningKeysOptions,
} from './stored-keys.js';

/** A new rotating key is published at least this long before its first signature. */
export const OVERLAP_MS = 60_000;
/** The shortest time between two reads of the store that unknown key ids and requests for the JWKS cause. */
const RELOAD_COOLDOWN_MS = 500;
/** The longest wait of a verification for the renewal of keys that are too old. */
const RENEWAL_WAIT_MS = 1000;
/** The format of our key ids; any other id is unknown without a read of the store. */
const KID = /^(d-\d{1,16}|s-[0-9A-Za-z-]{1,64})$/;

/**
 * The core's signing keys: rotating ones (`d-<time of creation>`) and one that never changes (`s-<uuid>`). Instances
 * on one store agree on them. Unlike in a Core, the key that never changes is made when it is first published or first
 * signs, because making an RSA key is the most expensive part of a start.
 *
 * @see docs/protocol/core.md B4
 */
export class SigningKeys implements VerificationKeys {
  private loaded: KeySet | undefined;
  private loadedAtMs = Number.NEGATIVE_INFINITY;
  private timely = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
  /** The reason why the last read failed; undefined after one that succeeded. */
  private failure: unknown;
  private readonly loads = new SingleFlight(async (leadMs: number) => this.load(leadMs));
  /**
   * The time for which a new key is published before it signs, while the key before it goes on signing: until every instance
   * has read it, and no copy of the JWKS without it is valid. The validity of a JWKS ends this long before the key's end.
   */
  private readonly publicationMs: number;
  /** The id of the key of {@link rotate}. */
  private rotatedTo: string | undefined;
  private lastReloadMs = Number.NEGATIVE_INFINITY;
  private removals = 0;
  private readonly stored: StoredKeys;

  /**
   * @param rotations notes the keys after each read
   * @param vault opens and seals the private keys; by default they are plain
   */
  constructor(
    store: SessionStore,
    private readonly clock: Clock,
    private readonly options: SigningKeysOptions,
    private readonly rotations?: KeyRotations,
    vault: KeyVault = new KeyVault({ store, clock }),
  ) {
    this.publicationMs = Math.max(OVERLAP_MS, options.reloadIntervalMs);
    this.stored = new StoredKeys(store, clock, options, vault);
  }

  /** Doubts of this process about its clock. */
  get doubts(): ClockDoubts {
    return this.stored.doubts;
  }

  get newestKeyMs(): number | undefined {
    return newestKeyMs(this.loaded?.dynamic ?? []);
  }

  get generation(): number {
    this.dropUntimely();
    return this.removals;
  }

  get isDue(): boolean {
    if (this.loaded === undefined || this.isWithin(this.options.reloadIntervalMs, this.loadedAtMs))
      return false;
    if (this.failure === undefined) return true;
    // No verification waits again for a store that does not respond.
    if (!this.isCoolingDown()) this.reloadOnDemand().catch(() => undefined);
    return false;
  }

  /** Returns the key that signs now; makes one if there is none. */
  async signingKey(kind: KeyKind, algorithm: SigningAlgorithm = this.options.algorithm): Promise<SigningKey> {
    this.stored.algorithms[kind].add(algorithm); // from now on its keys have successors, too
    const known = this.candidates(await this.current(), kind, algorithm);
    if (known.length > 0) return openFirst(known);
    await this.loads.settle(); // it may have begun without this algorithm
    const keys = this.candidates(await this.reload(), kind, algorithm);
    if (keys.length > 0) return openFirst(keys);
    throw (
      this.stored.failure(kind, algorithm) ??
      new Error(`The store returned no ${kind} signing key after one was added`)
    );
  }

  /**
   * Reads the keys, and opens the private halves of those that sign now: a retired key is never opened.
   *
   * @throws {CoreUnavailableError} one cannot be opened
   */
  async loadAndOpen(): Promise<void> {
    const keys = await this.reload();
    const { algorithm } = this.options;
    await this.signingKey('dynamic');
    for (const key of this.candidates(keys, 'static', algorithm)) await key.open();
  }

  /** Returns the keys without a read of the store, and without a promise, if the wanted one is at hand. */
  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]> {
    if (this.isDue) return this.reloadInTime().then(() => this.find(kid));
    const atHand = this.atHand();
    const isWanted = (key: PublicJwk): boolean => kid === undefined || key.kid === kid;
    const known = atHand ? publishedKeys(atHand).filter(isWanted) : [];
    if (known.length > 0) return known;
    if (atHand !== undefined && !KID.test(kid ?? '')) return [];
    // During an outage an unknown key may be one that another instance has made meanwhile.
    const giveUp = (failure: unknown): readonly PublicJwk[] => {
      if (failure === undefined || (atHand !== undefined && this.isTooOld(kid))) return [];
      throw failure;
    };
    if (atHand !== undefined && this.isCoolingDown()) return giveUp(this.failure);
    return this.reloadOnDemand().then((keys) => publishedKeys(keys).filter(isWanted), giveUp);
  }

  /** Returns all published keys, rotating ones first, newest first; and how long a copy of them is valid. */
  async jwks(): Promise<{ keys: readonly PublicJwk[]; validityInSeconds: number }> {
    const keys = await this.withStaticKey(await this.newestKnown());
    const untilNextKeyMs = Math.min(
      ...SIGNING_ALGORITHMS.map((algorithm) => this.untilNextKeyMs(algorithm, keys)),
    );
    return { keys: publishedKeys(keys), validityInSeconds: Math.max(1, Math.floor(untilNextKeyMs / 1000)) };
  }

  /** Reads the keys again, so that a key that was removed from the store stops verifying. */
  async reload(): Promise<KeySet> {
    return this.loads.run(this.publicationMs);
  }

  /**
   * Reads the keys again, and makes the successor of a key that ends soon: so early that it is published for long enough
   * even if the next call comes a whole interval later.
   */
  async renew(): Promise<void> {
    // A read under way may be older than the change that the caller knows of.
    await this.loads.settle();
    await this.loads.run(this.publicationMs + this.options.reloadIntervalMs);
  }

  /** Makes a rotating key before its time, which signs at once in this process; the keys before it go on verifying. @returns its id */
  async rotate(): Promise<string> {
    this.rotatedTo = await this.stored.addNewest();
    await this.loads.settle(); // it may have begun without the new key
    const { dynamic } = await this.reload();
    await dynamic.find(({ kid }) => kid === this.rotatedTo)?.open();
    return this.rotatedTo;
  }

  /** Deletes the rotating keys whose last token has long expired. */
  async deleteExpired(): Promise<void> {
    await this.stored.deleteExpired();
  }

  /** Returns the set at hand; reads it again first when a successor of the newest rotating key is due. */
  private async current(): Promise<KeySet> {
    this.dropUntimely();
    return this.loaded === undefined || this.isSuccessorDue(this.loaded) ? this.reload() : this.loaded;
  }

  /** Returns the set at hand at once; a successor that is due is made in the background. */
  private atHand(): KeySet | undefined {
    this.dropUntimely();
    if (this.loaded !== undefined && this.isSuccessorDue(this.loaded) && !this.isCoolingDown()) {
      // After a failure a later use tries again; until then the known keys verify their signatures.
      this.reloadOnDemand().catch(() => undefined);
    }
    return this.loaded;
  }

  /** Returns the set with the keys that other instances added; the set at hand when the store fails. */
  private async newestKnown(): Promise<KeySet> {
    this.dropUntimely();
    const { loaded } = this;
    if (loaded === undefined) return this.reload();
    return this.isCoolingDown() ? loaded : this.reloadOnDemand().catch(() => loaded);
  }

  /**
   * Returns how long a copy of the set contains the key that signs with an algorithm. An application may sign a JWT of its own
   * at any moment, always with RS256; a missing key for that is made and signs at once.
   */
  private untilNextKeyMs(algorithm: SigningAlgorithm, keys: KeySet): number {
    const { algorithm: own, updateIntervalMs } = this.options;
    const isWanted = algorithm === own || algorithm === 'RS256';
    const [newest] = keysOfAlgorithm(algorithm, keys.dynamic);
    if (newest === undefined && !isWanted) return Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    const endMs = newest === undefined ? 0 : Math.min(newest.createdAtMs, now) + updateIntervalMs;
    const untilSuccessorMs = endMs - this.publicationMs - now;
    // An instance that signs with another algorithm makes that key's successor in time. Without one there is no successor,
    // and an instance that starts later makes a key that signs at once.
    const isAtHand = untilSuccessorMs > 0 || algorithm === own;
    const hasStatic = !isWanted || keysOfAlgorithm(algorithm, keys.static).length > 0;
    if (!isAtHand) return this.publicationMs;
    return hasStatic ? untilSuccessorMs : Math.min(untilSuccessorMs, this.publicationMs);
  }

  /** Adds the key that never changes, so that a client that fetches the set has it before it first signs. */
  private async withStaticKey(keys: KeySet): Promise<KeySet> {
    const { algorithm } = this.options;
    if (keysOfAlgorithm(algorithm, keys.static).length > 0) return keys;
    this.stored.algorithms.static.add(algorithm);
    await this.loads.settle(); // it may have begun without this algorithm
    return this.reload().catch(() => keys);
  }

  /** Reads the keys for a request; the cool-down bounds how often requests can cause that. */
  private async reloadOnDemand(): Promise<KeySet> {
    this.lastReloadMs = this.clock.now();
    return this.reload();
  }

  private isSuccessorDue({ dynamic }: KeySet): boolean {
    const stillSigning = this.stored.stillSigningMs(this.publicationMs);
    return [...this.stored.algorithms.dynamic].some((algorithm) => {
      const [newest] = keysOfAlgorithm(algorithm, dynamic);
      return newest === undefined || newest.createdAtMs < stillSigning;
    });
  }

  /** A store that does not respond in time counts as away: then the keys at hand are used, and nothing waits for it. */
  private async reloadInTime(): Promise<void> {
    const message = `The session store has not sent the keys within ${RENEWAL_WAIT_MS} ms`;
    try {
      await withTimeout(this.reloadOnDemand(), RENEWAL_WAIT_MS, message, { keepsProcess: false });
    } catch (error) {
      this.failure ??= new CoreUnavailableError(message, { cause: error });
    }
  }

  /** True for the id of a rotating key that is not published any more, wherever it was made. */
  private isTooOld(kid = ''): boolean {
    return kid.startsWith('d-') && Number(kid.slice(2)) < this.stored.oldestPublishedMs();
  }

  private isCoolingDown(): boolean {
    return this.isWithin(RELOAD_COOLDOWN_MS, this.lastReloadMs);
  }

  /** False after the clock was set back. */
  private isWithin(periodMs: number, sinceMs: number): boolean {
    const elapsedMs = this.clock.now() - sinceMs;
    return elapsedMs >= 0 && elapsedMs < periodMs;
  }

  private async load(leadMs: number): Promise<KeySet> {
    try {
      const next = await this.stored.load(this.loaded, leadMs);
      this.noteRemovals(next);
      this.adopt(next);
      this.loadedAtMs = this.clock.now();
      this.failure = undefined;
      this.rotations?.note(next.dynamic.map(({ kid }) => kid));
      // A minute before it signs, so that a KMS has been asked by then. A failure shows where it is to sign.
      keysOfAlgorithm(this.options.algorithm, next.dynamic)[0]
        ?.open()
        .catch(() => undefined);
      return next;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  /** Returns the key that is to sign and, after it, older ones that may where it cannot be opened. */
  private candidates(keys: KeySet, kind: KeyKind, algorithm: SigningAlgorithm): readonly LoadedKey[] {
    if (kind === 'static') return keysOfAlgorithm(algorithm, keys.static).slice(0, 1);
    const dynamic = keysOfAlgorithm(algorithm, keys.dynamic);
    return this.isSecondToSign(dynamic) ? dynamic.slice(1) : dynamic;
  }

  private isSecondToSign([newest, second]: readonly LoadedKey[]): boolean {
    const now = this.clock.now();
    const isNewestFresh =
      newest !== undefined && newest.kid !== this.rotatedTo && now - newest.createdAtMs < this.publicationMs;
    const canSecondSign = second !== undefined && now - second.createdAtMs < this.options.updateIntervalMs;
    return isNewestFresh && canSecondSign;
  }

  /** Called for each request, so it looks at the keys only when the time of one of them has come. */
  private dropUntimely(): void {
    const { loaded, timely } = this;
    const now = this.clock.now();
    if (loaded === undefined || (now >= timely.fromMs && now <= timely.untilMs)) return;
    const [oldest, latest] = [this.stored.oldestPublishedMs(), this.stored.doubts.latestMs()];
    const counts = ({ createdAtMs }: LoadedKey): boolean => createdAtMs >= oldest && createdAtMs <= latest;
    this.adopt({ ...loaded, dynamic: loaded.dynamic.filter(counts) });
    this.removals++;
  }

  private adopt(keys: KeySet): void {
    this.loaded = keys;
    this.timely = this.stored.timeOfAll(keys.dynamic);
  }

  private noteRemovals(next: KeySet): void {
    const kept = new Set([...next.dynamic, ...next.static].map((key) => key.kid));
    const before = [...(this.loaded?.dynamic ?? []), ...(this.loaded?.static ?? [])];
    if (before.some((key) => !kept.has(key.kid))) this.removals++;
  }
}

/**
 * Returns the first key whose private half is open, else the first one that can be opened. So a key that a KMS cannot open just
 * now is left to a later call, while the key before it, which is published for two lives of an access token longer, signs on.
 */
async function openFirst(keys: readonly LoadedKey[]): Promise<SigningKey> {
  const open = keys.find(({ isOpen }) => isOpen);
  if (open !== undefined) {
    if (open !== keys[0]) keys[0]?.open().catch(() => undefined);
    return open.open();
  }
  let failure: unknown;
  for (const key of keys) {
    try {
      return await key.open();
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

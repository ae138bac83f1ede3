import { randomUUID } from 'node:crypto';
import type { Clock } from '../../util/clock.js';
import { CoreUnavailableError } from '../../errors.js';
import { SingleFlight } from '../../util/single-flight.js';
import type { MaybePromise } from '../../util/maybe-promise.js';
import { withTimeout } from '../../util/with-timeout.js';
import type { PublicJwk, VerificationKeys } from '../../util/verification-keys.js';
import type { KeyRotations } from '../key-rotations.js';
import { ClockDoubts } from './clock-doubts.js';
import {
  parseKeyPair,
  newStoredKeyPair,
  SIGNING_ALGORITHMS,
  type KeyPair,
  type SigningAlgorithm,
} from '../../tokens/key-pairs.js';
import type { SigningKey } from '../../tokens/jws.js';
import type { SessionStore, StoredDynamicKey, StoredStaticKey } from '../../stores/session-store.js';

/** A new rotating key is published at least this long before its first signature. */
const OVERLAP_MS = 60_000;
/** The shortest time between two reads of the store that unknown key ids and requests for the JWKS cause. */
const RELOAD_COOLDOWN_MS = 500;
/** The longest wait of a verification for the renewal of keys that are too old. */
const RENEWAL_WAIT_MS = 1000;
/** The number of instances that may add keys of different algorithms at one millisecond. */
const MAX_KEYS_OF_A_MOMENT = 4;
/** The format of our key ids; any other id is unknown without a read of the store. */
const KID = /^(d-\d{1,16}|s-[0-9A-Za-z-]{1,64})$/;

type KeyKind = 'dynamic' | 'static';

type StoredKey = Pick<StoredStaticKey, 'kid' | 'createdAtMs' | 'value'>;

interface KeySet {
  /** Newest first. */
  readonly dynamic: readonly KeyPair[];
  readonly static: readonly KeyPair[];
}

export interface SigningKeysOptions {
  /** The algorithm of new tokens. Tokens of either algorithm verify as long as their key is published. */
  readonly algorithm: SigningAlgorithm;
  /** The time for which a rotating key signs, milliseconds. */
  readonly updateIntervalMs: number;
  /** Life of an access token, milliseconds: a retired key stays published for twice as long. */
  readonly accessTokenValidityMs: number;
  /** The longest time between two calls of {@link SigningKeys.renew}, milliseconds; at most a third of `updateIntervalMs`. */
  readonly reloadIntervalMs: number;
}

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
  /** The reason why the last read failed; undefined after one that succeeded. */
  private failure: unknown;
  private readonly loads = new SingleFlight(async (leadMs: number) => this.loadNotingFailure(leadMs));
  /** The algorithms that this instance signs with; missing keys of these are made. */
  private readonly algorithms: Record<KeyKind, Set<SigningAlgorithm>>;
  /**
   * The time for which a new key is published before it signs, while the key before it goes on signing: until every instance
   * has read it, and no copy of the JWKS without it is valid. The validity of a JWKS ends this long before the key's end.
   */
  private readonly publicationMs: number;
  /** The id of the key of {@link rotate}. */
  private rotatedTo: string | undefined;
  private lastReloadMs = Number.NEGATIVE_INFINITY;
  /** Doubts of this process about its clock. */
  readonly doubts: ClockDoubts;
  private removals = 0;

  /** @param rotations notes the keys after each read */
  constructor(
    private readonly store: SessionStore,
    private readonly clock: Clock,
    private readonly options: SigningKeysOptions,
    private readonly rotations?: KeyRotations,
  ) {
    this.algorithms = { dynamic: new Set([options.algorithm]), static: new Set() };
    this.publicationMs = Math.max(OVERLAP_MS, options.reloadIntervalMs);
    this.doubts = new ClockDoubts(clock);
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
    this.algorithms[kind].add(algorithm); // from now on its keys have successors, too
    const known = this.pick(await this.current(), kind, algorithm);
    if (known !== undefined) return known;
    await this.loads.settle(); // it may have begun without this algorithm
    const key = this.pick(await this.reload(), kind, algorithm);
    if (key === undefined) throw new Error(`The store returned no ${kind} signing key after one was added`);
    return key;
  }

  /** Returns the keys without a read of the store, and without a promise, if the wanted one is at hand. */
  find(kid: string | undefined): MaybePromise<readonly PublicJwk[]> {
    if (this.isDue) return this.reloadInTime().then(() => this.find(kid));
    const atHand = this.atHand();
    const isWanted = (key: PublicJwk): boolean => kid === undefined || key.kid === kid;
    const known = atHand ? published(atHand).filter(isWanted) : [];
    if (known.length > 0) return known;
    if (atHand !== undefined && !KID.test(kid ?? '')) return [];
    // During an outage an unknown key may be one that another instance has made meanwhile.
    const giveUp = (failure: unknown): readonly PublicJwk[] => {
      if (failure === undefined || (atHand !== undefined && this.isTooOld(kid))) return [];
      throw failure;
    };
    if (atHand !== undefined && this.isCoolingDown()) return giveUp(this.failure);
    return this.reloadOnDemand().then((keys) => published(keys).filter(isWanted), giveUp);
  }

  /** Returns all published keys, rotating ones first, newest first; and how long a copy of them is valid. */
  async jwks(): Promise<{ keys: readonly PublicJwk[]; validityInSeconds: number }> {
    const keys = await this.withStaticKey(await this.newestKnown());
    const untilNextKeyMs = Math.min(
      ...SIGNING_ALGORITHMS.map((algorithm) => this.untilNextKeyMs(algorithm, keys)),
    );
    return { keys: published(keys), validityInSeconds: Math.max(1, Math.floor(untilNextKeyMs / 1000)) };
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

  /** Makes a rotating key that signs at once, for tests; the keys before it go on verifying. @returns its id */
  async rotate(): Promise<string> {
    const { algorithm } = this.options;
    const { newestMs } = await this.readDynamic();
    const createdAtMs = Math.max(this.clock.now(), newestMs + 1);
    const key = { createdAtMs, value: await newStoredKeyPair(algorithm), ...namedUnlessRsa(algorithm) };
    await this.store.addDynamicKey(key, createdAtMs);
    this.rotatedTo = `d-${createdAtMs}`;
    await this.loads.settle(); // it may have begun without the new key
    await this.reload();
    return this.rotatedTo;
  }

  /** Deletes the rotating keys whose last token has long expired. */
  async deleteExpired(): Promise<void> {
    await this.store.deleteDynamicKeys(this.oldestPublishedMs());
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
    const [newest] = ofAlgorithm(algorithm, keys.dynamic);
    if (newest === undefined && !isWanted) return Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    const endMs = newest === undefined ? 0 : Math.min(newest.createdAtMs, now) + updateIntervalMs;
    const untilSuccessorMs = endMs - this.publicationMs - now;
    // An instance that signs with another algorithm makes that key's successor in time. Without one there is no successor,
    // and an instance that starts later makes a key that signs at once.
    const isAtHand = untilSuccessorMs > 0 || algorithm === own;
    const hasStatic = !isWanted || ofAlgorithm(algorithm, keys.static).length > 0;
    if (!isAtHand) return this.publicationMs;
    return hasStatic ? untilSuccessorMs : Math.min(untilSuccessorMs, this.publicationMs);
  }

  /** Adds the key that never changes, so that a client that fetches the set has it before it first signs. */
  private async withStaticKey(keys: KeySet): Promise<KeySet> {
    const { algorithm } = this.options;
    if (ofAlgorithm(algorithm, keys.static).length > 0) return keys;
    this.algorithms.static.add(algorithm);
    await this.loads.settle(); // it may have begun without this algorithm
    return this.reload().catch(() => keys);
  }

  /** Reads the keys for a request; the cool-down bounds how often requests can cause that. */
  private async reloadOnDemand(): Promise<KeySet> {
    this.lastReloadMs = this.clock.now();
    return this.reload();
  }

  private isSuccessorDue({ dynamic }: KeySet): boolean {
    const stillSigning = this.stillSigningMs(this.publicationMs);
    return [...this.algorithms.dynamic].some((algorithm) => {
      const [newest] = ofAlgorithm(algorithm, dynamic);
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
    return kid.startsWith('d-') && Number(kid.slice(2)) < this.oldestPublishedMs();
  }

  private isCoolingDown(): boolean {
    return this.isWithin(RELOAD_COOLDOWN_MS, this.lastReloadMs);
  }

  /** False after the clock was set back. */
  private isWithin(periodMs: number, sinceMs: number): boolean {
    const elapsedMs = this.clock.now() - sinceMs;
    return elapsedMs >= 0 && elapsedMs < periodMs;
  }

  private async loadNotingFailure(leadMs: number): Promise<KeySet> {
    try {
      return await this.load(leadMs);
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  /** @param leadMs the time before the end of a rotating key at which its successor is made */
  private async load(leadMs: number): Promise<KeySet> {
    const [dynamic, fixed] = await Promise.all([this.loadDynamic(leadMs), this.loadStatic()]);
    const next: KeySet = {
      dynamic: await this.importAll(dynamic),
      static: await this.importAll(fixed),
    };
    this.noteRemovals(next);
    this.loaded = next;
    this.loadedAtMs = this.clock.now();
    this.failure = undefined;
    this.rotations?.note(next.dynamic.map(({ kid }) => kid));
    return next;
  }

  private async loadDynamic(leadMs: number): Promise<StoredKey[]> {
    const stillSigning = this.stillSigningMs(leadMs);
    let { keys, newestMs } = await this.readDynamic();
    if (this.loaded === undefined) await this.doubts.noteGap(this.store, keys, this.stillSigningMs(0));
    for (const algorithm of this.algorithms.dynamic) {
      const isMissing = (): boolean =>
        !keys.some((key) => (key.algorithm ?? 'RS256') === algorithm && key.createdAtMs >= stillSigning);
      for (let later = 0; isMissing() && later < MAX_KEYS_OF_A_MOMENT; later++) {
        // The time of creation is the key's name: if another key has it, the next millisecond is tried.
        const createdAtMs = this.clock.now() + later;
        const key = { createdAtMs, value: await newStoredKeyPair(algorithm), ...namedUnlessRsa(algorithm) };
        // A key of the future must not keep the store from adding one of today.
        const isBlocked = newestMs > this.doubts.latestMs();
        await this.store.addDynamicKey(key, isBlocked ? newestMs + 1 : stillSigning);
        ({ keys, newestMs } = await this.readDynamic());
      }
    }
    return keys.map((key) => ({ ...key, kid: `d-${key.createdAtMs}` }));
  }

  /** Reads the rotating keys that count now, and the time of the newest one of all. */
  private async readDynamic(): Promise<{ keys: StoredDynamicKey[]; newestMs: number }> {
    const stored = await this.store.findDynamicKeys(this.oldestPublishedMs());
    const newestMs = Math.max(...stored.map(({ createdAtMs }) => createdAtMs));
    this.doubts.noteNewest(newestMs);
    const keys = stored.filter(
      ({ createdAtMs, algorithm = 'RS256' }) => createdAtMs <= this.doubts.latestMs() && isKnown(algorithm),
    );
    return { keys, newestMs };
  }

  private async loadStatic(): Promise<StoredKey[]> {
    const read = async (): Promise<StoredStaticKey[]> =>
      (await this.store.findStaticKeys()).filter(({ algorithm }) => isKnown(algorithm));
    let keys = await read();
    for (const algorithm of this.algorithms.static) {
      if (keys.some((key) => key.algorithm === algorithm)) continue;
      const value = await newStoredKeyPair(algorithm);
      await this.store.addStaticKey({
        kid: `s-${randomUUID()}`,
        createdAtMs: this.clock.now(),
        value,
        algorithm,
      });
      keys = await read();
    }
    return keys;
  }

  private pick(keys: KeySet, kind: KeyKind, algorithm: SigningAlgorithm): KeyPair | undefined {
    return kind === 'static'
      ? ofAlgorithm(algorithm, keys.static)[0]
      : this.pickDynamic(ofAlgorithm(algorithm, keys.dynamic));
  }

  private pickDynamic([newest, second]: readonly KeyPair[]): KeyPair | undefined {
    const now = this.clock.now();
    const isNewestFresh =
      newest !== undefined && newest.kid !== this.rotatedTo && now - newest.createdAtMs < this.publicationMs;
    const canSecondSign = second !== undefined && now - second.createdAtMs < this.options.updateIntervalMs;
    return isNewestFresh && canSecondSign ? second : newest;
  }

  /** Returns the earliest creation time of a rotating key that still signs for at least `leadMs`. */
  private stillSigningMs(leadMs: number): number {
    return this.clock.now() - this.options.updateIntervalMs + leadMs;
  }

  private oldestPublishedMs(): number {
    return this.clock.now() - this.options.updateIntervalMs - 2 * this.options.accessTokenValidityMs;
  }

  private dropUntimely(): void {
    const { loaded } = this;
    if (loaded === undefined) return;
    const [oldest, latest] = [this.oldestPublishedMs(), this.doubts.latestMs()];
    const counts = ({ createdAtMs }: KeyPair): boolean => createdAtMs >= oldest && createdAtMs <= latest;
    if (loaded.dynamic.every(counts)) return;
    this.loaded = { ...loaded, dynamic: loaded.dynamic.filter(counts) };
    this.removals++;
  }

  /** Returns the object of a known key, so that the key objects made from it stay in use. */
  private async importAll(stored: readonly StoredKey[]): Promise<KeyPair[]> {
    const known = [...(this.loaded?.dynamic ?? []), ...(this.loaded?.static ?? [])];
    return Promise.all(
      stored.map(
        async ({ kid, createdAtMs, value }) =>
          known.find((key) => key.kid === kid) ?? parseKeyPair(kid, createdAtMs, value),
      ),
    );
  }

  private noteRemovals(next: KeySet): void {
    const kept = new Set([...next.dynamic, ...next.static].map((key) => key.kid));
    const before = [...(this.loaded?.dynamic ?? []), ...(this.loaded?.static ?? [])];
    if (before.some((key) => !kept.has(key.kid))) this.removals++;
  }
}

/** Returns whether this release knows an algorithm; a later release on the same store may add others. */
function isKnown(algorithm: string): boolean {
  return SIGNING_ALGORITHMS.some((known) => known === algorithm);
}

function published(keys: KeySet): PublicJwk[] {
  return [...keys.dynamic, ...keys.static].map((key) => key.publicJwk);
}

function ofAlgorithm(algorithm: SigningAlgorithm, keys: readonly KeyPair[]): readonly KeyPair[] {
  return keys.filter((key) => key.algorithm === algorithm);
}

/** Returns the name of an algorithm as it is stored: RSA keys have none, as in a Core. */
function namedUnlessRsa(algorithm: SigningAlgorithm): Pick<StoredDynamicKey, 'algorithm'> {
  return algorithm === 'RS256' ? {} : { algorithm };
}

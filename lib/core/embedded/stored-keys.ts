import { randomUUID } from 'node:crypto';
import type { SessionStore, StoredDynamicKey, StoredStaticKey } from '../../stores/session-store.js';
import {
  newStoredKeyPair,
  parseKeyPair,
  SIGNING_ALGORITHMS,
  type KeyPair,
  type SigningAlgorithm,
} from '../../tokens/key-pairs.js';
import type { Clock } from '../../util/clock.js';
import type { PublicJwk } from '../../util/verification-keys.js';
import { ClockDoubts } from './clock-doubts.js';

/** The number of instances that may add keys of different algorithms at one millisecond. */
const MAX_KEYS_OF_A_MOMENT = 4;

export type KeyKind = 'dynamic' | 'static';

type StoredKey = Pick<StoredStaticKey, 'kid' | 'createdAtMs' | 'value'>;

export interface KeySet {
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
  /** The longest time between two calls of `SigningKeys.renew`, milliseconds; at most a third of `updateIntervalMs`. */
  readonly reloadIntervalMs: number;
}

/** The signing keys in the store: reads them, and adds those that are missing. */
export class StoredKeys {
  /** The algorithms that this instance signs with; missing keys of these are made. */
  readonly algorithms: Record<KeyKind, Set<SigningAlgorithm>>;
  /** Doubts of this process about its clock. */
  readonly doubts: ClockDoubts;

  constructor(
    private readonly store: SessionStore,
    private readonly clock: Clock,
    private readonly options: SigningKeysOptions,
  ) {
    this.algorithms = { dynamic: new Set([options.algorithm]), static: new Set() };
    this.doubts = new ClockDoubts(clock);
  }

  /**
   * Reads all keys that are published, after it has added the missing ones.
   *
   * @param known the set at hand; undefined at the first read. Its key objects stay in use, with what was made from them
   * @param leadMs the time before the end of a rotating key at which its successor is made
   */
  async load(known: KeySet | undefined, leadMs: number): Promise<KeySet> {
    const [dynamic, fixed] = await Promise.all([
      this.loadDynamic(known === undefined, leadMs),
      this.loadStatic(),
    ]);
    const atHand = known === undefined ? [] : [...known.dynamic, ...known.static];
    return { dynamic: await importAll(dynamic, atHand), static: await importAll(fixed, atHand) };
  }

  /** Adds a rotating key that is newer than all others. @returns its id */
  async addNewest(): Promise<string> {
    const { algorithm } = this.options;
    const { newestMs } = await this.readDynamic();
    const createdAtMs = Math.max(this.clock.now(), newestMs + 1);
    const key = { createdAtMs, value: await newStoredKeyPair(algorithm), ...namedUnlessRsa(algorithm) };
    await this.store.addDynamicKey(key, createdAtMs);
    return `d-${createdAtMs}`;
  }

  /** Deletes the rotating keys whose last token has long expired. */
  async deleteExpired(): Promise<void> {
    await this.store.deleteDynamicKeys(this.oldestPublishedMs());
  }

  /** Returns the earliest creation time of a rotating key that still signs for at least `leadMs`. */
  stillSigningMs(leadMs: number): number {
    return this.clock.now() - this.options.updateIntervalMs + leadMs;
  }

  /** Returns the earliest creation time of a rotating key that is published. */
  oldestPublishedMs(): number {
    return this.clock.now() - this.options.updateIntervalMs - 2 * this.options.accessTokenValidityMs;
  }

  private async loadDynamic(isFirst: boolean, leadMs: number): Promise<StoredKey[]> {
    const stillSigning = this.stillSigningMs(leadMs);
    let { keys, newestMs } = await this.readDynamic();
    if (isFirst) await this.doubts.noteGap(this.store, keys, this.stillSigningMs(0));
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
      const key = { kid: `s-${randomUUID()}`, createdAtMs: this.clock.now(), value, algorithm };
      await this.store.addStaticKey(key);
      keys = await read();
    }
    return keys;
  }
}

export function publishedKeys(keys: KeySet): PublicJwk[] {
  return [...keys.dynamic, ...keys.static].map((key) => key.publicJwk);
}

export function keysOfAlgorithm(algorithm: SigningAlgorithm, keys: readonly KeyPair[]): readonly KeyPair[] {
  return keys.filter((key) => key.algorithm === algorithm);
}

async function importAll(stored: readonly StoredKey[], atHand: readonly KeyPair[]): Promise<KeyPair[]> {
  return Promise.all(
    stored.map(
      async ({ kid, createdAtMs, value }) =>
        atHand.find((key) => key.kid === kid) ?? parseKeyPair(kid, createdAtMs, value),
    ),
  );
}

/** Returns whether this release knows an algorithm; a later release on the same store may add others. */
function isKnown(algorithm: string): boolean {
  return SIGNING_ALGORITHMS.some((known) => known === algorithm);
}

/** Returns the name of an algorithm as it is stored: RSA keys have none, as in a Core. */
function namedUnlessRsa(algorithm: SigningAlgorithm): Pick<StoredDynamicKey, 'algorithm'> {
  return algorithm === 'RS256' ? {} : { algorithm };
}

import { randomUUID } from 'node:crypto';
import type {
  SessionStore,
  StoredDynamicKey,
  StoredKeyPlace,
  StoredStaticKey,
} from '../../stores/session-store.js';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../tokens/key-pairs.js';
import type { Clock } from '../../util/clock.js';
import type { PublicJwk } from '../../util/verification-keys.js';
import { BackgroundAdditions } from './background-additions.js';
import { ClockDoubts } from './clock-doubts.js';
import { dynamicPlace, staticPlace, type KeyVault, type LoadedKey } from './key-vault.js';

/** The number of instances that may add keys of different algorithms at one millisecond. */
const MAX_KEYS_OF_A_MOMENT = 4;

export type KeyKind = 'dynamic' | 'static';

type StoredKey = Pick<StoredStaticKey, 'kid' | 'createdAtMs' | 'value'> & { readonly place: StoredKeyPlace };

interface DynamicKeys {
  readonly keys: StoredDynamicKey[];
  /** The time of the newest key of all, which may be one that does not count. */
  readonly newestMs: number;
}

export interface KeySet {
  /** Newest first. */
  readonly dynamic: readonly LoadedKey[];
  readonly static: readonly LoadedKey[];
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
  private readonly additions: BackgroundAdditions;

  constructor(
    private readonly store: SessionStore,
    private readonly clock: Clock,
    private readonly options: SigningKeysOptions,
    private readonly vault: KeyVault,
  ) {
    this.additions = new BackgroundAdditions(vault);
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
    this.vault.note([...dynamic, ...fixed].map(({ value }) => value));
    const atHand = known === undefined ? [] : [...known.dynamic, ...known.static];
    return { dynamic: await this.importAll(dynamic, atHand), static: await this.importAll(fixed, atHand) };
  }

  /** The reason why a key of a kind and algorithm could not be made last time; undefined for none. */
  failure(kind: KeyKind, algorithm: SigningAlgorithm): unknown {
    return this.additions.failure(`${kind} ${algorithm}`);
  }

  /** Adds a rotating key that is newer than all others. @returns its id */
  async addNewest(): Promise<string> {
    const { algorithm } = this.options;
    const { newestMs } = await this.readDynamic();
    const createdAtMs = Math.max(this.clock.now(), newestMs + 1);
    await this.store.addDynamicKey(await this.newDynamicKey(createdAtMs, algorithm), createdAtMs);
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

  /** Returns the time within which all of these rotating keys are published and count; milliseconds since the epoch. */
  timeOfAll(keys: readonly LoadedKey[]): { readonly fromMs: number; readonly untilMs: number } {
    const created = keys.map(({ createdAtMs }) => createdAtMs);
    const now = this.clock.now();
    return {
      fromMs: Math.max(...created) - (this.doubts.latestMs() - now),
      untilMs: Math.min(...created) + (now - this.oldestPublishedMs()),
    };
  }

  private async loadDynamic(isFirst: boolean, leadMs: number): Promise<StoredKey[]> {
    let { keys, newestMs } = await this.readDynamic();
    if (isFirst) await this.doubts.noteGap(this.store, keys, this.stillSigningMs(0));
    for (const algorithm of this.algorithms.dynamic) {
      if (hasSince(keys, algorithm, this.stillSigningMs(leadMs))) continue;
      const isAtHand = hasSince(keys, algorithm, Number.NEGATIVE_INFINITY);
      const addition = await this.additions.run(`dynamic ${algorithm}`, isAtHand, async () =>
        this.addDynamic(algorithm, leadMs, newestMs),
      );
      if (addition !== undefined) ({ keys, newestMs } = addition);
    }
    return keys.map((key) => ({ ...key, kid: `d-${key.createdAtMs}`, place: dynamicPlace(key) }));
  }

  private async addDynamic(
    algorithm: SigningAlgorithm,
    leadMs: number,
    knownNewestMs: number,
  ): Promise<DynamicKeys> {
    const stillSigning = this.stillSigningMs(leadMs);
    let read: DynamicKeys = { keys: [], newestMs: knownNewestMs };
    for (let later = 0; later < MAX_KEYS_OF_A_MOMENT; later++) {
      // The time of creation is the key's name: if another key has it, the next millisecond is tried.
      const key = await this.newDynamicKey(this.clock.now() + later, algorithm);
      // A key of the future must not keep the store from adding one of today.
      const isBlocked = read.newestMs > this.doubts.latestMs();
      await this.store.addDynamicKey(key, isBlocked ? read.newestMs + 1 : stillSigning);
      read = await this.readDynamic();
      if (hasSince(read.keys, algorithm, stillSigning)) break;
    }
    return read;
  }

  private async newDynamicKey(createdAtMs: number, algorithm: SigningAlgorithm): Promise<StoredDynamicKey> {
    const name = { createdAtMs, ...namedUnlessRsa(algorithm) };
    return { ...name, value: await this.vault.newPair(dynamicPlace(name), algorithm) };
  }

  /** Reads the rotating keys that count now, and the time of the newest one of all. */
  private async readDynamic(): Promise<DynamicKeys> {
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
      await this.additions.run(`static ${algorithm}`, true, async () => {
        const name = { kid: `s-${randomUUID()}`, createdAtMs: this.clock.now(), algorithm };
        const value = await this.vault.newPair(staticPlace(name), algorithm);
        await this.store.addStaticKey({ ...name, value });
      });
      keys = await read();
    }
    return keys.map((key) => ({ ...key, place: staticPlace(key) }));
  }

  private async importAll(stored: readonly StoredKey[], atHand: readonly LoadedKey[]): Promise<LoadedKey[]> {
    return Promise.all(
      stored.map(
        async ({ place, kid, createdAtMs, value }) =>
          atHand.find((key) => key.kid === kid) ?? this.vault.load(place, kid, createdAtMs, value),
      ),
    );
  }
}

export function publishedKeys(keys: KeySet): PublicJwk[] {
  return [...keys.dynamic, ...keys.static].map((key) => key.publicJwk);
}

export function keysOfAlgorithm(
  algorithm: SigningAlgorithm,
  keys: readonly LoadedKey[],
): readonly LoadedKey[] {
  return keys.filter((key) => key.algorithm === algorithm);
}

/** Returns whether there is a rotating key of an algorithm that was made then or later. */
function hasSince(keys: readonly StoredDynamicKey[], algorithm: string, sinceMs: number): boolean {
  return keys.some((key) => (key.algorithm ?? 'RS256') === algorithm && key.createdAtMs >= sinceMs);
}

/** Returns whether this release knows an algorithm; a later release on the same store may add others. */
function isKnown(algorithm: string): boolean {
  return SIGNING_ALGORITHMS.some((known) => known === algorithm);
}

/** Returns the name of an algorithm as it is stored: RSA keys have none, as in a Core. */
function namedUnlessRsa(algorithm: SigningAlgorithm): Pick<StoredDynamicKey, 'algorithm'> {
  return algorithm === 'RS256' ? {} : { algorithm };
}

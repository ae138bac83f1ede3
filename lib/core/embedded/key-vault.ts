import { CoreUnavailableError } from '../../errors.js';
import {
  StoreSetupError,
  type SessionStore,
  type StoredDynamicKey,
  type StoredKeyPlace,
  type StoredStaticKey,
} from '../../stores/session-store.js';
import type { SigningKey } from '../../tokens/jws.js';
import {
  newStoredKeyPair,
  parseKeyPair,
  parsePublicHalf,
  SIGNING_ALGORITHMS,
  splitStoredPair,
  type KeyPair,
  type SigningAlgorithm,
} from '../../tokens/key-pairs.js';
import { newRefreshTokenKey, RefreshTokens } from '../../tokens/refresh-token.js';
import type { Clock } from '../../util/clock.js';
import { NewestEntries } from '../../util/newest-entries.js';
import { SingleFlight } from '../../util/single-flight.js';
import type { CoreCalls } from '../core-calls.js';
import type { KeyEncryptionConfig } from './key-encryption-options.js';
import { KmsWrapper, type KeyWrapper } from './key-wrapping.js';
import { isSealed, openText, sealedBy, sealedName, sealText, type SealedPlace } from './sealed-text.js';

/** The number of opened texts that are remembered: a store has fewer keys. */
const REMEMBERED_TEXTS = 64;
/** The shortest time between two looks at the stored keys for those that are to be sealed. */
const CONVERSION_PAUSE_MS = 3_600_000;

/** A signing key of the store: its public half, and the private one once that is needed. */
export interface LoadedKey extends Omit<KeyPair, 'privateKey'> {
  /** Whether it signs without a wait. */
  readonly isOpen: boolean;
  /** @throws {CoreUnavailableError} its private half cannot be opened, now or ever; the cause says which */
  open(): Promise<SigningKey>;
}

export interface KeyVaultParts {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly encryption?: KeyEncryptionConfig | undefined;
  /** Counts and publishes the calls of a KMS, apart from those of the store. */
  readonly calls?: CoreCalls | undefined;
}

/**
 * The private keys of a store in use, sealed there or plain. Public halves are stored plain in any case, so that verification
 * needs neither secret nor KMS.
 *
 * @see docs/guides/sealed-keys.md
 */
export class KeyVault {
  private readonly wrappers: readonly KeyWrapper[];
  /** Seals what this instance writes; undefined if it writes plain keys. */
  private readonly sealer: KeyWrapper | undefined;
  /** By sealed text and place, so that a text in a wrong place is never found. */
  private readonly opened = new NewestEntries<string>(REMEMBERED_TEXTS);
  /** Read once in the life of the process, and again only after a failure. */
  private readonly refreshTokenReads = new SingleFlight(
    async () => new RefreshTokens(await this.readRefreshTokenKey()),
    { keepsValue: true },
  );
  private refreshTokenKeyText = '';
  private readonly conversions = new SingleFlight(async () => this.convertAll());
  private lastConversionMs = Number.NEGATIVE_INFINITY;
  /** The keys in another form than they are to have; undefined before the first look. */
  private unconverted: number | undefined;

  constructor(private readonly parts: KeyVaultParts) {
    const { encryption, calls, clock } = parts;
    const { secret = [], wrap, unwrap } = encryption ?? {};
    const kms = unwrap && calls ? [new KmsWrapper({ wrap, unwrap }, calls, clock)] : [];
    this.wrappers = [...kms, ...secret];
    const [first] = wrap === undefined ? secret : kms;
    this.sealer = encryption?.mode === 'seal' ? first : undefined;
  }

  /** Says in the line at the start how keys are stored; empty without the option. */
  get description(): string {
    const { mode } = this.parts.encryption ?? {};
    if (mode === undefined) return '';
    if (mode === 'open') return ', sealed keys can be opened, new keys are plain';
    const form = mode === 'seal' ? 'sealed' : 'plain';
    if (this.unconverted === undefined) return `, keys to be ${form}`;
    return this.unconverted > 0 ? `, keys ${form} but for ${this.unconverted}` : `, keys ${form}`;
  }

  /** Whether a new key may have to wait for a KMS. */
  get mayWait(): boolean {
    return this.sealer?.isRemote === true;
  }

  /**
   * Reads the refresh-token key, and makes it if there is none.
   *
   * @returns what encrypts and decrypts by it
   * @throws {CoreUnavailableError} neither store nor KMS may be away; with a `StoreSetupError` as cause if it never opens
   */
  async refreshTokens(): Promise<RefreshTokens> {
    return this.refreshTokenReads.run();
  }

  /** Makes a new signing key in the form that it is stored in. */
  async newPair(place: StoredKeyPlace, algorithm: SigningAlgorithm): Promise<string> {
    const pair = await newStoredKeyPair(algorithm);
    if (this.sealer === undefined) return pair;
    // An instance with a wrong secret must not add a key that no other one can open.
    await this.refreshTokens();
    const { publicHalf, separator, privateHalf } = splitStoredPair(pair);
    return `${publicHalf}${separator}${await this.seal(this.sealer, privateHalf, { place, publicHalf })}`;
  }

  /** Reads a signing key; its private half is opened when it first signs. */
  async load(place: StoredKeyPlace, kid: string, createdAtMs: number, value: string): Promise<LoadedKey> {
    const { publicHalf, separator, privateHalf } = splitStoredPair(value);
    if (!isSealed(privateHalf)) return plainKey(await parseKeyPair(kid, createdAtMs, value));
    const half = await parsePublicHalf(kid, createdAtMs, publicHalf);
    const opening = new SingleFlight(
      async () => {
        const plain = await this.open(privateHalf, { place, publicHalf });
        return parseKeyPair(kid, createdAtMs, `${publicHalf}${separator}${plain}`);
      },
      { keepsValue: true },
    );
    return {
      ...half,
      get isOpen() {
        return opening.current !== undefined && !opening.isRunning;
      },
      open: async () => opening.run(),
    };
  }

  /** Notes the private halves that were read; keys in a form that they are not to have are changed in the background. */
  note(values: readonly string[]): void {
    const elapsedMs = this.parts.clock.now() - this.lastConversionMs;
    if (elapsedMs >= 0 && elapsedMs < CONVERSION_PAUSE_MS) return;
    if (this.unconverted !== undefined && values.some((value) => this.isToChange(privateHalfOf(value))))
      this.convertStored().catch(() => undefined); // the next look tries again
  }

  /**
   * Seals the keys that are plain or sealed by a former secret, in their place; with the mode `unseal` the reverse. Each change is one
   * step of the store, and only of the text that was read, so that it may end at any point and be done by several at once.
   */
  async convertStored(): Promise<void> {
    return this.conversions.run();
  }

  private async readRefreshTokenKey(): Promise<string> {
    const { store, clock } = this.parts;
    let candidate = newRefreshTokenKey();
    if (this.sealer !== undefined) {
      await this.refuseBesideCore();
      candidate = await this.seal(this.sealer, candidate, REFRESH_KEY);
    }
    this.refreshTokenKeyText = await store.getOrSetRefreshTokenKey(candidate, clock.now());
    return this.open(this.refreshTokenKeyText, REFRESH_KEY);
  }

  private async refuseBesideCore(): Promise<void> {
    const { store, encryption } = this.parts;
    if (encryption?.coreIsGone === true || !(await store.hasCoreTables())) return;
    throw unusable(
      new StoreSetupError(
        'keyEncryption: a SuperTokens Core made these tables. A Core cannot read sealed keys: if one still works on them, or ever will, it ' +
          'would sign every user out. If that is over for good, set keyEncryption.coreIsGone: true; otherwise leave keyEncryption ' +
          'out. No key was changed',
      ),
    );
  }

  private async convertAll(): Promise<void> {
    const { encryption, clock } = this.parts;
    if (encryption === undefined || encryption.mode === 'open') return;
    this.lastConversionMs = clock.now();
    let unconverted = 0;
    const count = async (work: () => Promise<boolean>): Promise<void> => {
      if (!(await work().catch(() => false))) unconverted += 1;
    };
    // An older version that finds a sealed signing key does not start. A sealed refresh-token key alone it would take for a plain
    // one, and sign users out; so this one comes last.
    for (const key of await this.signingKeys()) await count(async () => this.convertPair(key));
    await count(async () => this.convertRefreshTokenKey());
    this.unconverted = unconverted;
  }

  private async convertPair({ place, value }: KeyInPlace): Promise<boolean> {
    const { publicHalf, separator, privateHalf } = splitStoredPair(value);
    if (!this.isToChange(privateHalf)) return true;
    const form = await this.convert(privateHalf, { place, publicHalf });
    if (await this.parts.store.replaceKey(place, value, `${publicHalf}${separator}${form}`)) return true;
    return !(await this.signingKeys()).some((key) => key.value === value); // another instance was first
  }

  private async convertRefreshTokenKey(): Promise<boolean> {
    const { store, clock } = this.parts;
    await this.refreshTokens();
    const text = this.refreshTokenKeyText;
    if (!this.isToChange(text)) return true;
    const form = await this.convert(text, REFRESH_KEY);
    await store.replaceKey(REFRESH_KEY.place, text, form);
    this.refreshTokenKeyText = await store.getOrSetRefreshTokenKey(form, clock.now());
    return !this.isToChange(this.refreshTokenKeyText);
  }

  private async convert(text: string, sealed: SealedPlace): Promise<string> {
    const plain = await this.open(text, sealed);
    return this.sealer === undefined ? plain : this.seal(this.sealer, plain, sealed);
  }

  private isToChange(text: string): boolean {
    if (this.sealer !== undefined) return text !== '' && sealedBy(text) !== this.sealer.id;
    return this.parts.encryption?.mode === 'unseal' && isSealed(text);
  }

  private async signingKeys(): Promise<KeyInPlace[]> {
    const [dynamic, fixed] = await Promise.all([
      this.parts.store.findDynamicKeys(0),
      this.parts.store.findStaticKeys(),
    ]);
    return [
      ...dynamic.map((key) => ({ place: dynamicPlace(key), value: key.value, algorithm: key.algorithm })),
      ...fixed.map((key) => ({ place: staticPlace(key), value: key.value, algorithm: key.algorithm })),
    ].filter(({ algorithm = 'RS256' }) => SIGNING_ALGORITHMS.some((known) => known === algorithm));
  }

  private async seal(sealer: KeyWrapper, plain: string, sealed: SealedPlace): Promise<string> {
    try {
      const text = await sealText(sealer, plain, sealed);
      this.opened.add(`${sealedName(sealed)}${text}`, plain);
      return text;
    } catch (error) {
      throw unusable(error);
    }
  }

  private async open(text: string, sealed: SealedPlace): Promise<string> {
    if (!isSealed(text)) return text;
    const name = `${sealedName(sealed)}${text}`;
    const known = this.opened.get(name);
    if (known !== undefined) return known;
    try {
      const plain = await openText(this.wrappers, text, sealed);
      this.opened.add(name, plain);
      return plain;
    } catch (error) {
      throw unusable(error);
    }
  }
}

interface KeyInPlace {
  readonly place: StoredKeyPlace;
  readonly value: string;
}

const REFRESH_KEY: SealedPlace = { place: { kind: 'refresh-token' }, publicHalf: '' };

/** Returns the place of a rotating key. */
export function dynamicPlace({
  createdAtMs,
  algorithm,
}: Omit<StoredDynamicKey, 'value'>): StoredKeyPlace & { readonly kind: 'dynamic' } {
  return { kind: 'dynamic', createdAtMs, ...(algorithm === undefined ? {} : { algorithm }) };
}

/** Returns the place of a key that never changes. */
export function staticPlace({ kid, algorithm }: Pick<StoredStaticKey, 'kid' | 'algorithm'>): StoredKeyPlace {
  return { kind: 'static', kid, algorithm };
}

function plainKey(pair: KeyPair): LoadedKey {
  const { privateKey: _, ...half } = pair;
  return { ...half, isOpen: true, open: async () => pair };
}

function privateHalfOf(value: string): string {
  return splitStoredPair(value).privateHalf;
}

/** A key that cannot be opened is unavailable to a request, whatever the reason; the start looks at the cause. */
function unusable(error: unknown): unknown {
  return error instanceof StoreSetupError ? new CoreUnavailableError(error.message, { cause: error }) : error;
}

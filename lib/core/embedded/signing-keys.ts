import { createPrivateKey, createPublicKey, generateKeyPair, randomUUID, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { isJsonObject } from '../../shared/json.js';
import type { Clock } from '../../shared/clock.js';
import type { PublicJwk, VerificationKeys } from '../../shared/verification-keys.js';
import type { SessionStore, StoredDynamicKey, StoredStaticKey } from './session-store.js';

const ALGORITHM = 'RS256';
const MODULUS_BITS = 2048;
/** How long before its first signature a new rotating key is published, and before its end its successor is made. */
const OVERLAP_MS = 60_000;
/** Unknown key ids and requests for the JWKS make the store be asked at most this often. */
const RELOAD_COOLDOWN_MS = 500;
/** What a key id of ours looks like; anything else is not worth asking the store. */
const KID = /^(d-\d{1,16}|s-[0-9A-Za-z-]{1,64})$/;

/** A key that signs. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

interface LoadedKey extends SigningKey {
  readonly createdAtMs: number;
  readonly publicJwk: PublicJwk;
}

interface KeySet {
  /** Newest first. */
  readonly dynamic: readonly LoadedKey[];
  readonly static: readonly LoadedKey[];
}

export interface SigningKeysOptions {
  /** How long a rotating key signs, milliseconds. */
  readonly updateIntervalMs: number;
  /** Life of an access token, milliseconds: a retired key stays published for twice as long. */
  readonly accessTokenValidityMs: number;
}

/**
 * The core's signing keys: rotating ones (`d-<time of creation>`) and one that never changes (`s-<uuid>`). Instances
 * on one store agree on them.
 *
 * @see docs/protocol/core.md B4
 */
export class SigningKeys implements VerificationKeys {
  private loaded: KeySet | undefined;
  private loading: Promise<KeySet> | undefined;
  private lastReloadMs = Number.NEGATIVE_INFINITY;
  private removals = 0;

  constructor(
    private readonly store: SessionStore,
    private readonly clock: Clock,
    private readonly options: SigningKeysOptions,
  ) {}

  get generation(): number {
    this.dropExpired();
    return this.removals;
  }

  /** The key that signs now, made if there is none. */
  async signingKey(kind: 'dynamic' | 'static'): Promise<SigningKey> {
    const keys = await this.current();
    const key = kind === 'static' ? keys.static[0] : this.pickDynamic(keys.dynamic);
    if (key === undefined) throw new Error(`The store returned no ${kind} signing key after one was added`);
    return key;
  }

  /** Verifying never waits for the store as long as the key is at hand. */
  async find(kid: string | undefined): Promise<readonly PublicJwk[]> {
    const atHand = this.atHand();
    const isWanted = (key: PublicJwk): boolean => kid === undefined || key.kid === kid;
    const known = atHand ? published(atHand).filter(isWanted) : [];
    if (known.length > 0) return known;
    if (atHand !== undefined && (!KID.test(kid ?? '') || this.isCoolingDown())) return [];
    return published(await this.reloadOnDemand()).filter(isWanted);
  }

  /** All published keys, rotating ones first, newest first; and for how long that answer holds. */
  async jwks(): Promise<{ keys: readonly PublicJwk[]; validityInSeconds: number }> {
    const keys = await this.newestKnown();
    const newest = keys.dynamic[0]?.createdAtMs ?? 0;
    const untilNextKeyMs = newest + this.options.updateIntervalMs - OVERLAP_MS - this.clock.now();
    return { keys: published(keys), validityInSeconds: Math.max(1, Math.floor(untilNextKeyMs / 1000)) };
  }

  /** Reads the keys again, so that one that was removed from the store stops verifying. */
  async reload(): Promise<KeySet> {
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  /** Deletes rotating keys whose last token has long expired. */
  async deleteExpired(): Promise<void> {
    await this.store.deleteDynamicKeys(this.oldestPublishedMs());
  }

  /** The set at hand, loaded again when a successor of the newest rotating key is due. */
  private async current(): Promise<KeySet> {
    this.dropExpired();
    return this.loaded === undefined || this.isSuccessorDue(this.loaded) ? this.reload() : this.loaded;
  }

  /** The set at hand at once; a successor that is due is made meanwhile. */
  private atHand(): KeySet | undefined {
    this.dropExpired();
    if (this.loaded !== undefined && this.isSuccessorDue(this.loaded) && !this.isCoolingDown()) {
      // A store that fails now is asked again by a later use; until then the known keys prove what they signed.
      this.reloadOnDemand().catch(() => undefined);
    }
    return this.loaded;
  }

  /** What other instances added is in it, too; when the store fails, what was known before. */
  private async newestKnown(): Promise<KeySet> {
    this.dropExpired();
    const { loaded } = this;
    if (loaded === undefined) return this.reload();
    return this.isCoolingDown() ? loaded : this.reloadOnDemand().catch(() => loaded);
  }

  /** What strangers can cause is bounded by the cool-down. */
  private async reloadOnDemand(): Promise<KeySet> {
    this.lastReloadMs = this.clock.now();
    return this.reload();
  }

  private isSuccessorDue({ dynamic: [newest] }: KeySet): boolean {
    return (
      newest === undefined ||
      this.clock.now() + OVERLAP_MS > newest.createdAtMs + this.options.updateIntervalMs
    );
  }

  private isCoolingDown(): boolean {
    const elapsedMs = this.clock.now() - this.lastReloadMs;
    return elapsedMs >= 0 && elapsedMs < RELOAD_COOLDOWN_MS; // a clock that was set back starts anew
  }

  private async load(): Promise<KeySet> {
    const [dynamic, fixed] = await Promise.all([this.loadDynamic(), this.loadStatic()]);
    const next: KeySet = {
      dynamic: this.reuse(dynamic.map(fromDynamic)),
      static: this.reuse(fixed.map(fromStatic)),
    };
    this.noteRemovals(next);
    this.loaded = next;
    return next;
  }

  private async loadDynamic(): Promise<StoredDynamicKey[]> {
    const now = this.clock.now();
    const stillSigning = now - this.options.updateIntervalMs + OVERLAP_MS;
    const keys = await this.store.findDynamicKeys(this.oldestPublishedMs());
    if (keys.some((key) => key.createdAtMs >= stillSigning)) return keys;
    await this.store.addDynamicKey({ createdAtMs: now, value: await generateKey() }, stillSigning);
    return this.store.findDynamicKeys(this.oldestPublishedMs());
  }

  private async loadStatic(): Promise<StoredStaticKey[]> {
    const keys = (await this.store.findStaticKeys()).filter((key) => key.algorithm === ALGORITHM);
    if (keys.length > 0) return keys;
    await this.store.addStaticKey({
      kid: `s-${randomUUID()}`,
      createdAtMs: this.clock.now(),
      value: await generateKey(),
      algorithm: ALGORITHM,
    });
    return (await this.store.findStaticKeys()).filter((key) => key.algorithm === ALGORITHM);
  }

  /** A new key first only shows itself, so that whoever caches the set has it before the first token comes. */
  private pickDynamic([newest, second]: readonly LoadedKey[]): LoadedKey | undefined {
    const now = this.clock.now();
    const isNewestFresh = newest !== undefined && now - newest.createdAtMs < OVERLAP_MS;
    const canSecondSign = second !== undefined && now - second.createdAtMs < this.options.updateIntervalMs;
    return isNewestFresh && canSecondSign ? second : newest;
  }

  private oldestPublishedMs(): number {
    return this.clock.now() - this.options.updateIntervalMs - 2 * this.options.accessTokenValidityMs;
  }

  private dropExpired(): void {
    const { loaded } = this;
    if (loaded === undefined) return;
    const oldest = this.oldestPublishedMs();
    if (loaded.dynamic.every((key) => key.createdAtMs >= oldest)) return;
    this.loaded = { ...loaded, dynamic: loaded.dynamic.filter((key) => key.createdAtMs >= oldest) };
    this.removals++;
  }

  /** Keeps the objects of keys that are known, so that what was imported from them stays of use. */
  private reuse(keys: readonly LoadedKey[]): LoadedKey[] {
    const known = [...(this.loaded?.dynamic ?? []), ...(this.loaded?.static ?? [])];
    return keys.map((key) => known.find(({ kid }) => kid === key.kid) ?? key);
  }

  private noteRemovals(next: KeySet): void {
    const kept = new Set([...next.dynamic, ...next.static].map((key) => key.kid));
    const before = [...(this.loaded?.dynamic ?? []), ...(this.loaded?.static ?? [])];
    if (before.some((key) => !kept.has(key.kid))) this.removals++;
  }
}

function published(keys: KeySet): PublicJwk[] {
  return [...keys.dynamic, ...keys.static].map((key) => key.publicJwk);
}

/** A new RSA key in the form in which it is stored. Takes a few hundred milliseconds, off the main thread. */
export async function generateKey(): Promise<string> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS });
  return [
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  ].join('|');
}

function fromDynamic(key: StoredDynamicKey): LoadedKey {
  return loadKey(`d-${key.createdAtMs}`, key.createdAtMs, key.value);
}

function fromStatic(key: StoredStaticKey): LoadedKey {
  return loadKey(key.kid, key.createdAtMs, key.value);
}

/** @param value `<public>|<private>`; rows of old Cores use `;` */
function loadKey(kid: string, createdAtMs: number, value: string): LoadedKey {
  const [publicDer = '', privateDer = ''] = value.split(/[|;]/);
  const der = (text: string): Buffer => Buffer.from(text, 'base64');
  try {
    const jwk: unknown = createPublicKey({ key: der(publicDer), format: 'der', type: 'spki' }).export({
      format: 'jwk',
    });
    if (!isJsonObject(jwk) || typeof jwk['n'] !== 'string' || typeof jwk['e'] !== 'string') {
      throw new Error('It is no RSA key');
    }
    return {
      kid,
      createdAtMs,
      privateKey: createPrivateKey({ key: der(privateDer), format: 'der', type: 'pkcs8' }),
      publicJwk: { kty: 'RSA', kid, n: jwk['n'], e: jwk['e'], alg: ALGORITHM, use: 'sig' },
    };
  } catch (error) {
    throw new Error(`The stored signing key ${kid} cannot be used`, { cause: error });
  }
}

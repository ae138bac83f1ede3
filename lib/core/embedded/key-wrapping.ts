import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { CoreUnavailableError } from '../../errors.js';
import { StoreSetupError } from '../../stores/session-store.js';
import type { Clock } from '../../util/clock.js';
import { withTimeout } from '../../util/with-timeout.js';
import type { CoreCalls } from '../core-calls.js';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** The length of a data key. */
export const DATA_KEY_BYTES = 32;
const KEY_ID_BYTES = 8;

/** The longest wait for a KMS. */
const KMS_TIMEOUT_MS = 10_000;
/** The time after a failed call in which no other one is made, so that requests do not wait for a KMS that is away. */
const KMS_COOLDOWN_MS = 5000;
/** The largest wrapped data key; AWS returns about 200 bytes, an RSA key of 4096 bits 512. */
const MAX_WRAPPED_BYTES = 8192;

/**
 * The key that a data key is for, as text only, so that it fits the encryption context of a KMS. Whoever unwraps gets the same
 * context as whoever wrapped.
 *
 * @publicApi
 */
export interface SealedKeyContext {
  readonly purpose: 'nest-sessions';
  readonly kind: 'refresh-token-key' | 'dynamic-signing-key' | 'static-signing-key';
  /** The id of a signing key, `d-…` or `s-…`; for the other key `refresh_token_key`. */
  readonly id: string;
}

/**
 * Encrypts or decrypts a data key, by a KMS for example.
 *
 * @publicApi
 */
export type DataKeyCall = (bytes: Uint8Array, context: SealedKeyContext) => Promise<Uint8Array> | Uint8Array;

type Opening = (dataKey: Buffer) => string | undefined;

/** Encrypts and decrypts the data keys of sealed texts. */
export interface KeyWrapper {
  /** Stands in each sealed text, so that a text names what opens it. */
  readonly id: string;
  /** Whether a call may take long, or fail for a while. */
  readonly isRemote: boolean;
  wrap(dataKey: Buffer, context: SealedKeyContext): Promise<Buffer>;
  /**
   * Unwraps a data key and opens by it.
   *
   * @param open returns undefined for a wrong data key
   * @throws {CoreUnavailableError} the data key cannot be had now
   * @throws {StoreSetupError} it never can
   */
  unwrap(wrapped: Buffer, context: SealedKeyContext, open: Opening): Promise<string>;
}

/** Encrypts by AES-256-GCM with a random IV. @returns IV, ciphertext and tag */
export function encryptBytes(key: Buffer | KeyObject, plain: Buffer, associated: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(associated));
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @returns undefined for bytes that were not encrypted with this key and these associated data */
export function decryptBytes(key: Buffer | KeyObject, bytes: Buffer, associated: string): Buffer | undefined {
  if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(associated));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined; // the tag does not match
  }
}

/** Wraps data keys by a key that is derived from a secret (HKDF-SHA-256). Neither shows when it is printed. */
export class SecretWrapper implements KeyWrapper {
  readonly id: string;
  readonly isRemote = false;
  readonly #key: KeyObject;

  constructor(secret: Uint8Array) {
    const derive = (use: string, length: number): Buffer =>
      Buffer.from(hkdfSync('sha256', secret, '', `nest-sessions keyEncryption 1 ${use}`, length));
    this.#key = createSecretKey(derive('wrap', DATA_KEY_BYTES));
    this.id = derive('id', KEY_ID_BYTES).toString('base64url');
  }

  async wrap(dataKey: Buffer, context: SealedKeyContext): Promise<Buffer> {
    return encryptBytes(this.#key, dataKey, contextText(context));
  }

  async unwrap(wrapped: Buffer, context: SealedKeyContext, open: Opening): Promise<string> {
    const dataKey = decryptBytes(this.#key, wrapped, contextText(context));
    const opened = dataKey && open(dataKey);
    if (opened === undefined) throw damaged(context);
    return opened;
  }
}

/** The id of every text that a KMS has sealed. Ids of secrets are longer. */
export const KMS_ID = 'kms';

/** Wraps data keys by the functions of the application. */
export class KmsWrapper implements KeyWrapper {
  readonly id = KMS_ID;
  readonly isRemote = true;
  private failure: { readonly atMs: number; readonly error: CoreUnavailableError } | undefined;

  constructor(
    private readonly functions: { readonly wrap?: DataKeyCall | undefined; readonly unwrap: DataKeyCall },
    private readonly calls: CoreCalls,
    private readonly clock: Clock,
  ) {}

  async wrap(dataKey: Buffer, context: SealedKeyContext): Promise<Buffer> {
    const { wrap } = this.functions;
    if (wrap === undefined) throw new TypeError('keyEncryption.wrap is missing');
    return this.call('wrap', async () => {
      const wrapped = await inTime('wrap', async () => wrap(Uint8Array.from(dataKey), { ...context }));
      if (wrapped.length >= DATA_KEY_BYTES && wrapped.length <= MAX_WRAPPED_BYTES) return wrapped;
      throw new CoreUnavailableError(
        `keyEncryption.wrap returned ${wrapped.length} bytes; ${DATA_KEY_BYTES} to ${MAX_WRAPPED_BYTES} are expected`,
      );
    });
  }

  async unwrap(wrapped: Buffer, context: SealedKeyContext, open: Opening): Promise<string> {
    return this.call('unwrap', async () => {
      const { unwrap } = this.functions;
      const dataKey = await inTime('unwrap', async () => unwrap(Uint8Array.from(wrapped), { ...context }));
      const opened = dataKey.length === DATA_KEY_BYTES ? open(dataKey) : undefined;
      if (opened !== undefined) return opened;
      throw new CoreUnavailableError(
        `keyEncryption.unwrap returned ${dataKey.length} bytes that do not open the stored key ${context.id}: they are not the ` +
          `${DATA_KEY_BYTES} that wrap was given, or the stored text was damaged or moved from another row`,
      );
    });
  }

  private async call<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { failure, clock } = this;
    const elapsedMs = clock.now() - (failure?.atMs ?? Number.NEGATIVE_INFINITY);
    if (failure !== undefined && elapsedMs >= 0 && elapsedMs < KMS_COOLDOWN_MS) throw failure.error;
    try {
      const result = await this.calls.run(`keyEncryption.${name}`, work);
      this.failure = undefined;
      return result;
    } catch (error) {
      if (error instanceof CoreUnavailableError) this.failure = { atMs: clock.now(), error };
      throw error;
    }
  }
}

/** Calls a function of the application. Its `StoreSetupError` is final, any other failure is an outage. */
async function inTime(name: string, work: () => Promise<unknown>): Promise<Buffer> {
  try {
    const message = `No response within ${KMS_TIMEOUT_MS / 1000} s`;
    const returned = await withTimeout(work(), KMS_TIMEOUT_MS, message, { keepsProcess: false });
    if (returned instanceof Uint8Array) return Buffer.from(returned);
    throw new TypeError(`It returned a value of the type ${typeof returned}; bytes are expected`);
  } catch (error) {
    throw new CoreUnavailableError(`keyEncryption.${name} failed`, { cause: error });
  }
}

/** The error for a text that its own secret does not open. */
function damaged({ id }: SealedKeyContext): StoreSetupError {
  return new StoreSetupError(
    `The stored key ${id} is sealed with a secret of keyEncryption, but cannot be opened: it was damaged, or moved here from another ` +
      'row. Take it back from a backup. The key was not changed',
  );
}

function contextText({ purpose, kind, id }: SealedKeyContext): string {
  return JSON.stringify([purpose, kind, id]);
}

import { randomBytes } from 'node:crypto';
import { CoreUnavailableError } from '../../errors.js';
import { StoreSetupError, type StoredKeyPlace } from '../../stores/session-store.js';
import {
  DATA_KEY_BYTES,
  decryptBytes,
  encryptBytes,
  KMS_ID,
  type KeyWrapper,
  type SealedKeyContext,
} from './key-wrapping.js';

const VERSION = 'sealed1';
/** `sealed1.<who wrapped the data key>.<wrapped data key>.<iv, ciphertext, tag>`, of which each part is base64url. */
const SEALED = /^sealed1\.([\w-]+)\.([\w-]+)\.([\w-]+)$/;
/** A stored text of any version: no key of this library or of a Core begins so. */
const SEALED_OF_ANY_VERSION = /^sealed\d*\./;

/** A private text and what it belongs to. */
export interface SealedPlace {
  readonly place: StoredKeyPlace;
  /** The public half of a signing key, so that no other can be put beside the private one; empty for the refresh-token key. */
  readonly publicHalf: string;
}

/** Returns whether a text is sealed, by this version of the format or by another. */
export function isSealed(text: string): boolean {
  return SEALED_OF_ANY_VERSION.test(text);
}

/** Returns the id of the wrapper that a text was sealed by; undefined if the text is not sealed. */
export function sealedBy(text: string): string | undefined {
  return SEALED.exec(text)?.[1];
}

/** Seals a text by a data key of its own. */
export async function sealText(wrapper: KeyWrapper, plain: string, sealed: SealedPlace): Promise<string> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const wrapped = await wrapper.wrap(dataKey, contextOf(sealed.place));
  const content = encryptBytes(dataKey, Buffer.from(plain), sealedName(sealed));
  const text = [VERSION, wrapper.id, wrapped.toString('base64url'), content.toString('base64url')].join('.');
  await refuseUnlessOpens(wrapper, text, plain, sealed);
  return text;
}

/**
 * Opens a sealed text.
 *
 * @throws {StoreSetupError} with these wrappers it never opens
 * @throws {CoreUnavailableError} a KMS did not respond, or not with the data key
 */
export async function openText(
  wrappers: readonly KeyWrapper[],
  text: string,
  sealed: SealedPlace,
): Promise<string> {
  const context = contextOf(sealed.place);
  const [, by = '', wrapped = '', content = ''] = SEALED.exec(text) ?? [];
  const wrapper = wrappers.find(({ id }) => id === by);
  if (wrapper === undefined) throw withoutWrapper(by, wrappers, context);
  return wrapper.unwrap(Buffer.from(wrapped, 'base64url'), context, (dataKey) =>
    decryptBytes(dataKey, Buffer.from(content, 'base64url'), sealedName(sealed))?.toString(),
  );
}

/** Opens each sealed text before it is written, because it may replace the only copy of a key. */
async function refuseUnlessOpens(
  wrapper: KeyWrapper,
  text: string,
  plain: string,
  sealed: SealedPlace,
): Promise<void> {
  if ((await openText([wrapper], text, sealed)) !== plain)
    throw new CoreUnavailableError('keyEncryption: a sealed key does not open again, so it was not stored');
}

function withoutWrapper(
  by: string,
  wrappers: readonly KeyWrapper[],
  { id }: SealedKeyContext,
): StoreSetupError {
  const ways = wrappers.length === 0 ? 'embeddedCore has no option keyEncryption' : describeMissing(by);
  return new StoreSetupError(
    `The key ${id} in the store is sealed, and ${ways}. Give embeddedCore the keyEncryption that sealed it: the same secret, also ` +
      'beside newer ones in the list, or the same wrap and unwrap. Nothing in the store was changed',
  );
}

function describeMissing(by: string): string {
  if (by === '') return 'its text is of a later version, or was cut';
  return by === KMS_ID
    ? 'a KMS did that, but keyEncryption.unwrap is missing'
    : 'none of the secrets in keyEncryption.secret did that';
}

function contextOf(place: StoredKeyPlace): SealedKeyContext {
  const purpose = 'nest-sessions';
  switch (place.kind) {
    case 'refresh-token':
      return { purpose, kind: 'refresh-token-key', id: 'refresh_token_key' };
    case 'dynamic':
      return { purpose, kind: 'dynamic-signing-key', id: `d-${place.createdAtMs}` };
    case 'static':
      return { purpose, kind: 'static-signing-key', id: place.kid };
  }
}

/** Returns the text that an encryption is bound to: what the private text belongs to. */
export function sealedName({ place, publicHalf }: SealedPlace): string {
  const { kind, id } = contextOf(place);
  return JSON.stringify([VERSION, kind, id, publicHalf]);
}

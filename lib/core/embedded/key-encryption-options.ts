import { callback, oneOf, secret, trueOrFalse } from '../../options/option-checks.js';
import {
  group,
  option,
  type Check,
  type OptionPlace,
  type OptionsOf,
  type Resolved,
} from '../../options/option-table.js';
import { SecretWrapper, type DataKeyCall } from './key-wrapping.js';

const MIN_SECRET_BYTES = 32;
/** Random secrets of that length have more different characters, or bytes, but for one in a million million. */
const MIN_DIFFERENT_CHARACTERS = 10;
const MIN_DIFFERENT_BYTES = 16;
const HOW_TO_MAKE_ONE = `node -p "require('node:crypto').randomBytes(32).toString('base64url')" makes one`;

const secrets: Check<string | Uint8Array | readonly (string | Uint8Array)[], readonly SecretWrapper[]> = (
  value,
) => {
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (given.length === 0) throw new Error('is an empty list; give at least one secret');
  return given.map((each, index) => {
    const problem = problemOfSecret(each);
    if (problem === undefined) return new SecretWrapper(Buffer.from(each as string));
    const which = Array.isArray(value) ? `has number ${index + 1}, which ` : '';
    throw new Error(`${which}${problem}; ${HOW_TO_MAKE_ONE}`);
  });
};

/** Returns the reason why a value is no secret; undefined for one that may be. */
function problemOfSecret(value: unknown): string | undefined {
  if (value instanceof Uint8Array) {
    if (value.length < MIN_SECRET_BYTES)
      return `is a buffer of ${value.length} bytes: at least ${MIN_SECRET_BYTES} random ones are needed`;
    return new Set(value).size < MIN_DIFFERENT_BYTES ? 'repeats itself, so it is not random' : undefined;
  }
  if (typeof value !== 'string') return 'is neither a text nor a buffer';
  const length = Math.ceil((MIN_SECRET_BYTES * 8 - 0.5) / bitsOfCharacter(value));
  if (value.length < length)
    return `is a text of ${value.length} characters: that of ${MIN_SECRET_BYTES} random bytes has at least ${length} of these`;
  return new Set(value).size < MIN_DIFFERENT_CHARACTERS ? 'repeats itself, so it is not random' : undefined;
}

/** Returns the most bits that a character of a text can stand for: of digits, of hexadecimal digits, of base64. */
function bitsOfCharacter(text: string): number {
  if (/^\d*$/.test(text)) return Math.log2(10);
  return /^[\da-f]*$/i.test(text) ? 4 : 6;
}

/** The options of `keyEncryption`. */
export const KEY_ENCRYPTION_OPTIONS = {
  /**
   * A secret of at least 32 random bytes, as a buffer or as text (hexadecimal or base64, which is used as it is), from which
   * the sealing key is derived. Of a list the first secret seals and all of them open, so that the secret can be changed.
   * @defaultValue none; needed unless there are `wrap` and `unwrap`
   */
  secret: option(secret(secrets)),
  /**
   * Encrypts a data key of 32 bytes, by a KMS. Each key is sealed by a data key of its own. Beside a `secret`, this one seals, and
   * the secret only opens.
   * @defaultValue none
   */
  wrap: option(callback<DataKeyCall>()),
  /**
   * Decrypts what `wrap` returned, to the same 32 bytes. An error counts as a KMS that is away and is tried again; a
   * `StoreSetupError` ends the start. Called at the start and when a rotating key begins, never for a request that only verifies.
   * @defaultValue none; needed with `wrap`
   */
  unwrap: option(callback<DataKeyCall>()),
  /**
   * `seal`: new keys are sealed, and so are those found plain or sealed by a former secret, in their place. `open`: sealed keys can be used,
   * and new ones are plain; the first step of a fleet of instances. `unseal`: as `open`, and sealed keys are written back
   * plain; the way to turn this off.
   * @defaultValue `seal`
   */
  mode: option(oneOf('seal', 'open', 'unseal'), 'seal'),
  /**
   * Says that no SuperTokens Core works on tables that one has made, and none will: it cannot read sealed keys, and would sign every user
   * out. Without it, keys in such tables are not sealed and the start fails.
   * @defaultValue false
   */
  coreIsGone: option(trueOrFalse, false),
};

/**
 * How the private keys in the store are sealed: by a secret, or by a KMS.
 *
 * @publicApi
 */
export interface KeyEncryptionOptions extends OptionsOf<typeof KEY_ENCRYPTION_OPTIONS> {}

/** The same after reading; secrets cannot be read from it. */
export interface KeyEncryptionConfig extends Resolved<typeof KEY_ENCRYPTION_OPTIONS> {}

const readGroup = group(KEY_ENCRYPTION_OPTIONS, 'an object with secret, or with wrap and unwrap,');

/** Reads the option `keyEncryption`. No message shows a value. */
export const keyEncryption: Check<KeyEncryptionOptions, KeyEncryptionConfig | undefined> = secret(
  (value: unknown, place: OptionPlace) => {
    const problemsBefore = place.problems.length;
    const config = readGroup(value, place);
    if (config === undefined || place.problems.length > problemsBefore) return config;
    const { secret: wrappers, wrap, unwrap, mode } = config;
    if (wrap !== undefined && unwrap === undefined)
      throw new Error('has wrap without unwrap: sealed keys could never be opened');
    if (wrappers === undefined && unwrap === undefined)
      throw new Error('needs secret, or wrap and unwrap: with neither no key can be sealed or opened');
    if (wrappers === undefined && wrap === undefined && mode === 'seal')
      throw new Error("needs wrap or secret to seal keys; to open them only, set mode: 'open'");
    return config;
  },
);

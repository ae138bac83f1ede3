import { importJWK } from 'jose/key/import';
import type { PublicJwk } from '../util/verification-keys.js';
import { parseAccessToken } from './access-token-format.js';
import type { SigningAlgorithm } from './key-pairs.js';
import {
  jwkAlgorithm,
  MIN_RSA_MODULUS_BITS,
  TokenSignatures,
  type SignatureToCheck,
} from './token-signatures.js';
import type { TokenRuntime } from './token-verifier.js';

/** A key of WebCrypto; the type is not global in Node's declarations. */
type CryptoKey = Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>;

interface ImportedKey {
  /** The only algorithm that the key verifies with, whatever a token says. */
  readonly algorithm: SigningAlgorithm;
  readonly key: CryptoKey;
}

/** The parameters of an algorithm in WebCrypto, as jose chooses them. */
const PARAMETERS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
} as const;

const encoder = new TextEncoder();
/** A byte order mark stays, as in Node, so that a payload that begins with one is no JSON. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Verifies signatures by WebCrypto, with keys that jose imports; each takes a promise. */
export class WebSignatures extends TokenSignatures {
  private readonly importedKeys = new WeakMap<PublicJwk, Promise<ImportedKey | null>>();

  protected override async isSignedByAny(
    keys: readonly PublicJwk[],
    { algorithm, signed, spelled, alphabet }: SignatureToCheck,
  ): Promise<boolean> {
    const signature = decodeSignature(spelled, alphabet);
    if (signature === undefined) return false;
    const bytes = encoder.encode(signed);
    for (const jwk of keys) {
      const imported = await this.importKey(jwk);
      if (imported?.algorithm !== algorithm) continue;
      if (await crypto.subtle.verify(PARAMETERS[algorithm], imported.key, signature, bytes)) return true;
    }
    return false;
  }

  private importKey(jwk: PublicJwk): Promise<ImportedKey | null> {
    let imported = this.importedKeys.get(jwk);
    if (imported === undefined) this.importedKeys.set(jwk, (imported = importKey(jwk)));
    return imported;
  }
}

async function importKey(jwk: PublicJwk): Promise<ImportedKey | null> {
  const algorithm = jwkAlgorithm(jwk);
  if (algorithm === undefined) return null;
  try {
    const key = await importJWK({ ...jwk }, algorithm);
    if (!('algorithm' in key)) return null;
    const { modulusLength = 0 } = key.algorithm as { modulusLength?: number };
    return algorithm === 'RS256' && modulusLength < MIN_RSA_MODULUS_BITS ? null : { algorithm, key };
  } catch {
    return null; // the set holds something that is no key, so it proves no token
  }
}

/**
 * The value of each character by the lower byte of its code, in either alphabet; 64 for the padding, 255 for any other. Node looks at that
 * byte, too: no signature is good over such characters, and the refusal is the same.
 */
const VALUES = new Uint8Array(256).fill(255);
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let i = 0; i < DIGITS.length; i++) VALUES[DIGITS.charCodeAt(i)] = i;
VALUES['-'.charCodeAt(0)] = 62;
VALUES['_'.charCodeAt(0)] = 63;
VALUES['='.charCodeAt(0)] = 64;

const SPELLINGS = {
  base64url: /^[A-Za-z0-9_-]*$/,
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
} as const;

/** Returns the signature's bytes, or undefined if it is not in its one canonical spelling: the unused bits of its end are 0. */
function decodeSignature(
  spelled: string,
  alphabet: SignatureToCheck['alphabet'],
): Uint8Array<ArrayBuffer> | undefined {
  const digits = spelled.replaceAll('=', '');
  const unusedBits = (digits.length * 6) % 8;
  const isCanonical =
    SPELLINGS[alphabet].test(spelled) &&
    unusedBits < 6 &&
    (valueAt(digits, digits.length - 1) & ((1 << unusedBits) - 1)) === 0;
  return isCanonical ? decodeBytes(spelled) : undefined;
}

/** Decodes as Node's `Buffer` does: up to the first `=`, without other characters and a lone one at the end. */
function decodeBytes(part: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((part.length * 6) >> 3);
  let length = 0;
  let bits = 0;
  let count = 0;
  for (let i = 0; i < part.length; i++) {
    const value = valueAt(part, i);
    if (value === 64) break;
    if (value === 255) continue;
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[length++] = bits >> count;
  }
  return bytes.subarray(0, length);
}

function valueAt(text: string, index: number): number {
  return VALUES[text.charCodeAt(index) & 255] ?? 255;
}

/** The runtime of `nest-sessions/verify`: what every engine with WebCrypto has. */
export const WEB_RUNTIME: TokenRuntime = {
  parse: (token) => parseAccessToken(token, (part) => decoder.decode(decodeBytes(part))),
  copyText: (text) => decoder.decode(encoder.encode(text)),
  createSignatures: (keys) => new WebSignatures(keys),
};

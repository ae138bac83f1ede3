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

/** Returns the signature's bytes, or undefined if it is not in its one canonical spelling. */
function decodeSignature(
  spelled: string,
  alphabet: SignatureToCheck['alphabet'],
): Uint8Array<ArrayBuffer> | undefined {
  const binary = decodeBinary(spelled);
  const standard = btoa(binary);
  const canonical =
    alphabet === 'base64' ? standard : standard.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  return canonical === spelled ? bytesOf(binary) : undefined;
}

/** Decodes as Node's `Buffer` does: up to the first `=`, without other characters and a lone one at the end. */
function decodeBinary(part: string): string {
  const digits = (part.split('=', 1)[0] ?? '')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/[^A-Za-z0-9+/]+/g, '');
  return atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits);
}

function bytesOf(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** The runtime of `nest-sessions/verify`: what every engine with WebCrypto has. */
export const WEB_RUNTIME: TokenRuntime = {
  parse: (token) => parseAccessToken(token, (part) => decoder.decode(bytesOf(decodeBinary(part)))),
  copyText: (text) => decoder.decode(encoder.encode(text)),
  createSignatures: (keys) => new WebSignatures(keys),
};

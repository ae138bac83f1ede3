import { createPublicKey, verify as verifySignature, type KeyObject } from 'node:crypto';
import type { PublicJwk } from '../util/verification-keys.js';
import type { SigningAlgorithm } from './key-pairs.js';
import {
  jwkAlgorithm,
  MIN_RSA_MODULUS_BITS,
  TokenSignatures,
  type SignatureToCheck,
} from './token-signatures.js';

interface ImportedKey {
  /** The only algorithm that the key verifies with, whatever a token says. */
  readonly algorithm: SigningAlgorithm;
  readonly key: KeyObject;
}

/**
 * Checks that a token was signed by a key of the set. Other claims and times are not checked.
 *
 * `node:crypto` checks it on the calling thread, without jose, because this is the hot path of the guard: RS256 takes 22 µs of CPU
 * here and 73 through jose, which goes through WebCrypto; ES256 takes 66 and 116 (`npm run benchmark -- verify`;
 * test/benchmark/README.md, "Ways to check a signature"). The thread pool takes a sixth more when it is busy and nearly twice as much
 * when it is idle, and refreshes that sign there would wait. A forged token takes less of the calling thread than the HTTP request that
 * brought it. The spec beside this file runs a corpus of odd tokens through this class and through jose, and lists every difference
 * with its reason. Two other places work without jose: proofs by a key that is known (device-binding/proof-verifier.ts), and runtimes
 * that have WebCrypto alone (web-runtime.ts).
 */
export class SignatureVerifier extends TokenSignatures {
  /** Null for a key that verifies no access token. */
  private readonly importedKeys = new WeakMap<PublicJwk, ImportedKey | null>();

  protected override isSignedByAny(
    keys: readonly PublicJwk[],
    { algorithm, signed, spelled, alphabet }: SignatureToCheck,
  ): boolean {
    const signature = decodeSignature(spelled, alphabet);
    if (signature === undefined) return false;
    const bytes = Buffer.from(signed);
    return keys.some((jwk) => hasValidSignature(this.importKey(jwk), algorithm, bytes, signature));
  }

  private importKey(jwk: PublicJwk): ImportedKey | null {
    let imported = this.importedKeys.get(jwk);
    if (imported === undefined) this.importedKeys.set(jwk, (imported = importKey(jwk)));
    return imported;
  }
}

/** The key decides the algorithm; a token that names another one is refused. */
function hasValidSignature(
  imported: ImportedKey | null,
  algorithm: SigningAlgorithm,
  signed: Buffer,
  signature: Buffer,
): boolean {
  if (imported === null || imported.algorithm !== algorithm) return false;
  // RFC 7518 3.4: the two numbers of an ECDSA signature one after the other, not the DER that Node reads by default. RSA has but one form.
  const key = { key: imported.key, dsaEncoding: 'ieee-p1363' } as const;
  return verifySignature('sha256', signed, key, signature);
}

function importKey(jwk: PublicJwk): ImportedKey | null {
  const algorithm = jwkAlgorithm(jwk);
  if (algorithm === undefined) return null;
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const modulusBits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return algorithm === 'RS256' && modulusBits < MIN_RSA_MODULUS_BITS ? null : { algorithm, key };
  } catch {
    return null; // the set holds something that is no key, so it proves no token
  }
}

/**
 * Returns the signature's bytes, or undefined if it is not in its one canonical spelling: the unused bits of its last
 * character must not vary.
 */
function decodeSignature(spelled: string, alphabet: 'base64' | 'base64url'): Buffer | undefined {
  const signature = Buffer.from(spelled, alphabet);
  return signature.toString(alphabet) === spelled ? signature : undefined;
}

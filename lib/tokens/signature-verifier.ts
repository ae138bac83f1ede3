import { createPublicKey, verify as verifySignature, type KeyObject } from 'node:crypto';
import type { MaybePromise } from '../util/maybe-promise.js';
import type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';
import type { ParsedAccessToken } from './access-token.js';
import { jwkAlgorithm, type SigningAlgorithm } from './key-pairs.js';

/** A shorter RSA key proves nothing, as in jose (RFC 7518 3.3). */
const MIN_RSA_MODULUS_BITS = 2048;

interface ImportedKey {
  /** The only algorithm that the key verifies with, whatever a token says. */
  readonly algorithm: SigningAlgorithm;
  readonly key: KeyObject;
}

export type SignatureVerdict = 'PROVEN' | 'UNKNOWN_KEY' | 'WRONG_SIGNATURE';

type SignedToken = Pick<ParsedAccessToken, 'token' | 'version' | 'kid' | 'algorithm'>;

/**
 * Checks that a token was signed by a key of the set. Other claims and times are not checked.
 *
 * This is the one place where a signature is checked without jose. `node:crypto` does it on the calling thread,
 * because this
 * is the hot path of the guard: RS256 takes 22 µs of CPU here and 73 through jose, which goes through WebCrypto;
 * ES256 takes
 * 66 and 116 (`npm run benchmark -- verify`; test/benchmark/README.md, "Ways to check a signature"). The thread pool
 * takes
 * a sixth more when it is busy and nearly twice as much when it is idle, and refreshes that sign there would wait. A
 * forged
 * token takes less of the calling thread than the HTTP request that brought it. The spec beside this file runs a
 * corpus of
 * odd tokens through this class and through jose, and lists every difference with its reason.
 */
export class SignatureVerifier {
  /** Null for a key that verifies no access token. */
  private readonly importedKeys = new WeakMap<PublicJwk, ImportedKey | null>();

  constructor(private readonly keys: VerificationKeys) {}

  /**
   * @param token as {@link parseWithoutVerifying} read it
   * @returns a promise only where the key has to be waited for
   * @throws when the key set cannot be had
   */
  verify(token: SignedToken): MaybePromise<SignatureVerdict> {
    const keys = this.keys.find(token.kid);
    if (!('then' in keys)) return this.checkWithKeys(token, keys);
    return keys.then((loaded) => this.checkWithKeys(token, loaded));
  }

  private checkWithKeys(token: SignedToken, keys: readonly PublicJwk[]): MaybePromise<SignatureVerdict> {
    if (token.version <= 2) return this.verdictByAny(token, keys);
    return keys.length === 0 ? 'UNKNOWN_KEY' : this.checkSignature(token, keys.slice(0, 1));
  }

  /** Versions 1 and 2 name no key, so only a failed signature shows that the key may not be known yet. */
  private verdictByAny(token: SignedToken, keys: readonly PublicJwk[]): MaybePromise<SignatureVerdict> {
    const verdict = this.checkSignature(token, keys);
    if (verdict === 'PROVEN' || this.keys.findOthers === undefined) return verdict;
    return this.keys.findOthers(keys).then((others) => this.checkSignature(token, others));
  }

  private checkSignature(
    { token, version, algorithm }: SignedToken,
    keys: readonly PublicJwk[],
  ): SignatureVerdict {
    if (algorithm !== 'RS256' && algorithm !== 'ES256') return 'WRONG_SIGNATURE';
    const end = token.lastIndexOf('.');
    const signature = decodeSignature(token.slice(end + 1), version <= 2 ? 'base64' : 'base64url');
    if (signature === undefined) return 'WRONG_SIGNATURE';
    const signed = Buffer.from(token.slice(0, end));
    return keys.some((jwk) => hasValidSignature(this.importKey(jwk), algorithm, signed, signature))
      ? 'PROVEN'
      : 'WRONG_SIGNATURE';
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
  const { key } = imported;
  // RFC 7518 3.4: the two numbers of an ECDSA signature one after the other, not the DER that Node reads by default.
  return verifySignature(
    'sha256',
    signed,
    algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key,
    signature,
  );
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

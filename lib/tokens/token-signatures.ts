import { chain, type MaybePromise } from '../util/maybe-promise.js';
import type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';
import type { ParsedAccessToken } from './access-token-format.js';
import type { SigningAlgorithm } from './key-pairs.js';

/** A shorter RSA key proves nothing, as in jose (RFC 7518 3.3). */
export const MIN_RSA_MODULUS_BITS = 2048;

export type SignatureVerdict = 'PROVEN' | 'UNKNOWN_KEY' | 'WRONG_SIGNATURE';

export type SignedToken = Pick<ParsedAccessToken, 'token' | 'version' | 'kid' | 'algorithm'>;

/** A signature, and the text that it is about. */
export interface SignatureToCheck {
  /** The only algorithm that a key may verify it with. */
  readonly algorithm: SigningAlgorithm;
  /** ASCII, as the token was sent. */
  readonly signed: string;
  /** As spelled in the token. */
  readonly spelled: string;
  readonly alphabet: 'base64' | 'base64url';
}

/**
 * Decides which keys of the set may prove a token, and by which algorithm. Other claims and times are not checked. A runtime
 * checks the signature itself.
 */
export abstract class TokenSignatures {
  constructor(private readonly keys: VerificationKeys) {}

  /** Returns whether one of the keys made a signature that is in its one canonical spelling. */
  protected abstract isSignedByAny(
    keys: readonly PublicJwk[],
    signature: SignatureToCheck,
  ): MaybePromise<boolean>;

  /**
   * @param token as {@link parseAccessToken} read it
   * @returns a promise only where the key, or the check of a signature, has to be waited for
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
    return chain(this.checkSignature(token, keys), (verdict) => {
      if (verdict === 'PROVEN' || this.keys.findOthers === undefined) return verdict;
      return this.keys.findOthers(keys).then((others) => this.checkSignature(token, others));
    });
  }

  private checkSignature(
    { token, version, algorithm }: SignedToken,
    keys: readonly PublicJwk[],
  ): MaybePromise<SignatureVerdict> {
    if (algorithm !== 'RS256' && algorithm !== 'ES256') return 'WRONG_SIGNATURE';
    const end = token.lastIndexOf('.');
    const isSigned = this.isSignedByAny(keys, {
      algorithm,
      signed: token.slice(0, end),
      spelled: token.slice(end + 1),
      alphabet: version <= 2 ? 'base64' : 'base64url',
    });
    return chain(isSigned, (isProven) => (isProven ? 'PROVEN' : 'WRONG_SIGNATURE'));
  }
}

/**
 * Returns the one algorithm that a published key verifies with, whatever a token says: RS256 for RSA keys, also where they
 * name no algorithm, and ES256 for keys on P-256 that name it. Undefined for any other key, because a set may hold keys
 * with other purposes.
 */
export function jwkAlgorithm({ kty, alg, crv, use }: PublicJwk): SigningAlgorithm | undefined {
  if (use !== undefined && use !== 'sig') return undefined;
  if (kty === 'RSA') return alg === undefined || alg === 'RS256' ? 'RS256' : undefined;
  return kty === 'EC' && crv === 'P-256' && alg === 'ES256' ? 'ES256' : undefined;
}

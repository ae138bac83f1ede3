import { createPublicKey, verify as verifySignature, type KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import type { PublicJwk, VerificationKeys } from '../shared/verification-keys.js';

/** The only algorithm that is accepted, whatever a token or a published key says of itself. */
const ALGORITHM = 'RS256';

export type SignatureVerdict = 'PROVEN' | 'UNKNOWN_KEY' | 'WRONG_SIGNATURE';

/** Proves that a token was signed by a key of the set. Reads nothing else of it. */
export class SignatureVerifier {
  private readonly importedKeys = new WeakMap<PublicJwk, KeyObject>();

  constructor(private readonly keys: VerificationKeys) {}

  /**
   * @param token version and kid as {@link parseWithoutVerifying} read them
   * @throws when the key set cannot be had
   */
  async verify(token: {
    token: string;
    version: number;
    kid: string | undefined;
  }): Promise<SignatureVerdict> {
    const keys = await this.keys.find(token.kid);
    const [key] = keys;
    if (key === undefined) return 'UNKNOWN_KEY';
    const isProven =
      token.version <= 2
        ? keys.some((candidate) => this.isSignedInLegacyForm(token.token, candidate))
        : await this.isSignedBy(token.token, key);
    return isProven ? 'PROVEN' : 'WRONG_SIGNATURE';
  }

  private async isSignedBy(token: string, jwk: PublicJwk): Promise<boolean> {
    const { signature } = splitSignature(token);
    if (!isCanonical(signature, 'base64url')) return false;
    try {
      await compactVerify(token, this.importKey(jwk), { algorithms: [ALGORITHM] });
      return true;
    } catch {
      return false; // whatever is wrong with it, it is not proven
    }
  }

  /** Versions 1 and 2 are signed over standard base64, which JOSE libraries do not read; they name no key. */
  private isSignedInLegacyForm(token: string, jwk: PublicJwk): boolean {
    const { signed, signature } = splitSignature(token);
    if (!isCanonical(signature, 'base64')) return false;
    try {
      return verifySignature(
        'RSA-SHA256',
        Buffer.from(signed),
        this.importKey(jwk),
        Buffer.from(signature, 'base64'),
      );
    } catch {
      return false; // a key of another kind in the set
    }
  }

  private importKey(jwk: PublicJwk): KeyObject {
    let key = this.importedKeys.get(jwk);
    if (key === undefined) {
      key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
      this.importedKeys.set(jwk, key);
    }
    return key;
  }
}

function splitSignature(token: string): { signed: string; signature: string } {
  const end = token.lastIndexOf('.');
  return { signed: token.slice(0, end), signature: token.slice(end + 1) };
}

/** A signature has one spelling: without this, unused bits of its last character could be changed at will. */
function isCanonical(signature: string, alphabet: 'base64' | 'base64url'): boolean {
  return Buffer.from(signature, alphabet).toString(alphabet) === signature;
}

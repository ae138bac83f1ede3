import { createPublicKey, verify as verifySignature, type KeyObject } from 'node:crypto';
import { parseJsonObject, type JsonObject } from '../util/json.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import { NewestEntries } from '../util/newest-entries.js';
import {
  assertCompact,
  OtherKeyError,
  ProofError,
  verifyProof,
  type ProofAlgorithm,
  type VerifiedProof,
} from './proof.js';

/** A key that a good proof has shown, with the header that it came in. */
interface KnownKey {
  readonly key: KeyObject;
  readonly jwk: JsonObject;
  readonly jkt: string;
}

/** About 2 kB each. */
const REMEMBERED_KEYS = 4096;

/**
 * Verifies proofs that bring their key. All proofs of a client have the same header, letter by letter: jose judges the first one, and
 * of the following ones only the signature is left to check. `node:crypto` does that on the calling thread, for the reasons
 * given at `SignatureVerifier`: ES256 takes 70 µs of CPU here, and 350 through jose with its key and the thumbprint. The spec beside
 * this file runs a corpus of odd proofs through both ways, which have the same verdict on each.
 */
export class ProofVerifier {
  private readonly known = new NewestEntries<KnownKey>(REMEMBERED_KEYS);

  constructor(private readonly algorithms: readonly ProofAlgorithm[]) {}

  /**
   * @param jkt the thumbprint of the key that must have signed; undefined: any
   * @returns no promise for a key that is known
   * @throws {ProofError} as `verifyProof`
   */
  verify(proof: string, jkt: string | undefined): MaybePromise<VerifiedProof> {
    assertCompact(proof);
    const header = proof.slice(0, proof.indexOf('.'));
    const signature = readSignature(proof);
    const known = this.known.get(header);
    return known === undefined
      ? this.verifyFirst(proof, header, jkt)
      : verifyNext(proof, signature, known, jkt);
  }

  private async verifyFirst(proof: string, header: string, jkt: string | undefined): Promise<VerifiedProof> {
    const verified = await verifyProof(proof, { typ: 'dpop+jwt', algorithms: this.algorithms, jkt });
    const { jwk } = verified;
    const key = createPublicKey({ key: jwk as never, format: 'jwk' });
    this.known.add(header, { key, jwk, jkt: verified.jkt });
    return verified;
  }
}

/** Refuses what is not its one spelling: the unused bits of the last character must not vary. */
function readSignature(proof: string): Buffer {
  const spelled = proof.slice(proof.lastIndexOf('.') + 1);
  const signature = Buffer.from(spelled, 'base64url');
  if (signature.toString('base64url') === spelled) return signature;
  throw new ProofError('its signature is not in its one spelling');
}

function verifyNext(
  proof: string,
  signature: Buffer,
  { key, jwk, jkt }: KnownKey,
  expected: string | undefined,
): VerifiedProof {
  if (expected !== undefined && expected !== jkt) throw new OtherKeyError('its key is another one');
  const end = proof.lastIndexOf('.');
  const signed = Buffer.from(proof.slice(0, end), 'latin1');
  const isGood =
    key.asymmetricKeyType === 'ec'
      ? verifySignature('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
      : verifySignature(null, signed, key, signature);
  if (!isGood) throw new ProofError('the signature is wrong');
  const payload = proof.slice(proof.indexOf('.') + 1, end);
  const claims = parseJsonObject(Buffer.from(payload, 'base64url').toString());
  if (claims === undefined) throw new ProofError('the payload is no JSON object');
  return { claims, jwk, jkt };
}

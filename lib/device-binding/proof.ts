import { createPublicKey } from 'node:crypto';
import { isJsonObject, parseJsonObject, type JsonObject } from '../util/json.js';
import { loadJose } from '../tokens/key-pairs.js';

/** The signature algorithms of proofs. */
export type ProofAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

/** Longer than any honest proof: one with a key of 4096 bits has about 2,200 characters. */
const MAX_PROOF_LENGTH = 8192;
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** Members of a JWK that belong to private and symmetric keys. @see RFC 7518 6.2.2, 6.3.2, 6.4 */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** The members that make a public key, in the order of its thumbprint. @see RFC 7638 section 3.2, RFC 8037 section 2 */
const PUBLIC_MEMBERS = {
  ES256: ['crv', 'kty', 'x', 'y'],
  RS256: ['e', 'kty', 'n'],
  EdDSA: ['crv', 'kty', 'x'],
} as const satisfies Record<ProofAlgorithm, readonly string[]>;
const MIN_RSA_BITS = 2048;

/** A proof is refused. The message says why, for logs and events; it holds nothing of the proof. */
export class ProofError extends Error {
  override readonly name: string = 'ProofError';
}

/** The proof was signed by another key than the one that it has to be. */
export class OtherKeyError extends ProofError {
  override readonly name: string = 'OtherKeyError';
}

/** A browser registers at an address for which it would not renew the cookie. The response may say so: the address is public. */
export class OtherAddressError extends ProofError {}

/** A proof whose signature is good. Its claims are the client's word, and are checked by the caller. */
export interface VerifiedProof {
  readonly claims: JsonObject;
  /** The public key that signed: exactly the members of its kind. */
  readonly jwk: JsonObject;
  /** Its thumbprint. @see RFC 7638 */
  readonly jkt: string;
}

/** The demands on a proof. */
export interface ProofRules {
  /** The exact value of `typ`, which keeps proofs of one kind, and access tokens, from passing as another. */
  readonly typ: 'dbsc+jwt' | 'dpop+jwt';
  readonly algorithms: readonly ProofAlgorithm[];
  /** The key that must have signed; the proof brings none then. Undefined: the proof brings its own. */
  readonly jwk?: JsonObject | undefined;
  /** The thumbprint of the key that must have signed, where the proof brings it. */
  readonly jkt?: string | undefined;
}

/**
 * Verifies the signature of a proof, by jose.
 *
 * @throws {ProofError} it is malformed, of another type or algorithm, or signed by another key
 * @see docs/protocol/dbsc.md D20-D25; RFC 9449 section 4.3
 */
export async function verifyProof(proof: string, rules: ProofRules): Promise<VerifiedProof> {
  const header = readHeader(proof, rules);
  const algorithm = header['alg'] as ProofAlgorithm;
  const jwk = readPublicJwk(rules.jwk ?? header['jwk'], algorithm);
  const { compactVerify, calculateJwkThumbprint } = await loadJose();
  const jkt = await calculateJwkThumbprint(jwk, 'sha256');
  // Compared first, so that a copied token without its key costs no verification.
  if (rules.jkt !== undefined && rules.jkt !== jkt) throw new OtherKeyError('its key is another one');
  const { payload } = await compactVerify(proof, jwk, { algorithms: [algorithm] }).catch(() => {
    throw new ProofError('the signature is wrong');
  });
  const claims = parseJsonObject(Buffer.from(payload).toString());
  if (claims === undefined) throw new ProofError('the payload is no JSON object');
  return { claims, jwk, jkt };
}

/** @throws {ProofError} a text is no compact JWS, or too long */
export function assertCompact(proof: string): void {
  if (proof.length > MAX_PROOF_LENGTH) throw new ProofError(`it exceeds ${MAX_PROOF_LENGTH} characters`);
  // Buffer ignores a single character behind the groups of four, which no base64url has; jose refuses it.
  if (!COMPACT_JWS.test(proof) || proof.split('.').some(({ length }) => length % 4 === 1))
    throw new ProofError('it is no compact JWS');
}

function readHeader(proof: string, { typ, algorithms, jwk }: ProofRules): JsonObject {
  assertCompact(proof);
  const encoded = proof.slice(0, proof.indexOf('.'));
  const header = parseJsonObject(Buffer.from(encoded, 'base64url').toString());
  if (header === undefined) throw new ProofError('its header is no JSON object');
  if (header['typ'] !== typ) throw new ProofError(`its typ is not ${typ}`);
  if (!algorithms.some((each) => each === header['alg']))
    throw new ProofError('its algorithm is not offered');
  // No extension is understood here, and none is offered (RFC 7515 4.1.11, RFC 7797 3).
  if (['crit', 'b64'].some((name) => Object.hasOwn(header, name)))
    throw new ProofError('it asks for an extension');
  if ((jwk === undefined) !== Object.hasOwn(header, 'jwk'))
    throw new ProofError(jwk === undefined ? 'it brings no key' : 'it brings a key of its own');
  return header;
}

/**
 * Reads a public key of an algorithm.
 *
 * @returns the members that make the key, and no others
 * @throws {ProofError} it is of another kind, too short, not on its curve, or has private parts
 */
export function readPublicJwk(given: unknown, algorithm: ProofAlgorithm): JsonObject {
  if (!isJsonObject(given)) throw new ProofError('its key is no JSON object');
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(given, name)))
    throw new ProofError('its key has private parts');
  const members = PUBLIC_MEMBERS[algorithm].map((name) => [name, given[name]] as const);
  if (!members.every(([, value]) => typeof value === 'string')) throw new ProofError('its key lacks members');
  const jwk = Object.fromEntries(members) as JsonObject;
  if (!isOfKind(jwk, algorithm)) throw new ProofError('its key does not fit its algorithm');
  try {
    const { asymmetricKeyDetails: details } = createPublicKey({ key: jwk as never, format: 'jwk' });
    if (algorithm !== 'RS256') return jwk;
    if ((details?.modulusLength ?? 0) >= MIN_RSA_BITS && (details?.publicExponent ?? 0n) % 2n === 1n)
      return jwk;
  } catch {
    throw new ProofError('its key cannot be read'); // a point that is not on the curve, for example
  }
  throw new ProofError(`its RSA key has less than ${MIN_RSA_BITS} bits or an even exponent`);
}

function isOfKind({ kty, crv, x, y }: JsonObject, algorithm: ProofAlgorithm): boolean {
  const is32Bytes = (value: unknown): boolean => typeof value === 'string' && /^[\w-]{43}$/.test(value);
  if (algorithm === 'RS256') return kty === 'RSA';
  if (algorithm === 'EdDSA') return kty === 'OKP' && crv === 'Ed25519' && is32Bytes(x);
  return kty === 'EC' && crv === 'P-256' && is32Bytes(x) && is32Bytes(y);
}

import { sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { eventLoop } from '../util/event-loop.js';
import type { JsonObject } from '../util/json.js';
import type { PublicJwk } from '../util/verification-keys.js';
import { LEGACY_HEADER_V2 } from './access-token.js';
import { loadJose, type KeyPair } from './key-pairs.js';
import { jwkAlgorithm } from './token-signatures.js';

/** A key that signs. */
export type SigningKey = Pick<KeyPair, 'kid' | 'algorithm' | 'privateKey'>;

const signInThreadPool = promisify(
  (text: Buffer, key: SignatureKey, done: (error: Error | null, signature: Buffer) => void) =>
    sign('sha256', text, key, done),
);

/** A JWS holds an ECDSA signature as two numbers side by side; RSA knows no such choice. */
interface SignatureKey {
  readonly key: KeyObject;
  readonly dsaEncoding: 'ieee-p1363';
}

/**
 * Signs a JWT.
 *
 * @param version of an access token, 3 or later; JWTs of the application have none
 */
export async function signJwt(
  claims: JsonObject,
  { kid, algorithm, privateKey }: SigningKey,
  version?: number,
): Promise<string> {
  const stated = version === undefined ? {} : { version: String(version) };
  const header = { kid, typ: 'JWT', ...stated, alg: algorithm };
  const signed = `${encode(header, 'base64url')}.${encode(claims, 'base64url')}`;
  return `${signed}.${(await makeSignature(signed, { algorithm, privateKey })).toString('base64url')}`;
}

/** Signs an access token of version 2 by an RSA key. It is no JWS, because its parts are in standard base64. */
export async function signLegacyToken(claims: JsonObject, key: SigningKey): Promise<string> {
  const signed = `${LEGACY_HEADER_V2}.${encode(claims, 'base64')}`;
  return `${signed}.${(await makeSignature(signed, key)).toString('base64')}`;
}

/**
 * Signs by `node:crypto` and not by jose, because WebCrypto signs in the thread pool only, and takes more steps to get there. While
 * the event loop has time to spare the main thread signs: for ES256 the hand-over takes longer than the signature. An RS256
 * signature takes ten times as long, so one turn of the loop makes one of them at most.
 */
async function makeSignature(
  text: string,
  { algorithm, privateKey }: Pick<SigningKey, 'algorithm' | 'privateKey'>,
): Promise<Buffer> {
  const key: SignatureKey = { key: privateKey, dsaEncoding: 'ieee-p1363' };
  const bytes = Buffer.from(text);
  const hasTime = algorithm === 'ES256' ? !eventLoop.isBusy : eventLoop.takeTurn();
  return hasTime ? sign('sha256', bytes, key) : signInThreadPool(bytes, key);
}

function encode(value: JsonObject, encoding: 'base64' | 'base64url'): string {
  return Buffer.from(JSON.stringify(value)).toString(encoding);
}

/**
 * Returns whether a compact JWS is signed by this key and with its algorithm.
 *
 * The guard checks access tokens in `signature-verifier.ts` instead, and a corpus of odd tokens compares the two.
 */
export async function isSignedBy(jws: string, jwk: PublicJwk): Promise<boolean> {
  const algorithm = jwkAlgorithm(jwk);
  if (algorithm === undefined) return false;
  const { compactVerify } = await loadJose();
  return compactVerify(jws, jwk, { algorithms: [algorithm] }).then(
    () => true,
    () => false, // the signature is wrong, the JWS is malformed, or the key is too short
  );
}

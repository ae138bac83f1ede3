import type { JsonObject } from '../util/json.js';
import type { PublicJwk } from '../util/verification-keys.js';
import { LEGACY_HEADER_V2 } from './access-token.js';
import { jwkAlgorithm, loadJose, type KeyPair } from './key-pairs.js';

/** A key that signs. */
export type SigningKey = Pick<KeyPair, 'kid' | 'algorithm' | 'privateKey'>;

/**
 * Signs a JWT. The signature is made off the main thread.
 *
 * @param version of an access token, 3 or later; JWTs of the application have none
 */
export async function signJwt(
  claims: JsonObject,
  { kid, algorithm, privateKey }: SigningKey,
  version?: number,
): Promise<string> {
  const { CompactSign } = await loadJose();
  const stated = version === undefined ? {} : { version: String(version) };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ kid, typ: 'JWT', ...stated, alg: algorithm })
    .sign(privateKey);
}

/**
 * Signs an access token of version 2 by an RSA key. It is no JWS, because its parts are in standard base64; so jose imports
 * the key, and WebCrypto signs.
 */
export async function signLegacyToken(claims: JsonObject, { privateKey }: SigningKey): Promise<string> {
  const signed = `${LEGACY_HEADER_V2}.${Buffer.from(JSON.stringify(claims)).toString('base64')}`;
  const signature = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', privateKey, Buffer.from(signed));
  return `${signed}.${Buffer.from(signature).toString('base64')}`;
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

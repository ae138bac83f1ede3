import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { isJsonObject } from '../util/json.js';
import type { PublicJwk } from '../util/verification-keys.js';

/**
 * How access tokens are signed: RSA with a key of 2048 bits, as a SuperTokens Core does, or ECDSA on P-256.
 *
 * @publicApi
 */
export type SigningAlgorithm = 'RS256' | 'ES256';

/** All that there are. */
export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = ['RS256', 'ES256'];

/** A pair as it is used. */
export interface KeyPair {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly createdAtMs: number;
  readonly privateKey: KeyObject;
  readonly publicJwk: PublicJwk;
}

const MODULUS_BITS = 2048;
const CURVE = 'P-256';
const inThreadPool = promisify(generateKeyPair);

/** A new pair in the form in which it is stored. One for RS256 takes up to a few hundred milliseconds, off the main thread. */
export async function newStoredKeyPair(algorithm: SigningAlgorithm): Promise<string> {
  const { publicKey, privateKey } =
    algorithm === 'RS256'
      ? await inThreadPool('rsa', { modulusLength: MODULUS_BITS })
      : await inThreadPool('ec', { namedCurve: CURVE });
  return [
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  ].join('|');
}

/**
 * Reads a stored pair. What it is for is in the keys themselves: RSA is for RS256, P-256 for ES256.
 *
 * @param value `<public>|<private>`; rows of old Cores use `;`
 * @throws {Error} it is neither; the message names the key and shows nothing of it
 */
export function parseKeyPair(kid: string, createdAtMs: number, value: string): KeyPair {
  const [publicDer = '', privateDer = ''] = value.split(/[|;]/);
  const der = (text: string): Buffer => Buffer.from(text, 'base64');
  try {
    const publicKey = createPublicKey({ key: der(publicDer), format: 'der', type: 'spki' });
    const publicJwk = toPublicJwk(kid, publicKey.export({ format: 'jwk' }));
    return {
      kid,
      algorithm: publicJwk.kty === 'RSA' ? 'RS256' : 'ES256',
      createdAtMs,
      privateKey: createPrivateKey({ key: der(privateDer), format: 'der', type: 'pkcs8' }),
      publicJwk,
    };
  } catch (error) {
    throw new Error(`The stored signing key ${kid} cannot be used`, { cause: error });
  }
}

function toPublicJwk(kid: string, exported: unknown): PublicJwk {
  const jwk = isJsonObject(exported) ? exported : {};
  const { kty, n, e, crv, x, y } = jwk;
  if (kty === 'RSA' && typeof n === 'string' && typeof e === 'string') {
    return { kty, kid, n, e, alg: 'RS256', use: 'sig' };
  }
  if (kty === 'EC' && crv === CURVE && typeof x === 'string' && typeof y === 'string') {
    return { kty, kid, crv, x, y, alg: 'ES256', use: 'sig' };
  }
  throw new Error('It is neither an RSA key nor one on P-256');
}

import { KeyObject } from 'node:crypto';
import { SingleFlight } from '../util/single-flight.js';
import type { PublicJwk } from '../util/verification-keys.js';

/**
 * How access tokens are signed: RSA with a key of 2048 bits, as a SuperTokens Core does, or ECDSA on P-256.
 *
 * @publicApi
 */
export type SigningAlgorithm = 'RS256' | 'ES256';

/** Every {@link SigningAlgorithm}. */
export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = ['RS256', 'ES256'];

/** A signing key and its published half. */
export interface KeyPair {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly createdAtMs: number;
  readonly privateKey: KeyObject;
  readonly publicJwk: PublicJwk;
}

const jose = new SingleFlight(() => import('./jose.js'), { keepsValue: true });

/**
 * Loads jose at the first call. A guard beside a remote core never needs it. All parts are loaded by one import, because
 * jest fails when two dynamic imports of modules with common dependencies overlap.
 *
 * @internal not in the declarations, because `moduleResolution: node10` finds no types behind jose's subpaths
 */
export async function loadJose(): Promise<typeof import('./jose.js')> {
  return jose.run();
}

/**
 * Makes a new pair in its stored form, `<public>|<private>`: SPKI and PKCS #8, each as base64 of its DER.
 *
 * One for RS256 takes up to a few hundred milliseconds, off the main thread.
 */
export async function newStoredKeyPair(algorithm: SigningAlgorithm): Promise<string> {
  const { generateKeyPair, exportSPKI, exportPKCS8 } = await loadJose();
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return [await exportSPKI(publicKey), await exportPKCS8(privateKey)].map(removePemFrame).join('|');
}

/** How each SPKI of a P-256 key begins: the algorithm and the curve (RFC 5480, 2.1.1), as base64 of the DER. */
const P256_SPKI_PREFIX = 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD';

/** Splits a stored pair. Rows of old Cores use `;` instead of `|`. */
export function splitStoredPair(value: string): {
  publicHalf: string;
  separator: string;
  privateHalf: string;
} {
  const [, publicHalf = '', separator = '', privateHalf = ''] = /^([^|;]*)([|;]?)([^|;]*)/.exec(value) ?? [];
  return { publicHalf, separator, privateHalf };
}

/**
 * Reads a stored pair. The keys themselves say what they are for: RSA is for RS256, P-256 for ES256.
 *
 * @param value `<public>|<private>`; rows of old Cores use `;`
 * @throws {Error} the pair is of another kind, or damaged; the message names the key and shows nothing of it
 */
export async function parseKeyPair(kid: string, createdAtMs: number, value: string): Promise<KeyPair> {
  const { publicHalf, privateHalf } = splitStoredPair(value);
  const half = await parsePublicHalf(kid, createdAtMs, publicHalf);
  const { importPKCS8 } = await loadJose();
  try {
    // Extractable, because Node deprecates making a KeyObject of a key that is not (DEP0204), and warns from 24 on.
    const pem = addPemFrame('PRIVATE KEY', privateHalf);
    const privateKey = await importPKCS8(pem, half.algorithm, { extractable: true });
    return { ...half, privateKey: KeyObject.from(privateKey) };
  } catch (error) {
    throw unusable(kid, error);
  }
}

/** Reads the public half of a stored pair, which is enough to verify. @throws {Error} as {@link parseKeyPair} */
export async function parsePublicHalf(
  kid: string,
  createdAtMs: number,
  publicHalf: string,
): Promise<Omit<KeyPair, 'privateKey'>> {
  const { importSPKI, exportJWK } = await loadJose();
  const algorithm = publicHalf.startsWith(P256_SPKI_PREFIX) ? 'ES256' : 'RS256';
  try {
    const spki = addPemFrame('PUBLIC KEY', publicHalf);
    const { kty = '', ...members } = await exportJWK(
      await importSPKI(spki, algorithm, { extractable: true }),
    );
    const publicJwk = { kty, kid, ...members, alg: algorithm, use: 'sig' };
    return { kid, algorithm, createdAtMs, publicJwk };
  } catch (error) {
    throw unusable(kid, error);
  }
}

function unusable(kid: string, cause: unknown): Error {
  return new Error(`The stored signing key ${kid} cannot be used`, { cause });
}

function addPemFrame(label: string, base64: string): string {
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----`;
}

function removePemFrame(pem: string): string {
  return pem.replaceAll(/-----[A-Z ]+-----|\s/g, '');
}

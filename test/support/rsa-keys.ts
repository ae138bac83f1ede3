import { createPrivateKey, createPublicKey, type webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';

type GenerateKey = (
  ...input: Parameters<webcrypto.SubtleCrypto['generateKey']>
) => Promise<webcrypto.CryptoKeyPair>;

/** Ready-made RSA keys of a process. */
interface KeyPool {
  readonly pairs: Promise<webcrypto.CryptoKeyPair>[];
  next: number;
  isOff: boolean;
}

const FILE = new URL('../fixtures/rsa-keys.txt', import.meta.url);
const POOL = Symbol.for('nest-sessions: RSA keys for tests');
const holder = process as unknown as Record<symbol, KeyPool | undefined>;

/**
 * Hands out ready-made RSA keys of 2048 bits in place of new ones, because making one takes up to a few hundred milliseconds.
 * The keys of one test differ from each other unless it needs more than the file has.
 */
export function useReadyMadeKeys(): void {
  if (holder[POOL] !== undefined) return; // the spec files of a process share `crypto`
  const pool: KeyPool = { pairs: [], next: 0, isOff: false };
  holder[POOL] = pool;
  let privateKeys: readonly string[] | undefined;
  const prototype = Object.getPrototypeOf(crypto.subtle) as { generateKey: GenerateKey };
  const generateKey = prototype.generateKey;
  prototype.generateKey = async function (this: webcrypto.SubtleCrypto, ...input) {
    const [algorithm, extractable, usages] = input as unknown as Parameters<typeof keyPair>[1];
    const { name, modulusLength } = algorithm;
    if (pool.isOff || name !== 'RSASSA-PKCS1-v1_5' || modulusLength !== 2048)
      return generateKey.apply(this, input);
    privateKeys ??= readFileSync(FILE, 'utf8').trim().split('\n');
    const index = pool.next++ % privateKeys.length;
    return (pool.pairs[index] ??= keyPair(privateKeys[index] ?? '', [algorithm, extractable, usages]));
  };
}

/** Makes new keys while `work` runs, for tests of the making. */
export async function withNewKeys<T>(work: () => Promise<T>): Promise<T> {
  const pool = holder[POOL];
  if (pool === undefined) return work();
  pool.isOff = true;
  try {
    return await work();
  } finally {
    pool.isOff = false;
  }
}

async function keyPair(
  pkcs8: string,
  [algorithm, extractable, usages]: [webcrypto.RsaHashedKeyGenParams, boolean, readonly webcrypto.KeyUsage[]],
): Promise<webcrypto.CryptoKeyPair> {
  const der = Buffer.from(pkcs8, 'base64');
  const spki = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({
    format: 'der',
    type: 'spki',
  });
  const usable = (...names: webcrypto.KeyUsage[]): webcrypto.KeyUsage[] =>
    usages.filter((usage) => names.includes(usage));
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('pkcs8', der, algorithm, extractable, usable('sign')),
    crypto.subtle.importKey('spki', spki, algorithm, true, usable('verify')),
  ]);
  return { privateKey, publicKey };
}

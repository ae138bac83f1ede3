import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';

/** RSA keys that one process makes before it hands out the first again. */
const POOL_SIZE = 24;

interface KeyPool {
  readonly pairs: Promise<webcrypto.CryptoKeyPair>[];
  next: number;
}

type GenerateKey = (
  ...input: Parameters<webcrypto.SubtleCrypto['generateKey']>
) => Promise<webcrypto.CryptoKeyPair>;

/**
 * Shares generated RSA keys among the spec files of a process, because making one takes up to a few hundred milliseconds.
 * The keys of one test differ from each other unless it needs more than {@link POOL_SIZE}.
 */
function shareRsaKeys(): void {
  const POOL = Symbol.for('nest-sessions: RSA keys for tests');
  const holder = process as unknown as Record<symbol, KeyPool | undefined>;
  if (holder[POOL] !== undefined) return;
  const pool: KeyPool = { pairs: [], next: 0 };
  holder[POOL] = pool;
  const prototype = Object.getPrototypeOf(crypto.subtle) as { generateKey: GenerateKey };
  const generateKey = prototype.generateKey;
  prototype.generateKey = async function (this: webcrypto.SubtleCrypto, ...input) {
    const [algorithm] = input as unknown as [{ name?: string; modulusLength?: number }];
    const { name, modulusLength } = algorithm;
    if (name !== 'RSASSA-PKCS1-v1_5' || modulusLength !== 2048) return generateKey.apply(this, input);
    const index = pool.next++ % POOL_SIZE;
    return (pool.pairs[index] ??= generateKey.apply(this, input));
  };
}

shareRsaKeys();

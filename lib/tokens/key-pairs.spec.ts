import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { DYNAMIC_TEST_KEY } from '../../test/fixtures/signing-keys.js';
import { newStoredKeyPair, parseKeyPair, parsePublicHalf, splitStoredPair } from './key-pairs.js';

/** The same pair as OpenSSL writes it, through `node:crypto`. */
function rewrite(stored: string): string {
  const [publicDer = '', privateDer = ''] = stored.split('|').map((part) => Buffer.from(part, 'base64'));
  const publicKey = createPublicKey({ key: Buffer.from(publicDer), format: 'der', type: 'spki' });
  const privateKey = createPrivateKey({ key: Buffer.from(privateDer), format: 'der', type: 'pkcs8' });
  return [
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  ].join('|');
}

function pairOf(type: 'P-384' | 'Ed25519'): string {
  const { publicKey, privateKey } =
    type === 'P-384' ? generateKeyPairSync('ec', { namedCurve: type }) : generateKeyPairSync('ed25519');
  return [
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  ].join('|');
}

describe('a stored signing key', () => {
  it.each(['RS256', 'ES256'] as const)(
    'is byte for byte what OpenSSL writes, and is read again: %s',
    async (algorithm) => {
      const stored = await newStoredKeyPair(algorithm);
      expect(rewrite(stored)).toBe(stored);
      const [publicDer = ''] = stored.split('|');
      const jwk = createPublicKey({
        key: Buffer.from(publicDer, 'base64'),
        format: 'der',
        type: 'spki',
      }).export({
        format: 'jwk',
      });
      expect(await parseKeyPair('d-1', 1, stored)).toMatchObject({
        kid: 'd-1',
        algorithm,
        createdAtMs: 1,
        publicJwk: { ...jwk, kid: 'd-1', alg: algorithm, use: 'sig' },
      });
    },
  );

  it('may have the separator of old Cores', async () => {
    const { publicJwk } = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    const old = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY.replace('|', ';'));
    expect(old.publicJwk).toEqual(publicJwk);
  });

  it('has a public half that is read by itself', async () => {
    const { publicJwk } = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    const { publicHalf, separator, privateHalf } = splitStoredPair(DYNAMIC_TEST_KEY);
    expect(publicHalf + separator + privateHalf).toBe(DYNAMIC_TEST_KEY);
    expect(await parsePublicHalf('d-1', 1, publicHalf)).toEqual({
      kid: 'd-1',
      algorithm: 'RS256',
      createdAtMs: 1,
      publicJwk,
    });
    expect(splitStoredPair('a;b')).toEqual({ publicHalf: 'a', separator: ';', privateHalf: 'b' });
    expect(splitStoredPair('a')).toEqual({ publicHalf: 'a', separator: '', privateHalf: '' });
  });

  it('publishes no private member (S014)', async () => {
    const { publicJwk } = await parseKeyPair('d-1', 1, DYNAMIC_TEST_KEY);
    expect(Object.keys(publicJwk).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
  });

  it.each([
    ['of another curve', pairOf('P-384')],
    ['of EdDSA', pairOf('Ed25519')],
    ['without its private half', DYNAMIC_TEST_KEY.split('|')[0] ?? ''],
    ['cut off', DYNAMIC_TEST_KEY.slice(0, -40)],
    ['that is empty', ''],
  ])('%s is refused by name, and nothing of it is shown', async (_, stored) => {
    const failure = await parseKeyPair('d-7', 1, stored).catch((error: unknown) => error);
    expect(failure).toEqual(new Error('The stored signing key d-7 cannot be used'));
    expect(failure).toHaveProperty('cause');
  });

  it('whose public half is damaged is refused by name', async () => {
    const failure = await parsePublicHalf('d-7', 1, 'AAAA').catch((error: unknown) => error);
    expect(failure).toEqual(new Error('The stored signing key d-7 cannot be used'));
  });
});

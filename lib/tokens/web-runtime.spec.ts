import { generateKeyPairSync, sign } from 'node:crypto';
import { cpuUsage } from 'node:process';
import { describe, expect, it } from '@jest/globals';
import type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';
import { parseWithoutVerifying } from './access-token.js';
import { SignatureVerifier } from './signature-verifier.js';
import type { SignatureVerdict, TokenSignatures } from './token-signatures.js';
import { WEB_RUNTIME } from './web-runtime.js';
import { publicJwkOf, TestKeySet } from '../../test/fixtures/key-set.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../../test/fixtures/made-tokens.js';
import { DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID } from '../../test/fixtures/signing-keys.js';

const ODD_CHARACTERS = [
  '=',
  '-',
  '_',
  '+',
  '/',
  'A',
  'z',
  '9',
  ' ',
  '\n',
  '!',
  '\0',
  'é',
  'Ā',
  '漢',
  '\u{1F600}',
  '\uD800',
];

/** Numbers that are the same in each run. */
function* numbers(): Generator<number> {
  for (let seed = 1; ; seed = (seed * 48_271) % 2_147_483_647) yield seed;
}

describe('base64 without Node', () => {
  it('is read as Node reads it, whatever stands in it', () => {
    const next = numbers();
    const random = (below: number): number => (next.next().value as number) % below;
    const different: string[] = [];
    let parsed = 0;
    for (let n = 0; n < 3000; n++) {
      const claims = { ...V5_CLAIMS, name: ODD_CHARACTERS.slice(0, random(17)).join('') };
      const parts = [V5_HEADER, claims].map((part) =>
        Buffer.from(JSON.stringify(part)).toString(n % 2 === 0 ? 'base64url' : 'base64'),
      );
      const text = [...parts, 'c2ln'].join('.');
      const at = random(text.length);
      const odd = Array.from({ length: random(3) }, () => ODD_CHARACTERS[random(ODD_CHARACTERS.length)]).join(
        '',
      );
      const token = text.slice(0, at) + odd + text.slice(at + random(2));
      const [expected, found] = [parseWithoutVerifying(token), WEB_RUNTIME.parse(token)];
      if (JSON.stringify(expected) !== JSON.stringify(found)) different.push(token);
      if (found !== undefined) parsed++;
    }
    expect(different).toEqual([]);
    expect(parsed).toBeGreaterThan(300);
  });
});

describe.each<[runtime: string, createSignatures: (keys: VerificationKeys) => TokenSignatures]>([
  ['WebCrypto', WEB_RUNTIME.createSignatures],
  ['Node', (keys) => new SignatureVerifier(keys)],
])('signatures by %s', (_, createSignatures) => {
  const verdictOf = async (signatures: TokenSignatures, text: string): Promise<SignatureVerdict> => {
    const parsed = parseWithoutVerifying(text);
    if (parsed === undefined) throw new Error('no access token');
    return signatures.verify(parsed);
  };

  it('import a key once, however many tokens it verifies', async () => {
    let reads = 0;
    const { n: modulus, ...key } = publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID);
    const counted = Object.defineProperty(key, 'n', { enumerable: true, get: () => (reads++, modulus) });
    const signatures = createSignatures(new TestKeySet([counted]));
    for (const sub of ['user-1', 'user-2', 'user-3'])
      expect(await verdictOf(signatures, jwt(V5_HEADER, { ...V5_CLAIMS, sub }))).toBe('PROVEN');
    expect(reads).toBe(1);
  });

  it('have one spelling, also where they fill their last character: by a key of 258 bytes (S001)', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2064 });
    const key = { ...(publicKey.export({ format: 'jwk' }) as object), kid: DYNAMIC_TEST_KID } as PublicJwk;
    const signatures = createSignatures(new TestKeySet([key]));
    const token = jwt(V5_HEADER, V5_CLAIMS, (text) => sign('sha256', Buffer.from(text), privateKey));
    const spellings = ['', 'A', 'AA', '=', '=='].map((end) => token + end);
    const verdicts = await Promise.all(spellings.map(async (text) => verdictOf(signatures, text)));
    expect(verdicts).toEqual(['PROVEN', ...Array.from({ length: 4 }, () => 'WRONG_SIGNATURE')]);
  });

  it('take little time to refuse, whatever stands in their place (S102)', async () => {
    const signatures = createSignatures(new TestKeySet());
    const text = jwt(V5_HEADER, V5_CLAIMS, () => '');
    const token = `${text}${'='.repeat(16_383 - text.length)}x`;
    const before = cpuUsage();
    for (let times = 0; times < 20; times++)
      expect(await verdictOf(signatures, token)).toBe('WRONG_SIGNATURE');
    const { user, system } = cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(1500); // a search that began anew at each character took 10,000
  });
});

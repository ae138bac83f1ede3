// Three ways to check the signature of a token, for two algorithms.
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { compactVerify } from 'jose';

const verifyInThreadPool = promisify(verify);
const PAYLOAD_BYTES = 350;

/** @returns {{ name: string, check: () => Promise<void> }[]} each of which checks one token again and again */
export function signatureChecks() {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return [
    ...checksOf('RS256', rsa, (key) => key),
    ...checksOf('ES256', ec, (key) => ({ key, dsaEncoding: 'ieee-p1363' })),
  ];
}

function checksOf(alg, { publicKey, privateKey }, asInput) {
  const payload = randomBytes(PAYLOAD_BYTES).toString('base64url');
  const text = `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${payload}`;
  const signature = sign('sha256', Buffer.from(text), asInput(privateKey));
  const token = `${text}.${signature.toString('base64url')}`;
  const key = asInput(publicKey);
  const must = (isProven) => {
    if (!isProven) throw new Error('A good signature was refused');
  };
  return [
    {
      name: `${alg}, node:crypto, calling thread`,
      check: async () => must(verify('sha256', Buffer.from(text), key, signature)),
    },
    {
      name: `${alg}, node:crypto, thread pool`,
      check: async () => must(await verifyInThreadPool('sha256', Buffer.from(text), key, signature)),
    },
    { name: `${alg}, jose`, check: () => compactVerify(token, publicKey, { algorithms: [alg] }) },
  ];
}

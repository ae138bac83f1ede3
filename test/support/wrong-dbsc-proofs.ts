import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { DeviceKey } from './binding-browser.js';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function jws(header: unknown, payload: unknown, key: DeviceKey): string {
  return signed(`${encode(header)}.${encode(payload)}`, key);
}

function signed(input: string, { privateKey }: DeviceKey): string {
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

/** Replaces the last byte of a base64url text by another one. */
function altered(text: string): string {
  const bytes = Buffer.from(text, 'base64url');
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString('base64url');
}

const rsa = (modulusLength: number): DeviceKey => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  return Object.assign(Object.create(DeviceKey.prototype) as DeviceKey, {
    algorithm: 'RS256',
    privateKey,
    jwk: publicKey.export({ format: 'jwk' }),
  });
};

/** Made once, because such keys take long. */
const SHORT_RSA = rsa(1024);
const LONG_RSA = rsa(2048);

/** Proofs that no server may accept, by name; made of a good key and a good challenge. */
export function wrongProofs(
  key: DeviceKey,
  challenge: string,
  kind: 'registration' | 'renewal',
): Map<string, string> {
  const { jwk } = key;
  const header = { alg: 'ES256', ...(kind === 'registration' ? { jwk } : {}), typ: 'dbsc+jwt' };
  const claims = { jti: challenge };
  const make = (head: object, payload: unknown = claims): string => jws({ ...header, ...head }, payload, key);
  const good = make({});
  const [first = '', second = '', third = ''] = good.split('.');
  const other = new DeviceKey();
  const secret = JSON.stringify(jwk);
  const hmac = (alg: string): string => {
    const input = `${encode({ ...header, alg })}.${encode(claims)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const all: [string, string][] = [
    ['algorithm none', make({ alg: 'none' })],
    ['algorithm none without a signature', `${encode({ ...header, alg: 'none' })}.${second}.`],
    ['algorithm None', make({ alg: 'None' })],
    ['HS256 with the public key as its secret', hmac('HS256')],
    ['algorithm ES384', make({ alg: 'ES384' })],
    ['algorithm es256', make({ alg: 'es256' })],
    ['algorithm EdDSA', make({ alg: 'EdDSA' })],
    ['algorithm RS256, which is not offered', make({ alg: 'RS256' })],
    ['no algorithm', jws({ ...header, alg: undefined }, claims, key)],
    ['an algorithm that is an array', make({ alg: ['ES256'] })],
    ['an algorithm that is null', make({ alg: null })],
    ['typ at+jwt', make({ typ: 'at+jwt' })],
    ['typ dpop+jwt', make({ typ: 'dpop+jwt' })],
    ['typ JWT', make({ typ: 'JWT' })],
    ['typ DBSC+JWT', make({ typ: 'DBSC+JWT' })],
    ['typ application/dbsc+jwt', make({ typ: 'application/dbsc+jwt' })],
    ['no typ', jws({ ...header, typ: undefined }, claims, key)],
    ['a critical extension', make({ crit: ['exp'], exp: 1 })],
    ['an unencoded payload (b64)', make({ b64: false, crit: ['b64'] })],
    [
      'the signature of another key',
      `${first}.${second}.${other.registration(challenge).split('.')[2] ?? ''}`,
    ],
    ['an altered signature', `${first}.${second}.${altered(third)}`],
    ['a signature of zeros', `${first}.${second}.${Buffer.alloc(64).toString('base64url')}`],
    [
      'a signature in DER',
      `${first}.${second}.${sign('sha256', Buffer.from(`${first}.${second}`), key.privateKey).toString('base64url')}`,
    ],
    ['a short signature', `${first}.${second}.${third.slice(0, 20)}`],
    ['no signature', `${first}.${second}.`],
    ['no signature and no dot', `${first}.${second}`],
    ['a fourth part', `${good}.AA`],
    ['five parts, as an encrypted token', `${good}.AA.AA`],
    ['a space inside', `${first}.${second} .${third}`],
    ['padding', `${first}=.${second}.${third}`],
    ['base64 instead of base64url', `${first}.${second}.+/${third.slice(2)}`],
    ['an altered payload', `${first}.${encode({ jti: `${challenge}x` })}.${third}`],
    ['no payload', signed(`${first}.`, key)],
    ['a payload that is no JSON', signed(`${first}.${Buffer.from('jti').toString('base64url')}`, key)],
    ['a payload that is an array', make({}, [claims])],
    ['a payload that is null', make({}, null)],
    ['a payload that is a string', make({}, challenge)],
    ['a header that is no JSON', signed(`${Buffer.from('{').toString('base64url')}.${second}`, key)],
    ['a header that is an array', jws([header], claims, key)],
    ['a header that is null', jws(null, claims, key)],
    ['no challenge', make({}, {})],
    ['an empty challenge', make({}, { jti: '' })],
    ['a challenge that is a number', make({}, { jti: 5 })],
    ['a challenge that is an array', make({}, { jti: [challenge] })],
    ['a challenge that is an object', make({}, { jti: { toString: challenge } })],
    ['the challenge under another name', make({}, { challenge })],
    ['an altered challenge', make({}, { jti: altered(challenge) })],
    ['a challenge with another time', make({}, { jti: challenge.replace(/\.[^.]+\./, '.zzzzzzzz.') })],
    [
      'a challenge of another purpose',
      make({}, { jti: challenge.replace(/^[a-z]+/, kind === 'registration' ? 'refresh' : 'register') }),
    ],
    ['a challenge with a space behind', make({}, { jti: `${challenge} ` })],
    [
      'a prototype as its challenge',
      signed(`${first}.${Buffer.from('{"__proto__":{"jti":"x"}}').toString('base64url')}`, key),
    ],
    ['text that is no token', 'hello'],
    ['dots alone', '..'],
    ['a megabyte', `${first}.${Buffer.alloc(6000, 97).toString('base64url')}.${third}`],
  ];
  const ofRegistration: [string, string][] = [
    ['no key', jws({ alg: 'ES256', typ: 'dbsc+jwt' }, claims, key)],
    ['a key that is null', make({ jwk: null })],
    ['a key that is a string', make({ jwk: 'key' })],
    ['a key that is an array', make({ jwk: [jwk] })],
    ['a private key', make({ jwk: key.privateKey.export({ format: 'jwk' }) })],
    ['a symmetric key', make({ jwk: { kty: 'oct', k: 'c2VjcmV0' } })],
    ['a key with an empty private part', make({ jwk: { ...jwk, d: '' } })],
    ['a key that is RSA by name', make({ jwk: { ...jwk, kty: 'RSA' } })],
    ['an RSA key beside ES256', make({ jwk: LONG_RSA.jwk })],
    ['a short RSA key', jws({ alg: 'RS256', jwk: SHORT_RSA.jwk, typ: 'dbsc+jwt' }, claims, SHORT_RSA)],
    ['a key on another curve', make({ jwk: { ...jwk, crv: 'P-384' } })],
    [
      'a key on secp256k1',
      make({
        jwk: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' }),
      }),
    ],
    ['a point that is not on the curve', make({ jwk: { ...jwk, y: jwk['x'] } })],
    ['a point at zero', make({ jwk: { ...jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) } })],
    ['a key without y', make({ jwk: { ...jwk, y: undefined } })],
    ['a coordinate that is a number', make({ jwk: { ...jwk, x: 5 } })],
    ['a coordinate that is too long', make({ jwk: { ...jwk, x: `${String(jwk['x'])}AA` } })],
    ['a coordinate with padding', make({ jwk: { ...jwk, x: `${String(jwk['x'])}=` } })],
    ['the key of another, whose signature it is not', make({ jwk: other.jwk })],
  ];
  const ofRenewal: [string, string][] = [
    ['a key of its own', make({ jwk })],
    ['the key of another, and its signature', jws({ ...header, jwk: other.jwk }, claims, other)],
    ['the signature of another key, without that key', jws(header, claims, other)],
    ['a key that is null', make({ jwk: null })],
  ];
  return new Map([...all, ...(kind === 'registration' ? ofRegistration : ofRenewal)]);
}

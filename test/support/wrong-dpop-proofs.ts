import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { encode, ProofKey, sha256 } from './dpop-client.js';

/** The claims of a good proof for a request, and the key that signs it. */
export interface GoodProof {
  readonly key: ProofKey;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly token: string;
}

/** The value of the header `DPoP`; a list is sent as several lines. */
type HeaderValue = string | readonly string[];

const OFFERED_TYP = 'dpop+jwt';
/** Made once, because such keys take long. */
const RSA = {
  short: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  long: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const P521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const K256 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const ED448 = generateKeyPairSync('ed448');
const X25519 = generateKeyPairSync('x25519');

/** Proofs that no request may pass with, by name. */
export function wrongDpopProofs(good: GoodProof): Map<string, HeaderValue> {
  return new Map([
    ...algorithms(good),
    ...keys(good),
    ...signatures(good),
    ...forms(good),
    ...headers(good),
    ...payloads(good),
    ...claimsOfRequest(good),
    ...times(good),
  ]);
}

/** Those that are wrong beside an access token only. */
export function wrongTokenHashes({ key, claims, token }: GoodProof): Map<string, HeaderValue> {
  const ath = (value: unknown): string => key.proof({ claims: { ...claims, ath: value } });
  return new Map([
    ['no ath', ath(undefined)],
    ['an empty ath', ath('')],
    ['the ath of another token', ath(sha256(`${token}x`))],
    ['an ath in hex', ath(Buffer.from(sha256(token), 'base64url').toString('hex'))],
    ['an ath in base64 with padding', ath(Buffer.from(sha256(token), 'base64url').toString('base64'))],
    ['an ath with a trailing dot', ath(`${sha256(token)}.`)],
    ['the token itself as its ath', ath(token)],
    ['an ath that is a number', ath(1)],
    ['an ath that is an array', ath([sha256(token)])],
    ['an ath that is null', ath(null)],
  ]);
}

/** A good one of another key. */
export function proofOfOtherKey({ claims }: GoodProof): HeaderValue {
  return new ProofKey().proof({ claims });
}

type Cases = [name: string, value: HeaderValue][];

function algorithms({ key, claims }: GoodProof): Cases {
  const withHeader = (header: object): string => key.proof({ header: { ...header }, claims });
  const hmac = (alg: string, jwk: unknown, secret: string): string => {
    const signed = `${encode(JSON.stringify({ typ: OFFERED_TYP, alg, jwk }))}.${encode(JSON.stringify({ jti: randomUUID(), ...claims }))}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const rsa = (alg: string, pair: (typeof RSA)['long']): string => {
    const jwk = pair.publicKey.export({ format: 'jwk' });
    const signed = `${encode(JSON.stringify({ typ: OFFERED_TYP, alg, jwk }))}.${encode(JSON.stringify({ jti: randomUUID(), ...claims }))}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), pair.privateKey).toString('base64url')}`;
  };
  const unsecured = key.proof({ header: { alg: 'none' }, claims }).replace(/[^.]*$/, '');
  return [
    ['algorithm none, unsecured', unsecured],
    ['algorithm none with a signature', withHeader({ alg: 'none' })],
    ['algorithm None', withHeader({ alg: 'None' })],
    ['algorithm NONE', withHeader({ alg: 'NONE' })],
    ['an empty algorithm', withHeader({ alg: '' })],
    ['no algorithm', withHeader({ alg: undefined })],
    ['algorithm es256', withHeader({ alg: 'es256' })],
    ['algorithm ES256 with a space', withHeader({ alg: 'ES256 ' })],
    ['an algorithm that is an array', withHeader({ alg: ['ES256'] })],
    ['an algorithm that is a number', withHeader({ alg: 256 })],
    ['algorithm ES384 for a key of P-256', withHeader({ alg: 'ES384' })],
    ['algorithm EdDSA for a key of P-256', withHeader({ alg: 'EdDSA' })],
    [
      'algorithm ES256 for a key of Ed25519',
      new ProofKey('EdDSA').proof({ header: { alg: 'ES256' }, claims }),
    ],
    ['HS256 with the public key as its secret', hmac('HS256', key.jwk, JSON.stringify(key.jwk))],
    ['HS256 with a symmetric key', hmac('HS256', { kty: 'oct', k: encode('secret') }, 'secret')],
    ['ES256 with a symmetric key', hmac('ES256', { kty: 'oct', k: encode('secret') }, 'secret')],
    ['RS256, which is not offered', rsa('RS256', RSA.long)],
    ['RS256 with a short key', rsa('RS256', RSA.short)],
    ['PS256', rsa('PS256', RSA.long)],
    ['no typ', withHeader({ typ: undefined })],
    ['typ JWT', withHeader({ typ: 'JWT' })],
    ['typ at+jwt', withHeader({ typ: 'at+jwt' })],
    ['typ dbsc+jwt', withHeader({ typ: 'dbsc+jwt' })],
    ['typ DPOP+JWT', withHeader({ typ: 'DPOP+JWT' })],
    ['typ application/dpop+jwt', withHeader({ typ: 'application/dpop+jwt' })],
    ['a typ that is an array', withHeader({ typ: [OFFERED_TYP] })],
    ['a typ that is null', withHeader({ typ: null })],
  ];
}

function keys({ key, claims }: GoodProof): Cases {
  const withJwk = (jwk: unknown, header: object = {}): string =>
    key.proof({ header: { jwk, ...header }, claims });
  const { x, y, ...rest } = key.jwk;
  const ec = (pair: { publicKey: { export(options: { format: 'jwk' }): object } }): string =>
    withJwk(pair.publicKey.export({ format: 'jwk' }));
  const changed = Buffer.from(String(y), 'base64url');
  changed[31] = (changed[31] ?? 0) ^ 1;
  return [
    ['no key', withJwk(undefined)],
    ['a key that is null', withJwk(null)],
    ['a key that is a text', withJwk(JSON.stringify(key.jwk))],
    ['a key in an array', withJwk([key.jwk])],
    ['a set of keys', withJwk({ keys: [key.jwk] })],
    ['a private key', withJwk(key.privateJwk)],
    ['a key with an empty private part', withJwk({ ...key.jwk, d: '' })],
    ['a key with a prime', withJwk({ ...key.jwk, p: 'AQ' })],
    ['a key with a symmetric part', withJwk({ ...key.jwk, k: 'AQ' })],
    ['a key without kty', withJwk({ ...key.jwk, kty: undefined })],
    ['a key of kty ec', withJwk({ ...key.jwk, kty: 'ec' })],
    ['a key without crv', withJwk({ ...key.jwk, crv: undefined })],
    ['a key without x', withJwk({ ...rest, y })],
    ['a key without y', withJwk({ ...rest, x })],
    ['a key whose x is a number', withJwk({ ...key.jwk, x: 1 })],
    ['a key whose x has padding', withJwk({ ...key.jwk, x: `${String(x)}=` })],
    ['a key whose x is too short', withJwk({ ...key.jwk, x: String(x).slice(1) })],
    ['a key whose x is too long', withJwk({ ...key.jwk, x: `A${String(x)}` })],
    ['a key whose x is empty', withJwk({ ...key.jwk, x: '' })],
    ['a point that is not on the curve', withJwk({ ...key.jwk, y: changed.toString('base64url') })],
    ['the point zero', withJwk({ ...key.jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) })],
    ['a point of P-256 named P-384', withJwk({ ...key.jwk, crv: 'P-384' })],
    ['a key of P-384', ec(P384)],
    ['a key of P-521', ec(P521)],
    ['a key of secp256k1', ec(K256)],
    ['a key of Ed448', ec(ED448)],
    ['a key of X25519', ec(X25519)],
    ['an RSA key for ES256', ec(RSA.long)],
    ['a key by its address', withJwk(undefined, { jku: 'https://evil.example/keys' })],
    ['a key by its id', withJwk(undefined, { kid: 'key-1' })],
    ['a certificate in place of a key', withJwk(undefined, { x5c: ['MIIB'] })],
  ];
}

function signatures({ key, claims }: GoodProof): Cases {
  const proof = key.proof({ claims });
  const [header = '', payload = '', signature = ''] = proof.split('.');
  const withSignature = (value: string | Buffer): string =>
    `${header}.${payload}.${typeof value === 'string' ? value : value.toString('base64url')}`;
  const bytes = Buffer.from(signature, 'base64url');
  const flipped = Buffer.from(bytes);
  flipped[63] = (flipped[63] ?? 0) ^ 1;
  const other = new ProofKey();
  return [
    ['the signature of another key', withSignature(other.signature(`${header}.${payload}`))],
    ['the signature of another proof', withSignature(key.proof({ claims }).split('.')[2] ?? '')],
    ['a signature with one other bit', withSignature(flipped)],
    ['a signature of zeros', withSignature(Buffer.alloc(64))],
    ['a signature of ones', withSignature(Buffer.alloc(64, 255))],
    ['a signature that is too short', withSignature(bytes.subarray(0, 63))],
    ['a signature that is too long', withSignature(Buffer.concat([bytes, Buffer.alloc(1)]))],
    ['a signature in another spelling', withSignature(respelled(signature))],
    ['half a signature', withSignature(bytes.subarray(0, 32))],
    ['a signature of one character', withSignature('A')],
    ['a signature in DER', withSignature(Buffer.concat([Buffer.from('30440220', 'hex'), bytes]))],
    [
      'another payload under the signature',
      `${header}.${encode(JSON.stringify({ jti: randomUUID(), ...claims }))}.${signature}`,
    ],
    [
      'a header with a space more',
      `${encode(`${Buffer.from(header, 'base64url').toString()} `)}.${payload}.${signature}`,
    ],
  ];
}

/** The last character has four bits that decode to nothing. */
function respelled(signature: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return signature.slice(0, -1) + (alphabet[alphabet.indexOf(signature.slice(-1)) ^ 1] ?? '');
}

function forms({ key, claims, token }: GoodProof): Cases {
  const proof = key.proof({ claims });
  const [header = '', payload = '', signature = ''] = proof.split('.');
  const nested = key.signTexts(
    JSON.stringify({ typ: OFFERED_TYP, alg: key.alg, jwk: key.jwk, cty: 'JWT' }),
    key.proof({ claims }),
  );
  return [
    ['an empty header', ''],
    ['dots alone', '..'],
    ['a word', 'proof'],
    ['two parts', `${header}.${payload}`],
    ['no signature', `${header}.${payload}.`],
    ['four parts', `${proof}.${signature}`],
    ['a trailing dot', `${proof}.`],
    ['a leading dot', `.${proof}`],
    ['an empty payload', `${header}..${signature}`],
    ['five parts, as if encrypted', `${header}.${payload}.${signature}.${payload}.${signature}`],
    ['a space inside', `${header}. ${payload}.${signature}`],
    ['a tab inside', `${header}.\t${payload}.${signature}`],
    ['a scheme in front', `DPoP ${proof}`],
    ['quotes around it', `"${proof}"`],
    ['padding', `${header}=.${payload}==.${signature}==`],
    ['the other alphabet', `${header}.${payload}.${signature.slice(0, -2)}+/`],
    ['the JSON form', JSON.stringify({ protected: header, payload, signature })],
    ['percent-encoding', proof.replaceAll('.', '%2E')],
    ['a parameter behind it', `${proof};a=b`],
    ['letters beyond ASCII', `${header}.${payload}.\u00e9${signature}`],
    ['two of them in two lines', [key.proof({ claims }), key.proof({ claims })]],
    ['one of them in two lines', [proof, proof]],
    ['two of them in one line', `${key.proof({ claims })}, ${key.proof({ claims })}`],
    ['one and an empty line', [proof, '']],
    ['a proof inside of a proof', nested],
    ['more than 8192 characters', key.proof({ claims: { ...claims, more: 'x'.repeat(8000) } })],
    ['the access token', token],
  ];
}

function headers({ key, claims }: GoodProof): Cases {
  const { jwk, alg } = key;
  const raw = (text: string): string => key.signTexts(text, JSON.stringify({ jti: randomUUID(), ...claims }));
  const json = JSON.stringify({ typ: OFFERED_TYP, alg, jwk });
  return [
    ['a header that is an array', raw(`[${json}]`)],
    ['a header that is a text', raw(JSON.stringify(json))],
    ['a header that is null', raw('null')],
    ['a header that is no JSON', raw(json.slice(0, -1))],
    ['a header with a byte order mark', raw(`\ufeff${json}`)],
    ['a header with a second typ', raw(json.replace(/}$/, ',"typ":"JWT"}'))],
    ['a header with a second alg', raw(json.replace(/}$/, ',"alg":"none"}'))],
    ['a header with a second key', raw(json.replace(/}$/, ',"jwk":{}}'))],
    ['a header whose members are inherited', raw(`{"__proto__":${json}}`)],
    ['a critical extension', raw(json.replace(/}$/, ',"crit":["exp"],"exp":1}'))],
    ['a critical extension that is known nowhere', raw(json.replace(/}$/, ',"crit":["x"],"x":1}'))],
    ['an empty list of critical extensions', raw(json.replace(/}$/, ',"crit":[]}'))],
    ['a critical extension that is no list', raw(json.replace(/}$/, ',"crit":"b64"}'))],
    ['a payload that is not encoded', raw(json.replace(/}$/, ',"crit":["b64"],"b64":false}'))],
    ['a payload that is said to be encoded', raw(json.replace(/}$/, ',"crit":["b64"],"b64":true}'))],
    ['b64 without crit', raw(json.replace(/}$/, ',"b64":false}'))],
  ];
}

function payloads({ key, claims }: GoodProof): Cases {
  const header = JSON.stringify({ typ: OFFERED_TYP, alg: key.alg, jwk: key.jwk });
  const raw = (text: string): string => key.signTexts(header, text.replace('JTI', randomUUID()));
  const json = JSON.stringify({ jti: 'JTI', ...claims });
  return [
    ['a payload that is an array', raw(`[${json}]`)],
    ['a payload that is a text', raw(JSON.stringify(json))],
    ['a payload that is a number', raw('1')],
    ['a payload that is null', raw('null')],
    ['an empty object', raw('{}')],
    ['a payload that is no JSON', raw(json.slice(0, -1))],
    ['a payload with a byte order mark', raw(`\ufeff${json}`)],
    ['a payload with something behind it', raw(`${json}{}`)],
    ['a payload with a second htm', raw(json.replace(/}$/, ',"htm":"TRACE"}'))],
    ['a payload with a second htu', raw(json.replace(/}$/, ',"htu":"https://evil.example/"}'))],
    ['a payload with a second iat', raw(json.replace(/}$/, ',"iat":0}'))],
    ['a payload whose members are inherited', raw(`{"__proto__":${json}}`)],
    ['an iat of NaN', raw(json.replace(/"iat":\d+/, '"iat":NaN'))],
    ['an iat beyond all numbers', raw(json.replace(/"iat":\d+/, '"iat":1e999'))],
  ];
}

function claimsOfRequest({ key, claims }: GoodProof): Cases {
  const withClaims = (changed: object): string => key.proof({ claims: { ...claims, ...changed } });
  const [htm, htu] = [String(claims['htm']), String(claims['htu'])];
  const path = htu.replace('https://api.shop.io', '');
  return [
    ['no jti', withClaims({ jti: undefined })],
    ['an empty jti', withClaims({ jti: '' })],
    ['a jti that is a number', withClaims({ jti: 1 })],
    ['a jti that is null', withClaims({ jti: null })],
    ['a jti that is an array', withClaims({ jti: ['a'] })],
    ['a jti that is an object', withClaims({ jti: { toString: 'a' } })],
    ['a jti of 257 characters', withClaims({ jti: 'j'.repeat(257) })],
    ['no htm', withClaims({ htm: undefined })],
    ['another method', withClaims({ htm: 'DELETE' })],
    ['the method in lower case', withClaims({ htm: htm.toLowerCase() })],
    ['a method with a space', withClaims({ htm: `${htm} ` })],
    ['a list of methods', withClaims({ htm: [htm] })],
    ['any method', withClaims({ htm: '*' })],
    ['no htu', withClaims({ htu: undefined })],
    ['an empty htu', withClaims({ htu: '' })],
    ['another path', withClaims({ htu: `${htu}/more` })],
    ['a trailing slash', withClaims({ htu: `${htu}/` })],
    ['the path in upper case', withClaims({ htu: `https://api.shop.io${path.toUpperCase()}` })],
    ['the path alone', withClaims({ htu: path })],
    ['the origin alone', withClaims({ htu: 'https://api.shop.io' })],
    ['dot segments that lead elsewhere', withClaims({ htu: `${htu}/../elsewhere` })],
    ['an encoded slash', withClaims({ htu: `https://api.shop.io/%2F${path.slice(1)}` })],
    ['two slashes', withClaims({ htu: `https://api.shop.io/${path}` })],
    ['another scheme', withClaims({ htu: htu.replace('https:', 'http:') })],
    ['a WebSocket', withClaims({ htu: htu.replace('https:', 'wss:') })],
    ['another port', withClaims({ htu: htu.replace('api.shop.io', 'api.shop.io:8443') })],
    ['another host', withClaims({ htu: htu.replace('api.shop.io', 'evil.example') })],
    [
      'a host that begins like ours',
      withClaims({ htu: htu.replace('api.shop.io', 'api.shop.io.evil.example') }),
    ],
    ['a host that ends with a dot', withClaims({ htu: htu.replace('api.shop.io', 'api.shop.io.') })],
    ['the address of the server', withClaims({ htu: `http://127.0.0.1${path}` })],
    ['a user in front of the host', withClaims({ htu: htu.replace('api.', 'user@api.') })],
    ['our host as a user', withClaims({ htu: htu.replace('api.shop.io', 'api.shop.io@evil.example') })],
    ['no host', withClaims({ htu: `https://${path}` })],
    ['one slash before the host', withClaims({ htu: htu.replace('//', '/') })],
    ['backslashes', withClaims({ htu: htu.replaceAll('/', '\\') })],
    ['white space in front', withClaims({ htu: ` ${htu}` })],
    ['a line break inside', withClaims({ htu: `${htu}\n` })],
    ['a null character at the end', withClaims({ htu: `${htu}\0` })],
    ['a list of addresses', withClaims({ htu: [htu] })],
    ['an htu that is a number', withClaims({ htu: 1 })],
    ['an htu that is null', withClaims({ htu: null })],
  ];
}

function times({ key, claims }: GoodProof): Cases {
  const withClaims = (changed: object): string => key.proof({ claims: { ...claims, ...changed } });
  const now = Number(claims['iat']);
  return [
    ['no iat', withClaims({ iat: undefined })],
    ['an iat that is a text', withClaims({ iat: String(now) })],
    ['an iat that is null', withClaims({ iat: null })],
    ['an iat that is true', withClaims({ iat: true })],
    ['an iat in an array', withClaims({ iat: [now] })],
    ['an iat of 61 seconds ago', withClaims({ iat: now - 61 })],
    ['an iat in 6 seconds', withClaims({ iat: now + 6 })],
    ['an iat of 1970', withClaims({ iat: 0 })],
    ['a negative iat', withClaims({ iat: -now })],
    ['a huge iat', withClaims({ iat: 1e300 })],
    ['an iat in milliseconds', withClaims({ iat: now * 1000 })],
    ['an end in the past', withClaims({ exp: now - 10 })],
    ['an end that is a text', withClaims({ exp: String(now + 60) })],
    ['a beginning in the future', withClaims({ nbf: now + 10 })],
    ['a beginning that is a text', withClaims({ nbf: String(now) })],
  ];
}

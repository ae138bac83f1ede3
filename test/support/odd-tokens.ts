import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  sign,
  type KeyObject,
} from 'node:crypto';
import type { PublicJwk } from '../../lib/util/verification-keys.js';
import { DYNAMIC_TEST_KEY, FOREIGN_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID, keyPairOf } from './embedded.js';
import { legacyToken, V2_CLAIMS, V5_CLAIMS } from './made-tokens.js';

/** A token as an attacker or a careless issuer may send it. */
export interface OddToken {
  /** Unique: `<group>: <what is odd>, <key>`. */
  readonly name: string;
  readonly token: string;
}

interface Signer {
  readonly name: 'RS256' | 'ES256';
  readonly kid: string;
  readonly sign: (text: string) => Buffer;
}

type Spell = (part: Buffer) => string;
type Tokens = readonly (readonly [what: string, token: string])[];

/** On P-256, fixed, so that each run makes the same keys and the names of the corpus mean the same tokens. */
const EC_PRIVATE = createPrivateKey({
  format: 'jwk',
  // The example key of RFC 7515, appendix A.3.
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  },
});
const RSA = keyPairOf(DYNAMIC_TEST_KEY);
const FOREIGN = keyPairOf(FOREIGN_TEST_KEY);
const SHORT = generateKeyPairSync('rsa', { modulusLength: 1024 });
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const SECP256K1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const ED25519 = generateKeyPairSync('ed25519');

const EC_KID = 'd-ec';
/** Order of P-256, hexadecimal. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const rsaSigner: Signer = {
  name: 'RS256',
  kid: DYNAMIC_TEST_KID,
  sign: (text) => sign('sha256', Buffer.from(text), RSA.privateKey),
};
const ecSigner: Signer = { name: 'ES256', kid: EC_KID, sign: (text) => signEc(text) };
const SIGNERS = [rsaSigner, ecSigner];

/** The published keys, those among them that must verify no access token included. */
export const ODD_TOKEN_KEYS: readonly PublicJwk[] = [
  publish(RSA.publicKey, DYNAMIC_TEST_KID, { alg: 'RS256', use: 'sig' }),
  publish(createPublicKey(EC_PRIVATE), EC_KID, { alg: 'ES256', use: 'sig' }),
  publish(RSA.publicKey, 'rsa-without-alg', {}),
  publish(createPublicKey(EC_PRIVATE), 'ec-without-alg', {}),
  publish(RSA.publicKey, 'rsa-for-encryption', { alg: 'RS256', use: 'enc' }),
  publish(RSA.publicKey, 'rsa-for-ps256', { alg: 'PS256', use: 'sig' }),
  publish(RSA.publicKey, 'rsa-for-rs512', { alg: 'RS512', use: 'sig' }),
  publish(RSA.publicKey, 'rsa-for-es256', { alg: 'ES256', use: 'sig' }),
  publish(createPublicKey(EC_PRIVATE), 'ec-for-rs256', { alg: 'RS256', use: 'sig' }),
  publish(SHORT.publicKey, 'rsa-1024', { alg: 'RS256', use: 'sig' }),
  publish(P384.publicKey, 'p-384', { alg: 'ES384', use: 'sig' }),
  publish(P384.publicKey, 'p-384-for-es256', { alg: 'ES256', use: 'sig' }),
  publish(SECP256K1.publicKey, 'secp256k1', { alg: 'ES256K', use: 'sig' }),
  publish(SECP256K1.publicKey, 'secp256k1-for-es256', { alg: 'ES256', use: 'sig' }),
  publish(ED25519.publicKey, 'ed25519', { alg: 'EdDSA', use: 'sig' }),
  { kty: 'oct', kid: 'secret', alg: 'HS256' },
  { kty: 'RSA', kid: 'rsa-without-modulus', alg: 'RS256', e: 'AQAB' },
  { kty: 'RSA', kid: 'rsa-broken', alg: 'RS256', n: '!', e: '' },
];

/** Every odd token, each under a name of its own. Made anew by each call: signatures of ES256 differ, their outcome does not. */
export function oddTokens(): OddToken[] {
  const groups: Record<string, Tokens> = {};
  for (const signer of SIGNERS) {
    const add = (group: string, tokens: Tokens): void => {
      groups[group] = [
        ...(groups[group] ?? []),
        ...tokens.map(([what, token]) => [`${what}, ${signer.name}`, token] as const),
      ];
    };
    add('algorithm', otherAlgorithms(signer));
    add('crit', criticalHeaders(signer));
    add('b64', unencodedPayloads(signer));
    add('typ', otherTypes(signer));
    add('kid', otherKeyIds(signer));
    add('embedded key', embeddedKeys(signer));
    add('version', otherVersions(signer));
    add('signature', otherSignatures(signer));
    add('header JSON', oddJson(signer, 'header'));
    add('payload JSON', oddJson(signer, 'payload'));
    add('spelling', oddSpellings(signer));
    add('claims', oddClaims(signer));
    add('segments', oddSegments(signer));
  }
  groups['published key'] = unfitKeys();
  groups['HMAC'] = hmacWithPublicKey();
  groups['ECDSA'] = oddEcdsa();
  groups['RSA'] = oddRsa();
  groups['version 2'] = oddLegacyTokens();
  return Object.entries(groups).flatMap(([group, tokens]) =>
    tokens.map(([what, token]) => ({ name: `${group}: ${what}`, token })),
  );
}

function otherAlgorithms(signer: Signer): Tokens {
  const names: unknown[] = [
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'ES256K',
    'EdDSA',
    'Ed25519',
    'HS256',
    'HS384',
    'HS512',
    'none',
    'None',
    'NONE',
    'nOnE',
    'rs256',
    'RS256 ',
    ' RS256',
    'RS256\u0000',
    'ＲＳ２５６',
    'SHA256withRSA',
    'RSA-OAEP',
    'dir',
    'ML-DSA-44',
    '',
    null,
    0,
    true,
    ['RS256'],
    ['RS256', 'none'],
    { alg: 'RS256' },
  ];
  return [
    ...names.map((alg) => [JSON.stringify(alg), tokenOf(signer, { alg })] as const),
    ['none with no signature', unsigned(header(signer, { alg: 'none' }))],
    ['none with its name as signature', `${unsigned(header(signer, { alg: 'none' }))}bm9uZQ`],
    ['missing', tokenOf(signer, { alg: undefined })],
  ];
}

function criticalHeaders(signer: Signer): Tokens {
  const variants: Record<string, unknown>[] = [
    { crit: ['exp'], exp: 1 },
    { crit: ['exp'] },
    { crit: ['alg'] },
    { crit: ['kid', 'typ'] },
    { crit: [] },
    { crit: 'b64' },
    { crit: null },
    { crit: {} },
    { crit: 0 },
    { crit: false },
    { crit: [1] },
    { crit: [''] },
    { crit: [null] },
    { crit: ['http://example.com/ext'], 'http://example.com/ext': true },
    { crit: ['b64'], b64: true },
    { crit: ['b64', 'b64'], b64: true },
    { crit: ['b64'] },
    { crit: ['__proto__'] },
  ];
  return variants.map((extra) => [JSON.stringify(extra), tokenOf(signer, extra)]);
}

function unencodedPayloads(signer: Signer): Tokens {
  const values = [true, false, null, 0, 1, '', 'false', [], {}];
  const plain = JSON.stringify(V5_CLAIMS);
  const critical = header(signer, { crit: ['b64'], b64: false });
  const signedPlain = `${base64url(critical)}.${plain}`;
  const encoded = `${base64url(critical)}.${base64url(V5_CLAIMS)}`;
  return [
    ...values.map((b64) => [`${JSON.stringify(b64)} without crit`, tokenOf(signer, { b64 })] as const),
    ['false, payload in plain text', `${signedPlain}.${signer.sign(signedPlain).toString('base64url')}`],
    ['false, payload encoded', `${encoded}.${signer.sign(encoded).toString('base64url')}`],
    [
      'false, signed in plain text, sent encoded',
      `${encoded}.${signer.sign(signedPlain).toString('base64url')}`,
    ],
    ['false, payload detached', `${base64url(critical)}..${signer.sign(signedPlain).toString('base64url')}`],
  ];
}

function otherTypes(signer: Signer): Tokens {
  const types: unknown[] = [
    'jwt',
    'JWT ',
    ' JWT',
    'Jwt',
    'at+jwt',
    'application/jwt',
    'application/at+jwt',
    'JOSE',
    'JOSE+JSON',
    'JWE',
    'dpop+jwt',
    'logout+jwt',
    'secevent+jwt',
    '',
    null,
    0,
    true,
    ['JWT'],
    {},
    undefined,
  ];
  return types.map((typ) => [JSON.stringify(typ) ?? 'missing', tokenOf(signer, { typ })]);
}

function otherKeyIds(signer: Signer): Tokens {
  const other = signer === rsaSigner ? ecSigner : rsaSigner;
  const ids: unknown[] = [
    'unknown',
    '',
    ` ${signer.kid}`,
    `${signer.kid} `,
    signer.kid.toUpperCase(),
    `${signer.kid}\u0000`,
    other.kid,
    '../../../dev/null',
    "' OR 1=1 --",
    '__proto__',
    'constructor',
    'toString',
    'ключ',
    '*',
    null,
    0,
    true,
    [signer.kid],
    { kid: signer.kid },
    undefined,
  ];
  return [
    ...ids.map((kid) => [JSON.stringify(kid) ?? 'missing', tokenOf(signer, { kid })] as const),
    ['of 256 characters', tokenOf(signer, { kid: 'k'.repeat(256) })],
    ['of 257 characters', tokenOf(signer, { kid: 'k'.repeat(257) })],
  ];
}

function embeddedKeys(signer: Signer): Tokens {
  const jwk = FOREIGN.publicKey.export({ format: 'jwk' });
  const own = ODD_TOKEN_KEYS.find(({ kid }) => kid === signer.kid);
  const extras: [string, Record<string, unknown>][] = [
    ['jwk of an attacker', { jwk }],
    ['jwk that is ours', { jwk: own }],
    ['jwk that is no key', { jwk: 'x' }],
    ['jku', { jku: 'https://attacker.example/jwks.json' }],
    ['x5u', { x5u: 'https://attacker.example/cert.pem' }],
    ['x5c', { x5c: ['MIIB'] }],
    ['x5t', { x5t: 'AAAA' }],
    ['x5t#S256', { 'x5t#S256': 'AAAA' }],
    ['cty', { cty: 'JWT' }],
    ['enc', { enc: 'A256GCM' }],
    ['zip', { zip: 'DEF' }],
    ['epk', { epk: jwk }],
    ['p2c', { p2c: 2 ** 31 }],
    ['url and nonce', { url: 'https://attacker.example', nonce: 'n' }],
  ];
  const foreign = (text: string): Buffer => sign('sha256', Buffer.from(text), FOREIGN.privateKey);
  return extras.flatMap(([what, extra]) => [
    [what, tokenOf(signer, extra)] as const,
    [`${what}, signed by the attacker`, tokenOf({ ...signer, sign: foreign }, extra)] as const,
  ]);
}

function otherVersions(signer: Signer): Tokens {
  const versions: unknown[] = [
    '1',
    '2',
    '3',
    '4',
    '6',
    '99',
    '999999999',
    '9999999999',
    '0',
    '-1',
    '05',
    '5.0',
    '5 ',
    ' 5',
    '1e1',
    'v5',
    '٥',
    '',
    'NaN',
    null,
    5,
    2,
    0,
    true,
    ['5'],
    {},
    undefined,
  ];
  return versions.map((version) => [JSON.stringify(version) ?? 'missing', tokenOf(signer, { version })]);
}

function otherSignatures(signer: Signer): Tokens {
  const text = `${base64url(header(signer))}.${base64url(V5_CLAIMS)}`;
  const [headerPart = '', payloadPart = ''] = text.split('.');
  const good = signTellingAlphabet(signer, text);
  const spelled = good.toString('base64url');
  const flip = (index: number, bit: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[index] = (bytes[index] ?? 0) ^ bit;
    return bytes;
  };
  const bytes: [string, Buffer][] = [
    ['without its last byte', good.subarray(0, -1)],
    ['without its first byte', good.subarray(1)],
    ['of half its length', good.subarray(0, good.length / 2)],
    ['of one byte', good.subarray(0, 1)],
    ['with a zero byte behind', Buffer.concat([good, Buffer.alloc(1)])],
    ['with a zero byte before', Buffer.concat([Buffer.alloc(1), good])],
    ['with 1024 bytes behind', Buffer.concat([good, Buffer.alloc(1024)])],
    ['twice', Buffer.concat([good, good])],
    ['reversed', Buffer.from(good.toReversed())],
    ['all zero', Buffer.alloc(good.length)],
    ['all ones', Buffer.alloc(good.length, 0xff)],
    ['of another token', signer.sign(`${headerPart}.${base64url({ ...V5_CLAIMS, sub: 'user-2' })}`)],
    ['of the header only', signer.sign(headerPart)],
    ['of the payload only', signer.sign(payloadPart)],
    ['of header and payload without the dot', signer.sign(headerPart + payloadPart)],
    ['by a foreign key', sign('sha256', Buffer.from(text), FOREIGN.privateKey)],
    ...[0, 1, 31, 32, 63].map((index): [string, Buffer] => [`with byte ${index} changed`, flip(index, 1)]),
    ['with its last bit changed', flip(good.length - 1, 1)],
    ['with its first bit changed', flip(0, 0x80)],
  ];
  const middle = spelled.length / 2;
  const texts: [string, string][] = [
    ['empty', ''],
    ['good', spelled],
    ['with one padding character', `${spelled}=`],
    ['with two padding characters', `${spelled}==`],
    ['with a percent-encoded padding', `${spelled}%3D%3D`],
    ['in standard base64', good.toString('base64')],
    ['in standard base64 without padding', good.toString('base64').replaceAll('=', '')],
    ['in hexadecimal', good.toString('hex')],
    ...['\n', ' ', '\t', '\r\n', '!', '*', '\u0000', '\u00a0', '\u200b', 'é'].flatMap(
      (odd): [string, string][] => [
        [`with ${JSON.stringify(odd)} inside`, spelled.slice(0, middle) + odd + spelled.slice(middle)],
        [`with ${JSON.stringify(odd)} behind`, spelled + odd],
        [`with ${JSON.stringify(odd)} before`, odd + spelled],
      ],
    ),
    ...sameBytes(spelled).map((other, index): [string, string] => [`with unused bits ${index + 1}`, other]),
  ];
  return [
    ...bytes.map(([what, each]) => [what, `${text}.${each.toString('base64url')}`] as const),
    ...texts.map(([what, each]) => [what, `${text}.${each}`] as const),
  ];
}

const ODD_JSON: readonly (readonly [what: string, change: (json: string) => string | Buffer])[] = [
  ['with white space around', (json) => ` \n${json}\t `],
  ['with a byte order mark', (json) => `\ufeff${json}`],
  ['with a trailing comma', (json) => json.replace(/\}$/, ',}')],
  ['with a comment', (json) => `/* x */${json}`],
  ['with single quotes', (json) => json.replaceAll('"', "'")],
  ['with NaN', (json) => json.replace(/\}$/, ',"x":NaN}')],
  ['with Infinity', (json) => json.replace(/\}$/, ',"x":Infinity}')],
  ['with 1e400', (json) => json.replace(/\}$/, ',"x":1e400}')],
  ['with an integer beyond 2^53', (json) => json.replace(/\}$/, ',"x":9007199254740993}')],
  ['with a leading zero', (json) => json.replace(/\}$/, ',"x":01}')],
  ['with a plus sign', (json) => json.replace(/\}$/, ',"x":+1}')],
  ['with an unknown member', (json) => json.replace(/\}$/, ',"x":{"y":[]}}')],
  ['with __proto__', (json) => json.replace(/\}$/, ',"__proto__":{"alg":"none"}}')],
  ['with constructor', (json) => json.replace(/\}$/, ',"constructor":{"prototype":{}}}')],
  ['with toJSON', (json) => json.replace(/\}$/, ',"toJSON":null}')],
  ['with an empty name', (json) => json.replace(/\}$/, ',"":""}')],
  ['with a lone surrogate', (json) => json.replace(/\}$/, String.raw`,"x":"\ud800"}`)],
  ['with a null character', (json) => json.replace(/\}$/, String.raw`,"x":"\u0000"}`)],
  ['with a raw control character', (json) => json.replace(/\}$/, ',"x":"\u0001"}')],
  ['with unicode', (json) => json.replace(/\}$/, ',"x":"𝒳é漢"}')],
  [
    'with escaped names',
    (json) => json.replace('"alg"', String.raw`"\u0061lg"`).replace('"sub"', String.raw`"\u0073ub"`),
  ],
  ['in UTF-16', (json) => Buffer.from(json, 'utf16le')],
  ['in Latin-1', (json) => Buffer.from(json.replace(/\}$/, ',"x":"é"}'), 'latin1')],
  [
    'with broken UTF-8',
    (json) =>
      Buffer.concat([
        Buffer.from(json.replace(/\}$/, ',"x":"')),
        Buffer.from([0xc0, 0x80]),
        Buffer.from('"}'),
      ]),
  ],
  ['nested 100 deep', (json) => json.replace(/\}$/, `,"x":${'['.repeat(100)}${']'.repeat(100)}}`)],
  ['nested 3000 deep', (json) => json.replace(/\}$/, `,"x":${'['.repeat(3000)}${']'.repeat(3000)}}`)],
  ['with 8,000 characters more', (json) => json.replace(/\}$/, `,"x":"${'x'.repeat(8000)}"}`)],
  ['with 16,000 characters more', (json) => json.replace(/\}$/, `,"x":"${'x'.repeat(16_000)}"}`)],
  ['cut off', (json) => json.slice(0, -1)],
  ['followed by another object', (json) => `${json}{}`],
  ['in a list', (json) => `[${json}]`],
  ['as a text', (json) => JSON.stringify(json)],
  ['empty', () => ''],
  ['an empty object', () => '{}'],
  ['null', () => 'null'],
  ['a number', () => '1'],
  ['a list', () => '[]'],
];

function oddJson(signer: Signer, part: 'header' | 'payload'): Tokens {
  const parts = { header: JSON.stringify(header(signer)), payload: JSON.stringify(V5_CLAIMS) };
  const changes =
    part === 'header' ? [...ODD_JSON, ...DUPLICATE_HEADERS] : [...ODD_JSON, ...DUPLICATE_CLAIMS];
  return changes.map(([what, change]) => {
    const changed = { ...parts, [part]: change(parts[part]) };
    return [what, signParts(signer, spellUrl(changed.header), spellUrl(changed.payload))];
  });
}

const prepend =
  (member: string) =>
  (json: string): string =>
    `{${member},${json.slice(1)}`;
const append =
  (member: string) =>
  (json: string): string =>
    `${json.slice(0, -1)},${member}}`;

const DUPLICATE_HEADERS: typeof ODD_JSON = [
  ['with alg none before', prepend('"alg":"none"')],
  ['with alg none behind', append('"alg":"none"')],
  ['with alg HS256 behind', append('"alg":"HS256"')],
  ['with typ JWE before', prepend('"typ":"JWE"')],
  ['with typ JWE behind', append('"typ":"JWE"')],
  ['with another kid before', prepend('"kid":"unknown"')],
  ['with another kid behind', append('"kid":"unknown"')],
  ['with version 2 before', prepend('"version":"2"')],
  ['with version 2 behind', append('"version":"2"')],
];

const DUPLICATE_CLAIMS: typeof ODD_JSON = [
  ['with another sub before', prepend('"sub":"user-2"')],
  ['with another sub behind', append('"sub":"user-2"')],
  ['with a later exp behind', append('"exp":9999999999')],
  ['with stt 1 before', prepend('"stt":1')],
  ['with stt 1 behind', append('"stt":1')],
];

/** Signed as they are sent, so that only the spelling is odd. */
function oddSpellings(signer: Signer): Tokens {
  const parts = {
    header: Buffer.from(JSON.stringify(header(signer, { x: '??>>??~~' }))),
    payload: Buffer.from(JSON.stringify({ ...V5_CLAIMS, x: '??>>??~~' })),
  };
  const spellings: [string, Spell][] = [
    ['in standard base64', (part) => part.toString('base64')],
    ['in standard base64 without padding', (part) => part.toString('base64').replaceAll('=', '')],
    ['with padding', (part) => `${spellUrl(part)}${'='.repeat((4 - (spellUrl(part).length % 4)) % 4)}`],
    ['with one padding character', (part) => `${spellUrl(part)}=`],
    ['with three padding characters', (part) => `${spellUrl(part)}===`],
    ['with a space inside', (part) => spellUrl(part).replace(/^.{8}/, '$& ')],
    ['with a line break inside', (part) => spellUrl(part).replace(/^.{8}/, '$&\n')],
    ['with a tab behind', (part) => `${spellUrl(part)}\t`],
    ['with an exclamation mark inside', (part) => spellUrl(part).replace(/^.{8}/, '$&!')],
    ['with a null character behind', (part) => `${spellUrl(part)}\u0000`],
    ['with a lone character behind', (part) => `${spellUrl(part)}A`],
    ['with unused bits', (part) => sameBytes(spellUrl(part))[0] ?? spellUrl(part)],
    ['in hexadecimal', (part) => part.toString('hex')],
    ['in upper case', (part) => spellUrl(part).toUpperCase()],
  ];
  return spellings.flatMap(([what, spell]) => [
    [`header ${what}`, signParts(signer, spell(parts.header), spellUrl(parts.payload))] as const,
    [`payload ${what}`, signParts(signer, spellUrl(parts.header), spell(parts.payload))] as const,
  ]);
}

function oddClaims(signer: Signer): Tokens {
  const changes: Record<string, unknown>[] = [
    ...[undefined, null, '1760003600', true, [1_760_003_600], {}].map((exp) => ({ exp })),
    ...[-1, 0, 1.5, 1e308, Number.MAX_SAFE_INTEGER + 2].map((exp) => ({ exp })),
    ...[undefined, null, '1', -1, 1e308].map((iat) => ({ iat })),
    ...[undefined, null, 1, '', ['user-1'], {}].map((sub) => ({ sub })),
    ...[undefined, null, 1, ''].map((rsub) => ({ rsub })),
    ...[undefined, null, 1, ''].map((tId) => ({ tId })),
    ...[undefined, null, 1, '', []].map((sessionHandle) => ({ sessionHandle })),
    ...[undefined, null, 1, ''].map((refreshTokenHash1) => ({ refreshTokenHash1 })),
    ...[null, 0, 1, 2, '0', false, [], -0].map((stt) => ({ stt })),
    ...[null, '1', 1e308].map((nbf) => ({ nbf })),
    { parentRefreshTokenHash1: 1 },
    { antiCsrfToken: {} },
  ];
  return changes.map((change) => [describeChange(change), tokenOf(signer, {}, change)]);
}

function oddSegments(signer: Signer): Tokens {
  const good = tokenOf(signer);
  const [h = '', p = '', s = ''] = good.split('.');
  return [
    ['nothing', ''],
    ['one dot', '.'],
    ['two dots', '..'],
    ['three dots', '...'],
    ['only the header', h],
    ['header and payload', `${h}.${p}`],
    ['header, payload and a dot', `${h}.${p}.`],
    ['no header', `.${p}.${s}`],
    ['no payload', `${h}..${s}`],
    ['a fourth, empty', `${good}.`],
    ['a fourth', `${good}.${s}`],
    ['five, as a JWE', `${h}.${p}.${s}.${p}.${s}`],
    ['an empty one in front', `.${good}`],
    ['in another order', `${p}.${h}.${s}`],
    ['the header twice', `${h}.${h}.${s}`],
    ['two tokens with a comma', `${good},${good}`],
    ['two tokens with a space', `${good} ${good}`],
    ['in quotes', `"${good}"`],
    ['with Bearer', `Bearer ${good}`],
    ['with a space in front', ` ${good}`],
    ['with a line break behind', `${good}\n`],
    ['with spaces round the dots', `${h} . ${p} . ${s}`],
    ['with percent-encoded dots', good.replaceAll('.', '%2E')],
    ['with full-width dots', good.replaceAll('.', '．')],
    ['with ideographic dots', good.replaceAll('.', '。')],
    ['with a zero-width space', `${h}\u200b.${p}.${s}`],
    ['as flattened JSON', JSON.stringify({ protected: h, payload: p, signature: s })],
    ['as general JSON', JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] })],
    ['encoded once more', Buffer.from(good).toString('base64url')],
    ['longer than 16,384 characters', `${h}.${p}.${s}${'A'.repeat(16_384)}`],
  ];
}

function unfitKeys(): Tokens {
  const bySigner: readonly [string, 'RS256' | 'ES256', (text: string) => Buffer][] = [
    ['rsa-without-alg', 'RS256', rsaSigner.sign],
    ['ec-without-alg', 'ES256', ecSigner.sign],
    ['rsa-for-encryption', 'RS256', rsaSigner.sign],
    ['rsa-for-ps256', 'RS256', rsaSigner.sign],
    ['rsa-for-rs512', 'RS256', rsaSigner.sign],
    ['rsa-for-es256', 'RS256', rsaSigner.sign],
    ['rsa-for-es256', 'ES256', rsaSigner.sign],
    ['ec-for-rs256', 'ES256', ecSigner.sign],
    ['ec-for-rs256', 'RS256', ecSigner.sign],
    ['rsa-1024', 'RS256', (text) => sign('sha256', Buffer.from(text), SHORT.privateKey)],
    ['p-384', 'ES256', (text) => signEc(text, P384.privateKey)],
    ['p-384-for-es256', 'ES256', (text) => signEc(text, P384.privateKey)],
    ['secp256k1', 'ES256', (text) => signEc(text, SECP256K1.privateKey)],
    ['secp256k1-for-es256', 'ES256', (text) => signEc(text, SECP256K1.privateKey)],
    ['ed25519', 'ES256', (text) => sign(null, Buffer.from(text), ED25519.privateKey)],
    ['secret', 'RS256', (text) => createHmac('sha256', 'secret').update(text).digest()],
    ['rsa-without-modulus', 'RS256', rsaSigner.sign],
    ['rsa-broken', 'RS256', rsaSigner.sign],
  ];
  return bySigner.map(([kid, alg, signWith]) => [
    `${kid}, ${alg}`,
    tokenOf({ name: alg, kid, sign: signWith }),
  ]);
}

function hmacWithPublicKey(): Tokens {
  const secrets: [string, string | Buffer][] = [
    ['PEM', RSA.publicKey.export({ type: 'spki', format: 'pem' })],
    ['DER', RSA.publicKey.export({ type: 'spki', format: 'der' })],
    ['PKCS #1', RSA.publicKey.export({ type: 'pkcs1', format: 'der' })],
    ['modulus', Buffer.from(String(RSA.publicKey.export({ format: 'jwk' }).n), 'base64url')],
    ['JWK', JSON.stringify(RSA.publicKey.export({ format: 'jwk' }))],
    ['nothing', ''],
  ];
  return secrets.flatMap(([what, secret]) =>
    (
      [
        ['HS256', 'sha256'],
        ['HS384', 'sha384'],
        ['HS512', 'sha512'],
      ] as const
    ).flatMap(([alg, hash]) => {
      const mac = (text: string): Buffer => createHmac(hash, secret).update(text).digest();
      return [
        [`${alg} by the ${what}`, tokenOf({ ...rsaSigner, sign: mac }, { alg })] as const,
        [`${alg} by the ${what}, as RS256`, tokenOf({ ...rsaSigner, sign: mac })] as const,
      ];
    }),
  );
}

function oddEcdsa(): Tokens {
  const text = `${base64url(header(ecSigner))}.${base64url(V5_CLAIMS)}`;
  const raw = ecSigner.sign(text);
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)];
  const number = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
  const big = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
  const [zero, order, one] = [number(0n), number(P256_ORDER), number(1n)];
  const variants: [string, Buffer][] = [
    ['DER', sign('sha256', Buffer.from(text), EC_PRIVATE)],
    [
      'DER with trailing zero',
      Buffer.concat([sign('sha256', Buffer.from(text), EC_PRIVATE), Buffer.alloc(1)]),
    ],
    ['r and s exchanged', Buffer.concat([s, r])],
    ['r and s zero', Buffer.concat([zero, zero])],
    ['r zero', Buffer.concat([zero, s])],
    ['s zero', Buffer.concat([r, zero])],
    ['r the order', Buffer.concat([order, s])],
    ['r and s the order', Buffer.concat([order, order])],
    ['r and s one', Buffer.concat([one, one])],
    ['s negated, which is another signature of the same', Buffer.concat([r, number(P256_ORDER - big(s))])],
    ['r and s of 33 bytes', Buffer.concat([Buffer.alloc(1), r, Buffer.alloc(1), s])],
    ['r and s of 48 bytes', Buffer.concat([Buffer.alloc(16), r, Buffer.alloc(16), s])],
    ['over SHA-384', sign('sha384', Buffer.from(text), { key: EC_PRIVATE, dsaEncoding: 'ieee-p1363' })],
    ['over SHA-1', sign('sha1', Buffer.from(text), { key: EC_PRIVATE, dsaEncoding: 'ieee-p1363' })],
  ];
  return variants.map(([what, bytes]) => [what, `${text}.${bytes.toString('base64url')}`]);
}

function oddRsa(): Tokens {
  const key = RSA.privateKey;
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const text = `${base64url(header(rsaSigner))}.${base64url(V5_CLAIMS)}`;
  const good = rsaSigner.sign(text);
  const modulus = BigInt(
    `0x${Buffer.from(String(RSA.publicKey.export({ format: 'jwk' }).n), 'base64url').toString('hex')}`,
  );
  const plusModulus = (BigInt(`0x${good.toString('hex')}`) + modulus).toString(16);
  const by = (alg: string, signWith: (data: Buffer) => Buffer): string =>
    tokenOf({ ...rsaSigner, sign: (each) => signWith(Buffer.from(each)) }, { alg });
  return [
    ['RS384 by our key', by('RS384', (data) => sign('sha384', data, key))],
    ['RS512 by our key', by('RS512', (data) => sign('sha512', data, key))],
    ['PS256 by our key', by('PS256', (data) => sign('sha256', data, pss))],
    ['PSS as RS256', by('RS256', (data) => sign('sha256', data, pss))],
    ['SHA-1 as RS256', by('RS256', (data) => sign('sha1', data, key))],
    ['SHA-384 as RS256', by('RS256', (data) => sign('sha384', data, key))],
    ['SHA-512 as RS256', by('RS256', (data) => sign('sha512', data, key))],
    ['MD5 as RS256', by('RS256', (data) => sign('md5', data, key))],
    ['text encrypted by the private key', by('RS256', (data) => privateEncrypt(key, data.subarray(0, 32)))],
    [
      'as a number beyond the modulus',
      `${text}.${Buffer.from(plusModulus.padStart(plusModulus.length + (plusModulus.length % 2), '0'), 'hex').toString('base64url')}`,
    ],
  ];
}

function oddLegacyTokens(): Tokens {
  const good = legacyToken(V2_CLAIMS);
  const [h = '', p = '', s = ''] = good.split('.');
  const url = (text: string): string => Buffer.from(text, 'base64').toString('base64url');
  const signed = (head: string, payload: unknown = V2_CLAIMS): string => {
    const text = `${Buffer.from(head).toString('base64')}.${Buffer.from(JSON.stringify(payload)).toString('base64')}`;
    return `${text}.${rsaSigner.sign(text).toString('base64')}`;
  };
  const with2 = (change: object): string => legacyToken({ ...V2_CLAIMS, ...change });
  return [
    ['of version 1', legacyToken(V2_CLAIMS, 1)],
    ['of version 2', good],
    ['by a foreign key', legacyToken(V2_CLAIMS, 2, FOREIGN_TEST_KEY)],
    ['with its signature in base64url', `${h}.${p}.${url(s)}`],
    ['with its payload in base64url, not signed so', `${h}.${url(p)}.${s}`],
    ['with its header in base64url', `${url(h)}.${p}.${s}`],
    ['without padding of the signature', `${h}.${p}.${s.replaceAll('=', '')}`],
    [
      'with unused bits of the signature',
      `${h}.${p}.${s.replace(/(.)==$/, (_, last: string) => `${last === 'A' ? 'B' : 'A'}==`)}`,
    ],
    ['with a space in the signature', `${h}.${p}.${s.slice(0, 9)} ${s.slice(9)}`],
    ['with no signature', `${h}.${p}.`],
    ['with four segments', `${good}.`],
    ['with its members in another order', signed('{"typ":"JWT","alg":"RS256","version":"2"}')],
    ['with white space in its header', signed('{"alg":"RS256", "typ":"JWT","version":"2"}')],
    ['of version 3 in this form', signed('{"alg":"RS256","typ":"JWT","version":"3"}')],
    [
      'of version 2 with a kid',
      signed(`{"alg":"RS256","typ":"JWT","version":"2","kid":"${DYNAMIC_TEST_KID}"}`),
    ],
    ['with alg none', `${Buffer.from('{"alg":"none","typ":"JWT","version":"2"}').toString('base64')}.${p}.`],
    ['with claims of version 5', legacyToken(V5_CLAIMS)],
    ['without userData', with2({ userData: undefined })],
    ['with userData as a list', with2({ userData: [] })],
    ['with expiryTime as text', with2({ expiryTime: '1' })],
    ['without userId', with2({ userId: undefined })],
    ['without sessionHandle', with2({ sessionHandle: undefined })],
    ['with stt 1', with2({ stt: 1 })],
    [
      'claims of version 2 in a token of version 5',
      signParts(rsaSigner, base64url(header(rsaSigner)), base64url(V2_CLAIMS)),
    ],
  ];
}

function header(signer: Signer, change: Record<string, unknown> = {}): object {
  return { kid: signer.kid, typ: 'JWT', version: '5', alg: signer.name, ...change };
}

/** A token whose signature is good for the text that is sent, whatever its header says. */
function tokenOf(
  signer: Signer,
  headerChange: Record<string, unknown> = {},
  claimsChange: object = {},
): string {
  return signParts(
    signer,
    base64url(header(signer, headerChange)),
    base64url({ ...V5_CLAIMS, ...claimsChange }),
  );
}

function signParts(signer: Signer, headerPart: string, payloadPart: string): string {
  const text = `${headerPart}.${payloadPart}`;
  return `${text}.${signer.sign(text).toString('base64url')}`;
}

function unsigned(head: object): string {
  return `${base64url(head)}.${base64url(V5_CLAIMS)}.`;
}

/** A signature that is spelled otherwise in standard base64. By RS256 there is but one, and of this text it is such a one. */
function signTellingAlphabet(signer: Signer, text: string): Buffer {
  for (;;) {
    const bytes = signer.sign(text);
    if (/[-_]/.test(bytes.toString('base64url'))) return bytes;
  }
}

/** RFC 7518 3.4: the two numbers one after the other. */
function signEc(text: string, key: KeyObject = EC_PRIVATE): Buffer {
  return sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
}

function publish(key: KeyObject, kid: string, extra: Pick<PublicJwk, 'alg' | 'use'>): PublicJwk {
  return { ...(key.export({ format: 'jwk' }) as Omit<PublicJwk, 'kid'>), kid, ...extra };
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function spellUrl(part: Buffer | string): string {
  return Buffer.from(part).toString('base64url');
}

/** The other spellings that decode to the same bytes: the last character has bits that are not used. */
function sameBytes(spelled: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const bytes = Buffer.from(spelled, 'base64url');
  return Array.from(alphabet)
    .map((last) => spelled.slice(0, -1) + last)
    .filter((other) => other !== spelled && Buffer.from(other, 'base64url').equals(bytes));
}

function describeChange(change: Record<string, unknown>): string {
  return Object.entries(change)
    .map(([name, value]) => `${name} ${Object.is(value, -0) ? '-0' : (JSON.stringify(value) ?? 'missing')}`)
    .join(' ');
}

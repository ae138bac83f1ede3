import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { BindingSecret } from '../../../lib/device-binding/binding-secret.js';
import { BoundCookie } from '../../../lib/device-binding/bound-cookie.js';
import { Challenges } from '../../../lib/device-binding/challenges.js';
import { DpopProofs } from '../../../lib/device-binding/dpop-proofs.js';
import { Nonces } from '../../../lib/device-binding/nonces.js';
import { ProofError, readPublicJwk, verifyProof } from '../../../lib/device-binding/proof.js';
import { quote, readBareOrQuoted, readTokenList } from '../../../lib/device-binding/structured-header.js';
import type { SessionRequest } from '../../../lib/http/session-request.js';
import { isJsonObject } from '../../../lib/util/json.js';
import { StoppedClock, WIRE_TEST_TIME_MS, wireConfig } from '../../fixtures/wire-config.js';
import { must, mustEqual, parsedLaterOr, parsedOr, type FuzzTarget } from '../target.js';
import { requestWith } from './cookies.js';

const clock = new StoppedClock();
/** A throw-away key, the same in every run, so that inputs which were kept still fit. */
const privateJwk = {
  kty: 'EC',
  x: 'Tr2b7pABr7I7FehcfwCPTNKPNYT9_pIBxGHB0wRlDis',
  y: 'IZUq39QNFGkHTc_Gc_U50I_V1-CfwXMsXkR3Ase-YGE',
  crv: 'P-256',
  d: 'Qy2dNwBwB8r2W3Mo2d4zGyOa3j7w93Z7unmYZpEAt00',
};
const { d: _private, ...jwk } = privateJwk;
const privateKey = createPrivateKey({ key: privateJwk, format: 'jwk' });
const settings = { algorithms: ['ES256', 'EdDSA'], maxAgeSec: 60, clockToleranceSec: 5 } as never;
const secret = new BindingSecret(async () => ['a secret of a test']);
await secret.ready();
const challenges = new Challenges(secret, clock, 60_000);
const nonces = new Nonces(secret, clock);
const HANDLE = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';
const time = clock.now().toString(36);
const random = 'A'.repeat(22);
const challenge = `register.${time}.${random}.${secret.sign('challenge', 'register', HANDLE, time, random)}`;

function scopeOf(headers: Readonly<Record<string, string>>): SessionRequest {
  return { request: requestWith(headers, 'GET', '/me'), userContext: {} } as unknown as SessionRequest;
}

function signed(header: unknown, claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

const HEADER = { typ: 'dpop+jwt', alg: 'ES256', jwk };
const CLAIMS = { jti: 'j', htm: 'GET', htu: 'https://api.shop.io/me', iat: WIRE_TEST_TIME_MS / 1000 };
const honest = signed(HEADER, CLAIMS);
const proofs = new DpopProofs(wireConfig(), settings, clock);

/** Signatures of ECDSA differ each time. */
function signedPart(proof: string): string {
  return proof.slice(0, proof.lastIndexOf('.'));
}

export const PROOF_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'dpop-proof',
    seeds: [honest, signed({ typ: 'dbsc+jwt', alg: 'ES256', jwk }, { jti: challenge })],
    async run(proof) {
      const verified = await parsedLaterOr([ProofError], proof, async () =>
        proofs.verify(scopeOf({}), proof, undefined),
      );
      must(
        verified === undefined || signedPart(proof) === signedPart(honest),
        'only what was signed is a proof',
      );
      const rules = { typ: 'dbsc+jwt', algorithms: ['ES256'] } as const;
      const dbsc = await parsedLaterOr([ProofError], proof, async () => verifyProof(proof, rules));
      must(dbsc === undefined || verified === undefined, 'a proof is of one kind');
    },
  },
  {
    name: 'dpop-claims',
    seeds: [
      JSON.stringify([HEADER, CLAIMS]),
      JSON.stringify([
        { ...HEADER, crit: [], b64: false },
        { ...CLAIMS, exp: 1, nbf: 1, nonce: nonces.current() },
      ]),
    ],
    async run(text) {
      const value = parsedOr([SyntaxError], '', () => JSON.parse(text) as unknown);
      const [header, claims] = Array.isArray(value) ? (value as unknown[]) : [];
      if (!isJsonObject(header) || !isJsonObject(claims)) return;
      const proof = signed(header, claims);
      const verified = await parsedLaterOr([ProofError], text, async () =>
        proofs.verify(scopeOf({}), proof, undefined),
      );
      if (verified === undefined) return;
      must(
        header['typ'] === 'dpop+jwt' && header['alg'] === 'ES256',
        'a proof has its type and an offered algorithm',
      );
      must(!Object.hasOwn(header, 'crit') && !Object.hasOwn(header, 'b64'), 'no extension passes');
      must(
        claims['htm'] === 'GET' && Math.abs(Number(claims['iat']) - CLAIMS.iat) <= 60,
        'a proof is of this request and time',
      );
      must(
        Object.keys(verified.jwk).every((name) => ['crv', 'kty', 'x', 'y'].includes(name)),
        'a key has its own members only',
      );
      must(Number.isFinite(proofs.toUsed(verified).untilMs), 'a used proof is kept until some time');
    },
  },
  {
    name: 'public-jwk',
    seeds: [
      JSON.stringify(jwk),
      JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })),
      '{"kty":"RSA","n":"AQ","e":"AQAB"}',
    ],
    run(text) {
      const given = parsedOr([SyntaxError], '', () => JSON.parse(text) as unknown);
      for (const algorithm of ['ES256', 'RS256', 'EdDSA'] as const) {
        const key = parsedOr([ProofError], text, () => readPublicJwk(given, algorithm));
        must(
          key === undefined || Object.values(key).every((value) => typeof value === 'string'),
          'members of a key are texts',
        );
        if (key !== undefined) mustEqual(readPublicJwk(key, algorithm), key, 'a key is its own normal form');
      }
    },
  },
  {
    name: 'structured-header',
    seeds: ['"a.b.c"', 'abc ; p=1', '"x";a', 'a, "b,c";d=1, e/f', 'session_id;reason="a"'],
    run(value) {
      const text = readBareOrQuoted(value);
      must(text === undefined || value.includes(text), 'a text is a part of the header');
      if (text !== undefined && /^[ -!#-[\]-~]*$/.test(text))
        mustEqual(readBareOrQuoted(quote(text)), text, 'what is quoted is read');
      const names = readTokenList(value);
      must(
        names.every((name) => /^[A-Za-z*][!-~]{0,63}$/.test(name)),
        'names are tokens',
      );
      mustEqual(
        readTokenList(names.join(', ').slice(0, 1024)).slice(0, 8),
        names.slice(0, 8),
        'a list is its own normal form',
      );
      parsedOr([TypeError], value, () => quote(value));
    },
  },
  {
    name: 'bound-values',
    seeds: [
      challenge,
      nonces.current(),
      `__Host-sBound=zz.${'a'.repeat(43)}`,
      `a=b; __Host-sBound=1.${'A'.repeat(43)}; __Host-sBound=`,
    ],
    run(text) {
      must(
        challenges.read(text, HANDLE) === undefined || text === challenge,
        'only what was made is a challenge',
      );
      must(challenges.read(text, 'other') === undefined, 'a challenge is that of its session');
      must(nonces.judge(text) === 'refused' || text === nonces.current(), 'only what was made is a nonce');
      const cookie = new BoundCookie(wireConfig(), secret, clock, 600);
      const session = { sessionHandle: HANDLE, confirmation: { jkt: 'x', via: 'dbsc', boundAt: 1 } } as const;
      must(
        cookie.isGood(scopeOf({ cookie: text }), session) !== true,
        'nobody makes a bound cookie without the secret',
      );
    },
  },
];

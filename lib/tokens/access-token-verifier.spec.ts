import { constants, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { GOLDEN_ACCESS_TOKENS, GOLDEN_FACTS } from '../../test/fixtures/golden-access-tokens.js';
import {
  DYNAMIC_TEST_KEY,
  DYNAMIC_TEST_KID,
  FOREIGN_TEST_KEY,
  STATIC_TEST_KEY,
  STATIC_TEST_KID,
  TEST_START_MS,
  keyPairOf,
} from '../../test/fixtures/signing-keys.js';
import { publicJwkOf, TestKeySet } from '../../test/fixtures/key-set.js';
import { jwt, legacyToken, rs256, V2_CLAIMS, V5_CLAIMS, V5_HEADER } from '../../test/fixtures/made-tokens.js';
import { CoreUnavailableError, TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import type { PublicJwk } from '../util/verification-keys.js';
import { TestClock } from '../testing/test-clock.js';
import { parseWithoutVerifying, type AccessTokenInfo, type ParsedAccessToken } from './access-token.js';
import { AccessTokenVerifier } from './access-token-verifier.js';
import type { ExpectedClaims } from './expected-claims.js';
import { TokenVerifier } from './token-verifier.js';
import { WEB_RUNTIME } from './web-runtime.js';

const OUR_KEY = publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID);

const ANY_TOKEN: ExpectedClaims = {};

function setUp({
  clockToleranceSec = 0,
  maxCachedTokens = 100,
  maxCachedTokenBytes = 1_000_000,
  keys = [OUR_KEY] as PublicJwk[],
  intended = ANY_TOKEN,
} = {}) {
  const clock = new TestClock(TEST_START_MS);
  const keySet = new TestKeySet(keys);
  const options = { clockToleranceSec, maxCachedTokens, maxCachedTokenBytes, intended };
  const verifier = new AccessTokenVerifier(keySet, clock, options);
  const atOnce = new AccessTokenVerifier(new KeysAtHand(keys), clock, options);
  return {
    clock,
    keySet,
    verifier,
    verify: async (text: string): Promise<AccessTokenInfo> => verifier.verify(parsed(text)),
    /** What a request with this token meets. */
    outcome: async (text: string): Promise<Outcome | 'no access token'> => {
      const token = parseWithoutVerifying(text);
      if (token === undefined) return 'no access token';
      const outcome = await acceptedOrRefused(async () => verifier.verify(token));
      // The outcome is the same with keys at hand, unless the test has taken the key out of one of the sets.
      if (keySet.generation === 0 && keySet.failure === undefined) {
        const said = await acceptedOrRefused(async () => atOnce.verify(token));
        if (said !== outcome) throw new Error(`${outcome}, but ${said} at once: ${text}`);
      }
      return outcome;
    },
  };
}

type Outcome = 'accepted' | 'refused' | 'for others, tokens kept';

async function acceptedOrRefused(verify: () => Promise<unknown>): Promise<Outcome> {
  try {
    await verify();
    return 'accepted';
  } catch (error) {
    if (error instanceof TryRefreshTokenError) return 'refused';
    if (error instanceof UnauthorisedError && !error.payload.clearTokens) return 'for others, tokens kept';
    throw error;
  }
}

/** A set whose keys need not be waited for. */
class KeysAtHand extends TestKeySet {
  constructor(private readonly published: readonly PublicJwk[]) {
    super(published);
  }

  override find(kid: string | undefined): readonly PublicJwk[] {
    return this.published.filter((key) => kid === undefined || key.kid === kid);
  }
}

function parsed(text: string): ParsedAccessToken {
  const token = parseWithoutVerifying(text);
  if (token === undefined) throw new Error('no access token');
  return token;
}

const GOOD = jwt(V5_HEADER, V5_CLAIMS);
const withClaims = (claims: Record<string, unknown>): string => jwt(V5_HEADER, { ...V5_CLAIMS, ...claims });
const nowSec = TEST_START_MS / 1000;

describe('verifying an access token', () => {
  it('returns what it says', async () => {
    const { verify } = setUp();
    expect(await verify(GOOD)).toMatchObject({
      version: 5,
      userId: 'user-1',
      sessionHandle: V5_CLAIMS.sessionHandle,
    });
  });

  it.each([1, 2, 3, 4, 5] as const)('takes a token of version %d (S010)', async (version) => {
    const { verify } = setUp();
    expect(await verify(GOLDEN_ACCESS_TOKENS[version])).toMatchObject({
      sessionHandle: GOLDEN_FACTS.sessionHandle,
      payload: { role: 'admin' },
    });
  });

  it('takes a token of version 2 by any published key, and no other (T109)', async () => {
    const { outcome, keySet, verify } = setUp({
      keys: [publicJwkOf(STATIC_TEST_KEY, STATIC_TEST_KID), publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID)],
    });
    for (const key of [DYNAMIC_TEST_KEY, STATIC_TEST_KEY]) {
      expect((await verify(legacyToken(V2_CLAIMS, 2, key))).payload).toEqual({ role: 'admin' });
    }
    expect(await outcome(legacyToken(V2_CLAIMS, 2, FOREIGN_TEST_KEY))).toBe('refused');
    expect(new Set(keySet.asked)).toEqual(new Set([undefined]));
  });

  it('hands out frozen claims (S011)', async () => {
    const { verify } = setUp();
    const { payload } = await verify(withClaims({ roles: ['a', { b: 1 }] }));
    expect(() => {
      (payload as Record<string, unknown>)['sub'] = 'user-2';
    }).toThrow(TypeError);
    expect(() => (payload['roles'] as unknown[]).push('admin')).toThrow(TypeError);
  });
});

describe('a refusal', () => {
  it.each<[reason: string, token: string]>([
    ['it has expired', withClaims({ exp: nowSec })],
    ['it is not valid yet', withClaims({ nbf: nowSec + 1 })],
    ['its key is not known', jwt({ ...V5_HEADER, kid: 'd-2' }, V5_CLAIMS)],
    ['its signature is wrong', jwt(V5_HEADER, V5_CLAIMS, () => '')],
  ])('says why, for logs: %s', async (reason, token) => {
    await expect(setUp().verify(token)).rejects.toThrow(
      new TryRefreshTokenError(`Failed to verify access token: ${reason}`),
    );
  });
});

describe('looking at a token without verifying it', () => {
  it('parses it once for all who look at it one after the other, and not at all while it is remembered', async () => {
    const texts: string[] = [];
    const runtime = {
      ...WEB_RUNTIME,
      parse: (text: string) => {
        texts.push(text);
        return WEB_RUNTIME.parse(text);
      },
    };
    const options = { clockToleranceSec: 0, maxCachedTokens: 10 };
    const verifier = new TokenVerifier(new TestKeySet(), new TestClock(TEST_START_MS), options, runtime);
    const other = withClaims({ sub: 'user-2' });
    expect([verifier.isOurs(GOOD), verifier.readInfo(GOOD)?.userId]).toEqual([true, 'user-1']);
    await verifier.verify(parsed(GOOD));
    expect(verifier.readInfo(other)?.userId).toBe('user-2');
    expect(verifier.isOurs(GOOD)).toBe(true);
    expect(texts).toEqual([GOOD, other]);
  });

  it('tells whether it is one of ours, and what it names', () => {
    const { verifier } = setUp();
    const forged = jwt(V5_HEADER, V5_CLAIMS, () => '');
    expect([GOOD, forged, 'no token'].map((text) => verifier.isOurs(text))).toEqual([true, true, false]);
    expect(verifier.readInfo(forged)).toMatchObject({ userId: 'user-1', version: 5 });
    expect(verifier.readInfo('no token')).toBeUndefined();
    expect(verifier.readInfo(withClaims({ sub: 'user-2' }))).toMatchObject({ userId: 'user-2' });
  });
});

describe('the times of an access token', () => {
  it.each<[row: string, claims: Record<string, unknown>, outcome: string]>([
    ['expired a second ago (T100)', { exp: nowSec - 1 }, 'refused'],
    ['expires now (T100, S006)', { exp: nowSec }, 'refused'],
    ['expires in a second (T100, S006)', { exp: nowSec + 1 }, 'accepted'],
    ['valid in a second (T101, S006)', { nbf: nowSec + 1 }, 'refused'],
    ['valid from now (T101)', { nbf: nowSec }, 'accepted'],
    ['nbf that is no number', { nbf: String(nowSec) }, 'refused'],
    ['nbf null', { nbf: null }, 'refused'],
    ['made in the future (T102)', { iat: nowSec + 3600 }, 'accepted'],
  ])('%s', async (_, claims, outcome) => {
    expect(await setUp().outcome(withClaims(claims))).toBe(outcome);
  });

  it.each([
    [-5, 'accepted'],
    [-4, 'accepted'],
    [1, 'accepted'],
    [-6, 'refused'],
  ])('with a tolerance of six seconds, expiring in %d s: %s (S006)', async (seconds, outcome) => {
    const { outcome: outcomeOf } = setUp({ clockToleranceSec: 6 });
    expect(await outcomeOf(withClaims({ exp: nowSec + seconds }))).toBe(outcome);
  });

  it.each([
    [6, 'accepted'],
    [7, 'refused'],
  ])('with a tolerance of six seconds, valid in %d s: %s (S006)', async (seconds, outcome) => {
    expect(await setUp({ clockToleranceSec: 6 }).outcome(withClaims({ nbf: nowSec + seconds }))).toBe(
      outcome,
    );
  });

  it('does not lengthen the expiry that it reports (S006)', async () => {
    const { verify } = setUp({ clockToleranceSec: 6 });
    expect((await verify(withClaims({ exp: nowSec - 1 }))).expiryMs).toBe((nowSec - 1) * 1000);
  });

  it.each([
    [-1, 'refused'],
    [0, 'accepted'],
    [1, 'accepted'],
  ])('of version 2 count in milliseconds: expiring in %d ms is %s (T112)', async (ms, outcome) => {
    const token = legacyToken({ ...V2_CLAIMS, expiryTime: TEST_START_MS + ms });
    expect(await setUp().outcome(token)).toBe(outcome);
  });

  it.each([
    [-6001, 'refused'],
    [-6000, 'accepted'],
  ])(
    'of version 2 with a tolerance of six seconds, expiring in %d ms: %s (S006 T112)',
    async (ms, outcome) => {
      const token = legacyToken({ ...V2_CLAIMS, expiryTime: TEST_START_MS + ms });
      expect(await setUp({ clockToleranceSec: 6 }).outcome(token)).toBe(outcome);
    },
  );

  it('are looked at before any key is asked for (S102)', async () => {
    const { outcome, keySet } = setUp();
    expect(await outcome(withClaims({ exp: nowSec }))).toBe('refused');
    expect(keySet.asked).toEqual([]);
  });
});

describe('issuer and audience of an access token', () => {
  const HERE = 'https://api.example.com/auth';
  const THERE = 'https://other.example.com/auth';
  const issuers = [THERE, HERE];
  const audience = 'shop';
  const FOR_OTHERS = 'for others, tokens kept';

  it.each<[row: string, iss: unknown, outcome: string]>([
    ['the first of the list', THERE, 'accepted'],
    ['the last of it', HERE, 'accepted'],
    ['none', undefined, FOR_OTHERS],
    ['another one', 'https://evil.example/auth', FOR_OTHERS],
    ['one that begins like ours', `${HERE}/x`, FOR_OTHERS],
    ['the beginning of ours', 'https://api.example.com', FOR_OTHERS],
    ['ours with a slash more', `${HERE}/`, FOR_OTHERS],
    ['ours in capitals', HERE.toUpperCase(), FOR_OTHERS],
    ['ours with a space', ` ${HERE}`, FOR_OTHERS],
    ['a list with ours', [HERE], FOR_OTHERS],
    ['the list itself', issuers, FOR_OTHERS],
    ['an object', { 0: HERE }, FOR_OTHERS],
    ['null', null, FOR_OTHERS],
    ['empty', '', FOR_OTHERS],
    ['the name of what lists have', 'length', FOR_OTHERS],
    ['a number', 0, FOR_OTHERS],
  ])('issuer: %s (S009)', async (_, iss, outcome) => {
    expect(await setUp({ intended: { issuers } }).outcome(withClaims({ iss }))).toBe(outcome);
    expect(await setUp().outcome(withClaims({ iss }))).toBe('accepted');
  });

  it.each<[row: string, aud: unknown, outcome: string]>([
    ['ours', audience, 'accepted'],
    ['a list with ours', ['admin', audience], 'accepted'],
    ['none', undefined, FOR_OTHERS],
    ['another one', 'admin', FOR_OTHERS],
    ['one that begins like ours', 'shop-admin', FOR_OTHERS],
    ['the beginning of ours', 'sho', FOR_OTHERS],
    ['ours in capitals', 'SHOP', FOR_OTHERS],
    ['a text with ours in it', 'admin shop', FOR_OTHERS],
    ['a list of others', ['admin', 'shop-admin'], FOR_OTHERS],
    ['an empty list', [], FOR_OTHERS],
    ['a list in a list', [[audience]], FOR_OTHERS],
    ['a list that is not all text', [audience, 5], FOR_OTHERS],
    ['an object', { 0: audience }, FOR_OTHERS],
    ['null', null, FOR_OTHERS],
    ['true', true, FOR_OTHERS],
  ])('audience: %s (S009)', async (_, aud, outcome) => {
    expect(await setUp({ intended: { audience } }).outcome(withClaims({ aud }))).toBe(outcome);
    expect(await setUp().outcome(withClaims({ aud }))).toBe('accepted');
  });

  it('both are asked for where both are configured (S009)', async () => {
    const { outcome } = setUp({ intended: { issuers, audience } });
    expect(await outcome(withClaims({ iss: HERE, aud: audience }))).toBe('accepted');
    expect(await outcome(withClaims({ iss: HERE }))).toBe(FOR_OTHERS);
    expect(await outcome(withClaims({ aud: audience }))).toBe(FOR_OTHERS);
  });

  it('of version 2 stand in userData, where the application put them (S009)', async () => {
    const { outcome } = setUp({ intended: { issuers, audience } });
    const userData = { iss: HERE, aud: audience };
    expect(await outcome(legacyToken({ ...V2_CLAIMS, userData }))).toBe('accepted');
    expect(await outcome(legacyToken({ ...V2_CLAIMS, userData: { iss: HERE, aud: 'admin' } }))).toBe(
      FOR_OTHERS,
    );
    expect(await outcome(legacyToken({ ...V2_CLAIMS, ...userData }))).toBe(FOR_OTHERS);
  });

  it('are believed of proven tokens only: a forged or an expired one is refused as ever (S009 S001)', async () => {
    const { outcome } = setUp({ intended: { issuers, audience } });
    const forged = jwt(V5_HEADER, { ...V5_CLAIMS, iss: THERE }, () => Buffer.alloc(256, 1));
    expect(await outcome(forged)).toBe('refused');
    expect(await outcome(withClaims({ iss: 'x', exp: nowSec }))).toBe('refused');
  });

  it('are proven before a token is remembered (S009)', async () => {
    const { outcome, verifier } = setUp({ intended: { issuers } });
    const [ours, others] = [withClaims({ iss: HERE }), withClaims({ iss: 'x' })];
    for (const _ of [1, 2]) {
      expect(await outcome(ours)).toBe('accepted');
      expect(await outcome(others)).toBe(FOR_OTHERS);
    }
    expect(verifier.cachedTokens).toBe(1);
    expect(verifier.recall(others)).toBeUndefined();
  });

  it('names what did not fit, and neither the token nor what it says', async () => {
    const { verify } = setUp({ intended: { issuers, audience } });
    await expect(verify(withClaims({ iss: 'https://evil.example' }))).rejects.toThrow(
      /^The session is meant for another application: its iss is not among accessTokenIssuers$/,
    );
    await expect(verify(withClaims({ iss: HERE, aud: 'admin' }))).rejects.toThrow(
      /^The session is meant for another application: its aud does not name accessTokenAudience$/,
    );
  });
});

describe('a token that our keys did not sign like this', () => {
  /** The token with one character exchanged; `by` picks another one of the alphabet. */
  const exchanged = (text: string, index: number, by: string): string =>
    text.slice(0, index) + (text[index] === by ? 'B' : by) + text.slice(index + 1);

  it.each([
    ['5', GOOD],
    ['2', GOLDEN_ACCESS_TOKENS[2]],
  ])('is refused with any one character exchanged (version %s) (S001)', async (_, text) => {
    const { outcome } = setUp();
    expect(await outcome(text)).toBe('accepted');
    for (let index = 0; index < text.length; index++) {
      for (const by of ['A', '=', '-']) {
        const altered = exchanged(text, index, by);
        expect({ altered, outcome: await outcome(altered) }).not.toEqual({ altered, outcome: 'accepted' });
      }
    }
  });

  it.each([
    ['5', GOOD, 'base64url'],
    ['2', GOLDEN_ACCESS_TOKENS[2], 'base64'],
  ] as const)(
    'is refused with any one bit of its bytes changed (version %s) (S001)',
    async (_, text, alphabet) => {
      const { outcome } = setUp();
      const parts = text.split('.').map((part) => Buffer.from(part, alphabet));
      for (const [which, bytes] of parts.entries()) {
        for (let index = 0; index < bytes.length; index++) {
          const changed = Buffer.from(bytes);
          changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
          const altered = parts.map((part, n) => (n === which ? changed : part).toString(alphabet)).join('.');
          expect(await outcome(altered)).not.toBe('accepted');
        }
      }
    },
  );

  it('is refused when its signature is spelled in another way (S001)', async () => {
    const { outcome } = setUp();
    for (const tail of ['=', '==', ' ', '\n', 'A', '!!']) {
      expect(await outcome(`${GOOD}${tail}`)).toBe('refused');
      expect(await outcome(`${GOLDEN_ACCESS_TOKENS[2]}${tail}`)).toBe('refused');
    }
  });

  it('is refused when its payload was altered (T103)', async () => {
    const [header, , signature] = GOOD.split('.');
    const [, payload] = jwt(V5_HEADER, { ...V5_CLAIMS, sub: 'user-2' }).split('.');
    expect(await setUp().outcome(`${header}.${payload}.${signature}`)).toBe('refused');
  });

  const { publicKey, privateKey } = keyPairOf(DYNAMIC_TEST_KEY);
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  const hmac = (secret: string | Buffer) => (text: string) =>
    createHmac('sha256', secret).update(text).digest();
  const rsa = (hash: string) => (text: string) => sign(hash, Buffer.from(text), privateKey);

  it.each<[what: string, alg: unknown, signature: (text: string) => Buffer | string]>([
    ['none without a signature', 'none', () => ''],
    ['none with a good signature', 'none', (text) => rs256(text)],
    ['NoNe', 'NoNe', () => ''],
    ['NONE', 'NONE', () => ''],
    ['HS256 keyed with the PEM', 'HS256', hmac(publicKey.export({ type: 'spki', format: 'pem' }))],
    ['HS256 keyed with the other PEM', 'HS256', hmac(publicKey.export({ type: 'pkcs1', format: 'pem' }))],
    ['HS256 keyed with the DER', 'HS256', hmac(publicKey.export({ type: 'spki', format: 'der' }))],
    ['HS256 keyed with the JWK', 'HS256', hmac(JSON.stringify(OUR_KEY))],
    ['HS256 keyed with the modulus', 'HS256', hmac(Buffer.from(OUR_KEY.n ?? '', 'base64url'))],
    ['HS256 keyed with nothing', 'HS256', hmac('')],
    ['RS384', 'RS384', rsa('RSA-SHA384')],
    ['RS512', 'RS512', rsa('RSA-SHA512')],
    ['RS1', 'RS1', rsa('RSA-SHA1')],
    [
      'PS256',
      'PS256',
      (text) =>
        sign('sha256', Buffer.from(text), {
          key: privateKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: 32,
        }),
    ],
    ['RS256 over another hash', 'RS256', rsa('RSA-SHA512')],
    [
      'ES256',
      'ES256',
      (text) => sign('sha256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
    ],
    ['EdDSA', 'EdDSA', (text) => sign(null, Buffer.from(text), ed.privateKey)],
    ['a good signature under another name', 'HS256', (text) => rs256(text)],
    ['rs256 in small letters', 'rs256', (text) => rs256(text)],
    ['no algorithm', undefined, (text) => rs256(text)],
    ['a list of algorithms', ['RS256'], (text) => rs256(text)],
    ["a stranger's RS256", 'RS256', (text) => rs256(text, FOREIGN_TEST_KEY)],
    ['no signature under RS256', 'RS256', () => ''],
  ])('is refused: %s (S002)', async (_, alg, signature) => {
    expect(await setUp().outcome(jwt({ ...V5_HEADER, alg }, V5_CLAIMS, signature))).toBe('refused');
  });

  it.each([
    [
      'ES256',
      ec.publicKey,
      (text: string) => sign('sha256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
    ],
    ['EdDSA', ed.publicKey, (text: string) => sign(null, Buffer.from(text), ed.privateKey)],
  ] as const)(
    'is refused although a key of its kind is published without alg: %s (S002 S003)',
    async (alg, key, signature) => {
      const jwk = { ...(key.export({ format: 'jwk' }) as object), kid: DYNAMIC_TEST_KID } as PublicJwk;
      expect(await setUp({ keys: [jwk] }).outcome(jwt({ ...V5_HEADER, alg }, V5_CLAIMS, signature))).toBe(
        'refused',
      );
    },
  );

  it.each(['HS256', 'RS512', 'PS256', 'ES256'])(
    'is refused when the published key says of itself that it is for %s (S003)',
    async (alg) => {
      const { outcome } = setUp({ keys: [{ ...OUR_KEY, alg }] });
      expect(await outcome(jwt({ ...V5_HEADER, alg }, V5_CLAIMS, rsa('RSA-SHA512')))).toBe('refused');
      expect(await outcome(GOOD)).toBe('refused');
    },
  );

  it('is accepted by a key that names no algorithm, with RS256 only (S003)', async () => {
    expect(OUR_KEY.alg).toBeUndefined();
    expect(await setUp().outcome(GOOD)).toBe('accepted');
  });

  it('is refused when the published key is a shared secret (S003)', async () => {
    const secret = { kty: 'oct', kid: DYNAMIC_TEST_KID, k: 'c2VjcmV0' } as PublicJwk;
    const { outcome } = setUp({ keys: [secret] });
    expect(await outcome(jwt({ ...V5_HEADER, alg: 'HS256' }, V5_CLAIMS, hmac('secret')))).toBe('refused');
    expect(await outcome(legacyToken(V2_CLAIMS))).toBe('refused');
  });

  it('is refused with its own key in the header, and nobody is called (S004)', async () => {
    let calls = 0;
    const server = createServer((_, response) => {
      calls++;
      response.end(
        JSON.stringify({ keys: [{ ...publicJwkOf(FOREIGN_TEST_KEY, 'mine'), kid: DYNAMIC_TEST_KID }] }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
      const jwk = publicJwkOf(FOREIGN_TEST_KEY, 'mine');
      for (const kid of [DYNAMIC_TEST_KID, 'mine', url]) {
        const { outcome, keySet } = setUp();
        const header = { ...V5_HEADER, kid, jwk, jku: url, x5u: url, x5c: ['AAAA'] };
        const token = jwt(header, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY));
        expect(await outcome(token)).toBe('refused');
        expect(keySet.asked).toEqual([kid]);
      }
      expect(calls).toBe(0);
    } finally {
      server.close();
    }
  });

  it.each([
    '',
    'd-1',
    '../../etc/passwd',
    'http://x/',
    "' or 1=1 --",
    '__proto__',
    'k'.repeat(256),
    '\0',
    '💥',
  ])('is refused for the unknown key id %j, which is looked up once as it is (S005)', async (kid) => {
    const { outcome, keySet } = setUp();
    expect(await outcome(jwt({ ...V5_HEADER, kid }, V5_CLAIMS))).toBe('refused');
    expect(keySet.asked).toEqual([kid]);
  });

  it.each([
    [
      'a refresh token',
      'AAECAwQFBgcICQoL9lEY.bd7662a5eeb41614e720d477abfcb2272e19a8a70a93b7e3bc8560d44ad326e9.V2',
    ],
    ['an anti-CSRF token', '11111111-1111-4111-8111-111111111111'],
    ['a session handle', V5_CLAIMS.sessionHandle],
    ['a logout token', jwt({ ...V5_HEADER, typ: 'logout+jwt' }, V5_CLAIMS)],
    ['a DPoP proof', jwt({ ...V5_HEADER, typ: 'dpop+jwt' }, V5_CLAIMS)],
    ['a DBSC proof', jwt({ ...V5_HEADER, typ: 'dbsc+jwt' }, V5_CLAIMS)],
    ['an access token of the OAuth2 provider', withClaims({ stt: 1 })],
    [
      'a JWT of the application',
      jwt({ ...V5_HEADER, version: undefined }, { sub: 'user-1', exp: nowSec + 9, iat: nowSec }),
    ],
  ])('is no access token: %s (S007)', async (_, text) => {
    expect(await setUp().outcome(text)).toBe('no access token');
  });

  it('is refused with crit, which nobody understands', async () => {
    expect(await setUp().outcome(jwt({ ...V5_HEADER, crit: ['exp'] }, V5_CLAIMS))).toBe('refused');
  });
});

describe('keys of both kinds in one set', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const jwkOf = (key: typeof ec.publicKey, more: object): PublicJwk =>
    ({ ...(key.export({ format: 'jwk' }) as object), kid: 'd-2', ...more }) as PublicJwk;
  const es256 = (text: string, { privateKey } = ec): Buffer =>
    sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const EC_KEY = jwkOf(ec.publicKey, { alg: 'ES256', use: 'sig' });
  const EC_HEADER = { ...V5_HEADER, kid: 'd-2', alg: 'ES256' };
  const keys = [OUR_KEY, EC_KEY];

  it('takes RS256 and ES256 during a change-over', async () => {
    const { outcome, verify } = setUp({ keys });
    expect(await outcome(GOOD)).toBe('accepted');
    expect(await verify(jwt(EC_HEADER, V5_CLAIMS, es256))).toMatchObject({ userId: 'user-1', kid: 'd-2' });
    expect(await outcome(legacyToken(V2_CLAIMS))).toBe('accepted');
  });

  it.each<[what: string, header: object, signature: (text: string) => Buffer | string]>([
    ['ES256 under the id of the RSA key', { ...EC_HEADER, kid: DYNAMIC_TEST_KID }, es256],
    ['RS256 under the id of the EC key', { ...EC_HEADER, alg: 'RS256' }, (text) => rs256(text)],
    ['RS256 said, ES256 signed', { ...EC_HEADER, alg: 'RS256' }, es256],
    ['ES256 said, RS256 signed', EC_HEADER, (text) => rs256(text)],
    ['ES256 said of the RSA key', { ...V5_HEADER, alg: 'ES256' }, (text) => rs256(text)],
    ['a signature in DER', EC_HEADER, (text) => sign('sha256', Buffer.from(text), ec.privateKey)],
    ['a signature of zeros', EC_HEADER, () => Buffer.alloc(64)],
    ['no signature', EC_HEADER, () => ''],
    [
      'another hash',
      EC_HEADER,
      (text) => sign('sha384', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
    ],
    [
      'HS256 keyed with the JWK',
      { ...EC_HEADER, alg: 'HS256' },
      (text) => createHmac('sha256', JSON.stringify(EC_KEY)).update(text).digest(),
    ],
    [
      "a stranger's ES256",
      EC_HEADER,
      (text) => es256(text, generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    ],
  ])('refuses %s (S002)', async (_, header, signature) => {
    expect(await setUp({ keys }).outcome(jwt(header, V5_CLAIMS, signature))).toBe('refused');
  });

  it.each<[what: string, key: PublicJwk, pair: typeof ec]>([
    ['does not say that it is for ES256', jwkOf(ec.publicKey, {}), ec],
    ['says that it is for RS256', jwkOf(ec.publicKey, { alg: 'RS256' }), ec],
    ['is meant for encryption', jwkOf(ec.publicKey, { alg: 'ES256', use: 'enc' }), ec],
    ['lies on another curve', jwkOf(otherCurve.publicKey, { alg: 'ES256' }), otherCurve],
    ['only calls its curve P-256', jwkOf(otherCurve.publicKey, { alg: 'ES256', crv: 'P-256' }), otherCurve],
    ['is broken', { kty: 'EC', kid: 'd-2', alg: 'ES256', crv: 'P-256', x: 'AA', y: 'AA' }, ec],
  ])('does not verify ES256 with a published key that %s (S003)', async (_, key, pair) => {
    const token = jwt(EC_HEADER, V5_CLAIMS, (text) => es256(text, pair));
    expect(await setUp({ keys: [key] }).outcome(token)).toBe('refused');
  });

  it('verifies with the first of two keys of one id only', async () => {
    const [first, second] = [OUR_KEY, publicJwkOf(FOREIGN_TEST_KEY, DYNAMIC_TEST_KID)];
    const token = jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY));
    expect(await setUp({ keys: [first, second] }).outcome(token)).toBe('refused');
    expect(await setUp({ keys: [second, first] }).outcome(token)).toBe('accepted');
  });

  it('does not verify with an RSA key of less than 2048 bits', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const token = jwt({ ...V5_HEADER, kid: 'd-2' }, V5_CLAIMS, (text) =>
      sign('sha256', Buffer.from(text), weak.privateKey),
    );
    expect(await setUp({ keys: [jwkOf(weak.publicKey, {})] }).outcome(token)).toBe('refused');
  });

  it('goes past keys of another kind to the one that signed a token of version 2 (T109)', async () => {
    expect(await setUp({ keys: [EC_KEY, OUR_KEY] }).outcome(legacyToken(V2_CLAIMS))).toBe('accepted');
  });
});

describe('a key set that cannot be had', () => {
  it('is an outage and no verdict about the token, and keeps the cause (Q1, S017)', async () => {
    const { verify, keySet } = setUp();
    keySet.failure = new Error('no response');
    const failure = await verify(GOOD).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CoreUnavailableError);
    expect(failure).toMatchObject({
      message: 'The keys that verify access tokens cannot be had',
      cause: keySet.failure,
      retryAfterSec: 1,
    });
    keySet.failure = new CoreUnavailableError('away', { retryAfterSec: 7 });
    expect(await verify(GOOD).catch((error: unknown) => error)).toBe(keySet.failure);
    keySet.failure = undefined;
    await expect(verify(GOOD)).resolves.toBeDefined();
  });

  it('is an outage also where that is known at once', () => {
    const cause = new Error('no keys');
    const keys = Object.assign(new TestKeySet(), {
      find: () => {
        throw cause;
      },
    });
    const clock = new TestClock(TEST_START_MS);
    const verifier = new AccessTokenVerifier(keys, clock, { clockToleranceSec: 0, maxCachedTokens: 10 });
    expect(() => verifier.verify(parsed(GOOD))).toThrow(
      expect.objectContaining({ message: 'The keys that verify access tokens cannot be had', cause }),
    );
  });
});

describe('keys that come later', () => {
  const STATIC_KEY = publicJwkOf(STATIC_TEST_KEY, STATIC_TEST_KID);

  /** A set that learns of its second key when a token fails with the first. */
  function setWithLaterKey() {
    const seen: (readonly PublicJwk[])[] = [];
    const keys = Object.assign(new TestKeySet(), {
      findOthers: async (known: readonly PublicJwk[]) => {
        seen.push(known);
        return [STATIC_KEY];
      },
    });
    const clock = new TestClock(TEST_START_MS);
    return {
      seen,
      verifier: new AccessTokenVerifier(keys, clock, { clockToleranceSec: 0, maxCachedTokens: 10 }),
    };
  }

  it('prove a token of version 2, which names none, and no other token asks for them', async () => {
    const { seen, verifier } = setWithLaterKey();
    await verifier.verify(parsed(legacyToken(V2_CLAIMS)));
    await expect(verifier.verify(parsed(jwt(V5_HEADER, V5_CLAIMS, () => '')))).rejects.toThrow(
      TryRefreshTokenError,
    );
    expect(seen).toEqual([]);
    const late = parsed(legacyToken(V2_CLAIMS, 2, STATIC_TEST_KEY));
    await expect(verifier.verify(late)).resolves.toMatchObject({ userId: 'user-1' });
    expect(seen).toEqual([[OUR_KEY]]);
    const foreign = parsed(legacyToken(V2_CLAIMS, 2, FOREIGN_TEST_KEY));
    await expect(verifier.verify(foreign)).rejects.toThrow(TryRefreshTokenError);
    await expect(verifier.verify(foreign)).rejects.toThrow(TryRefreshTokenError);
    expect(seen).toHaveLength(3);
  });
});

describe('looking whether a token is of another session', () => {
  const [own, other] = [V5_CLAIMS.sessionHandle, 'another-session'];

  it('names the session of a genuine token that is of another one, expired or not', async () => {
    const { verifier, clock } = setUp();
    clock.advance(1e12);
    expect(await verifier.findOtherSession(withClaims({}), other)).toBe(own);
  });

  it('names no session for a forged token, for other texts, and where the keys cannot be had', async () => {
    const { verifier, keySet } = setUp();
    const forged = jwt(V5_HEADER, V5_CLAIMS, () => Buffer.alloc(256));
    expect(await verifier.findOtherSession(forged, other)).toBeUndefined();
    expect(await verifier.findOtherSession('no token', other)).toBeUndefined();
    keySet.failure = new Error('no keys');
    expect(await verifier.findOtherSession(withClaims({}), other)).toBeUndefined();
  });

  it('knows the session of a genuine token, remembered or not', async () => {
    const { verifier, verify, keySet } = setUp();
    expect(await verifier.findSession(GOOD)).toBe(own);
    await verify(GOOD);
    keySet.asked.length = 0;
    expect(await verifier.findSession(GOOD)).toBe(own);
    expect(await verifier.findOtherSession(GOOD, other)).toBe(own);
    expect(keySet.asked).toEqual([]);
    expect(await verifier.findSession('no token')).toBeUndefined();
  });

  it('asks for no key where the token names the same session', async () => {
    const { verifier, keySet } = setUp();
    expect(await verifier.findOtherSession(withClaims({}), own)).toBeUndefined();
    expect(keySet.asked).toEqual([]);
  });
});

describe('remembering verified tokens', () => {
  it('asks for no key the second time', async () => {
    const { verify, keySet, verifier } = setUp();
    const first = await verify(GOOD);
    expect(await verify(GOOD)).toBe(first);
    expect(keySet.asked).toHaveLength(1);
    expect(verifier.cachedTokens).toBe(1);
  });

  it('tells tokens apart by all of their text (S012)', async () => {
    const { verify, outcome } = setUp();
    await verify(GOOD);
    const [header, payload, signature = ''] = GOOD.split('.');
    const [, other] = jwt(V5_HEADER, { ...V5_CLAIMS, sub: 'user-2' }).split('.');
    expect(await outcome(`${header}.${other}.${signature}`)).toBe('refused');
    expect(await outcome(`${header}.${payload}.${'A'.repeat(signature.length)}`)).toBe('refused');
    expect(await outcome(`${header}.${payload}.`)).toBe('refused');
  });

  it('forgets a token when it expires (S012)', async () => {
    const { verify, outcome, clock, verifier } = setUp();
    await verify(GOOD);
    clock.advanceSeconds(3599);
    expect(await outcome(GOOD)).toBe('accepted');
    clock.advanceSeconds(1);
    expect(await outcome(GOOD)).toBe('refused');
    expect(verifier.cachedTokens).toBe(0);
  });

  it('forgets everything when a key leaves the set (S012)', async () => {
    const { verify, outcome, keySet } = setUp();
    await verify(GOOD);
    keySet.remove(DYNAMIC_TEST_KID);
    expect(await outcome(GOOD)).toBe('refused');
  });

  it('keeps no proof that was under way when the key left (S012)', async () => {
    const { verify, outcome, keySet } = setUp();
    const underWay = verify(GOOD);
    keySet.remove(DYNAMIC_TEST_KID);
    await underWay;
    expect(await outcome(GOOD)).toBe('refused');
  });

  it('proves the tokens of a revoked session again, and those of others not (S012)', async () => {
    const { verify, keySet, verifier } = setUp();
    const other = withClaims({ sessionHandle: 'other' });
    await verify(GOOD);
    await verify(other);
    verifier.forgetSessions([V5_CLAIMS.sessionHandle]);
    expect(verifier.cachedTokens).toBe(1);
    await verify(GOOD);
    await verify(other);
    expect(keySet.asked).toHaveLength(3);
  });

  it('keeps no proof that was under way when the session was revoked (S012)', async () => {
    const { verify, verifier } = setUp();
    const underWay = verify(GOOD);
    verifier.forgetSessions([V5_CLAIMS.sessionHandle]);
    await underWay;
    expect(verifier.cachedTokens).toBe(0);
  });

  it('forgets those that fulfil a condition, or all, and no proof under way is kept then', async () => {
    const { verify, verifier } = setUp();
    const other = withClaims({ sub: 'user-2' });
    for (const token of [GOOD, other]) await verify(token);
    verifier.forgetWhere(({ userId }) => userId === 'user-2');
    expect([GOOD, other].map((token) => verifier.recall(token)?.userId)).toEqual(['user-1', undefined]);
    const underWay = verify(other);
    verifier.forgetAll();
    await underWay;
    expect([verifier.cachedTokens, verifier.cachedTokenBytes]).toEqual([0, 0]);
  });

  it('keeps none that the application does not want remembered', async () => {
    const options = {
      clockToleranceSec: 0,
      maxCachedTokens: 10,
      mayRemember: ({ userId }: AccessTokenInfo) => userId !== 'user-1',
    };
    const verifier = new AccessTokenVerifier(new TestKeySet(), new TestClock(TEST_START_MS), options);
    const other = withClaims({ sub: 'user-2' });
    for (const token of [GOOD, other]) await verifier.verify(parsed(token));
    expect([GOOD, other].map((token) => verifier.recall(token) !== undefined)).toEqual([false, true]);
  });

  it('returns none while a renewal of the keys is due', async () => {
    const clock = new TestClock(TEST_START_MS);
    const keys = Object.assign(new TestKeySet(), { isDue: false });
    const verifier = new AccessTokenVerifier(keys, clock, { clockToleranceSec: 0, maxCachedTokens: 10 });
    await verifier.verify(parsed(GOOD));
    keys.isDue = true;
    expect(verifier.recall(GOOD)).toBeUndefined();
    keys.isDue = false;
    expect(verifier.recall(GOOD)).toBeDefined();
  });

  it('remembers no refused token', async () => {
    const { outcome, verifier } = setUp();
    await outcome(jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY)));
    await outcome(withClaims({ exp: nowSec }));
    expect(verifier.cachedTokens).toBe(0);
  });

  it('checks the signature of a forged token once when it comes many times, until the keys change (S102)', async () => {
    const { verify, keySet } = setUp();
    const forged = jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY));
    for (let times = 0; times < 10; times++)
      await expect(verify(forged)).rejects.toBeInstanceOf(TryRefreshTokenError);
    expect(keySet.asked).toHaveLength(1);
    await expect(verify(GOOD)).resolves.toBeDefined();
    await expect(verify(forged)).rejects.toBeInstanceOf(TryRefreshTokenError);
    expect(keySet.asked).toHaveLength(2);
    keySet.remove('a key of another time');
    await expect(verify(forged)).rejects.toBeInstanceOf(TryRefreshTokenError);
    expect(keySet.asked).toHaveLength(3);
  });

  it('remembers none of a flood of forged tokens, and keeps those that are good (S012 S102)', async () => {
    const { verify, outcome, verifier } = setUp({ maxCachedTokens: 10 });
    await verify(GOOD);
    const [header, payload, signature = ''] = GOOD.split('.');
    for (let n = 0; n < 500; n++) {
      const end = n.toString(16).padStart(8, 'A');
      expect(await outcome(`${header}.${payload}.${signature.slice(0, -9)}${end}A`)).toBe('refused');
    }
    expect(verifier.cachedTokens).toBe(1);
    expect(verifier.recall(GOOD)).toBeDefined();
  });

  it('counts the memory that they take, and none for refused ones (S012)', async () => {
    const { verify, outcome, verifier } = setUp({ maxCachedTokenBytes: 64 * 4000 });
    await verify(GOOD);
    const { cachedTokenBytes } = verifier;
    expect(cachedTokenBytes).toBeGreaterThan(GOOD.length);
    await outcome(jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY)));
    await verify(withClaims({ text: 'x'.repeat(4000) }));
    expect(verifier.cachedTokenBytes).toBe(cachedTokenBytes);
    verifier.forgetSessions([V5_CLAIMS.sessionHandle]);
    expect(verifier.cachedTokenBytes).toBe(0);
  });

  it('returns at once for a token that is known, and for no other', async () => {
    const { verify, verifier, keySet, clock } = setUp();
    expect(verifier.recall(GOOD)).toBeUndefined();
    const info = await verify(GOOD);
    expect(verifier.recall(GOOD)).toBe(info);
    expect(verifier.recall(`${GOOD} `)).toBeUndefined();
    expect(verifier.recall(GOOD.slice(1))).toBeUndefined();
    clock.advanceSeconds(3600);
    expect(verifier.recall(GOOD)).toBeUndefined();
    clock.advanceSeconds(-1);
    expect(verifier.recall(GOOD)).toBe(info);
    keySet.remove(DYNAMIC_TEST_KID);
    expect(verifier.recall(GOOD)).toBeUndefined();
  });

  it('keeps nbf and the tolerance for known tokens, also when the clock is set back (S006)', async () => {
    const { verify, verifier, clock } = setUp({ clockToleranceSec: 6 });
    const token = withClaims({ nbf: nowSec, exp: nowSec + 10 });
    await verify(token);
    const knownAfter = (ms: number): boolean => {
      clock.advance(ms);
      const isKnown = verifier.recall(token) !== undefined;
      clock.advance(-ms);
      return isKnown;
    };
    expect([-6001, -6000, 15_999, 16_000].map(knownAfter)).toEqual([false, true, true, false]);
  });

  it('returns without a promise as long as the key is at hand, and keeps what it proved (S012)', async () => {
    const clock = new TestClock(TEST_START_MS);
    const keySet = new KeysAtHand([OUR_KEY]);
    const verifier = new AccessTokenVerifier(keySet, clock, { clockToleranceSec: 0, maxCachedTokens: 10 });
    const info = verifier.verify(parsed(GOOD));
    expect(info).toMatchObject({ userId: 'user-1' });
    expect(info).not.toBeInstanceOf(Promise);
    expect(info instanceof Promise || Object.isFrozen(info.payload)).toBe(true);
    expect(verifier.recall(GOOD)).toBe(info);
    expect(() => verifier.verify(parsed(GOOD.slice(0, -5)))).toThrow(TryRefreshTokenError);
    expect(() => verifier.verify(parsed(withClaims({ exp: nowSec })))).toThrow(TryRefreshTokenError);
    expect(() => verifier.verify(parsed(jwt({ ...V5_HEADER, kid: 'd-2' }, V5_CLAIMS)))).toThrow(
      TryRefreshTokenError,
    );
    expect(verifier.read('junk')).toBeUndefined();
    expect(verifier.cachedTokens).toBe(1);
    expect(verifier.verify(parsed(legacyToken(V2_CLAIMS)))).not.toBeInstanceOf(Promise);
    expect(keySet.asked).toEqual([]);
  });

  it('verifies a token once for all who present it at the same time', async () => {
    const { verify, keySet } = setUp({ maxCachedTokens: 0 });
    const infos = await Promise.all(Array.from({ length: 10 }, () => verify(GOOD)));
    expect(new Set(infos).size).toBe(1);
    expect(keySet.asked).toHaveLength(1);
    await verify(GOOD);
    expect(keySet.asked).toHaveLength(2);
  });

  it('tells all who wait for it that a token is refused, and forgets that', async () => {
    const { verify, keySet } = setUp();
    keySet.failure = new Error('no response');
    const outcomes = await Promise.allSettled([verify(GOOD), verify(GOOD), verify(GOOD)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(keySet.asked).toHaveLength(1);
    keySet.failure = undefined;
    await expect(verify(GOOD)).resolves.toBeDefined();
  });

  it('lets no token share the proof of another one that ends alike, or of any other (S012)', async () => {
    const { verify } = setUp();
    const [header, , signature] = GOOD.split('.');
    const [, payload] = jwt(V5_HEADER, { ...V5_CLAIMS, sub: 'admin' }).split('.');
    const other = withClaims({ sub: 'user-2' });
    const outcomes = await Promise.allSettled([
      verify(GOOD),
      verify(`${header}.${payload}.${signature}`),
      verify(other),
    ]);
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: expect.objectContaining({ userId: 'user-1' }) },
      { status: 'rejected', reason: expect.any(TryRefreshTokenError) },
      { status: 'fulfilled', value: expect.objectContaining({ userId: 'user-2' }) },
    ]);
  });

  it('shares a proof until it ends, also when an older one of the same token ends before', async () => {
    const ends: (() => void)[] = [];
    const keys = Object.assign(new TestKeySet(), {
      find: async () => new Promise<readonly PublicJwk[]>((resolve) => ends.push(() => resolve([OUR_KEY]))),
    });
    const clock = new TestClock(TEST_START_MS);
    const verifier = new AccessTokenVerifier(keys, clock, { clockToleranceSec: 0, maxCachedTokens: 0 });
    const first = verifier.verify(parsed(GOOD));
    keys.remove('a key of another time');
    const second = verifier.verify(parsed(GOOD));
    ends[0]?.();
    await first;
    const third = verifier.verify(parsed(GOOD));
    expect(ends).toHaveLength(2);
    ends[1]?.();
    expect(await third).toBe(await second);
  });

  it('lets nobody share a proof that began before the key left (S012)', async () => {
    const { verify, outcome, keySet } = setUp();
    const before = verify(GOOD);
    keySet.remove(DYNAMIC_TEST_KID);
    expect(await outcome(GOOD)).toBe('refused');
    await before;
  });

  it('lets nobody share a proof that began before the session was revoked (S012)', async () => {
    const { verify, keySet, verifier } = setUp();
    const before = verify(GOOD);
    verifier.forgetSessions([V5_CLAIMS.sessionHandle]);
    await Promise.all([before, verify(GOOD)]);
    expect(keySet.asked).toHaveLength(2);
    expect(verifier.cachedTokens).toBe(1);
  });

  it('can be switched off', async () => {
    const { verify, verifier, keySet } = setUp({ maxCachedTokens: 0 });
    await verify(GOOD);
    await verify(GOOD);
    expect(verifier.cachedTokens).toBe(0);
    expect(keySet.asked).toHaveLength(2);
  });
});

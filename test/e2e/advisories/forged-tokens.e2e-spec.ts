import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DYNAMIC_TEST_KEY, FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { keyPairOf } from '../../support/embedded.js';
import { jwt, rs256, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

const { publicKey, privateKey } = keyPairOf(DYNAMIC_TEST_KEY);
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PUBLIC_PEM = publicKey.export({ type: 'spki', format: 'pem' });
const PUBLIC_JWK = publicKey.export({ format: 'jwk' });

const hs256 = (secret: string | Buffer) => (text: string) =>
  createHmac('sha256', secret).update(text).digest();
const forged = (header: object, signature: (text: string) => Buffer | string, claims: object = V5_CLAIMS) =>
  jwt({ ...V5_HEADER, ...header }, claims, signature);

/** Faults of other libraries, each as a token that they let in. */
const FORGERIES: readonly (readonly [advisory: string, tokens: readonly string[]])[] = [
  [
    'CVE-2015-9235: HS256, keyed with the public RSA key',
    [forged({ alg: 'HS256' }, hs256(PUBLIC_PEM)), forged({ alg: 'HS256' }, hs256(String(PUBLIC_PEM).trim()))],
  ],
  [
    'CVE-2016-10555: the algorithm that the token names, keyed with whatever the server has',
    [
      forged({ alg: 'HS256' }, hs256(publicKey.export({ type: 'spki', format: 'der' }))),
      forged({ alg: 'HS384' }, hs256(PUBLIC_PEM)),
      forged({ alg: 'HS256' }, hs256(JSON.stringify(PUBLIC_JWK))),
      forged({ alg: 'HS256' }, hs256(Buffer.from(PUBLIC_JWK.n ?? '', 'base64url'))),
    ],
  ],
  [
    'CVE-2022-23540: no signature under the algorithm none',
    ['none', 'None', 'NONE', ''].map((alg) => forged({ alg }, () => '')),
  ],
  [
    'CVE-2018-0114: signed with the key that the token carries',
    [
      forged({ alg: 'RS256', jwk: keyPairOf(FOREIGN_TEST_KEY).publicKey.export({ format: 'jwk' }) }, (text) =>
        rs256(text, FOREIGN_TEST_KEY),
      ),
      forged({ alg: 'ES256', jwk: stranger.publicKey.export({ format: 'jwk' }) }, (text) =>
        sign('sha256', Buffer.from(text), { key: stranger.privateKey, dsaEncoding: 'ieee-p1363' }),
      ),
    ],
  ],
  [
    'CVE-2026-22818: another algorithm of the same key, which names none of its own',
    [
      forged({ alg: 'RS512' }, (text) => sign('RSA-SHA512', Buffer.from(text), privateKey)),
      forged({ alg: 'RS384' }, (text) => sign('RSA-SHA384', Buffer.from(text), privateKey)),
    ],
  ],
  [
    'CVE-2025-65945: an HMAC keyed with what the header or the payload chooses',
    [
      forged({ alg: 'HS256', kid: 'secret' }, hs256('secret')),
      forged({ alg: 'HS256' }, hs256(V5_HEADER.kid)),
      forged({ alg: 'HS256' }, hs256(V5_CLAIMS.sub)),
      forged({ alg: 'HS256' }, hs256('')),
    ],
  ],
  [
    'CVE-2025-30144: lists in claims that are text, though our own key has signed them',
    ['sub', 'rsub', 'sessionHandle', 'refreshTokenHash1'].map((name) =>
      forged({}, (text) => rs256(text), { ...V5_CLAIMS, [name]: [V5_CLAIMS.sub, 'admin'] }),
    ),
  ],
  [
    'CVE-2023-0657: tokens for another purpose, though our own key has signed them',
    ['logout+jwt', 'at+jwt', 'dpop+jwt', 'dbsc+jwt'].map((typ) => forged({ typ }, (text) => rs256(text))),
  ],
];

describe.each(ADAPTERS)('forged access tokens on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter).start();
  });

  afterAll(() => application.close());

  const bearer = async (token: string, path = '/me') =>
    application.send({ path, headers: { authorization: `Bearer ${token}` } });

  it('are made like a token that opens the door', async () => {
    expect((await bearer(forged({}, (text) => rs256(text)))).body).toMatchObject({ userId: V5_CLAIMS.sub });
  });

  it.each(FORGERIES)('%s', async (_advisory, tokens) => {
    for (const token of tokens) {
      const responses = [
        await bearer(token),
        await application.send({ path: '/me', headers: { cookie: `sAccessToken=${token}` } }),
      ];
      for (const response of responses)
        expect([response.status, token.slice(0, 20)]).toEqual([401, token.slice(0, 20)]);
      expect((await bearer(token, '/optional')).body).not.toMatchObject({ userId: expect.anything() });
    }
  });

  it('CVE-2023-48309: a JWT of the application that no sign-in has made is no session', async () => {
    const created = await application.sessions.createJWT({ payload: { sub: 'user-1', userId: 'user-1' } });
    const token = created.status === 'OK' ? created.jwt : '';
    expect(token).toMatch(/^ey/);
    expect((await bearer(token)).status).toBe(401);
  });

  it.each([
    ['a broken escape in a cookie', { cookie: 'sAccessToken=%E0%A4%A; sRefreshToken=%' }],
    ['no scheme', { authorization: 'Bearer' }],
    ['three broken parts', { authorization: 'Bearer a.b.c' }],
    [
      'a JSON of depth',
      { authorization: `Bearer ${Buffer.from('['.repeat(900)).toString('base64url')}.e30.e` },
    ],
    ['a URL where a mode is expected', { 'st-auth-mode': 'javascript:alert(1)', rid: '://%00' }],
  ])('CVE-2022-31093: %s is refused as an error of the caller', async (_what, headers) => {
    for (const [method, path] of [
      ['GET', '/me'],
      ['POST', '/auth/session/refresh?callbackUrl=:/%2F%00'],
      ['POST', '/auth/signout?callbackUrl=123'],
    ]) {
      const { status } = await application.send({ method: method ?? '', path: path ?? '', headers });
      expect([method, path, Math.floor(status / 100)]).toEqual([method, path, 4]);
    }
  });
});

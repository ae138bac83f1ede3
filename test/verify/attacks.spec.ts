import { describe, expect, it } from '@jest/globals';
import { SessionError } from '../../lib/errors.js';
import { createSessionVerifier } from '../../lib/verify/index.js';
import { publicJwkOf } from '../fixtures/key-set.js';
import { jwt, rs256, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import { DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID, FOREIGN_TEST_KEY } from '../fixtures/signing-keys.js';

const GOOD = jwt(V5_HEADER, V5_CLAIMS);
/** Of another user than the good token, so that an accepted one shows. */
const ADMIN = { ...V5_CLAIMS, sub: 'admin' };
const FORGED = jwt(V5_HEADER, ADMIN, (text) => rs256(text, FOREIGN_TEST_KEY));
const clock = { now: () => V5_CLAIMS.iat * 1000 };
const verifier = createSessionVerifier({ keys: [publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID)], clock });
const ADDRESS = 'https://shop.example/orders';
const BY_COOKIE = { cookie: `sAccessToken=${GOOD}` };

async function outcome(method: string, headers: Record<string, string>, url = ADDRESS): Promise<string> {
  return verifier.verify(new Request(url, { method, headers })).then(
    ({ userId }) => userId,
    (error: unknown) => (error instanceof SessionError ? error.type : String(error)),
  );
}

describe('an attack on the verifying door', () => {
  it('does not start where there is none: cookie and header work', async () => {
    expect(await outcome('GET', BY_COOKIE)).toBe(V5_CLAIMS.sub);
    expect(await outcome('POST', { ...BY_COOKIE, rid: 'session' })).toBe(V5_CLAIMS.sub);
    expect(await outcome('POST', { authorization: `Bearer ${GOOD}` })).toBe(V5_CLAIMS.sub);
  });

  it.each<[string, string, Record<string, string>]>([
    ['a form of another page', 'POST', {}],
    ['a method in lower case', 'patch', {}],
    ['a method of its own', 'GETT', {}],
    ['an Authorization header that is no token', 'POST', { authorization: 'Bearer x' }],
    ['an Authorization header of another scheme', 'POST', { authorization: 'Basic YTpi' }],
    ['an empty Authorization header', 'POST', { authorization: '' }],
    ['a mode that the client chooses', 'POST', { 'st-auth-mode': 'header' }],
    ['an overridden method', 'POST', { 'x-http-method-override': 'GET' }],
    ['another site that sends the custom header', 'POST', { rid: 'a', 'sec-fetch-site': 'cross-site' }],
    ['a foreign origin that sends the custom header', 'POST', { rid: 'a', origin: 'https://evil.example' }],
    ['no origin at all, as a sandboxed frame', 'POST', { rid: 'a', origin: 'null' }],
    [
      'a host that it names itself',
      'POST',
      { rid: 'a', origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
    ],
  ])('by cookie from %s changes nothing (S068, S069)', async (_, method, headers) => {
    expect(await outcome(method, { ...BY_COOKIE, ...headers })).not.toBe(V5_CLAIMS.sub);
  });

  it.each<[string, Record<string, string>]>([
    ['a forged token in front of a good cookie', { authorization: `Bearer ${FORGED}` }],
    ['a forged cookie before a good one', { cookie: `sAccessToken=${FORGED}; sAccessToken=${GOOD}` }],
    ['a forged cookie after a good one', { cookie: `sAccessToken=${GOOD}; sAccessToken=${FORGED}` }],
    ['a cookie in quotes', { cookie: `sAccessToken="${FORGED}"` }],
    ['a token in a cookie of almost that name', { cookie: ` saccesstoken=${GOOD}; sAccessToken =${GOOD}x` }],
    [
      'an unsigned token',
      { authorization: `Bearer ${jwt({ ...V5_HEADER, alg: 'none' }, ADMIN, () => Buffer.alloc(0))}` },
    ],
    [
      'a token that brings its key',
      {
        authorization: `Bearer ${jwt({ ...V5_HEADER, jwk: publicJwkOf(FOREIGN_TEST_KEY, DYNAMIC_TEST_KID) }, ADMIN, (text) => rs256(text, FOREIGN_TEST_KEY))}`,
      },
    ],
  ])('by %s proves no user (S001, S002, S004)', async (_, headers) => {
    const found = await outcome('GET', { ...BY_COOKIE, ...headers });
    expect(found === V5_CLAIMS.sub && 'cookie' in headers).toBe(false);
    expect(found).not.toBe('admin');
  });
});

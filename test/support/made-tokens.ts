import { sign } from 'node:crypto';
import { DYNAMIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID, keyPairOf } from './embedded.js';

/** Header of a token as the core writes it. */
export const V5_HEADER = { kid: DYNAMIC_TEST_KID, typ: 'JWT', version: '5', alg: 'RS256' } as const;

/** Claims of a token that is complete, of version 5, valid from 1760000000 for an hour. */
export const V5_CLAIMS = {
  sub: 'user-1',
  exp: 1_760_003_600,
  iat: 1_760_000_000,
  tId: 'public',
  rsub: 'user-1',
  sessionHandle: '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11',
  refreshTokenHash1: 'a'.repeat(64),
  parentRefreshTokenHash1: null,
  antiCsrfToken: null,
} as const;

/** Claims of a token that is complete, of version 2, valid from 1760000000 for an hour. */
export const V2_CLAIMS = {
  userId: 'user-1',
  expiryTime: 1_760_003_600_000,
  timeCreated: 1_760_000_000_000,
  sessionHandle: '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11',
  refreshTokenHash1: 'a'.repeat(64),
  userData: { role: 'admin' },
} as const;

const { privateKey } = keyPairOf(DYNAMIC_TEST_KEY);

/** RS256 by the key of a stored pair. */
export function rs256(text: string, stored?: string): Buffer {
  return sign(
    'RSA-SHA256',
    Buffer.from(text),
    stored === undefined ? privateKey : keyPairOf(stored).privateKey,
  );
}

/** A JWT of any content, whatever it is; a string is taken as the part's text. Signed with RS256 by the test key. */
export function jwt(
  header: unknown,
  payload: unknown,
  signature: (text: string) => Buffer | string = (text) => rs256(text),
): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(payload)}`;
  const bytes = signature(text);
  return `${text}.${typeof bytes === 'string' ? bytes : bytes.toString('base64url')}`;
}

/** A token of version 1 or 2, in standard base64. */
export function legacyToken(payload: unknown, version: 1 | 2 = 2, stored?: string): string {
  const part = (text: string): string => Buffer.from(text).toString('base64');
  const text = `${part(`{"alg":"RS256","typ":"JWT","version":"${version}"}`)}.${part(JSON.stringify(payload))}`;
  return `${text}.${rs256(text, stored).toString('base64')}`;
}

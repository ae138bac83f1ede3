import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * Something that verifies access tokens in process. A file of a subject exports `open`.
 *
 * @typedef {object} VerifySubject
 * @property {(token: string) => unknown} verify resolves or returns when the token is good, and fails when it is not
 * @property {() => Promise<void>} [close]
 */

/**
 * The input of every subject.
 *
 * @typedef {object} VerifySetting
 * @property {import('node:crypto').JsonWebKey} jwk the public key of all tokens
 * @property {string} coreUrl a core that knows nothing but this key
 */

const KID = 'd-1';
const HOUR_SEC = 3600;

/** A key, tokens that it signs, and what stands for a SuperTokens Core: it returns its versions and its keys. */
export async function openTokenSource() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KID, alg: 'RS256', use: 'sig' };
  const server = createServer((request, response) => {
    const versions = ['5.0', '5.1', '5.2', '5.3', '5.4'];
    const body = request.url.startsWith('/apiversion') ? { versions } : { keys: [jwk] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return {
    /** @type {VerifySetting} */
    setting: { jwk, coreUrl: `http://127.0.0.1:${server.address().port}` },
    /** So many tokens of different sessions, as a Core of today writes them. */
    tokens: (count) => Array.from({ length: count }, () => newToken(privateKey)),
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function newToken(privateKey) {
  const nowSec = Math.floor(Date.now() / 1000);
  const userId = randomUUID();
  const text = `${part({ kid: KID, typ: 'JWT', version: '5', alg: 'RS256' })}.${part({
    sub: userId,
    iat: nowSec,
    exp: nowSec + HOUR_SEC,
    tId: 'public',
    rsub: userId,
    sessionHandle: randomUUID(),
    refreshTokenHash1: randomBytes(32).toString('hex'),
    parentRefreshTokenHash1: null,
    antiCsrfToken: null,
    role: 'admin',
  })}`;
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

function part(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

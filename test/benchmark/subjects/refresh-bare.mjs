// What a refresh cannot do without: look the token up, make the next one, sign an access token on the thread pool. No
// framework, no theft detection, no successor for a repeated request.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { headerOf } from './keep-alive-client.mjs';
import { expectOk } from './refresh-subject.mjs';

const signInThreadPool = promisify(sign);
const HOUR_SEC = 3600;

export async function serve() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const sessions = new Map();
  const answer = async (request, response) => {
    const session =
      request.url === '/login'
        ? { userId: 'user-1', handle: 'h' }
        : take(sessions, request.headers.authorization);
    if (session === undefined) return response.writeHead(401).end();
    const token = randomBytes(32).toString('base64url');
    sessions.set(hashOf(token), session);
    const accessToken = await signed(session, privateKey);
    response.setHeader('x-refresh-token', token);
    response.setHeader('x-access-token', accessToken);
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', 2);
    response.end('{}');
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: async () => server.close() };
}

export async function login(client) {
  const { head } = await client.send('POST', '/login');
  return headerOf(head, 'x-refresh-token');
}

export async function refresh(client, token) {
  const answer = await client.send('POST', '/refresh', { Authorization: token });
  return expectOk(answer, headerOf(answer.head, 'x-refresh-token'));
}

function take(sessions, token = '') {
  const hash = hashOf(token);
  const session = sessions.get(hash);
  sessions.delete(hash);
  return session;
}

function hashOf(token) {
  return createHash('sha256').update(token).digest('hex');
}

async function signed(session, privateKey) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const head = part({ alg: 'RS256', typ: 'JWT', kid: 'd-1' });
  const text = `${head}.${part({ sub: session.userId, iat: now, exp: now + HOUR_SEC, handle: session.handle })}`;
  return `${text}.${(await signInThreadPool('sha256', Buffer.from(text), privateKey)).toString('base64url')}`;
}

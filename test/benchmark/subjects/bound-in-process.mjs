import 'reflect-metadata';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { embeddedCore, SessionModule, SessionService } from 'nest-sessions';

const appInfo = { appName: 'b', apiDomain: 'https://localhost:1', websiteDomain: 'https://localhost:1' };
const CLIENTS = 32;

/**
 * The verification of a request in this process, by header: of a session that is not bound, and of one with a DPoP proof.
 *
 * @param {() => { proof(method: string, path: string, token?: string): string }} newKey
 */
export async function openInProcess(newKey) {
  class AppModule {}
  const sessionModule = SessionModule.forRoot({
    appInfo,
    core: embeddedCore(),
    deviceBound: { dpop: true },
    logStartup: false,
  });
  const app = await NestFactory.createApplicationContext(
    { module: AppModule, imports: [sessionModule] },
    { logger: false },
  );
  const sessions = app.get(SessionService, { strict: false });
  const signIn = async (headers) => {
    const written = new Map();
    await sessions.createNewSession(...exchange('post', '/login', headers, written), { userId: 'user' });
    return written.get('st-access-token');
  };
  const plain = await signIn({});
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const key = newKey();
      return { key, token: await signIn({ dpop: key.proof('POST', '/login') }) };
    }),
  );
  const getSession = (made) => () => sessions.getSession(...made.pop());
  return {
    /** @param {number} count requests of each case, which are made before */
    cases: (count) => [
      {
        name: 'not bound',
        run: getSession(many(count, () => exchange('get', '/', { authorization: `Bearer ${plain}` }))),
      },
      {
        name: 'a proof with each request',
        run: getSession(
          many(count, (i) => {
            const { key, token } = clients[i % CLIENTS];
            const headers = { authorization: `DPoP ${token}`, dpop: key.proof('GET', '/', token) };
            return exchange('get', '/', headers);
          }),
        ),
      },
      { name: 'one ES256 verification by crypto.verify', run: verification() },
    ],
    close: () => app.close(),
  };
}

function many(count, make) {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** A request and a response that speak the library's own port. */
function exchange(method, url, headers, written = new Map()) {
  return [
    {
      original: {},
      getMethod: () => method,
      getOriginalURL: () => url,
      getHeaderValue: (name) => headers[name.toLowerCase()],
      getCookieValue: () => undefined,
    },
    {
      original: {},
      isSent: false,
      getHeaderValues: () => [],
      setHeader: (name, value) => void written.set(name.toLowerCase(), value),
      removeHeader: () => {},
      setStatusCode: () => {},
      sendJSONResponse: () => {},
    },
  ];
}

/** Of a text as long as a proof. */
function verification() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const text = Buffer.alloc(500, 'a');
  const signature = sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return async () => verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { embeddedCore, Session, SessionGuard, SessionModule, SessionService } from 'nest-sessions';
import { serveApp } from './http-subject.mjs';

const appInfo = { appName: 'b', apiDomain: 'https://localhost:1', websiteDomain: 'https://localhost:1' };

/**
 * An application with the option `deviceBound`, or without it. `POST /login` signs in.
 *
 * @param {import('./http-subject.mjs').HttpOptions & { deviceBound?: object, verifies?: boolean }} options `verifies`: the handler
 *   does one ES256 verification by `crypto.verify`, of a text as long as a proof
 */
export async function serve({ adapter, deviceBound = false, verifies = false }) {
  const options = { appInfo, core: embeddedCore(), deviceBound, logStartup: false };
  const signIn = (app) => {
    const route = async (req, res) => {
      const session = await app
        .get(SessionService, { strict: false })
        .createNewSession(req, res, { userId: 'user' });
      return { userId: session.getUserId() };
    };
    app.getHttpServer().keepAliveTimeout = 120_000; // a round of the other servers takes longer than the usual 5 s
    const server = app.getHttpAdapter();
    server.post('/login', async (req, res) => server.reply(res, await route(req, res), 200));
  };
  return serveApp(
    { adapter },
    {
      imports: [SessionModule.forRoot(options)],
      guard: SessionGuard,
      param: Session(),
      handler: (session) => {
        if (verifies && !verification()) throw new Error('The signature is wrong');
        return { userId: session.getUserId() };
      },
      prepare: signIn,
    },
  );
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const text = Buffer.alloc(500, 'a');
const signature = sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' });

function verification() {
  return verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

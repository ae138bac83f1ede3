import { embeddedCore, Session, SessionGuard, SessionModule, SessionService } from 'nest-sessions';
import { serveApp } from './http-subject.mjs';

const appInfo = { appName: 'b', apiDomain: 'https://localhost:1', websiteDomain: 'https://localhost:1' };

/**
 * An application with the option `deviceBound`, or without it. `POST /login` signs in.
 *
 * @param {import('./http-subject.mjs').HttpOptions & { deviceBound?: object }} options
 */
export async function serve({ adapter, deviceBound = false }) {
  const options = { appInfo, core: embeddedCore(), deviceBound, logStartup: false };
  const signIn = (app) => {
    const route = async (req, res) => {
      const session = await app
        .get(SessionService, { strict: false })
        .createNewSession(req, res, { userId: 'user' });
      return { userId: session.getUserId() };
    };
    const server = app.getHttpAdapter();
    server.post('/login', async (req, res) => server.reply(res, await route(req, res), 200));
  };
  return serveApp(
    { adapter },
    {
      imports: [SessionModule.forRoot(options)],
      guard: SessionGuard,
      param: Session(),
      handler: (session) => ({ userId: session.getUserId() }),
      prepare: signIn,
    },
  );
}

import { remoteCore, Session, SessionGuard, SessionModule } from 'nest-sessions';
import { serveApp } from './http-subject.mjs';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  const core = remoteCore({ connectionURI: options.coreUrl });
  return serveApp(options, {
    imports: [SessionModule.forRoot({ appInfo, core })],
    guard: SessionGuard,
    param: Session(),
    handler: (session) => ({ userId: session.getUserId() }),
  });
}

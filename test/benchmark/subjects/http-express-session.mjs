// express-session in memory: a lookup by the cookie's id, no signature of a token. Express only.
import { createParamDecorator, UnauthorizedException } from '@nestjs/common';
import session from 'express-session';
import { serveApp } from './http-subject.mjs';

const SessionOfRequest = createParamDecorator((_, context) => context.switchToHttp().getRequest().session);

class HasUserGuard {
  canActivate(context) {
    if (context.switchToHttp().getRequest().session.userId === undefined) throw new UnauthorizedException();
    return true;
  }
}

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  return serveApp(options, {
    guard: HasUserGuard,
    param: SessionOfRequest(),
    handler: ({ userId }) => ({ userId }),
    prepare: (app) => {
      app.use(session({ secret: 'benchmark', resave: false, saveUninitialized: false }));
      app.use('/login', (request, response) => {
        request.session.userId = 'user-1';
        response.json({});
      });
    },
  });
}

import { createParamDecorator } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import passport from 'passport';
import { accessTokenIn } from './browser-requests.mjs';
import { serveApp } from './http-subject.mjs';
import { strategyFor } from './verify-passport-jwt.mjs';

const User = createParamDecorator((_, context) => context.switchToHttp().getRequest().user);

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  passport.use(
    'jwt',
    strategyFor(options.jwk, (request) => accessTokenIn(options.by, request)),
  );
  return serveApp(options, { guard: AuthGuard('jwt'), param: User(), handler: ({ userId }) => ({ userId }) });
}

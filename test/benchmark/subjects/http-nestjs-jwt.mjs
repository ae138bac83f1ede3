// The guard of Nest's documentation: https://docs.nestjs.com/security/authentication
import { createPublicKey } from 'node:crypto';
import { createParamDecorator, Inject, UnauthorizedException } from '@nestjs/common';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { accessTokenIn } from './browser-requests.mjs';
import { serveApp } from './http-subject.mjs';

const User = createParamDecorator((_, context) => context.switchToHttp().getRequest().user);

const OPTIONS = Symbol('options');

class AuthGuard {
  constructor(jwt, { by }) {
    this.jwt = jwt;
    this.by = by;
  }

  async canActivate(context) {
    const request = context.switchToHttp().getRequest();
    const token = accessTokenIn(this.by, request);
    if (token === undefined) throw new UnauthorizedException();
    try {
      request.user = await this.jwt.verifyAsync(token);
    } catch {
      throw new UnauthorizedException();
    }
    return true;
  }
}
Reflect.defineMetadata('design:paramtypes', [JwtService, Object], AuthGuard);
Inject(OPTIONS)(AuthGuard, undefined, 1);

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  const publicKey = createPublicKey({ key: options.jwk, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  return serveApp(options, {
    imports: [JwtModule.register({ global: true, publicKey, verifyOptions: { algorithms: ['RS256'] } })],
    providers: [{ provide: OPTIONS, useValue: options }],
    guard: AuthGuard,
    param: User(),
    handler: ({ sub }) => ({ userId: sub }),
  });
}

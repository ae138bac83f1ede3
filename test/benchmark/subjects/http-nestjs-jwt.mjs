// The guard of Nest's documentation: https://docs.nestjs.com/security/authentication
import { createPublicKey } from 'node:crypto';
import { createParamDecorator, UnauthorizedException } from '@nestjs/common';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { serveApp } from './http-subject.mjs';

const User = createParamDecorator((_, context) => context.switchToHttp().getRequest().user);

class AuthGuard {
  constructor(jwt) {
    this.jwt = jwt;
  }

  async canActivate(context) {
    const request = context.switchToHttp().getRequest();
    const [type, token] = request.headers.authorization?.split(' ') ?? [];
    if (type !== 'Bearer') throw new UnauthorizedException();
    try {
      request.user = await this.jwt.verifyAsync(token);
    } catch {
      throw new UnauthorizedException();
    }
    return true;
  }
}
Reflect.defineMetadata('design:paramtypes', [JwtService], AuthGuard);

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  const publicKey = createPublicKey({ key: options.jwk, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  return serveApp(options, {
    imports: [JwtModule.register({ global: true, publicKey, verifyOptions: { algorithms: ['RS256'] } })],
    guard: AuthGuard,
    param: User(),
    handler: ({ sub }) => ({ userId: sub }),
  });
}

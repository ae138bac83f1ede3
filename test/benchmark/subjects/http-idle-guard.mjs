// The time that Nest takes for a guard and a parameter decorator that do nothing.
import { createParamDecorator } from '@nestjs/common';
import { serveApp } from './http-subject.mjs';

const User = createParamDecorator(() => 'user-1');

class IdleGuard {
  canActivate() {
    return true;
  }
}

/** @param {import('./http-subject.mjs').HttpOptions} options */
export function serve(options) {
  return serveApp(options, { guard: IdleGuard, param: User(), handler: (userId) => ({ userId }) });
}

import type { Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { SessionConfigError } from '../options/config-error.js';
import { SessionGuard } from '../session.guard.js';

/**
 * Returns the providers that put `SessionGuard` in front of every route.
 *
 * @throws {SessionConfigError} the value is neither `'global'` nor undefined
 */
export function globalGuardProviders(guard: unknown): Provider[] {
  if (guard === undefined) return [];
  if (guard !== 'global') {
    const message = `${JSON.stringify(guard)} does not work: 'global' is accepted, or nothing, and the guard then runs where it is bound`;
    throw new SessionConfigError([{ path: 'guard', message }]);
  }
  return [{ provide: APP_GUARD, useExisting: SessionGuard }];
}

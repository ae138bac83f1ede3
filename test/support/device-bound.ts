import { env } from 'node:process';
import type { SessionModuleOptions } from 'nest-sessions';
import type { DeviceBoundOptions } from 'nest-sessions/core';

/** A remote core has no key to derive the secret from. */
const SECRET =
  env['E2E_CORE'] === 'remote' ? { secret: 'the secret of the shop, 32 characters or more' } : {};

/** The option `deviceBound`, for the core of the variant under test. */
export function deviceBound(options: DeviceBoundOptions): Pick<SessionModuleOptions, 'deviceBound'> {
  return { deviceBound: { ...SECRET, ...options } };
}

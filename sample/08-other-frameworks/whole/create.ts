import { createSessions, type Sessions, type StandaloneSessionOptions } from 'nest-sessions/standalone';
import { plan } from '../plan.js';

/** Makes sessions in memory, of an API at this origin. */
export function createApiSessions(origin: string, options: Partial<StandaloneSessionOptions> = {}): Sessions {
  return createSessions({
    appInfo: { appName: 'Other frameworks', apiDomain: origin, websiteDomain: origin },
    claims: [plan],
    ...options,
  });
}

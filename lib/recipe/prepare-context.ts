import { provideClock } from '../claims/authentication-time-claim.js';
import { provideUserRoles, type UserRoleSource } from '../claims/user-roles.js';
import type { Clock } from '../shared/clock.js';
import type { UserContext } from '../shared/user-context.js';

/** Completes the caller's user context, or makes one, with what the module's own claims look for in it. */
export type PrepareContext = (userContext?: UserContext) => UserContext;

/** @param clock where the time of authentication is recorded, and so may be asked for */
export function contextPreparer(
  userRoles: UserRoleSource | undefined,
  clock: Clock | undefined,
): PrepareContext {
  return (userContext = {}) => {
    if (clock !== undefined) provideClock(userContext, clock);
    if (userRoles !== undefined) provideUserRoles(userContext, userRoles);
    return userContext;
  };
}

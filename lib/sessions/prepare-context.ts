import { provideClock, type UserContext } from '../util/user-context.js';
import { provideUserRoles, type UserRoleSource } from '../claims/user-roles.js';
import { SystemClock, type Clock } from '../util/clock.js';

/** Completes the caller's user context, or makes one, with what the module's own claims look for in it. */
export type PrepareContext = (userContext?: UserContext) => UserContext;

/** @param clock by which claims age */
export function contextPreparer(userRoles: UserRoleSource | undefined, clock: Clock): PrepareContext {
  // The guard prepares a context for each request, and claims read the system's clock without being told.
  const isToldApart = clock.constructor !== SystemClock;
  return (userContext = {}) => {
    if (isToldApart) provideClock(userContext, clock);
    if (userRoles !== undefined) provideUserRoles(userContext, userRoles);
    return userContext;
  };
}

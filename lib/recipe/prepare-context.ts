import { provideUserRoles, type UserRoleSource } from '../claims/user-roles.js';
import type { UserContext } from '../shared/user-context.js';

/** Completes the caller's user context, or makes one, with what the module's own claims look for in it. */
export type PrepareContext = (userContext?: UserContext) => UserContext;

export function contextPreparer(userRoles: UserRoleSource | undefined): PrepareContext {
  return (userContext = {}) => {
    if (userRoles !== undefined) provideUserRoles(userContext, userRoles);
    return userContext;
  };
}

import { SessionConfigError } from '../options/config-error.js';
import { reservedContext, type UserContext } from '../util/user-context.js';
import { PrimitiveArrayClaim } from './primitive-array-claim.js';

/**
 * The source of a user's roles and a role's permissions: the application, or the core's user-roles recipe.
 *
 * @publicApi
 */
export interface UserRoleSource {
  /** Names of the user's roles in a tenant. */
  getRolesForUser(input: {
    userId: string;
    tenantId: string;
    userContext: UserContext;
  }): Promise<string[]> | string[];
  /** Permissions of a role; needed for `PermissionClaim` only. */
  getPermissionsForRole?(input: { role: string; userContext: UserContext }): Promise<string[]> | string[];
}

/** The mark of the two claims, of each copy of the package: `roles` or `permissions`. */
const NEEDS = Symbol.for('nest-sessions:roles-needed');

function marked<T extends object>(claim: T, needs: 'roles' | 'permissions'): T {
  return Object.defineProperty(claim, NEEDS, { value: needs });
}

function isMarked(claim: unknown, needs: 'roles' | 'permissions'): boolean {
  return typeof claim === 'object' && claim !== null && Reflect.get(claim, NEEDS) === needs;
}

/** The module puts its source into the reserved part of each user context, where the constant claims read it. */
function contextRoleSource(userContext: UserContext): UserRoleSource {
  const reserved: { userRoles?: UserRoleSource } | undefined = reservedContext(userContext);
  if (reserved?.userRoles === undefined) {
    throw new Error(
      'UserRoleClaim and PermissionClaim need to know where roles come from, and the configured core keeps none (remoteCore() does): ' +
        'set the option userRoles of SessionModule, or in a test that of overrideSessions',
    );
  }
  return reserved.userRoles;
}

/**
 * The user's roles, under the key `st-role` as in SuperTokens.
 *
 * @example
 * SessionModule.forRoot({ appInfo, claims: [UserRoleClaim], userRoles: { getRolesForUser: ({ userId }) => rolesOf(userId) } });
 * @RequireClaims(UserRoleClaim.validators.includes('admin'))
 * @publicApi
 */
export const UserRoleClaim: PrimitiveArrayClaim<string> = marked(
  new PrimitiveArrayClaim<string>({
    key: 'st-role',
    fetchValue: async (userId, _recipeUserId, tenantId, _payload, userContext) =>
      contextRoleSource(userContext).getRolesForUser({ userId, tenantId, userContext }),
  }),
  'roles',
);

/**
 * The permissions of all of the user's roles, each once, under the key `st-perm` as in SuperTokens.
 *
 * @publicApi
 */
export const PermissionClaim: PrimitiveArrayClaim<string> = marked(
  new PrimitiveArrayClaim<string>({
    key: 'st-perm',
    fetchValue: async (userId, _recipeUserId, tenantId, _payload, userContext) => {
      const source = contextRoleSource(userContext);
      const { getPermissionsForRole } = source;
      if (getPermissionsForRole === undefined) {
        throw new Error('PermissionClaim needs userRoles.getPermissionsForRole of SessionModule');
      }
      const roles = await source.getRolesForUser({ userId, tenantId, userContext });
      const permissions = await Promise.all(
        roles.map(async (role) => getPermissionsForRole.call(source, { role, userContext })),
      );
      return [...new Set(permissions.flat())];
    },
  }),
  'permissions',
);

/**
 * Stops a start after which every sign-in would fail.
 *
 * @throws {SessionConfigError} one of the claims needs roles, or permissions, and no source has them
 */
export function assertRolesKnown(source: UserRoleSource | undefined, claims: readonly unknown[]): void {
  const needsPermissions = claims.some((claim) => isMarked(claim, 'permissions'));
  if (!needsPermissions && !claims.some((claim) => isMarked(claim, 'roles'))) return;
  const isMissing = source === undefined;
  if (!isMissing && (!needsPermissions || source.getPermissionsForRole !== undefined)) return;
  const name = needsPermissions ? 'PermissionClaim' : 'UserRoleClaim';
  throw new SessionConfigError([
    isMissing
      ? {
          path: 'userRoles',
          message: `is missing: ${name} needs to know where roles come from, and the core keeps none (remoteCore() does)`,
        }
      : { path: 'userRoles.getPermissionsForRole', message: 'is missing: PermissionClaim needs it' },
  ]);
}

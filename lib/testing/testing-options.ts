import type { UserRoleSource } from '../claims/user-roles.js';
import type { CoreProvider } from '../core/core-provider.js';
import {
  embeddedCore,
  type EmbeddedCoreOptions,
  type EmbeddedCoreProvider,
} from '../core/embedded/embedded-core-options.js';
import {
  resolveSessionOptions,
  type ResolvedSessionOptions,
  type SessionModuleOptions,
} from '../session.options.js';
import type { TestClock } from './test-clock.js';
import { StubClaim } from './stub-claim.js';

/**
 * What a test puts in place of the application's own.
 *
 * @publicApi
 */
export interface SessionTestingOptions {
  /**
   * Who issues the sessions. Default: `embeddedCore()` in memory, with the settings of the application's own
   * `embeddedCore()` and two differences: each access token lives exactly as long as the option says, and is signed with
   * ES256, whose keys take no time to make. Where the application has another core (`remoteCore()`), or one whose options
   * are not valid in a test, it has the default lifetimes.
   */
  core?: CoreProvider;
  /** Where the time comes from. Default: a clock that stands at the present until the test moves it. */
  clock?: TestClock;
  /**
   * Where `UserRoleClaim` and `PermissionClaim` have their values from. Default: the application's own option `userRoles`;
   * where the application leaves that to its core (`remoteCore()`), which is not asked in a test, nobody has a role.
   */
  userRoles?: UserRoleSource;
}

/** Beside options that were resolved for a test: their core is not the configured one. */
const FOR_TESTS = Symbol('nest-sessions:for-tests');

/**
 * A fresh core for each module instance, so that two of one application share nothing.
 *
 * @param configured what the application says of its core; it is not made
 */
export function createTestCore({ core }: SessionTestingOptions, configured?: CoreProvider): CoreProvider {
  return (
    core ??
    embeddedCore({ ...embeddedSettings(configured), accessTokenValidityJitter: 0, signingAlgorithm: 'ES256' })
  );
}

function embeddedSettings(configured: CoreProvider | undefined): Omit<EmbeddedCoreOptions, 'store'> {
  return isEmbedded(configured) && configured.problems.length === 0 ? configured.embeddedSettings : {};
}

function isEmbedded(core: unknown): core is EmbeddedCoreProvider {
  return typeof core === 'object' && core !== null && 'embeddedSettings' in core;
}

export const NO_ROLES: UserRoleSource = { getRolesForUser: () => [], getPermissionsForRole: () => [] };

/**
 * In place of a core that would have known the roles.
 *
 * @returns undefined where the application's sign-in knows none either, and fails, or where the core of the test knows them
 */
export function replacementRoles(
  configured: CoreProvider | undefined,
  ofTest: CoreProvider,
): UserRoleSource | undefined {
  const isLost = configured !== undefined && !isEmbedded(configured) && isEmbedded(ofTest);
  return isLost ? NO_ROLES : undefined;
}

/** The application's options, checked as always; only its core is not looked at, and claims can be given by value. */
export function resolveForTests(
  options: SessionModuleOptions,
  { core, userRoles }: { core: CoreProvider; userRoles: UserRoleSource | undefined },
): ResolvedSessionOptions {
  const resolved = resolveSessionOptions({
    ...options,
    core,
    ...(userRoles === undefined ? {} : { userRoles }),
  });
  const claims = resolved.claims.map((claim) => new StubClaim(claim));
  return Object.assign({ ...resolved, claims }, { [FOR_TESTS]: true });
}

/** Whether sessions go to the core of a test, and not to the one that the application configures. */
export function isTestOptions(options: ResolvedSessionOptions): boolean {
  return FOR_TESTS in options;
}

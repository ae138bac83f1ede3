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
import { StubClaim } from './test-claims.js';

/**
 * Replacements for parts of the application under test.
 *
 * @publicApi
 */
export interface SessionTestingOptions {
  /**
   * The core that issues the sessions. Default: `embeddedCore()` in memory, with the settings of the application's own
   * `embeddedCore()` and two differences: each access token lives exactly as long as the option says, and is signed with
   * ES256, because its keys are fast to make. If the application has another core (`remoteCore()`), or one whose options
   * are not valid in a test, the lifetimes are the defaults.
   */
  core?: CoreProvider;
  /** The clock. Default: one that stands at the present time until the test moves it. */
  clock?: TestClock;
  /**
   * The source of `UserRoleClaim` and `PermissionClaim`. Default: the application's own option `userRoles`. If the
   * application leaves that to its core (`remoteCore()`), which a test does not call, users have no roles.
   */
  userRoles?: UserRoleSource;
}

/** Marks options that were resolved for a test: their core is not the configured one. */
const FOR_TESTS = Symbol('nest-sessions:for-tests');

/**
 * Creates a new core for each module instance, so that two modules of one application share no state.
 *
 * @param configured the application's own core, whose settings are read; it is not created
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
 * Returns roles in place of those that only the configured core knows.
 *
 * @returns undefined when the application has no roles either, and its sign-in fails, or when the core of the test has them
 */
export function replacementRoles(
  configured: CoreProvider | undefined,
  ofTest: CoreProvider,
): UserRoleSource | undefined {
  const isLost = configured !== undefined && !isEmbedded(configured) && isEmbedded(ofTest);
  return isLost ? NO_ROLES : undefined;
}

/** Resolves the application's options, all checks included, with the core of the test and with stub claims. */
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

/** True for options of {@link resolveForTests}: sessions go to the core of a test, not to the configured one. */
export function isTestOptions(options: ResolvedSessionOptions): boolean {
  return FOR_TESTS in options;
}

import type { Deliverer } from '../audit/deliverer.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import type { UserRoleSource } from '../claims/user-roles.js';
import type { CoreClient } from '../core/core-client.js';
import type { RevocationWatch } from '../feed/revocation-watch.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import type { Delegations } from '../delegation/delegations.js';
import type { DeviceBinding } from '../device-binding/device-binding.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { SessionFeatures } from '../options/feature-options.js';
import type { SessionConfig } from '../options/session-config.js';
import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import { SystemClock, type Clock } from '../util/clock.js';
import { BINDING_KINDS } from '../util/key-confirmation.js';
import { prepareContextWith, type PrepareContext, type UserContext } from '../util/user-context.js';
import type { BackChannelLogout } from './back-channel-logout.js';
import type { ContentSchemas } from './content-schemas.js';
import type { Devices } from './devices.js';
import type { KeyBindings } from './key-bindings.js';
import type { RateLimits } from './rate-limits.js';
import type { ServedRevocations } from './served-revocations.js';
import type { SessionLifetimes } from './session-lifetimes.js';
import type { SessionReports, SessionSubject } from './session-reports.js';
import type { RegeneratedAccessToken, StoredSessionFunctions } from './stored-sessions.interface.js';

/** The option `onRefresh`. What it takes and returns is said beside the code that calls it, because a session is part of that. */
export interface RefreshHook {
  decide(refresh: object): unknown;
  readonly timeoutMs: number;
}

/** @param clock by which claims age */
export function contextPreparer(
  userRoles: UserRoleSource | undefined,
  clock: Clock,
  bindingKinds?: readonly string[],
): PrepareContext {
  // The guard prepares a context for each request. Claims read the system's clock without an entry there.
  return prepareContextWith({
    ...(clock.constructor === SystemClock ? {} : { clock }),
    ...(userRoles === undefined ? {} : { userRoles }),
    ...(bindingKinds === undefined ? {} : { [BINDING_KINDS]: bindingKinds }),
  });
}

/**
 * The parts that a session recipe works with. Nest injects them into a class that extends `SessionRecipe`, which passes them
 * to `super` unchanged: the members may change with every release.
 *
 * @publicApi
 */
export abstract class RecipeDependencies {
  /** @internal */
  abstract readonly config: SessionConfig;
  /** @internal */
  abstract readonly core: CoreClient;
  /** @internal */
  abstract readonly verifier: AccessTokenVerifier;
  /** @internal */
  abstract readonly transport: TokenTransport;
  /** @internal */
  abstract readonly events: SessionEventHub;
  /** @internal */
  abstract readonly clock: Clock;
  /** @internal */
  abstract readonly prepareContext: PrepareContext;
  /** @internal */
  abstract readonly lifetimes: SessionLifetimes;
  /** @internal */
  abstract readonly features: SessionFeatures;
  /** @internal */
  abstract readonly devices: Devices;
  /** @internal */
  abstract readonly schemas: ContentSchemas;
  /** @internal */
  abstract readonly claims: readonly SessionClaim<unknown>[];
  /** @internal */
  abstract readonly globalClaimValidators: readonly SessionClaimValidator[];
  /** @internal False if the application's own `onTokenTheftDetected` decides. */
  abstract readonly revokesStolenSessions: boolean;
  /** @internal Undefined without the option `revocationFeed`, or if there is no feed. */
  abstract readonly revocations: RevocationWatch | undefined;
  /** @internal What sends the records of the audit trail. */
  abstract readonly deliverers: readonly Deliverer[];
  /** @internal Undefined without the option `revocationFeed.apiKeys`. */
  abstract readonly servedRevocations: ServedRevocations | undefined;
  /** @internal Undefined without the option `backChannelLogout`. */
  abstract readonly backChannelLogout: BackChannelLogout | undefined;
  /** @internal Undefined without the option `deviceBound`. */
  abstract readonly binding: DeviceBinding | undefined;
  /** @internal Undefined if the application has no limiter. */
  abstract readonly rateLimits: RateLimits | undefined;
  /** @internal Undefined without the option `onRefresh`. */
  abstract readonly refreshHook: RefreshHook | undefined;
}

/** The parts of a recipe, and the recipe itself: with its overrides, so that a replaced function changes its siblings. */
export interface RecipeContext extends RecipeDependencies {
  readonly recipe: StoredSessionFunctions;
  readonly reports: SessionReports;
  readonly delegations: Delegations;
  /** Returns whether an override or a class replaces the library's own function. */
  isReplaced(name: 'getSession' | 'validateClaims' | 'getGlobalClaimValidators'): boolean;
  /** Called with each use of a session in a request; undefined without the option `devices`. */
  readonly noteUse:
    ((session: SessionSubject, isRefresh: boolean, userContext: UserContext) => void) | undefined;
  /** Writes to which key a session is bound. */
  readonly keyBindings: KeyBindings;
  /** Makes the user of the session of a token prove again who they are. @returns undefined when the session does not exist any more */
  requireAuthentication(
    accessToken: string,
    userContext: UserContext,
  ): Promise<RegeneratedAccessToken | undefined>;
}

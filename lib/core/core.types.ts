import type { JsonObject, NamesChange } from '../util/json.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { SessionPosition } from '../util/session-cursor.js';
import type { UserContext } from '../util/user-context.js';
import type { PublicJwk } from '../util/verification-keys.js';

/**
 * Roles and permissions as the core's user-roles recipe knows them; fits the option `userRoles` of the module.
 *
 * @publicApi
 */
export interface CoreUserRoles {
  /** Names of the user's roles in a tenant. */
  getRolesForUser(input: { userId: string; tenantId: string; userContext: UserContext }): Promise<string[]>;
  /** Permissions of a role; none for a role that the core does not know. */
  getPermissionsForRole(input: { role: string; userContext: UserContext }): Promise<string[]>;
}

/**
 * A token with its times in milliseconds since the epoch.
 *
 * @publicApi
 */
export interface TokenInfo {
  readonly token: string;
  /** When it expires, milliseconds since the epoch. */
  readonly expiry: number;
  /** When it was made, milliseconds since the epoch. */
  readonly createdTime: number;
}

/**
 * The session in a response about tokens (CDI "Session" object).
 *
 * @publicApi
 */
export interface CoreSession {
  readonly handle: string;
  /** Primary user id; equals `recipeUserId` unless accounts are linked. */
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly userDataInJWT: JsonObject;
}

/**
 * A session with a fresh pair of tokens.
 *
 * @publicApi
 */
export interface CoreSessionTokens {
  readonly session: CoreSession;
  readonly accessToken: TokenInfo;
  readonly refreshToken: TokenInfo;
  /** Only when anti-CSRF by token is on. */
  readonly antiCsrfToken: string | undefined;
}

/**
 * When a refreshed token replaces its parent. `at-first-use`: when it, or its access token, is first used; until then a repeated
 * refresh gets the same successor. `at-once`: with the refresh itself, as CDI 5.6 has it.
 *
 * @see docs/protocol/core.md B7, B9
 * @publicApi
 */
export type TokenRotation = 'at-first-use' | 'at-once';

/**
 * How a refresh token that came back relates to the current one: it was current just before, it was a sibling of the current
 * one, or it is older (CDI 5.6).
 *
 * @publicApi
 */
export type TokenReuseSubtype = 'RECENT_PREV' | 'ORPHANED_BRANCH' | 'STALE_LINEAGE';

/**
 * The arguments of `createSession`.
 *
 * @publicApi
 */
export interface CreateSessionInput {
  readonly tenantId: string;
  readonly recipeUserId: string;
  readonly userDataInJWT: JsonObject;
  readonly userDataInDatabase: JsonObject;
  readonly useDynamicSigningKey: boolean;
  readonly enableAntiCsrf: boolean;
  /**
   * Life of this access token, milliseconds: a whole number above 0, at most the core's own validity, otherwise a bad input.
   * It is not shortened at random. Default: the core's own validity.
   */
  readonly accessTokenValidityMs?: number | undefined;
}

/**
 * How many live sessions one account may have in a tenant.
 *
 * @publicApi
 */
export interface CreationLimit {
  /** At least 1. */
  readonly max: number;
  /** The effect of a sign-in beyond the limit: the new session is refused, or the oldest ones are revoked. */
  readonly whenExceeded: 'refuse' | 'end-oldest';
}

/**
 * The outcome of making a session where the number of sessions is limited.
 *
 * @publicApi
 */
export type LimitedCreationResult =
  | {
      readonly status: 'OK';
      readonly created: CoreSessionTokens;
      /** The sessions that were ended to make room. */
      readonly endedHandles: readonly string[];
    }
  | { readonly status: 'TOO_MANY_SESSIONS' }
  | {
      /** Sessions were ended to make room, and then the new one could not be made. */
      readonly status: 'CREATION_FAILED';
      readonly endedHandles: readonly string[];
      /** The error of the creation. */
      readonly failure: unknown;
    };

/**
 * The arguments of `verifySession`.
 *
 * @publicApi
 */
export interface VerifySessionInput {
  readonly accessToken: string;
  readonly antiCsrfToken: string | undefined;
  readonly doAntiCsrfCheck: boolean;
  readonly enableAntiCsrf: boolean;
  readonly checkDatabase: boolean;
  /** With `at-once` a verification writes no row and returns no new access token. @defaultValue `at-first-use` */
  readonly rotation?: TokenRotation | undefined;
}

/**
 * The outcome of verifying an access token; with `accessToken` when the client is to get a new one.
 *
 * @publicApi
 */
export type VerifySessionResult =
  | {
      readonly status: 'OK';
      readonly session: CoreSession;
      readonly accessToken?: TokenInfo;
      /** Whether the stored payload differs from the token's; only with `at-once` and `checkDatabase`. */
      readonly payloadUpdateAvailable?: boolean;
    }
  | {
      readonly status: 'UNAUTHORISED';
      readonly message: string;
      /** The session is stored, and has expired by the clock of this core: one whose clock is behind may still give it more time. */
      readonly hasExpired?: boolean;
    }
  | { readonly status: 'TRY_REFRESH_TOKEN'; readonly message: string };

/**
 * The arguments of `refreshSession`.
 *
 * @publicApi
 */
export interface RefreshSessionInput {
  readonly refreshToken: string;
  readonly antiCsrfToken: string | undefined;
  readonly enableAntiCsrf: boolean;
  readonly useDynamicSigningKey: boolean;
  /** See {@link CreateSessionInput.accessTokenValidityMs}. */
  readonly accessTokenValidityMs?: number | undefined;
  /** @defaultValue `at-first-use` */
  readonly rotation?: TokenRotation | undefined;
}

/**
 * The outcome of exchanging a refresh token. Theft is reported; the caller revokes the session. Where the result names a
 * subtype of the reuse, the core has revoked it already.
 *
 * @publicApi
 */
export type RefreshSessionResult =
  | ({ readonly status: 'OK' } & CoreSessionTokens)
  | {
      readonly status: 'UNAUTHORISED';
      readonly message: string;
      readonly recentTokenReuseSubtype?: TokenReuseSubtype;
    }
  | {
      readonly status: 'TOKEN_THEFT_DETECTED';
      readonly session: { readonly handle: string; readonly userId: string; readonly recipeUserId: string };
      readonly recentTokenReuseSubtype?: TokenReuseSubtype;
    };

/**
 * The arguments of `regenerateAccessToken`.
 *
 * @publicApi
 */
export interface RegenerateInput {
  readonly accessToken: string;
  /** The new payload, in place of the stored one; undefined re-issues that. */
  readonly userDataInJWT: JsonObject | undefined;
  /** A change instead of a new payload: concurrent changes of other names in the stored payload stay. */
  readonly change?: SessionPayloadChange;
}

/**
 * A change of the payload that is stored with one session.
 *
 * @publicApi
 */
export interface SessionPayloadChange extends NamesChange {
  readonly sessionHandle: string;
}

/**
 * The outcome of re-issuing an access token; without `accessToken` when the old one has expired.
 *
 * @publicApi
 */
export type RegenerateResult =
  | { readonly status: 'OK'; readonly session: CoreSession; readonly accessToken?: TokenInfo }
  | { readonly status: 'UNAUTHORISED'; readonly message: string };

/**
 * The stored facts of a session.
 *
 * @publicApi
 */
export interface CoreSessionInformation {
  readonly sessionHandle: string;
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly userDataInDatabase: JsonObject;
  readonly userDataInJWT: JsonObject;
  /** When the session ends unless it is refreshed, milliseconds since the epoch. */
  readonly expiry: number;
  readonly timeCreated: number;
}

/**
 * The sessions of a user: in one tenant or, with `tenantId` undefined, in all tenants.
 *
 * @publicApi
 */
export interface UserSessionsInput {
  readonly userId: string;
  readonly tenantId: string | undefined;
  /** Include the sessions of accounts linked to this user. */
  readonly includeLinkedAccounts: boolean;
}

/**
 * The sessions that end at once: all that fulfil every condition that is given.
 *
 * @publicApi
 */
export interface BulkRevocationInput extends RevocationDetails {
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  /** undefined: all users; otherwise the users with their linked accounts. */
  readonly userIds: readonly string[] | undefined;
  /** Only sessions that were created before, milliseconds since the epoch; undefined: all that exist. */
  readonly createdBeforeMs: number | undefined;
}

/**
 * The outcome of ending many sessions.
 *
 * @publicApi
 */
export interface BulkRevocationResult {
  /** The sessions that were ended; undefined where a cut-off ended them, which names none. */
  readonly sessionHandles: string[] | undefined;
}

/**
 * The sessions that a list or a count is about: all that fulfil every condition that is given.
 *
 * @publicApi
 */
export interface CoreSessionSearch {
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  /** undefined: all users; otherwise the user with the linked accounts. */
  readonly userId: string | undefined;
  /** Created then or later, milliseconds since the epoch; undefined: whenever. */
  readonly createdSinceMs: number | undefined;
  /** The end of the page before; undefined: at the newest session. */
  readonly after: SessionPosition | undefined;
  /** The largest number of sessions of a page, 1 to 500; of a count, how many it looks at, 1 to 10,000. */
  readonly limit: number;
}

/**
 * Some of the sessions that a search is about, the newest first.
 *
 * @publicApi
 */
export interface CoreSessionPage {
  /** May be fewer than asked for, or none, although there are more. */
  readonly sessions: readonly CoreSessionInformation[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: SessionPosition | undefined;
}

/**
 * The arguments of `createJWT`.
 *
 * @publicApi
 */
export interface CoreJwtInput {
  readonly payload: JsonObject;
  /** Seconds; greater than 0. */
  readonly validity: number;
  readonly useStaticSigningKey: boolean;
  readonly algorithm: string;
  /** Becomes `iss` unless the payload has one. */
  readonly jwksDomain: string;
}

/**
 * The outcome of signing a JWT.
 *
 * @publicApi
 */
export type CoreJwtResult =
  { readonly status: 'OK'; readonly jwt: string } | { readonly status: 'UNSUPPORTED_ALGORITHM_ERROR' };

/**
 * The public keys of a core.
 *
 * @publicApi
 */
export interface JwksResult {
  readonly keys: readonly PublicJwk[];
  /** How long the set may be cached, seconds. */
  readonly validityInSeconds: number;
}

import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import type { ClaimValidationError } from '../errors.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { SessionDevice } from '../options/feature-options.js';
import type { DelegationFacts } from '../util/delegation-claims.js';
import type { JsonObject } from '../util/json.js';
import type { DefaultData, DefaultPayload } from '../util/session-types.js';
import type { UserContext } from '../util/user-context.js';
import type { PublicJwk } from '../util/verification-keys.js';

/**
 * The stored facts of a session, looked up by its handle.
 *
 * @publicApi
 */
export interface SessionInformation<Payload extends object = DefaultPayload> extends DelegationFacts {
  readonly sessionHandle: string;
  /** Primary user id. */
  readonly userId: string;
  /** The login method the session was created with; equals `userId` unless accounts are linked. */
  readonly recipeUserId: string;
  readonly tenantId: string;
  /** When the session ends unless it is refreshed, milliseconds since the epoch. */
  readonly expiry: number;
  /** Milliseconds since the epoch. */
  readonly timeCreated: number;
  /** Server-side JSON of the session, never sent to the client. */
  readonly sessionDataInDatabase: DefaultData;
  /** The stored access token payload without the names that the core owns. */
  readonly customClaimsInAccessTokenPayload: Payload;
  /** The device that the option `devices` keeps; absent without that option. */
  readonly device?: SessionDevice;
  /** How the session is bound to a device, as the option `deviceBound` demands it; absent if it is not bound. */
  readonly deviceBound?: 'dbsc' | 'dpop';
}

/** The stored value of a claim, or the status of an unknown session. @publicApi */
export type GetClaimValueResult<T> =
  | { readonly status: 'OK'; readonly value: T | undefined }
  | { readonly status: 'SESSION_DOES_NOT_EXIST_ERROR' };

/** The claims that failed, or the status of an unknown session. @publicApi */
export type ValidateClaimsForSessionHandleResult =
  | { readonly status: 'OK'; readonly invalidClaims: readonly ClaimValidationError[] }
  | { readonly status: 'SESSION_DOES_NOT_EXIST_ERROR' };

/** The session whose access token was re-issued, and the new token unless the old one had expired. @publicApi */
export interface RegeneratedAccessToken {
  readonly status: 'OK';
  readonly session: {
    readonly handle: string;
    readonly userId: string;
    readonly recipeUserId: string;
    readonly tenantId: string;
    readonly userDataInJWT: JsonObject;
  };
  readonly accessToken?: { readonly token: string; readonly expiry: number; readonly createdTime: number };
}

/** A signed JWT, or the reason why there is none. @publicApi */
export type CreateJWTResult =
  { readonly status: 'OK'; readonly jwt: string } | { readonly status: 'UNSUPPORTED_ALGORITHM_ERROR' };

/** The discovery document of OpenID Connect, as far as sessions have one. @publicApi */
export interface OpenIdDiscoveryConfiguration {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly subject_types_supported: readonly string[];
  readonly id_token_signing_alg_values_supported: readonly string[];
  readonly response_types_supported: readonly string[];
}

/** The published verification keys. @publicApi */
export interface JWKS {
  readonly keys: readonly PublicJwk[];
  /** How long the set may be cached, seconds; undefined: unknown. */
  readonly validityInSeconds: number | undefined;
}

/**
 * The owner of a session, if the caller knows it.
 *
 * @publicApi
 */
export interface SessionOwner {
  /** Primary user id. */
  readonly userId: string;
  readonly recipeUserId?: string;
}

/** The part that the input of every function of the recipe has. */
export interface WithContext {
  userContext: UserContext;
}

/**
 * The functions of the recipe that return no live session: they read and change stored sessions, claims and keys. The session
 * container works with these only.
 */
export interface StoredSessionFunctions {
  getGlobalClaimValidators(
    input: WithContext & {
      tenantId: string;
      userId: string;
      recipeUserId: string;
      claimValidatorsAddedByOtherRecipes: readonly SessionClaimValidator[];
    },
  ): Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[];

  getSessionInformation(
    input: WithContext & { sessionHandle: string },
  ): Promise<SessionInformation | undefined>;

  revokeAllSessionsForUser(
    input: WithContext & {
      userId: string;
      revokeSessionsForLinkedAccounts: boolean;
      tenantId: string;
      revokeAcrossAllTenants?: boolean | undefined;
    } & RevocationDetails,
  ): Promise<string[]>;

  getAllSessionHandlesForUser(
    input: WithContext & {
      userId: string;
      fetchSessionsForAllLinkedAccounts: boolean;
      tenantId: string;
      fetchAcrossAllTenants?: boolean | undefined;
    },
  ): Promise<string[]>;

  /** @returns whether there was one */
  revokeSession(
    input: WithContext & {
      sessionHandle: string;
      /** For the event. */
      owner?: SessionOwner | undefined;
    } & RevocationDetails,
  ): Promise<boolean>;

  /** @returns the handles of those that existed */
  revokeMultipleSessions(
    input: WithContext & {
      sessionHandles: readonly string[];
      /** The owner of all of them, for the events. */
      owner?: SessionOwner | undefined;
    } & RevocationDetails,
  ): Promise<string[]>;

  /** @returns false when the session does not exist */
  updateSessionDataInDatabase(
    input: WithContext & { sessionHandle: string; newSessionData: JsonObject | null | undefined },
  ): Promise<boolean>;

  /**
   * Merges top-level keys into the session data; null removes a key. Ours, not SuperTokens': parallel writers keep each
   * other's keys, which replacing the whole object cannot promise (with `remoteCore` those of one process).
   *
   * @returns false when the session does not exist
   */
  mergeSessionDataInDatabase(
    input: WithContext & { sessionHandle: string; sessionDataUpdate: JsonObject },
  ): Promise<boolean>;

  /** Merges top-level keys into the stored payload; null removes a key. @returns false when the session does not exist */
  mergeIntoAccessTokenPayload(
    input: WithContext & { sessionHandle: string; accessTokenPayloadUpdate: JsonObject },
  ): Promise<boolean>;

  /**
   * Stores a new payload, and re-issues the access token with it. There is no token if the presented one has expired, or
   * if the user has since proved who they are with another one: older tokens do not get such a proof.
   *
   * @returns undefined when the session does not exist any more
   */
  regenerateAccessToken(
    input: WithContext & {
      accessToken: string;
      /** The whole payload. */
      newAccessTokenPayload?: JsonObject | null | undefined;
      /**
       * The payload that the new one was made from, as `getSessionInformation` shows it. If it is given, only the names in
       * which the two differ are changed, even if another writer has changed the stored payload since. Without it, the new
       * payload replaces the stored one: an override that calls the original passes it on, best with `...input`.
       */
      currentAccessTokenPayload?: JsonObject | undefined;
      /**
       * The update that the new payload was made with. Its names count as changed even if the two payloads agree, because
       * the stored payload may differ.
       */
      accessTokenPayloadUpdate?: JsonObject | undefined;
    },
  ): Promise<RegeneratedAccessToken | undefined>;

  /**
   * Notes that the user has just proved who they are, and re-issues the access token with that. Ours, not SuperTokens'.
   *
   * @returns undefined when the session does not exist any more
   * @throws {Error} the module does not record the time of authentication
   */
  recordAuthentication(
    input: WithContext & {
      accessToken: string;
      /** The stored payload, if the caller knows it. */
      currentAccessTokenPayload?: JsonObject | undefined;
    },
  ): Promise<RegeneratedAccessToken | undefined>;

  validateClaims(
    input: WithContext & {
      userId: string;
      recipeUserId: string;
      accessTokenPayload: JsonObject;
      claimValidators: readonly SessionClaimValidator[];
    },
  ): Promise<{ invalidClaims: ClaimValidationError[]; accessTokenPayloadUpdate?: JsonObject | undefined }>;

  fetchAndSetClaim(
    input: WithContext & { sessionHandle: string; claim: SessionClaim<unknown> },
  ): Promise<boolean>;

  setClaimValue<T>(
    input: WithContext & { sessionHandle: string; claim: SessionClaim<T>; value: T },
  ): Promise<boolean>;

  getClaimValue<T>(
    input: WithContext & { sessionHandle: string; claim: SessionClaim<T> },
  ): Promise<GetClaimValueResult<T>>;

  removeClaim(input: WithContext & { sessionHandle: string; claim: SessionClaim<unknown> }): Promise<boolean>;

  /**
   * Signs a JWT of the application's own. `iss` is the issuer unless the payload has one.
   *
   * @throws {TypeError} the payload is no object with names, or that of a session without `validitySeconds`
   */
  createJWT(
    input: WithContext & {
      payload?: JsonObject | undefined;
      /** Default: a hundred years. */
      validitySeconds?: number | undefined;
      useStaticSigningKey?: boolean | undefined;
    },
  ): Promise<CreateJWTResult>;

  getJWKS(input: WithContext): Promise<JWKS>;

  /** Its `issuer` is also the `iss` of new sessions. */
  getOpenIdDiscoveryConfiguration(
    input: WithContext,
  ): Promise<{ status: 'OK' } & OpenIdDiscoveryConfiguration>;
}

/** The input of one of these functions. */
export type StoredInput<Name extends keyof StoredSessionFunctions> = Parameters<
  StoredSessionFunctions[Name]
>[0];

/** The input of the functions that read or write one claim of a session. */
export interface ClaimInput<T> extends WithContext {
  sessionHandle: string;
  claim: SessionClaim<T>;
}

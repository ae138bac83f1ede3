// This door
export { createSessions, Sessions, type StandaloneSessionOptions } from './sessions.js';
export type { SessionFunctions } from '../sessions/session-functions.js';
export type { PlainRequest } from '../http/plain-request.js';
export type { SessionResponse } from '../http/collected-response.js';
export type { SessionLogger } from '../util/session-logger.js';

// The rest is in the main door and in `nest-sessions/core`, too, which applications cannot load without Nest

// Options
export type { AppInfoOptions } from '../options/app-info.js';
export type { AntiCsrfMode, CookieSameSite, TokenTransferMethod } from '../options/wire-options.js';
export { NIST_LIFETIMES, type SessionLifetime } from '../options/feature-options.js';
export type { RequestAndResponse } from '../http/exchanges.js';

// Sessions in code
export type { CreateNewSessionInput } from '../sessions/session-functions.js';
export { SessionContainer } from '../sessions/session-container.js';
export type { AllSessionTokens } from '../sessions/session-state.js';
export type { VerifySessionOptions } from '../sessions/recipe.interface.js';
export type { SessionDataInDatabase, SessionPayload } from '../util/session-types.js';
export type { SessionInformation } from '../sessions/stored-sessions.interface.js';
export type { SessionDevice } from '../options/feature-options.js';
export type { ListedSession, UserSessionList } from '../sessions/user-sessions.js';

// Overriding
export { SessionRecipe } from '../sessions/session-recipe.js';
export { RecipeDependencies } from '../sessions/recipe-dependencies.js';
export type { RecipeInterface } from '../sessions/recipe.interface.js';
export type { ApiInterface } from '../sessions/session-api.js';
export type { SessionErrorHandlers } from '../sessions/error-responder.js';

// Claims
export { SessionClaim } from '../claims/session-claim.js';
export type { ClaimValidationResult, SessionClaimValidator } from '../claims/claim-validator.js';
export { PrimitiveClaim } from '../claims/primitive-claim.js';
export { PrimitiveArrayClaim } from '../claims/primitive-array-claim.js';
export { BooleanClaim } from '../claims/primitive-claim.js';
export { PermissionClaim, UserRoleClaim, type UserRoleSource } from '../claims/user-roles.js';
export { DeviceBoundClaim } from '../claims/device-bound-claim.js';
export { AuthenticationTimeClaim } from '../claims/authentication-time-claim.js';
export { allOf, anyOf, not } from '../claims/compose-validators.js';

// Cores, stores and feeds
export { CoreClient } from '../core/core-client.js';
export { embeddedCore } from '../core/embedded/embedded-core-options.js';
export type { EmbeddedCoreOptions } from '../core/embedded/embedded-core-config.js';
export { remoteCore } from '../core/remote/http-core-client.js';
export { allowInsecureConnection, type RemoteCoreOptions } from '../core/remote/remote-core-config.js';
export { SessionStore, StoreSetupError } from '../stores/session-store.js';
export { MemoryStore, memoryStore } from '../stores/memory.store.js';
export { sqliteStore } from '../stores/sqlite.store.js';
export { postgresStore } from '../stores/postgres.store.js';
export { redisStore } from '../stores/redis/redis.store.js';
export { schemaSql } from '../stores/schema.js';
export { NoRevocationFeedError, RevocationFeed } from '../feed/revocation-feed.js';
export { MemoryFeed } from '../feed/memory-feed.js';

// Errors
export {
  ClearDuplicateSessionCookiesError,
  DuplicateSessionCookiesError,
  InvalidClaimsError,
  RateLimitedError,
  SessionError,
  TokenTheftDetectedError,
  TooManySessionsError,
  TryRefreshTokenError,
  UnauthorisedError,
  type AnySessionError,
  type ClaimValidationError,
} from '../errors.js';
export { ResponseSentError } from '../http/session-request.js';
export {
  CoreBadInputError,
  CoreError,
  CoreResponseError,
  CoreUnavailableError,
  StoreFullError,
} from '../errors.js';
export { SessionConfigError } from '../options/config-error.js';

export { SessionSchemaError } from '../sessions/content-schemas.js';

// Events, logs and rate limits
export { SessionEventHub } from '../events/session-event-hub.js';
export type { SessionEvent } from '../events/session-event.js';
export { sessionRedactPaths } from '../events/printable.js';
export type { RateLimitDecision, RateLimitedAttempt, RateLimiter } from '../options/observability-options.js';

// HTTP
export { sessionCorsHeaders, sessionCorsOptions } from '../http/session-cors-headers.js';
export type { HttpRequest } from '../util/http-exchange.js';
export { getRequestFromUserContext, type UserContext } from '../util/user-context.js';

// Values
export { Clock, SystemClock } from '../util/clock.js';
export { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
export type { JsonObject, JsonValue } from '../util/json.js';

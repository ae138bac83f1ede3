// The module
export { SessionModule } from './session.module.js';
export type { SessionModuleAsyncOptions, SessionOptionsFactory } from './session.module.js';
export type { SessionModuleOptions } from './session.options.js';
export type { AppInfoOptions } from './options/app-info.js';
export type { TokenTransferMethod } from './options/wire-options.js';
export { NIST_LIFETIMES, type SessionLifetime } from './options/feature-options.js';

// Guard, decorators, filter
export { SessionGuard } from './session.guard.js';
export {
  OptionalSession,
  PublicAccess,
  RequireClaims,
  RequirePermissions,
  RequireRoles,
  Session,
  VerifySession,
} from './session.decorators.js';
export { sessionOf } from './rules/guarded-calls.js';
export { SessionExceptionFilter } from './session.filter.js';
export type { RequestAndResponse } from './http/exchanges.js';

// Connections that last
export { SessionSockets } from './websocket/session-sockets.js';
export { SessionStreams } from './sse/session-streams.js';

// Sessions in code
export { SessionService } from './session.service.js';
export type { CreateNewSessionInput } from './sessions/session-functions.js';
export { SessionContainer } from './sessions/session-container.js';
export type { VerifySessionOptions } from './sessions/recipe.interface.js';
export type { SessionDataInDatabase, SessionPayload } from './util/session-types.js';
export type { SessionInformation } from './sessions/stored-sessions.interface.js';
export type { SessionDevice } from './options/feature-options.js';

// Overriding
export { SessionRecipe } from './sessions/session-recipe.js';
export { RecipeDependencies } from './sessions/recipe-dependencies.js';
export type { RecipeInterface } from './sessions/recipe.interface.js';
export type { ApiInterface } from './sessions/session-api.js';
export type { SessionErrorHandlers } from './sessions/error-responder.js';

// Claims
export { SessionClaim } from './claims/session-claim.js';
export type { ClaimValidationResult, SessionClaimValidator } from './claims/claim-validator.js';
export { PrimitiveClaim } from './claims/primitive-claim.js';
export { PrimitiveArrayClaim } from './claims/primitive-array-claim.js';
export { BooleanClaim } from './claims/primitive-claim.js';
export { PermissionClaim, UserRoleClaim, type UserRoleSource } from './claims/user-roles.js';
export { DeviceBoundClaim } from './claims/device-bound-claim.js';
export { AuthenticationTimeClaim } from './claims/authentication-time-claim.js';
export { allOf, anyOf, not } from './claims/compose-validators.js';

// Cores and stores
export { embeddedCore } from './core/embedded/embedded-core-options.js';
export type { EmbeddedCoreOptions } from './core/embedded/embedded-core-config.js';
export { remoteCore } from './core/remote/http-core-client.js';
export { allowInsecureConnection, type RemoteCoreOptions } from './core/remote/remote-core-config.js';
export { memoryStore } from './stores/memory.store.js';
export { sqliteStore } from './stores/sqlite.store.js';
export { postgresStore } from './stores/postgres.store.js';
export { redisStore } from './stores/redis/redis.store.js';
export type { SessionStore } from './stores/session-store.js';
export { schemaSql } from './stores/schema.js';

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
} from './errors.js';
export { ResponseSentError } from './http/session-request.js';
export {
  CoreBadInputError,
  CoreError,
  CoreResponseError,
  CoreUnavailableError,
  StoreFullError,
} from './errors.js';
export { SessionConfigError } from './options/config-error.js';

// Events, logs and rate limits
export { SessionEvents } from './events/session-events.js';
export type { SessionEvent } from './events/session-event.js';
export { sessionRedactPaths } from './events/printable.js';
export type { RateLimitDecision, RateLimitedAttempt, RateLimiter } from './options/observability-options.js';

// HTTP
export { sessionCorsHeaders, sessionCorsOptions } from './http/session-cors-headers.js';
export { getRequestFromUserContext, type UserContext } from './util/user-context.js';

// Values
export { Clock } from './util/clock.js';
export type { JsonObject, JsonValue } from './util/json.js';

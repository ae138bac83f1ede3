// The module
export { SessionModule } from './session.module.js';
export type {
  SessionModuleAsyncOptions,
  SessionModuleExtras,
  SessionOptionsFactory,
} from './session.module-definition.js';
export type { SessionModuleOptions } from './options/session-module-options.js';
export type {
  AntiCsrfMode,
  AppInfoOptions,
  CookieSameSite,
  SessionWireOptions,
  TokenTransferMethod,
  TokenType,
} from './options/session-options.interface.js';
export type {
  DeviceOptions,
  SessionFeatureOptions,
  SessionLimit,
  UserSessionRoutesOptions,
} from './options/session-feature-options.js';
export { NIST_LIFETIMES, type SessionLifetime } from './options/session-lifetime.js';

// Guard, decorators, filter
export { SessionGuard } from './session.guard.js';
export { Session, type SessionProperty } from './session.decorators.js';
export { OptionalSession, PublicAccess, RequireClaims, VerifySession } from './session.decorators.js';
export { SessionExceptionFilter } from './session.filter.js';
export type { RequestAndResponse } from './graphql/execution-request.js';

// Connections that last
export { SessionSockets, type SocketAdmissionOptions } from './websocket/session-sockets.js';
export { SessionStreams } from './sse/session-streams.js';

// Sessions in code
export { SessionService, type CreateNewSessionInput, type UserSessionsQuery } from './session.service.js';
export { SessionContainer, type AllSessionTokens } from './sessions/session-container.js';
export { RecipeDependencies } from './sessions/recipe-dependencies.js';
export { SessionRecipe, type SessionRecipeClass } from './sessions/recipe-implementation.js';
export type {
  CreateJWTResult,
  GetClaimValueResult,
  JWKS,
  OpenIdDiscoveryConfiguration,
  RecipeInterface,
  RegeneratedAccessToken,
  SessionInformation,
  SessionOwner,
  ValidateClaimsForSessionHandleResult,
  VerifySessionOptions,
} from './sessions/recipe.interface.js';
export type { SessionDevice } from './sessions/devices.js';
export type { ListedSession, UserSessionList } from './sessions/user-sessions.js';
export type { ApiInterface, ApiOptions, GeneralErrorResponse } from './sessions/api.interface.js';
export type { ErrorMessageHandler, SessionErrorHandlers } from './sessions/error-responder.js';

// Claims
export { SessionClaim } from './claims/session-claim.js';
export type { ClaimValidationResult, SessionClaimValidator } from './claims/claim-validator.js';
export type { ClaimConfig, TimestampedClaim } from './claims/timestamped-claim.js';
export {
  PrimitiveClaim,
  type ClaimPrimitive,
  type PrimitiveClaimValidators,
} from './claims/primitive-claim.js';
export { PrimitiveArrayClaim, type PrimitiveArrayClaimValidators } from './claims/primitive-array-claim.js';
export { BooleanClaim, type BooleanClaimValidators } from './claims/boolean-claim.js';
export { PermissionClaim, UserRoleClaim, type UserRoleSource } from './claims/user-roles.js';
export {
  AuthenticationTimeClaim,
  type AuthenticationTime,
  type AuthenticationTimeValidators,
} from './claims/authentication-time-claim.js';
export { allOf, anyOf, not } from './claims/compose-validators.js';

// Cores and stores
export { CoreClient } from './core/core-client.js';
export type { CoreContext, CoreProvider } from './core/core-provider.js';
export { embeddedCore } from './core/embedded/embedded-core-options.js';
export type { AccountLinking, EmbeddedCoreOptions } from './core/embedded/embedded-core-config.js';
export type { SigningAlgorithm } from './tokens/key-pairs.js';
export { remoteCore } from './core/remote/remote-core-options.js';
export { allowInsecureConnection, type RemoteCoreOptions } from './core/remote/remote-core-config.js';
export type { CoreNetworkRequest, NetworkInterceptor } from './core/remote/network-interceptor.js';
export { CoreAttemptError } from './core/remote/core-attempt-error.js';
export { memoryStore, MemoryStore, type MemoryStoreOptions } from './stores/memory.store.js';
export {
  sqliteStore,
  type SqliteDatabase,
  type SqliteStatement,
  type SqliteStoreOptions,
} from './stores/sqlite.store.js';
export {
  postgresStore,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresStoreOptions,
} from './stores/postgres.store.js';
export { schemaSql, type SchemaOptions } from './stores/schema.js';
export {
  SessionStore,
  StoreSetupError,
  type FoundSession,
  type LimitedInsert,
  type SessionChange,
  type SessionCondition,
  type RowLimit,
  type SessionKey,
  type SessionRow,
  type SessionsOfUsers,
  type StoredDynamicKey,
  type StoredStaticKey,
} from './stores/session-store.js';

// Serving a core to others
export { SessionCoreModule } from './core/server/session-core.module.js';
export type { SessionCoreModuleOptions } from './core/server/session-core-options.js';
export type {
  SessionCoreModuleAsyncOptions,
  SessionCoreOptionsFactory,
} from './core/server/session-core.module-definition.js';

// Errors
export {
  ClearDuplicateSessionCookiesError,
  InvalidClaimsError,
  SessionError,
  TokenTheftDetectedError,
  TryRefreshTokenError,
  UnauthorisedError,
  type AnySessionError,
  type ClaimValidationError,
  type SessionErrorType,
} from './errors.js';
export {
  CoreBadInputError,
  CoreError,
  CoreResponseError,
  CoreUnavailableError,
  StoreFullError,
} from './errors.js';
export { DuplicateSessionCookiesError } from './errors.js';
export { SessionConfigError, type ConfigProblem } from './errors.js';
export { TooManySessionsError } from './errors.js';

// Events
export { SessionEvents, type SessionEvent } from './events/session-events.js';
export type { EventSource } from './events/event-source.js';
export type { CallRecorder } from './events/call-recorder.js';
export type { ObservabilityOptions } from './options/observability-options.js';

// Rate limits
export { RateLimitedError } from './errors.js';
export { fixedWindowLimiter, type FixedWindowLimits } from './events/fixed-window-limiter.js';
export type {
  RateLimitDecision,
  RateLimitedAttempt,
  RateLimiter,
  RateLimitOptions,
} from './options/rate-limit-options.js';

// HTTP
export {
  sessionCorsHeaders,
  sessionCorsOptions,
  type SessionCorsOptions,
} from './http/session-cors-headers.js';
export type { HttpExchange, HttpRequest, HttpResponse } from './util/http-exchange.js';
export { getRequestFromUserContext, type UserContext } from './util/user-context.js';

// Values
export { Clock, SystemClock } from './util/clock.js';
export type { JsonObject, JsonValue } from './util/json.js';
export type { PublicJwk, VerificationKeys } from './util/verification-keys.js';

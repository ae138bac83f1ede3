// Cores
export { CoreClient } from './core-client.js';
export type { AuditContext, CoreContext, CoreProvider } from './core-provider.js';
export type {
  CoreJwtInput,
  CoreJwtResult,
  CoreSession,
  BulkRevocationInput,
  BulkRevocationResult,
  CoreSessionInformation,
  CoreSessionPage,
  CoreSessionSearch,
  CoreSessionTokens,
  CoreUserRoles,
  CreateSessionInput,
  CreationLimit,
  JwksResult,
  LimitedCreationResult,
  RefreshSessionInput,
  RefreshSessionResult,
  RegenerateInput,
  RegenerateResult,
  SessionPayloadChange,
  TokenInfo,
  TokenReuseSubtype,
  TokenRotation,
  UserSessionsInput,
  VerifySessionInput,
  VerifySessionResult,
} from './core.types.js';
export { SystemClock } from '../util/clock.js';
export { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
export type { SessionCountStep, SessionPosition } from '../util/session-cursor.js';
export type { NamesChange } from '../util/json.js';
export type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';

// The embedded core
export type { AccountLinking } from './embedded/embedded-core-config.js';
export type { KeyEncryptionOptions } from './embedded/key-encryption-options.js';
export type { DataKeyCall, SealedKeyContext } from './embedded/key-wrapping.js';
export type { SigningAlgorithm } from '../tokens/key-pairs.js';

// The remote core
export type { CoreNetworkRequest, NetworkInterceptor } from './remote/http-transport.js';
export { CoreAttemptError } from './remote/core-call-errors.js';

// Stores
export {
  SessionStore,
  StoreSetupError,
  type FoundSession,
  type SessionPage,
  type SessionRow,
  type StoredDynamicKey,
  type StoredStaticKey,
} from '../stores/session-store.js';
export type {
  LimitedInsert,
  RowLimit,
  SessionCutOff,
  SessionKey,
  SessionSearch,
  StoredKeyPlace,
  SessionsOfUsers,
  SessionChange,
  SessionCondition,
  UpdateOnRead,
} from '../stores/store-inputs.js';
export {
  NoRevocationFeedError,
  RevocationFeed,
  type Revocation,
  type RevocationDetails,
  type RevocationKind,
  type RevocationNote,
  type RevocationPage,
} from '../feed/revocation-feed.js';
export type {
  AuditBranch,
  AuditDetails,
  AuditEntry,
  AuditKind,
  AuditNote,
  AuditRecord,
  AuditSubject,
} from '../audit/audit-record.js';
export {
  AuditTrail,
  type AuditPage,
  type AuditSearch,
  type AuditSearchByAccount,
} from '../audit/audit-trail.js';
export type { SharedValue, SharedValues } from '../audit/shared-values.js';
export { DeliveryError, type AuditDelivery } from '../audit/delivery.js';
export { webhook, type WebhookOptions } from '../signals/webhook.js';
export { securityEvents, type SecurityEventsOptions } from '../signals/security-events.js';
export type { ReadAuditInput } from '../sessions/audit.js';
export type { AuditOptions } from '../audit/audit-options.js';
export type { RevocationFeedOptions } from '../feed/feed-options.js';
export type { RevocationState } from '../feed/revocation-watch.js';
export { MemoryFeed } from '../feed/memory-feed.js';
export { MemoryStore } from '../stores/memory.store.js';
export type { SqliteDatabase, SqliteStatement } from '../stores/sqlite.store.js';
export type { PostgresListener } from '../stores/postgres-announcements.js';
export type { PostgresPool, PostgresPoolClient } from '../stores/postgres.store.js';
export type { RedisClient } from '../stores/redis/redis-client.js';
export type {
  MemoryStoreOptions,
  PostgresStoreOptions,
  RedisStoreOptions,
  SchemaOptions,
  SqliteStoreOptions,
} from '../stores/store-options.js';

// Serving a core to others
export { SessionCoreModule } from './server/session-core.module.js';
export type { SessionCoreModuleOptions } from './server/session-core-options.js';
export type {
  SessionCoreModuleAsyncOptions,
  SessionCoreOptionsFactory,
} from './server/session-core.module.js';

// Types in signatures of the main door, for libraries that build on it
export type { SessionModuleExtras } from '../session.module.js';
export type { AntiCsrfMode, CookieSameSite, SessionWireOptions, TokenType } from '../options/wire-options.js';
export type {
  DeviceOptions,
  SessionFeatureOptions,
  SessionLimit,
  UserSessionRoutesOptions,
} from '../options/feature-options.js';
export type { SessionSchemas, StandardSchema, StandardSchemaResult } from '../options/schema-options.js';
export { SessionSchemaError } from '../sessions/content-schemas.js';
export type {
  BackChannelLogoutOptions,
  LogoutProvider,
  ProviderKeys,
} from '../options/back-channel-logout-options.js';
export type { ProviderSignIn } from '../signals/provider-sessions.js';
export type { DbscOptions, DeviceBoundOptions, DpopOptions } from '../options/device-bound-options.js';
export type { ReplayStore } from '../options/replay-store.js';
export type { SessionErrorType } from '../errors.js';
export type { ObservabilityOptions } from '../options/observability-options.js';
export type { RateLimitOptions } from '../options/observability-options.js';
export type { ConfigProblem } from '../options/config-error.js';
export type { JWKS } from '../sessions/stored-sessions.interface.js';
export type { RoleRequirement, SessionProperty } from '../session.decorators.js';
export type { BulkRevocation, UserSessionsQuery } from '../sessions/sessions-by-handle.js';
export type {
  FindSessionsInput,
  CountSessionsInput,
  SessionConditions,
  SessionCount,
  SessionInformationPage,
} from '../sessions/find.js';
export type { HandOverInput, RedemptionInput } from '../delegation/hand-over.js';
export type { ChildSessionInput, SessionActor } from '../delegation/delegations.js';
export type { DelegationFacts, SessionActorClaim } from '../util/delegation-claims.js';
export type { AllSessionTokens } from '../sessions/session-state.js';
export type { ListedSession, UserSessionList } from '../sessions/user-sessions.js';
export type { SocketAdmissionOptions } from '../websocket/session-sockets.js';
export type { OnRefresh, RefreshDecision, RefreshToDecide } from '../sessions/refresh-decisions.js';
export type { SessionRecipeClass } from '../sessions/session-recipe.js';
export type {
  CreateJWTResult,
  GetClaimValueResult,
  OpenIdDiscoveryConfiguration,
  RegeneratedAccessToken,
  SessionOwner,
  ValidateClaimsForSessionHandleResult,
} from '../sessions/stored-sessions.interface.js';
export type { ApiOptions, GeneralErrorResponse } from '../sessions/session-api.js';
export type { ErrorMessageHandler } from '../sessions/error-responder.js';
export type { ClaimConfig, TimestampedClaim } from '../claims/timestamped-claim.js';
export type { ClaimPrimitive, PrimitiveClaimValidators } from '../claims/primitive-claim.js';
export type { PrimitiveArrayClaimValidators } from '../claims/primitive-array-claim.js';
export type { BooleanClaimValidators } from '../claims/primitive-claim.js';
export type {
  AuthenticationTime,
  AuthenticationTimeValidators,
} from '../claims/authentication-time-claim.js';
export type { EventSource } from '../events/session-event.js';
export type { SessionCorsOptions } from '../http/session-cors-headers.js';
export type { HttpExchange, HttpRequest, HttpResponse } from '../util/http-exchange.js';

/** The door `nest-sessions/verify`: sessions are verified anywhere, without Nest. */
export {
  createSessionVerifier,
  type SessionVerifier,
  type VerifiedSession,
  type VerifyOptions,
  type VerifyTokenOptions,
} from './session-verifier.js';
export type { SessionVerifierOptions } from './verifier-options.js';
export type { FetchFunction } from './web-fetch.js';
export { servedRevocations, type ServedRevocationsOptions } from './served-revocations.js';
export type { RevocationSource } from './followed-revocations.js';
export { sessionErrorResponse, type SessionErrorResponseOptions } from './error-response.js';
export { forwardRefresh, type ForwardRefreshOptions } from './forward-refresh.js';
export {
  CoreError,
  CoreResponseError,
  CoreUnavailableError,
  InvalidClaimsError,
  SessionError,
  TryRefreshTokenError,
  UnauthorisedError,
  type ClaimValidationError,
} from '../errors.js';
export { SessionConfigError, type ConfigProblem } from '../options/config-error.js';
export { SessionClaim } from '../claims/session-claim.js';
export type { ClaimValidationResult, SessionClaimValidator } from '../claims/claim-validator.js';
export { BooleanClaim, PrimitiveClaim } from '../claims/primitive-claim.js';
export { PrimitiveArrayClaim } from '../claims/primitive-array-claim.js';
export { PermissionClaim, UserRoleClaim } from '../claims/user-roles.js';
export { AuthenticationTimeClaim } from '../claims/authentication-time-claim.js';
export { allOf, anyOf, not } from '../claims/compose-validators.js';

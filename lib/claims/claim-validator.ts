import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import type { SessionClaim } from './session-claim.js';

/**
 * Outcome of one claim check. `reason` is sent to the client in the 403 body: put nothing secret into it.
 *
 * @publicApi
 */
export type ClaimValidationResult =
  { readonly isValid: true } | { readonly isValid: false; readonly reason?: unknown };

/**
 * A check on the access token payload. With `claim` and `shouldRefetch` the claim's value is fetched again first when
 * `shouldRefetch` says so; give both or neither.
 *
 * @publicApi
 */
export interface SessionClaimValidator {
  /** Names the check in the 403 body; by convention the claim's key. */
  readonly id: string;
  /** The claim whose value may be refetched before the check. */
  readonly claim?: SessionClaim<unknown>;
  shouldRefetch?(payload: JsonObject, userContext: UserContext): Promise<boolean> | boolean;
  validate(
    payload: JsonObject,
    userContext: UserContext,
  ): Promise<ClaimValidationResult> | ClaimValidationResult;
}

import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';

/**
 * A fact about the session that is kept in the access token payload under `key`.
 *
 * @typeParam T what the claim's value is
 * @publicApi
 */
export abstract class SessionClaim<T> {
  constructor(readonly key: string) {}

  /**
   * Gets the current value from where it truly lives.
   *
   * @returns the value, or undefined for "not available, leave the payload as it is"
   */
  abstract fetchValue(
    userId: string,
    recipeUserId: string,
    tenantId: string,
    currentPayload: JsonObject | undefined,
    userContext: UserContext,
  ): Promise<T | undefined> | T | undefined;

  /** A new payload with the claim set. The argument is not changed. */
  abstract addToPayload_internal(payload: JsonObject, value: T, userContext: UserContext): JsonObject;

  /** A new payload in which the claim's key is null, which removes it when merged. */
  abstract removeFromPayloadByMerge_internal(payload: JsonObject, userContext: UserContext): JsonObject;

  /** A new payload without the claim. */
  abstract removeFromPayload(payload: JsonObject, userContext: UserContext): JsonObject;

  /** The stored value, or undefined when the payload does not carry the claim. */
  abstract getValueFromPayload(payload: JsonObject, userContext: UserContext): T | undefined;

  /** Fetches the value and wraps it as a payload update; `{}` when there is no value. */
  async build(
    userId: string,
    recipeUserId: string,
    tenantId: string,
    currentPayload: JsonObject | undefined,
    userContext: UserContext,
  ): Promise<JsonObject> {
    const value = await this.fetchValue(userId, recipeUserId, tenantId, currentPayload, userContext);
    return value === undefined ? {} : this.addToPayload_internal({}, value, userContext);
  }
}

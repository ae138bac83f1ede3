import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import { recogniseCopies } from '../util/copies.js';

/**
 * A fact about the session that is kept in the access token payload under `key`.
 *
 * @typeParam T the claim's value
 * @publicApi
 */
export abstract class SessionClaim<T> {
  static {
    recogniseCopies(this, 'SessionClaim');
  }

  constructor(readonly key: string) {}

  /**
   * Fetches the current value from its source.
   *
   * @returns undefined if the value is not available; the payload stays unchanged then
   */
  abstract fetchValue(
    userId: string,
    recipeUserId: string,
    tenantId: string,
    currentPayload: JsonObject | undefined,
    userContext: UserContext,
  ): Promise<T | undefined> | T | undefined;

  /**
   * Returns a new payload with the claim set; the argument is not changed. The names with `_internal` are those of
   * supertokens-node.
   */
  abstract addToPayload_internal(payload: JsonObject, value: T, userContext: UserContext): JsonObject;

  /** Returns a new payload in which the claim's key is null, which removes the claim when it is merged. */
  abstract removeFromPayloadByMerge_internal(payload: JsonObject, userContext: UserContext): JsonObject;

  /** Returns a new payload without the claim. */
  abstract removeFromPayload(payload: JsonObject, userContext: UserContext): JsonObject;

  /** Returns the stored value, or undefined if the payload does not have the claim. */
  abstract getValueFromPayload(payload: JsonObject, userContext: UserContext): T | undefined;

  /** Fetches the value and returns it as a payload update; `{}` if there is no value. */
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

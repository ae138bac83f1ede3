import { SessionClaim } from '../claims/session-claim.js';
import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';

const GIVEN_CLAIMS = Symbol('nest-sessions:claims-of-a-test-session');

/** A user context in which the claims of these keys count as fetched: their values stand in the payload already. */
export function createStubContext(keys: readonly string[]): UserContext {
  const userContext: UserContext = {};
  Reflect.set(userContext, GIVEN_CLAIMS, keys);
  return userContext;
}

/**
 * A claim of the application that is built into new sessions as always, except into those of a test that gives its
 * value: then nothing is fetched.
 */
export class StubClaim<T> extends SessionClaim<T> {
  constructor(private readonly claim: SessionClaim<T>) {
    super(claim.key);
  }

  override async build(
    ...[userId, recipeUserId, tenantId, payload, userContext]: Parameters<SessionClaim<T>['build']>
  ): Promise<JsonObject> {
    const given = Reflect.get(userContext, GIVEN_CLAIMS) as readonly string[] | undefined;
    if (given?.includes(this.key) === true) return {};
    return this.claim.build(userId, recipeUserId, tenantId, payload, userContext);
  }

  override fetchValue(
    ...input: Parameters<SessionClaim<T>['fetchValue']>
  ): Promise<T | undefined> | T | undefined {
    return this.claim.fetchValue(...input);
  }

  override addToPayload_internal(payload: JsonObject, value: T, userContext: UserContext): JsonObject {
    return this.claim.addToPayload_internal(payload, value, userContext);
  }

  override removeFromPayloadByMerge_internal(payload: JsonObject, userContext: UserContext): JsonObject {
    return this.claim.removeFromPayloadByMerge_internal(payload, userContext);
  }

  override removeFromPayload(payload: JsonObject, userContext: UserContext): JsonObject {
    return this.claim.removeFromPayload(payload, userContext);
  }

  override getValueFromPayload(payload: JsonObject, userContext: UserContext): T | undefined {
    return this.claim.getValueFromPayload(payload, userContext);
  }
}

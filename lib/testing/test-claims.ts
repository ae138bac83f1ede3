import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { SessionClaim } from '../claims/session-claim.js';
import type { JsonObject, JsonValue } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';

const GIVEN_CLAIMS = Symbol('nest-sessions:claims-of-a-test-session');

/** Creates a user context in which the claims of these keys are not fetched, because their values are in the payload. */
export function createStubContext(keys: readonly string[]): UserContext {
  const userContext: UserContext = {};
  Reflect.set(userContext, GIVEN_CLAIMS, keys);
  return userContext;
}

/**
 * Wraps a claim of the application: new sessions get it as usual, except those of a test that sets its value, for which it
 * is not fetched.
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

/**
 * Claims with the values of a session, `[[PlanClaim, 'pro'], [VerifiedClaim, true]]`: each value has the type of its claim.
 *
 * @typeParam Values the types of the values, in order
 * @publicApi
 */
export type StubClaims<Values extends readonly unknown[]> = {
  readonly [Index in keyof Values]: readonly [SessionClaim<Values[Index]>, NoInfer<Values[Index]>];
};

/** Values of the usual types of claims. A validator that checks anything refuses at least one of them. */
const CANDIDATES: readonly JsonValue[] = [false, true, '', 0, [], null];

/**
 * Finds a payload with a value that the validator refuses.
 *
 * @returns `{}` when the validator has no claim, or refuses none of the candidates
 */
export async function findRefusedPayload(
  validator: SessionClaimValidator,
  userContext: UserContext,
): Promise<JsonObject> {
  const { claim } = validator;
  if (claim === undefined) return {};
  for (const value of CANDIDATES) {
    const payload = claim.addToPayload_internal({}, value, userContext);
    if (claim.getValueFromPayload(payload, userContext) === undefined) continue;
    if (await refusesPayload(validator, payload, userContext)) return payload;
  }
  return {};
}

/** Checks that the validator refuses the payload, and does not fetch the claim again first. */
export async function refusesPayload(
  validator: SessionClaimValidator,
  payload: JsonObject,
  userContext: UserContext,
): Promise<boolean> {
  // Called as methods of the validator, because a validator may be an instance of a class.
  const fetchesAnew =
    validator.claim !== undefined && (await validator.shouldRefetch?.(payload, userContext)) === true;
  return !fetchesAnew && !(await validator.validate(payload, userContext)).isValid;
}

/** The payload of claims with the given values. */
export function createClaimsPayload(
  claims: StubClaims<readonly unknown[]> | undefined,
  userContext: UserContext,
): JsonObject {
  const payloads = (claims ?? []).map(([claim, value]) =>
    claim.addToPayload_internal({}, value, userContext),
  );
  return Object.assign({}, ...payloads) as JsonObject;
}

import type { RegenerateResult } from '../core/core.types.js';
import { CoreUnavailableError } from '../errors.js';
import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { accessTokenInfo, parseWithoutVerifying, type AccessTokenInfo } from '../tokens/access-token.js';
import {
  changeBetween,
  mergeTopLevel,
  toJsonObject,
  type JsonObject,
  type NamesChange,
} from '../util/json.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { LIFETIME_CLAIMS, NEVER_AUTHENTICATED } from '../util/lifetime-claims.js';
import type { UserContext } from '../util/user-context.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { RegeneratedAccessToken, StoredInput } from './stored-sessions.interface.js';
import { outlives, readTokenPayload } from './session-state.js';

/**
 * How long writers of one session wait for each other. One that waited too long goes on all the same: an embedded core keeps
 * parallel writers apart by itself, and with a remote one it is as if they were in two processes.
 */
export const WRITERS: { waitMs: number; waiting: number } = { waitMs: 5000, waiting: 1000 };

/** Changes the stored payloads of sessions, and re-issues their access tokens. */
export class SessionPayloads {
  // The core repeats the update of parallel writers until it succeeds; in one process they need not compete at all.
  private readonly writers = new KeyedMutex(WRITERS);

  constructor(private readonly context: RecipeContext) {}

  async mergeIntoAccessTokenPayload(input: StoredInput<'mergeIntoAccessTokenPayload'>): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const { core, lifetimes } = this.context;
    const change = changeOfUpdate(toPayloadUpdate(input.accessTokenPayloadUpdate, lifetimes.claimNames));
    return this.writers.run(sessionHandle, () =>
      core.changeAccessTokenPayload(sessionHandle, change, userContext),
    );
  }

  /**
   * Returns an update of the application as the option `schemas` has it.
   *
   * @throws {SessionSchemaError} the payload would not fit with it
   */
  async checkedUpdate(sessionHandle: string, update: object, userContext: UserContext): Promise<object> {
    const { recipe, schemas } = this.context;
    return schemas.payloadUpdate(update, async () => {
      const information = await recipe.getSessionInformation({ sessionHandle, userContext });
      return information?.customClaimsInAccessTokenPayload;
    });
  }

  async regenerateAccessToken(
    input: StoredInput<'regenerateAccessToken'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    const { lifetimes } = this.context;
    const { accessToken, userContext } = input;
    // An override may not hand it on. The limits and the binding that a token names may be older than the stored ones.
    const current =
      input.currentAccessTokenPayload ??
      (lifetimes.mayChange ? await this.getStoredPayload(accessToken, userContext) : undefined);
    const given = toJsonObject(input.newAccessTokenPayload ?? {}, 'newAccessTokenPayload');
    const presented = readTokenPayload(accessToken, {});
    // Without a stored payload the limits that the token names count: the core verifies it before it stores anything.
    const payload = lifetimes.keepLimits(current ?? presented, given);
    const update = toJsonObject(input.accessTokenPayloadUpdate ?? {}, 'accessTokenPayloadUpdate');
    const names = Object.keys(lifetimes.withoutOwnClaims(update));
    const change = current && changeOfPayload(current, payload, names);
    const result = await this.regenerate(accessToken, payload, change, userContext);
    if (result.status !== 'OK') return undefined;
    const { status, session } = result;
    return lifetimes.isOlderProof(presented, session.userDataInJWT) ? { status, session } : result;
  }

  async recordAuthentication(
    input: StoredInput<'recordAuthentication'>,
  ): Promise<RegeneratedAccessToken | undefined> {
    const { lifetimes } = this.context;
    const { accessToken, userContext } = input;
    lifetimes.assertRecorded();
    const current =
      input.currentAccessTokenPayload ?? (await this.getStoredPayload(accessToken, userContext));
    if (current === undefined) return undefined;
    const payload = lifetimes.payloadAfterAuthentication(current);
    const change = changeOfPayload(current, payload, [LIFETIME_CLAIMS.authTime]);
    const result = await this.regenerate(accessToken, payload, change, userContext);
    if (result.status !== 'OK') return undefined;
    this.context.reports.note('session.reauthenticated', result.session, userContext);
    return result;
  }

  /**
   * Changes a stored payload as the library itself needs it, and re-issues the access token.
   *
   * @returns undefined when the session does not exist any more
   */
  async applyOwnChange(
    accessToken: string,
    change: NamesChange,
    userContext: UserContext,
  ): Promise<RegeneratedAccessToken | undefined> {
    const result = await this.regenerate(accessToken, {}, change, userContext);
    return result.status === 'OK' ? result : undefined;
  }

  /**
   * Takes the proof of who the user is out of the session of a token, so that it takes a new one.
   *
   * @returns undefined when the session does not exist any more
   */
  async requireAuthentication(
    accessToken: string,
    userContext: UserContext,
  ): Promise<RegeneratedAccessToken | undefined> {
    const change = { set: { [LIFETIME_CLAIMS.authTime]: NEVER_AUTHENTICATED }, remove: [] };
    const result = await this.regenerate(accessToken, {}, change, userContext);
    if (result.status !== 'OK') return undefined;
    if (result.accessToken !== undefined) return result;
    throw new CoreUnavailableError('The core gave no token that asks for a new authentication');
  }

  /** A change of the stored payload queues behind the other writers of this process. */
  private async regenerate(
    accessToken: string,
    payload: JsonObject,
    change: NamesChange | undefined,
    userContext: UserContext,
  ): Promise<RegenerateResult> {
    const { core } = this.context;
    const presented = readToken(accessToken);
    if (change === undefined || presented === undefined) {
      const result = await core.regenerateAccessToken({ accessToken, userDataInJWT: payload }, userContext);
      return withoutUnearnedTime(result, presented);
    }
    const { sessionHandle } = presented;
    const input = { accessToken, userDataInJWT: undefined, change: { ...change, sessionHandle } };
    const result = await this.writers.run(sessionHandle, () =>
      core.regenerateAccessToken(input, userContext),
    );
    return withoutUnearnedTime(result, presented);
  }

  private async getStoredPayload(
    accessToken: string,
    userContext: UserContext,
  ): Promise<JsonObject | undefined> {
    const sessionHandle = readToken(accessToken)?.sessionHandle;
    if (sessionHandle === undefined) return undefined;
    const information = await this.context.recipe.getSessionInformation({ sessionHandle, userContext });
    return information?.customClaimsInAccessTokenPayload;
  }
}

/** Returns the names of a payload that are new or differ, with their new values. Removed names do not count. */
export function changedNames(before: JsonObject, after: JsonObject): JsonObject {
  return changeBetween(before, after, []).set;
}

/**
 * Merges top-level keys into a payload; a key whose value is null is removed, nested objects are replaced as a whole.
 * The names that belong to the session are removed from the current payload, and refused in the update.
 *
 * @param limitNames names of the session's limits: kept in the current payload, refused in the update, null included
 * @throws {TypeError} the update sets a name that belongs to the session (null is allowed: that removes one which an
 *   older version let through)
 * @see docs/protocol/sdk.md §6.6
 */
export function mergePayload(current: JsonObject, update: object, limitNames: readonly string[]): JsonObject {
  return mergeTopLevel(withoutProtectedClaims(current), toPayloadUpdate(update, limitNames));
}

/**
 * Returns the change that an update makes to an unknown payload: each name of the update counts, whatever that payload holds.
 * The names that belong to the session are removed, as with {@link mergePayload}.
 */
function changeOfUpdate(update: JsonObject): NamesChange {
  return changeOfPayload({}, mergeTopLevel({}, update), Object.keys(update));
}

/**
 * Returns the change from one payload to another. The names that belong to the session are removed.
 *
 * @param given names that count although the two agree: their author may have seen another payload than the stored one
 */
function changeOfPayload(from: JsonObject, to: JsonObject, given: readonly string[]): NamesChange {
  return changeBetween(from, to, [...PROTECTED_CLAIM_NAMES, ...given]);
}

/**
 * Checks and copies the update of {@link mergePayload}.
 *
 * @throws {TypeError} as there
 */
export function toPayloadUpdate(update: object, limitNames: readonly string[]): JsonObject {
  const change = toJsonObject(update, 'accessTokenPayloadUpdate');
  const refused =
    PROTECTED_CLAIM_NAMES.find((name) => Object.hasOwn(change, name) && change[name] !== null) ??
    limitNames.find((name) => Object.hasOwn(change, name));
  if (refused !== undefined) {
    throw new TypeError(
      `The access token payload cannot carry "${refused}": that name belongs to the session itself`,
    );
  }
  return change;
}

function readToken(accessToken: string): AccessTokenInfo | undefined {
  const parsed = parseWithoutVerifying(accessToken);
  return parsed && accessTokenInfo(parsed);
}

/** Returns the result without a token that outlives the presented one: a change of the payload is no refresh. */
function withoutUnearnedTime(
  result: RegenerateResult,
  presented: AccessTokenInfo | undefined,
): RegenerateResult {
  if (result.status !== 'OK' || result.accessToken === undefined || presented === undefined) return result;
  return outlives(result.accessToken, presented) ? { status: 'OK', session: result.session } : result;
}

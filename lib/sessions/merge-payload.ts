import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { changeBetween, mergeTopLevel, type JsonObject, type NamesChange } from '../util/json.js';
import { toJsonObject } from './json-input.js';

/** The names of a payload that are not as they were before, with what they are now. Names that are gone do not count. */
export function changedNames(before: JsonObject, after: JsonObject): JsonObject {
  return changeBetween(before, after, []).set;
}

/**
 * Merges top-level keys into a payload; a key whose value is null is removed, nested objects are replaced as a whole.
 * The names that belong to the session are taken out of the current payload, and refused in the update.
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
 * What an update does to a payload that nobody has looked at. Each name that it gives counts, whatever that payload says;
 * the names that belong to the session go, as with {@link mergePayload}.
 */
export function changeOfUpdate(update: JsonObject): NamesChange {
  return changeOfPayload({}, mergeTopLevel({}, update), Object.keys(update));
}

/**
 * What leads from one payload to another. The names that belong to the session go.
 *
 * @param given names that count although the two agree: who gave them may have seen another payload than the stored one
 */
export function changeOfPayload(from: JsonObject, to: JsonObject, given: readonly string[]): NamesChange {
  return changeBetween(from, to, [...PROTECTED_CLAIM_NAMES, ...given]);
}

/**
 * The update of {@link mergePayload}, if it is one.
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

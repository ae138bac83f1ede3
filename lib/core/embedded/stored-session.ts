import type { AccessTokenInfo } from '../../tokens/access-token.js';
import { findReservedClaim } from '../../tokens/reserved-claims.js';
import { parseJsonObject, type JsonObject } from '../../util/json.js';
import type { CoreSession } from '../core.types.js';

/** The session as an access token tells of it, without a look at the store. */
export function sessionFromToken(info: AccessTokenInfo): CoreSession {
  return {
    handle: info.sessionHandle,
    userId: info.userId,
    recipeUserId: info.recipeUserId,
    tenantId: info.tenantId,
    userDataInJWT: applicationPayload(info),
  };
}

/** The application's part of a token's payload. */
export function applicationPayload({ version, payload }: AccessTokenInfo): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).filter(
      ([name]) => version <= 2 || findReservedClaim({ [name]: null }, version) === undefined,
    ),
  );
}

/** What a column of JSON text holds. */
export function storedObject(text: string): JsonObject {
  const value = parseJsonObject(text);
  if (value === undefined) throw new Error('The store returned a payload that is no JSON object');
  return value;
}

import { isJsonObject, type JsonObject, type JsonValue } from '../util/json.js';
import { isAbsent, list, optionalText, text, UnexpectedResponse } from '../util/response-members.js';
import type { PublicJwk } from '../util/verification-keys.js';

const PUBLIC_MEMBERS = ['alg', 'use', 'n', 'e', 'crv', 'x', 'y'] as const;

/**
 * Returns the usable keys of a JWKS, in its order. A core has at least two, so an empty set is a bad response.
 *
 * @throws {UnexpectedResponse} it is no JWKS, or has no usable key
 */
export function parsePublicKeys(response: JsonObject): PublicJwk[] {
  const keys = list(response, 'keys').flatMap((entry, index) => publicKeys(entry, `keys[${index}]`));
  if (keys.length === 0) throw new UnexpectedResponse('keys has no usable key');
  return keys;
}

/** Keys without an id and symmetric keys are left out; private members are never copied. */
function publicKeys(entry: JsonValue, name: string): PublicJwk[] {
  if (!isJsonObject(entry)) throw new UnexpectedResponse(`${name} is not an object`);
  const kty = text(entry, 'kty');
  if (kty === 'oct' || isAbsent(entry, 'kid')) return [];
  const members = PUBLIC_MEMBERS.flatMap((member) => {
    const value = optionalText(entry, member);
    return value === undefined ? [] : [[member, value] as const];
  });
  return [{ kty, kid: text(entry, 'kid'), ...Object.fromEntries(members) }];
}

import { isJsonObject, type JsonObject } from '../util/json.js';

/**
 * A copy of the JSON object that an application gave; functions and `undefined` values vanish as in JSON.
 *
 * @param what names the argument in the error
 * @throws {TypeError} it is something else, a list for example: once stored it could not be read as an object again
 */
export function toJsonObject(given: object, what: string): JsonObject {
  const text: string | undefined = JSON.stringify(given);
  const copy: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!isJsonObject(copy)) throw new TypeError(`${what} must be an object with names and JSON values`);
  return copy;
}

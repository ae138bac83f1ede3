import type { JsonObject, JsonValue } from './json.js';

/** A response with status 200 that does not follow its protocol. The message names fields, never their contents. */
export class UnexpectedResponse extends Error {}

/** Returns whether a member is missing or null. */
export function isAbsent(source: JsonObject, name: string): boolean {
  return source[name] === undefined || source[name] === null;
}

/** Returns a member that has to be text. @throws {UnexpectedResponse} it is not */
export function text(source: JsonObject, name: string): string {
  const value = source[name];
  if (typeof value !== 'string') throw new UnexpectedResponse(`${name} is not text`);
  return value;
}

/** As {@link text}; undefined for a member that is absent. */
export function optionalText(source: JsonObject, name: string): string | undefined {
  return isAbsent(source, name) ? undefined : text(source, name);
}

/** Returns a member that has to be an array. @throws {UnexpectedResponse} it is not */
export function list(source: JsonObject, name: string): JsonValue[] {
  const value = source[name];
  if (!Array.isArray(value)) throw new UnexpectedResponse(`${name} is not a list`);
  return value;
}

/**
 * A value that survives a round trip through JSON.
 *
 * @publicApi
 */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/**
 * An object that survives a round trip through JSON; token payloads and session data are of this shape.
 *
 * @publicApi
 */
export type JsonObject = { [key: string]: JsonValue };

/** True for `{…}`; false for arrays, null and everything else. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns a member of a value of unknown shape; undefined where the value is no object. */
export function readMember(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}

/** Returns an object's own member; undefined where there is none, or only an inherited one such as `__proto__`. */
export function ownMember(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
}

/** Parses text into a JSON object; returns undefined for all other values and for invalid JSON. */
export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // callers decide what invalid text means
  }
}

/** Returns a deep copy with the values that JSON can represent (`undefined` values are removed). */
export function cloneJsonObject(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

/**
 * Returns a copy of the JSON object that an application gave; functions and `undefined` values vanish as in JSON.
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

/** Freezes an object and everything below it, in place. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}

/**
 * Deep equality of two JSON values: key order is irrelevant, array order relevant, null differs from absent.
 *
 * @see docs/protocol/core.md B6 step 3
 */
export function jsonEquals(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => jsonEquals(item, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEquals(a[key], b[key]))
  );
}

/**
 * A change of some top-level names of an object; all others stay as they are.
 *
 * @publicApi
 */
export interface NamesChange {
  /** Names that get these values; null is a value. */
  readonly set: JsonObject;
  /** Names that are removed, unless they are set. */
  readonly remove: readonly string[];
  /** Names that get these values only where they are absent. */
  readonly add?: JsonObject | undefined;
  /** The whole change is made only where these names have these values. */
  readonly onlyIf?: JsonObject | undefined;
}

/**
 * Returns the change that makes one object equal to another.
 *
 * @param always names that count as changed even if both objects agree: they are set to their value in `to`, or removed
 */
export function changeBetween(from: JsonObject, to: JsonObject, always: readonly string[]): NamesChange {
  const isSame = (name: string): boolean =>
    Object.hasOwn(from, name) === Object.hasOwn(to, name) && jsonEquals(from[name], to[name]);
  const names = [...Object.keys(from), ...Object.keys(to)];
  const changed = new Set([...always, ...names.filter((name) => !isSame(name))]);
  return {
    set: Object.fromEntries(Object.entries(to).filter(([name]) => changed.has(name))),
    remove: [...changed].filter((name) => !Object.hasOwn(to, name)),
  };
}

/** Returns a copy of `current` with the change applied. */
export function applyChange(
  current: JsonObject,
  { set, remove, add = {}, onlyIf = {} }: NamesChange,
): JsonObject {
  if (!Object.entries(onlyIf).every(([name, value]) => jsonEquals(current[name], value))) return current;
  const gone = new Set(remove);
  return Object.fromEntries([
    ...Object.entries(add),
    ...Object.entries(current).filter(([name]) => !gone.has(name)),
    ...Object.entries(set),
  ]);
}

/** Returns a copy of `current` with the keys of `update` merged into it; a key with the value null is removed. */
export function mergeTopLevel(current: JsonObject, update: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries({ ...current, ...update }).filter(([name]) => update[name] !== null),
  );
}

/** A Core's rule for its `api_keys` (docs/protocol/core.md D). */
const ACCEPTABLE_KEY = /^[A-Za-z0-9=-]{20,}$/;

/** Returns whether a text can be an API key: at least 20 letters, digits, `=` and `-`. */
export function isAcceptableApiKey(key: string): boolean {
  return ACCEPTABLE_KEY.test(key);
}

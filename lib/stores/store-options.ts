import { isOptionsObject, show } from '../options/option-table.js';
import { findUnknownOptions } from '../options/unknown-options.js';

/**
 * Checks the names of a store's options, because a mistyped one would have no effect.
 *
 * @param of the function that received the options, for the message
 * @throws {TypeError} this is no object, or an option has an unknown name
 */
export function assertStoreOptions(of: string, options: unknown, knownNames: readonly string[]): void {
  if (!isOptionsObject(options)) {
    throw new TypeError(`${of} was given ${show(options)} as options; an object is expected`);
  }
  const problems = findUnknownOptions(options, knownNames);
  if (problems.length === 0) return;
  throw new TypeError(`${of}: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}`);
}

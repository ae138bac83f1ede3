import { isOptionsObject, show } from '../options/option-table.js';
import { findUnknownOptions } from '../options/unknown-options.js';

/**
 * A mistyped option would do nothing, and nobody would notice.
 *
 * @param of whose options these are, for the message
 * @throws {TypeError} these are no options, or one of them has an unknown name
 */
export function assertStoreOptions(of: string, options: unknown, knownNames: readonly string[]): void {
  if (!isOptionsObject(options)) {
    throw new TypeError(`${of} was given ${show(options)} as options; an object is expected`);
  }
  const problems = findUnknownOptions(options, knownNames);
  if (problems.length === 0) return;
  throw new TypeError(`${of}: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}`);
}

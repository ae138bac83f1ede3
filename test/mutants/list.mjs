import { DELEGATION_MUTANTS } from './delegation.mjs';
import { EDGE_MUTANTS } from './edge.mjs';
import { ENGINE_MUTANTS } from './engine.mjs';
import { FEED_MUTANTS } from './feed.mjs';
import { STORE_MUTANTS } from './stores.mjs';

/**
 * A bug that is planted on a copy. Each edit replaces one text, which stands in its file exactly once, by another. `models` are
 * explorations (test/prove) and `specs` tests that should find it, the quickest first. `tests` is a part of their titles, where most of a
 * spec is about something else.
 *
 * @typedef {{
 *   name: string,
 *   bug: string,
 *   edits: readonly (readonly [file: string, from: string, to: string])[],
 *   models: readonly string[],
 *   specs: readonly string[],
 *   tests?: string,
 * }} Mutant
 */

/** @type {readonly Mutant[]} */
export const MUTANTS = [
  ...ENGINE_MUTANTS,
  ...STORE_MUTANTS,
  ...FEED_MUTANTS,
  ...EDGE_MUTANTS,
  ...DELEGATION_MUTANTS,
];

/**
 * Returns a file with the edits of a mutant that are about it.
 *
 * @param {Mutant} mutant
 * @param {string} file
 * @param {string} source
 * @throws {Error} a text is not in the file, or more than once: the mutant has to follow the code
 */
export function mutated(mutant, file, source) {
  let text = source;
  for (const [path, from, to] of mutant.edits) {
    if (path !== file) continue;
    if (text.split(from).length !== 2)
      throw new Error(`${mutant.name}: ${file} has the text ${text.split(from).length - 1} times: ${from}`);
    text = text.replace(from, () => to);
  }
  return text;
}

/** @param {Mutant} mutant */
export function filesOf(mutant) {
  return [...new Set(mutant.edits.map(([file]) => file))];
}

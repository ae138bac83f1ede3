/** A bug that is planted on a copy; see list.mjs. */
export interface Mutant {
  readonly name: string;
  readonly bug: string;
  readonly edits: readonly (readonly [file: string, from: string, to: string])[];
  readonly models: readonly string[];
  readonly specs: readonly string[];
  readonly tests?: string;
}
export const MUTANTS: readonly Mutant[];
export function mutated(mutant: Mutant, file: string, source: string): string;
export function filesOf(mutant: Mutant): readonly string[];

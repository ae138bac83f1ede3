/** A mutant that no test finds, and the reason. */
export interface Survivor {
  readonly file: string;
  readonly code: string;
  readonly to?: string;
  readonly why: string;
}
export const SURVIVORS: readonly Survivor[];
export function explanationOf(
  file: string,
  code: string,
  mutant: { replacement?: string },
): string | undefined;

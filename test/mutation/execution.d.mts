/** A test of a spec file, with the blocks around it, the outermost first. */
export interface Test {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly definition: { readonly fn: () => unknown };
  readonly blocks: readonly {
    readonly hooks: readonly { readonly type: string; readonly fn: () => unknown }[];
  }[];
}
export interface Watch {
  limitMs(test: Test): number;
  began?(scope: unknown): void;
  ended?(test: Test, ms: number, error: unknown): void;
  isOver?(): boolean;
}
export class TestTimeout extends Error {}
export function execute(
  tests: readonly Test[],
  watch: Watch,
): Promise<{ test: Test; error: unknown } | undefined>;

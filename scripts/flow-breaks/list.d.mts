/** A hand-made break in a flow, which is planted on a copy; see list.mjs. */
export interface FlowBreak {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Parts of the paths of spec files, below `test/` where they do not begin with `lib/`. */
  readonly specs: readonly string[];
}
export const BREAKS: readonly FlowBreak[];

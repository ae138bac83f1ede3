export type Ratios = Readonly<Record<string, number>>;

export interface ComparedRatio {
  readonly name: string;
  readonly published?: number;
  readonly measured?: number;
  readonly changePercent?: number;
  readonly verdict: string;
}

export interface ComparisonOptions {
  readonly publish: boolean;
  readonly compare: boolean;
  readonly tolerance?: string;
  readonly quick: boolean;
  readonly part?: string;
}

export const DEFAULT_TOLERANCE_PERCENT: number;
export function compareRatios(published: Ratios, measured: Ratios, tolerancePercent: number): ComparedRatio[];
export function comparisonCells(compared: ComparedRatio): string[];
export function readComparisonOptions(
  options: ComparisonOptions,
  hasRatios: boolean,
): { publish: boolean; compare: boolean; tolerancePercent: number };

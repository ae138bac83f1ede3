import type { Ratios } from './comparison.mjs';

export function publish(
  suite: string,
  measured: { ratios?: Ratios; figures?: Readonly<Record<string, number>> },
): Promise<void>;
export function compareWithPublished(suite: string, ratios: Ratios, tolerancePercent: number): boolean;

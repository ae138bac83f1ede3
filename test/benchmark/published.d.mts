import type { Ratios } from './comparison.mjs';

export function publish(suite: string, ratios: Ratios): void;
export function compareWithPublished(suite: string, ratios: Ratios, tolerancePercent: number): boolean;

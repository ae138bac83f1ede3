import type { ConfigProblem } from '../errors.js';
import { booleanOption, type OptionReader } from './option-reader.js';
import { readRateLimit, type RateLimitConfig, type RateLimitOptions } from './rate-limit-options.js';

/**
 * The options of the module about watching sessions and limiting attempts.
 *
 * @publicApi
 */
export interface ObservabilityOptions {
  /**
   * Spans and metrics through `@opentelemetry/api`. Default: where that package can be found, and nothing otherwise. `true`:
   * the application does not start without it. `false`: never.
   */
  telemetry?: boolean;
  /** Who may refuse refreshes and callers with bad access tokens. Default: nobody. */
  rateLimit?: RateLimitOptions;
}

/** The same with nothing left open. */
export interface ObservabilityConfig {
  readonly telemetry: boolean | 'auto';
  readonly rateLimit: RateLimitConfig | undefined;
}

export const OBSERVABILITY_OPTION_NAMES: Readonly<Record<keyof ObservabilityOptions, true>> = {
  telemetry: true,
  rateLimit: true,
};

export function readObservability(reader: OptionReader, problems: ConfigProblem[]): ObservabilityConfig {
  return {
    telemetry: reader.optional('telemetry', booleanOption) ?? 'auto',
    rateLimit: readRateLimit(reader, problems),
  };
}

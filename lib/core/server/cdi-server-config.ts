import { OptionReader, textOption, type ParseOption } from '../../options/option-reader.js';
import type { ConfigProblem } from '../../errors.js';
import { isAcceptableApiKey } from './api-keys.js';
import { normalisedBasePath, CDI_VERSIONS, compareVersions } from './cdi-router.js';

/** How the core is served. */
export interface CdiServerConfig {
  /** In normal form: empty, or `/some/path` in lower case. */
  readonly basePath: string;
  /** Any of them opens the core; none leaves it open. */
  readonly apiKeys: readonly string[];
  /** Oldest first, at least one. */
  readonly versions: readonly string[];
}

/** Fills in the defaults and adds what is wrong to the problems; no problem ever shows a key. */
export function resolveCdiServerConfig(
  options: Readonly<Record<string, unknown>>,
  problems: ConfigProblem[],
): CdiServerConfig {
  const reader = new OptionReader(options, problems);
  reader.rejectUnknown(['core', 'apiKeys', 'basePath', 'versions', 'telemetry']);
  return {
    basePath: reader.optional('basePath', textOption(basePathOption)) ?? '',
    apiKeys: readApiKeys(options['apiKeys'], reader),
    versions: reader.optional('versions', versionsOption) ?? CDI_VERSIONS,
  };
}

function basePathOption(text: string): string {
  if (/[\s?#]/.test(text)) throw new Error('a path without blanks, "?" and "#" is expected');
  return normalisedBasePath(text);
}

const versionsOption: ParseOption<readonly string[]> = (value) => {
  const isServed = (version: unknown): boolean => CDI_VERSIONS.some((known) => known === version);
  if (!Array.isArray(value) || value.length === 0 || !value.every(isServed)) {
    throw new Error(`an array is expected of ${CDI_VERSIONS.join(', ')}`);
  }
  return [...new Set(value as string[])].sort(compareVersions);
};

/** Not by the reader, whose messages show the value. */
function readApiKeys(value: unknown, reader: OptionReader): readonly string[] {
  if (value === undefined) return [];
  const isKey = (key: unknown): boolean => typeof key === 'string' && isAcceptableApiKey(key);
  if (Array.isArray(value) && value.length > 0 && value.every(isKey)) return value as string[];
  reader.report(
    'apiKeys',
    'an array of keys is expected, each of at least 20 letters, digits, "=" and "-"; leave the option out to serve without keys',
  );
  return [];
}

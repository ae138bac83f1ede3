import { STORES } from './stores.js';

/** The options of `nest add nest-sessions`, checked. */
export interface Settings {
  readonly store: string;
  readonly guard: 'global' | 'route';
  readonly sourceRoot: string;
  readonly modulePath: string | undefined;
  readonly skipInstall: boolean;
}

/** Nest's command passes the last three on; the schematic does not need them. */
const KNOWN = ['store', 'guard', 'module', 'sourceRoot', 'skipInstall', 'project', 'dryRun', 'name'];
const GUARDS = ['global', 'route'];

/** @throws {Error} an option is unknown, or has a value that it cannot have */
export function readSettings(options: Readonly<Record<string, unknown>>): Settings {
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw new Error(
      `nest-sessions has no option --${unknown}: use --store, --guard, --module or --skip-install`,
    );
  return {
    store: readChoice('store', options['store'], Object.keys(STORES), 'memory'),
    guard: readChoice('guard', options['guard'], GUARDS, 'global') === 'global' ? 'global' : 'route',
    sourceRoot: readPath(options['sourceRoot']) ?? 'src',
    modulePath: readPath(options['module']),
    skipInstall: options['skipInstall'] === true,
  };
}

function readChoice(name: string, value: unknown, choices: readonly string[], fallback: string): string {
  if (value === undefined) return fallback;
  if (typeof value === 'string' && choices.includes(value)) return value;
  const last = choices.at(-1) ?? '';
  throw new Error(
    `nest-sessions: --${name} is ${choices.slice(0, -1).join(', ')} or ${last}, and not ${typeof value === 'string' ? value : typeof value}`,
  );
}

function readPath(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value !== 'undefined'
    ? value.replaceAll('\\', '/').replace(/^\.?\/+|\/+$/g, '')
    : undefined;
}

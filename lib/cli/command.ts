import type { OpenedSessions } from './open-sessions.js';
import { UsageError, type CliIo } from './io.js';

/** An option of a command. */
export interface OptionRow {
  /** The value as the help shows it, `<id>`; undefined for an option that is there or not. */
  readonly value?: string;
  /** Lines of the help. */
  readonly text: string;
  readonly isMultiple?: true;
}

export type OptionRows = Readonly<Record<string, OptionRow>>;

/** The options and arguments behind the name of the command. */
export interface CommandCall {
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
  readonly io: CliIo;
  /** Opens the sessions that `--config`, `--store` or `--core` names; they are closed after the command. */
  open(needs?: { readonly anyTables?: boolean }): Promise<OpenedSessions>;
  /** Keeps a text out of every message. */
  hide(secret: string): void;
}

export interface Command {
  /** One or two words. */
  readonly name: string;
  /** The argument as the help shows it, `<session handle>`. */
  readonly argument?: string;
  /** The number of arguments, at least and at most. Default: none. */
  readonly argumentCount?: readonly [number, number];
  readonly summary: string;
  /** Further sentences of the help. */
  readonly details?: string;
  readonly options: OptionRows;
  /** @returns one of {@link EXIT} */
  run(call: CommandCall): Promise<number>;
}

/** Returns the text of an option that is given once. */
export function optionText({ values }: CommandCall, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

/** Returns the texts of an option that may be repeated. */
export function optionTexts({ values }: CommandCall, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

export function isSet({ values }: CommandCall, name: string): boolean {
  return values[name] === true;
}

const DURATION = /^(\d{1,6})(s|m|h|d|w)$/;
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const MOMENT = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Reads a moment: a date with or without a time, in UTC unless it says otherwise, or how long ago it was: `30m`, `2h`, `7d`.
 *
 * @throws {UsageError} it is neither
 */
export function readMoment(call: CommandCall, name: string): Date | undefined {
  const text = optionText(call, name);
  if (text === undefined) return undefined;
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (unit !== undefined)
    return new Date(call.io.clock.now() - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
  const isUtc = text.length > 10 && !/(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const timeMs = MOMENT.test(text) ? Date.parse(`${text.replace(' ', 'T')}${isUtc ? 'Z' : ''}`) : Number.NaN;
  if (Number.isFinite(timeMs)) return new Date(timeMs);
  throw new UsageError(
    `--${name} is expected as a time, 2026-01-31T08:00Z, or as how long ago that was: 30m, 2h, 7d`,
  );
}

/** Reads a whole number. @throws {UsageError} it is none, or out of range */
export function readWholeNumber(call: CommandCall, name: string, [least, most]: readonly [number, number]) {
  const text = optionText(call, name);
  if (text === undefined) return undefined;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`--${name} is expected as a whole number from ${least} to ${most}`);
}

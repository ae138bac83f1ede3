import type { CommandIo } from '../doctor/main.js';
import type { Clock } from '../util/clock.js';
import type { OpenedSessions } from './open-sessions.js';

/** The parts of the process that the commands use, beside those of the doctor. */
export interface CliIo extends CommandIo {
  /** Columns of the terminal; undefined where the output goes to a file or to another program. */
  readonly columns: number | undefined;
  /** Whether errors and progress go to a terminal. */
  readonly isErrorTerminal: boolean;
  /** Asks the person at the terminal; undefined where there is none. @returns the line that was typed */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Reads the standard input to its end; undefined where a person would have to type it. */
  readonly readInput: (() => Promise<string>) | undefined;
  /** Ends a command that goes on until it is told to end. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The folder against which files are resolved. */
  readonly folder: string;
  /** The account of the operating system, which is noted as the initiator of what is ended. */
  readonly account: string;
}

/** The exit codes of all commands but the doctor, whose 2 also says that there was no response. */
export const EXIT = { done: 0, nothing: 1, usage: 2, unavailable: 3 } as const;

/** Wrong usage: the message says what was seen and what is expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was understood, and is not carried out: nothing was found, or somebody said no. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** An option of a command. */
export interface OptionRow {
  /** The value as the help shows it, `<id>`; undefined for an option that is there or not. */
  readonly value?: string;
  /** Lines of the help. */
  readonly text: string;
  readonly isMultiple?: true;
}

export type OptionRows = Readonly<Record<string, OptionRow>>;

/** What was typed behind the name of the command. */
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
  /** What follows the name in the help: `<session handle>`. */
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
export function textOf({ values }: CommandCall, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

/** Returns the texts of an option that may be repeated. */
export function textsOf({ values }: CommandCall, name: string): readonly string[] {
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
export function momentOf(call: CommandCall, name: string): Date | undefined {
  const text = textOf(call, name);
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
export function numberOf(call: CommandCall, name: string, [least, most]: readonly [number, number]) {
  const text = textOf(call, name);
  if (text === undefined) return undefined;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`--${name} is expected as a whole number from ${least} to ${most}`);
}

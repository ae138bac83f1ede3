import type { CommandIo } from '../doctor/main.js';
import type { Clock } from '../util/clock.js';

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

/**
 * The exit codes of all commands but the doctor, whose 2 also says that there was no response. `unavailable` is the code of every
 * failure that has no other.
 */
export const EXIT = { done: 0, nothing: 1, usage: 2, unavailable: 3 } as const;

/** Wrong usage: the message says what was seen and what is expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was understood, and is not carried out: nothing was found, or somebody said no. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

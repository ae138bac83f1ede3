import type { ConfigProblem } from './config-error.js';
import { findUnknownOptions } from './unknown-options.js';

/** An object that options can be read from: a literal or an instance of a class. */
export type OptionsObject = Readonly<Record<string, unknown>>;

/** The object that an option stands in, for checks that read options of their own. */
export interface OptionPlace {
  readonly source: OptionsObject;
  /** Path of the option, `appInfo.apiDomain` for example. */
  readonly path: string;
  readonly problems: ConfigProblem[];
}

/**
 * Turns a raw value into the value that the code works with.
 *
 * `Given` is the type that users write, `Read` the type of the result. A check throws an Error that says what is accepted.
 */
export interface Check<Given, Read = Given> {
  (value: unknown, place: OptionPlace): Read;
  /** True if the message of the error stands alone, without the value: for secrets, and if the message names the value. */
  readonly hasOwnMessage?: boolean;
  /** Never set: carries the type that users write. */
  readonly given?: Given;
}

/** One row of a table: the check of an option and its default. The documentation is the comment above the row. */
export interface Option<Given, Read = Given> {
  readonly check: Check<Given, unknown>;
  /** The result for an option that is absent. */
  readonly fallback: Read;
}

/** A row that users must fill in. */
export interface RequiredOption<Given, Read = Given> extends Option<Given, Read | undefined> {
  /** Advice for an absent option, which follows "is missing: ". */
  readonly remedy: string;
  /** Never set: carries the type of the result. */
  readonly read?: Read;
}

/** Options by name: the one place where each has its name, check, default and documentation. */
export type OptionTable = Readonly<Record<string, Option<unknown, unknown>>>;

type RequiredNames<Table> = {
  [Name in keyof Table]: Table[Name] extends RequiredOption<unknown, unknown> ? Name : never;
}[keyof Table];
type GivenBy<Row> = Row extends Option<infer Given, unknown> ? Given : never;
type ReadBy<Row> =
  Row extends RequiredOption<unknown, infer Read>
    ? Read
    : Row extends Option<unknown, infer Read>
      ? Read
      : never;
// Mapped over `keyof Table`, so that editors show the comments of the rows.
type Obligatory<Table, Name extends keyof Table> = { -readonly [Key in Name]: GivenBy<Table[Key]> };
type Voluntary<Table, Name extends keyof Table> = { -readonly [Key in Name]?: GivenBy<Table[Key]> };

/** The options of a table as users write them. */
export type OptionsOf<Table> = [RequiredNames<Table>] extends [never]
  ? Voluntary<Table, keyof Table> // without an empty part, beside which TypeScript would accept a number
  : Obligatory<Table, RequiredNames<Table>> & Voluntary<Table, Exclude<keyof Table, RequiredNames<Table>>>;

/** The options of a table after reading; none is optional. */
export type Resolved<Table> = { readonly [Name in keyof Table]: ReadBy<Table[Name]> };

/** As {@link Resolved}; a required option that is missing or wrong is undefined. */
export type Readings<Table> = {
  readonly [Name in keyof Table]:
    ReadBy<Table[Name]> | (Table[Name] extends RequiredOption<unknown, unknown> ? undefined : never);
};

/** A row without a default; the option is undefined when it is absent. */
export function option<Given, Read = Given>(check: Check<Given, Read>): Option<Given, Read | undefined>;
/** A row with its default. */
export function option<Given, Read = Given>(
  check: Check<Given, Read>,
  fallback: NonNullable<Read>,
): Option<Given, NonNullable<Read>>;
export function option<Given, Read>(
  check: Check<Given, Read>,
  fallback?: Read,
): Option<Given, Read | undefined> {
  return { check, fallback };
}

/** A row that users must fill in; `remedy` says how. */
export function required<Given, Read = Given>(
  check: Check<Given, Read>,
  remedy: string,
): RequiredOption<Given, NonNullable<Read>> {
  return { check, fallback: undefined, remedy };
}

/**
 * Reads the options of a table and collects every problem.
 *
 * @param prefix stands before the names in the paths of problems, `appInfo.` for example
 * @returns the checked options; for an option that is wrong its default
 */
export function readOptions<Table extends OptionTable>(
  table: Table,
  source: OptionsObject,
  problems: ConfigProblem[],
  prefix = '',
): Readings<Table> {
  problems.push(...findUnknownOptions(source, Object.keys(table), prefix));
  return readKnownOptions(table, source, problems, prefix);
}

/** As {@link readOptions}, for an object that has options of other tables, too. */
export function readKnownOptions<Table extends OptionTable>(
  table: Table,
  source: OptionsObject,
  problems: ConfigProblem[],
  prefix = '',
): Readings<Table> {
  const read = Object.entries(table).map(([name, row]) => {
    const place = { source, path: `${prefix}${name}`, problems };
    return [name, readOption(row, source[name], place)] as const;
  });
  return Object.fromEntries(read) as Readings<Table>;
}

/** The check of an object that has a table of its own. Its result is undefined when a required option lacks. */
export function group<Table extends OptionTable>(
  table: Table,
  expected: string,
): Check<OptionsOf<Table>, Resolved<Table> | undefined> {
  return (value, { path, problems }) => {
    if (!isOptionsObject(value)) throw new Error(`${expected} is expected`);
    const readings = readOptions(table, value, problems, `${path}.`);
    return isComplete(table, readings) ? readings : undefined;
  };
}

/** The options of a table for an empty object. */
export function defaultsOf<Table extends OptionTable>(table: Table): Resolved<Table> {
  return Object.freeze(readKnownOptions(table, {}, [])) as Resolved<Table>;
}

/** True if no required option is missing or wrong. */
export function isComplete<Table extends OptionTable>(
  table: Table,
  readings: Readings<Table>,
): readings is Readings<Table> & Resolved<Table> {
  return Object.entries(table).every(
    ([name, row]) => !isRequired(row) || readings[name as keyof Table] !== undefined,
  );
}

/** True for an object literal and for an instance of a class. */
export function isOptionsObject(value: unknown): value is OptionsObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A short form of a wrong value for a message. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

function readOption(row: Option<unknown, unknown>, value: unknown, place: OptionPlace): unknown {
  const { path, problems } = place;
  if (value === undefined) {
    if (isRequired(row)) problems.push({ path, message: `is missing: ${row.remedy}` });
    return row.fallback;
  }
  try {
    return row.check(value, place) ?? row.fallback;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    problems.push({
      path,
      message: row.check.hasOwnMessage === true ? message : `${show(value)} does not work: ${message}`,
    });
    return row.fallback;
  }
}

/** True for a row that users must fill in. */
export function isRequired(row: Option<unknown, unknown>): row is RequiredOption<unknown, unknown> {
  return 'remedy' in row;
}

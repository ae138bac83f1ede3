import type { ConfigProblem } from './config-error.js';
import { isRequired, type Check, type OptionTable } from './option-table.js';
import { findUnknownOptions } from './unknown-options.js';

/**
 * Checks the arguments of an async method before it runs. The rows of the table are the parameters in their order; the
 * method gets what the checks return. A wrong argument rejects with a `TypeError` that names the method.
 */
export function checkArguments(parameters: OptionTable) {
  return <F extends (...args: never[]) => Promise<unknown>>(
    _prototype: object,
    name: string,
    descriptor: TypedPropertyDescriptor<F>,
  ): void => {
    const method = descriptor.value as unknown as (...args: unknown[]) => Promise<unknown>;
    const rows = namesOf(parameters);
    async function checked(this: unknown, ...given: unknown[]): Promise<unknown> {
      return method.apply(this, readRows(name, rows, given));
    }
    Object.defineProperty(checked, 'name', { value: name });
    descriptor.value = checked as unknown as F;
  };
}

/**
 * Returns the arguments of a call as the checks return them.
 *
 * @throws {TypeError} names the function, the kind of each wrong argument and what is expected, and never a value, which may be a
 *   secret
 */
export function readArguments(
  functionName: string,
  parameters: OptionTable,
  given: readonly unknown[],
): unknown[] {
  return readRows(functionName, namesOf(parameters), given);
}

function readRows(functionName: string, rows: TableNames, given: readonly unknown[]): unknown[] {
  const problems: ConfigProblem[] = [];
  const { names } = rows;
  const source: Record<string, unknown> = {};
  names.forEach((name, index) => (source[name] = given[index]));
  const read = readNames(rows, names, source, problems);
  if (given.length > names.length && given.slice(names.length).some((value) => value !== undefined)) {
    const message = `are ${given.length}; it takes ${names.length}: ${names.join(', ')}`;
    problems.push({ path: 'the arguments', message });
  }
  if (problems.length > 0) throw new TypeError(`${functionName}: ${describeProblems(problems)}`);
  return given.slice(0, names.length).map((_value, index) => read[names[index] ?? '']);
}

/** Accepts an object with the names of a table; the result is a copy, so that it stays what was checked. */
export function inputObject<T extends object>(table: OptionTable): Check<T> {
  const rows = namesOf(table);
  const { names } = rows;
  return (value, { problems }) => {
    if (!isPlainInput(value)) throw new Error(`an object of ${names.join(', ')} is expected`);
    for (const problem of findUnknownOptions(value, names)) problems.push(withNames(problem, names));
    return readNames(
      rows,
      names.filter((name) => isPresent(value, name)),
      value,
      problems,
    ) as T;
  };
}

/** As {@link inputObject}; the result is the object itself, whose functions may need it. */
export function optionsObject<T extends object>(table: OptionTable): Check<T> {
  const check = inputObject<T>(table);
  return (value, place) => {
    check(value, place);
    return value as T;
  };
}

/** Accepts objects of every class but not those that JSON or a spread would make empty: maps, sets, dates, promises, …. */
export function plainObject(expected: string): Check<object> {
  return (value) => {
    if (!isPlainInput(value)) throw new Error(`${expected} is expected`);
    return value;
  };
}

/** The kind of a value, for messages that must not show the value. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (value === '') return 'an empty string';
  if (Number.isNaN(value)) return 'NaN';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === 'Promise') return 'a promise (is an await missing?)';
  return tag === 'Object' ? 'an object' : `an object of the kind ${tag}`;
}

/**
 * An object with its own names only, so that names of a polluted prototype are not read later. `Object.create(null)` would do the same,
 * but V8 makes a hash table of it, which costs a verification 0.6 µs.
 */
const OwnNames = function () {} as unknown as new () => Record<string, unknown>;
OwnNames.prototype = Object.freeze(Object.create(null)) as object;

/** A table, and its names in lists, so that no call makes them anew. */
interface TableNames {
  readonly table: OptionTable;
  readonly names: readonly string[];
  readonly required: readonly (readonly [name: string, remedy: string])[];
}

function namesOf(table: OptionTable): TableNames {
  const required = Object.entries(table).flatMap(([name, row]) =>
    isRequired(row) ? [[name, row.remedy] as const] : [],
  );
  return { table, names: Object.keys(table), required };
}

function readNames(
  { table, required }: TableNames,
  present: readonly string[],
  source: Readonly<Record<string, unknown>>,
  problems: ConfigProblem[],
): Record<string, unknown> {
  const read = new OwnNames();
  for (const name of present) {
    const value = source[name];
    const row = table[name];
    if (value === undefined || row === undefined) {
      read[name] = undefined;
      continue;
    }
    try {
      read[name] = row.check(value, { source, path: name, problems });
    } catch (error) {
      const expected = error instanceof Error ? error.message : String(error);
      problems.push({ path: name, message: `is ${kindOf(value)}; ${expected}` });
    }
  }
  for (const [name, remedy] of required) {
    if (read[name] !== undefined || problems.some(({ path }) => path === name)) continue;
    problems.push({ path: name, message: `is missing: ${remedy}` });
  }
  return read;
}

/** Own names and accessors of a class; what an object merely inherits is not what the caller wrote. */
function isPresent(input: object, name: string): boolean {
  if (Object.hasOwn(input, name)) return true;
  if (!(name in input)) return false;
  for (
    let level = Object.getPrototypeOf(input) as object | null;
    level;
    level = Object.getPrototypeOf(level) as object | null
  ) {
    const found = Object.getOwnPropertyDescriptor(level, name);
    if (found !== undefined) return level !== Object.prototype && found.enumerable !== true;
  }
  return false;
}

function isPlainInput(value: unknown): value is Readonly<Record<string, unknown>> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function withNames(problem: ConfigProblem, names: readonly string[]): ConfigProblem {
  if (problem.message.includes('did you mean')) return problem;
  return { ...problem, message: `${problem.message}; there are ${names.join(', ')}` };
}

/** At most three: an object of another kind, a request for example, would give dozens. */
function describeProblems(problems: readonly ConfigProblem[]): string {
  const shown = problems.slice(0, 3).map(({ path, message }) => `${path} ${message}`);
  return [...shown, ...(problems.length > 3 ? [`and ${problems.length - 3} more`] : [])].join('; ');
}

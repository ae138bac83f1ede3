/** A parser of something that comes from outside, and the properties that have to hold for every input. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs that the search begins with. */
  readonly seeds: readonly string[];
  /** Runs the parser. @throws {Error} a property does not hold */
  run(input: string): void | Promise<void>;
}

/** A property that does not hold for an input. */
export class BrokenProperty extends Error {
  override readonly name = 'BrokenProperty';
}

/** @throws {BrokenProperty} the condition is false */
export function must(condition: boolean, property: string): asserts condition {
  if (!condition) throw new BrokenProperty(property);
}

type ErrorClass = abstract new (...args: never[]) => Error;

/**
 * Returns the result of a parser; undefined where it refused its input by one of its documented errors.
 *
 * @throws {unknown} any other error
 * @throws {BrokenProperty} the message repeats a part of the input
 */
export function parsedOr<T>(refusals: readonly ErrorClass[], input: string, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    return refused(error, refusals, input);
  }
}

/** As {@link parsedOr}. */
export async function parsedLaterOr<T>(
  refusals: readonly ErrorClass[],
  input: string,
  parse: () => Promise<T> | T,
): Promise<T | undefined> {
  try {
    return await parse();
  } catch (error) {
    return refused(error, refusals, input);
  }
}

function refused(error: unknown, refusals: readonly ErrorClass[], input: string): undefined {
  if (!(error instanceof Error) || !refusals.some((refusal) => error instanceof refusal)) throw error;
  for (let at: unknown = error; at instanceof Error; at = at.cause) assertSilent(at.message, input);
  return undefined;
}

/** Long words with a digit in them, as tokens, keys and ids are. Names of fields and states are in messages on purpose. */
const LIKE_A_SECRET = /(?=[\w+/=.-]*\d)[\w+/=.-]{16,}/g;
const NAME = /^[A-Za-z]+\d?$/;

function assertSilent(message: string, input: string): void {
  const words = message.match(LIKE_A_SECRET) ?? [];
  const echoed = words.find((word) => !NAME.test(word) && input.includes(word));
  must(echoed === undefined, `no message repeats the input, but one says ${message}`);
}

/** Deep equality by JSON, for values that came from it. */
export function mustEqual(seen: unknown, expected: unknown, property: string): void {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)];
  must(left === right, `${property}: ${left}, and not ${right}`);
}

/** Returns a text whose lone surrogates are replaced, as every encoder does. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

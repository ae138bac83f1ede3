/** Members that say which connection failed, and how. Any other member of a driver's error may hold a row, a statement or its values. */
const HARMLESS = new Set(
  [
    'name message stack cause code errno syscall address port hostname', // of Node
    'method host path status reason retryAfterSec', // of our own errors
  ].flatMap((names) => names.split(' ')),
);
/** Causes of causes that are kept. */
const MAX_DEPTH = 5;

/**
 * Returns an error in a form that may be the `cause` of another one: loggers print every member of the whole chain, and
 * drivers keep rows, statements and parameters in members of their own.
 *
 * @returns the error itself if it and its causes have harmless members only; else a copy with its name, message, code and
 *   stack
 */
export function plainError(error: unknown, depth = 0): unknown {
  if (!isErrorLike(error)) return typeof error === 'object' ? undefined : error;
  const cause =
    error.cause === undefined || depth === MAX_DEPTH ? undefined : plainError(error.cause, depth + 1);
  const members = Reflect.ownKeys(error);
  const isHarmless = members.every((name) => typeof name === 'symbol' || HARMLESS.has(name));
  if (isHarmless && cause === error.cause) return error;
  const copy = new Error(errorMessage(error), cause === undefined ? {} : { cause });
  if (error.stack !== undefined) copy.stack = error.stack;
  Object.defineProperty(copy, 'name', { value: error.name, configurable: true, writable: true });
  if (typeof error.code === 'string') Object.assign(copy, { code: error.code });
  return copy;
}

/** The options of an error with a cause in its plain form, see {@link plainError}. */
export function withPlainCause(options: ErrorOptions | undefined): ErrorOptions | undefined {
  return options?.cause === undefined ? options : { cause: plainError(options.cause) };
}

/** The message of an error; that of an `AggregateError`, which has often none, is those of its errors. */
export function errorMessage(error: Error): string {
  if (error.message !== '' || !('errors' in error) || !Array.isArray(error.errors)) return error.message;
  return error.errors
    .map((each: unknown) => (each instanceof Error ? each.message : String(each)))
    .join(', ');
}

/** Not by `instanceof` alone: test runners and vm contexts have an `Error` of their own. */
function isErrorLike(error: unknown): error is Error & { code?: unknown } {
  return error instanceof Error || Object.prototype.toString.call(error) === '[object Error]';
}

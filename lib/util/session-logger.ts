/**
 * The methods that the library uses of a logger: Nest's has them, and so have `console` and pino.
 *
 * @publicApi
 */
export interface SessionLogger {
  error(message: string): void;
  warn(message: string): void;
  /** Gets what is of use while an application is being written; without it that is not logged. */
  debug?(message: string): void;
}

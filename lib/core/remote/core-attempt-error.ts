/** What is known about an attempt; nothing in it is secret. */
export interface CoreAttempt {
  readonly method: string;
  /** Scheme, name and port of the host that was asked. */
  readonly host: string;
  /** Path of the call, without the host's base path and without the query. */
  readonly path: string;
  /** HTTP status, where the host gave one. */
  readonly status?: number | undefined;
}

/**
 * One attempt at a call to the core that did not work: the `cause` of the `CoreError` that the application sees. Carries
 * no key, token or body.
 *
 * @publicApi
 */
export class CoreAttemptError extends Error {
  readonly method: string;
  /** Scheme, name and port of the host that was asked. */
  readonly host: string;
  /** Path of the call, without the host's base path and without the query. */
  readonly path: string;
  /** HTTP status; undefined where no answer came. */
  readonly status: number | undefined;

  constructor(
    attempt: CoreAttempt,
    /** What went wrong, without the address. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${attempt.method} ${attempt.path} at ${attempt.host}: ${reason}`, options);
    this.name = new.target.name;
    this.method = attempt.method;
    this.host = attempt.host;
    this.path = attempt.path;
    this.status = attempt.status;
  }
}

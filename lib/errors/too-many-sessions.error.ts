/**
 * The user has as many live sessions as `maxSessionsPerUser` allows, and the option says to refuse one more. Nothing was
 * changed, no token was written or cleared. `SessionExceptionFilter` answers with status 409.
 *
 * @publicApi
 */
export class TooManySessionsError extends Error {
  constructor(
    readonly userId: string,
    readonly tenantId: string,
    /** How many sessions are allowed. */
    readonly max: number,
    options?: ErrorOptions,
  ) {
    super(`The user has ${max} live sessions, which is as many as maxSessionsPerUser allows`, options);
    this.name = 'TooManySessionsError';
  }
}

import { Logger } from '@nestjs/common';

const logger = new Logger('SessionModule');

/**
 * Logs a mistake in the application's set-up that a request met, and returns the error to throw. Transports such as GraphQL,
 * and filters of applications, send the message of an error to the client, so the advice is only in the log and the cause.
 */
export function setupError(advice: string): Error {
  const cause = new Error(`SessionGuard refused a call: ${advice}`);
  logger.error(cause.message, cause.stack);
  return new Error('Internal server error', { cause });
}

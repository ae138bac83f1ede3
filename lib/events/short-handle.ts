import { hash } from 'node:crypto';

/**
 * Returns a shortened hash of a session handle: it is the same for each use of a session, and the handle cannot be computed
 * from it.
 *
 * @returns the first 16 hexadecimal digits of the SHA-256 of the handle
 */
export function shortHandle(sessionHandle: string): string {
  return hash('sha256', sessionHandle, 'hex').slice(0, 16);
}

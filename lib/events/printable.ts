import { createHash } from 'node:crypto';

/** What can end a line, colour a terminal, reverse the reading direction or hide: it is spelled out. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The message of a database driver may quote a whole statement. */
const MAX_REASON_LENGTH = 2000;

/**
 * Text from outside in a form that is safe in a log line: one line, no terminal commands, bounded.
 *
 * @param maxLength longer text is cut before it is encoded
 * @returns control characters as `\u{a}`
 */
export function printable(text: string, maxLength: number): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return short.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

/**
 * Stands for a session where its handle is more than is needed: the same session always gives the same, and nothing
 * leads back.
 *
 * @returns the first 16 hexadecimal digits of the SHA-256 of the handle
 */
export function shortHandle(sessionHandle: string): string {
  return createHash('sha256').update(sessionHandle).digest('hex').slice(0, 16);
}

/** The text of a failure for the log, its cause included. No message of ours carries a token. */
export function errorReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return printable(`${error.name}: ${error.message}${cause}`, MAX_REASON_LENGTH);
}

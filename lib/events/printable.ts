import { errorMessage } from '../util/plain-error.js';

/** Characters that can end a line, colour a terminal, reverse the reading direction or are invisible. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The message of a database driver may quote a whole statement. */
const MAX_REASON_LENGTH = 2000;
const MAX_CAUSES = 3;

/**
 * Returns text from outside in a form that is safe in a log line: one line, without terminal commands, of limited length.
 *
 * @param maxLength longer text is cut before it is encoded
 * @returns the text with control characters as `\u{a}`
 */
export function printable(text: string, maxLength: number): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return short.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

/** The text of a failure for the log, its causes included: names and messages, of which ours carry no token, and no other members. */
export function errorReason(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error), MAX_REASON_LENGTH);
  let text = `${error.name}: ${errorMessage(error)}`;
  let { cause } = error;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    text += `: ${errorMessage(cause)}`;
    cause = cause.cause;
  }
  return printable(text, MAX_REASON_LENGTH);
}

/**
 * Paths of the headers that carry tokens, for the `redact` option of pino: `nestjs-pino` and `pino-http` log all headers of a
 * request and of its response.
 *
 * @example
 * LoggerModule.forRoot({ pinoHttp: { redact: sessionRedactPaths } })
 * @publicApi
 */
export const sessionRedactPaths: string[] = [
  ...['authorization', 'cookie', 'anti-csrf', 'api-key'].map((name) => `req.headers["${name}"]`),
  ...['set-cookie', 'st-access-token', 'st-refresh-token', 'front-token', 'anti-csrf'].map(
    (name) => `res.headers["${name}"]`,
  ),
];

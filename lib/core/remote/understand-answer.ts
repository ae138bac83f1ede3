import type { CoreResponseError } from '../../errors.js';
import { parseJsonObject, type JsonObject } from '../../util/json.js';
import type { CdiRequest } from './cdi-requests.js';
import { UnexpectedAnswer } from './cdi-responses.js';
import { attemptError, senseless } from './core-call-errors.js';
import type { CoreHost } from './core-host.js';
import type { WireAnswer } from './http-transport.js';

/** An answer and who gave it. */
export interface HostAnswer extends WireAnswer {
  readonly host: CoreHost;
}

/** Makes a value of an answer; throws {@link UnexpectedAnswer} for what the CDI does not promise. */
export type ParseAnswer<T> = (answer: JsonObject, cacheControl: string | undefined) => T;

/**
 * The value in an answer with status 200.
 *
 * @throws {CoreResponseError} it is no JSON object, or not the one that was asked for
 */
export function understand<T>(request: CdiRequest, answer: HostAnswer, parse: ParseAnswer<T>): T {
  const { host, status, contentType, body, cacheControl } = answer;
  const nonsense = (reason: string): CoreResponseError =>
    senseless(attemptError(request, host, reason, { status }));
  if (/^\s*text/i.test(contentType)) throw nonsense('text instead of JSON');
  const json = parseJsonObject(body);
  if (json === undefined) throw nonsense('no JSON object');
  try {
    return parse(json, cacheControl);
  } catch (error) {
    if (error instanceof UnexpectedAnswer) throw nonsense(error.message);
    throw error;
  }
}

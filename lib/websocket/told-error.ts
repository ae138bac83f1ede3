import { SessionError } from '../errors.js';
import {
  answerError,
  toPlainResponse,
  type AnswerableError,
  type ErrorAnswering,
} from '../session-error-answer.js';
import { OneWayResponse } from './one-way-response.js';
import type { HttpExchange, HttpResponse } from '../util/http-exchange.js';
import { isJsonObject, type JsonObject } from '../util/json.js';

/** An error as clients may see it: in a GraphQL error, in an event of a WebSocket. */
export interface ToldError {
  /**
   * The session error's `type`; `SERVICE_UNAVAILABLE` and `BAD_GATEWAY` for trouble with the core; `TOO_MANY_SESSIONS`,
   * `TOO_MANY_REQUESTS`.
   */
  readonly code: string;
  readonly message: string;
  /** The status that an HTTP request would get. */
  readonly status: number;
  /** What else an HTTP answer would hold, `claimValidationErrors` for example. */
  readonly details: JsonObject;
}

/**
 * The answer to an error where it is not ours to send: headers are written, status and body come back.
 *
 * @param exchange its response is undefined where there is none
 */
export async function tellError(
  error: AnswerableError,
  { request, response }: Pick<HttpExchange, 'request'> & { readonly response: HttpResponse | undefined },
  answering: ErrorAnswering,
): Promise<ToldError> {
  const told = new OneWayResponse(response);
  await answerError(error, { request, response: told }, answering);
  const code = SessionError.isSessionError(error) ? error.type : toPlainResponse(error).code;
  const { message = code, ...details } = isJsonObject(told.body) ? told.body : {};
  return {
    code,
    message: typeof message === 'string' ? message : code,
    status: told.statusCode,
    details,
  };
}

/** The same as gateways of Nest tell errors: the event `exception` with `status: 'error'`. */
export function exceptionEvent({ code, message, details }: ToldError): object {
  return { ...details, status: 'error', type: code, message };
}

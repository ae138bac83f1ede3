import { CoreResponseError, CoreUnavailableError } from '../errors/core.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { SessionError, type AnySessionError } from '../errors/session.error.js';
import { TooManySessionsError } from '../errors/too-many-sessions.error.js';
import { OneWayResponse } from './one-way-response.js';
import { printable } from '../observability/printable.js';
import type { ErrorResponder } from '../recipe/error-responder.js';
import type { HttpExchange, HttpResponse } from '../shared/http-exchange.js';
import { isJsonObject, type JsonObject } from '../shared/json.js';
import type { UserContext } from '../shared/user-context.js';

/** A driver may put a whole statement into its message. */
const MAX_REASON_LENGTH = 2000;

/** What `SessionExceptionFilter` answers. */
export type AnswerableError =
  AnySessionError | CoreUnavailableError | CoreResponseError | TooManySessionsError | RateLimitedError;

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

/** What answers a session error, and with which context. */
export interface ErrorAnswering {
  readonly responder: ErrorResponder;
  readonly userContext: UserContext;
}

/** An answer that clears no token: the error is not about who is there. */
interface PlainAnswer {
  readonly code: string;
  readonly status: number;
  readonly body: JsonObject;
  /** Seconds after which to try again. */
  readonly retryAfterSec?: number;
}

/** Clears tokens, sets the status and sends the body, as the configuration has it. */
export async function answerError(
  error: AnswerableError,
  exchange: HttpExchange,
  { responder, userContext }: ErrorAnswering,
): Promise<void> {
  if (SessionError.isSessionError(error)) return responder.respond(error, exchange, userContext);
  const { response } = exchange;
  const { status, body, retryAfterSec } = plainAnswerTo(error);
  if (retryAfterSec !== undefined) response.setHeader('Retry-After', String(Math.ceil(retryAfterSec)));
  response.setStatusCode(status);
  response.sendJSONResponse(body);
}

function plainAnswerTo(error: Exclude<AnswerableError, AnySessionError>): PlainAnswer {
  if (error instanceof CoreUnavailableError) {
    const { retryAfterSec } = error;
    const body = { message: 'service unavailable' };
    return { code: 'SERVICE_UNAVAILABLE', status: 503, body, retryAfterSec };
  }
  if (error instanceof RateLimitedError) {
    const { retryAfterSec } = error;
    return { code: 'TOO_MANY_REQUESTS', status: 429, body: { message: 'too many requests' }, retryAfterSec };
  }
  if (error instanceof TooManySessionsError) {
    const body = { message: 'too many sessions', maxSessions: error.max };
    return { code: 'TOO_MANY_SESSIONS', status: 409, body };
  }
  return { code: 'BAD_GATEWAY', status: 502, body: { message: 'bad gateway' } };
}

/**
 * The same answer where it is not ours to send: headers are written, status and body come back.
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
  const code = SessionError.isSessionError(error) ? error.type : plainAnswerTo(error).code;
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

export function isAnswerable(error: unknown): error is AnswerableError {
  return (
    SessionError.isSessionError(error) ||
    error instanceof CoreUnavailableError ||
    error instanceof CoreResponseError ||
    error instanceof TooManySessionsError ||
    error instanceof RateLimitedError
  );
}

/** For the log: the client is told the kind of error only. No message of ours carries a token. */
export function reasonOf(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return printable(`${error.name}: ${error.message}${cause}`, MAX_REASON_LENGTH);
}

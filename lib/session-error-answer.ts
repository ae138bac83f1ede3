import { Logger } from '@nestjs/common';
import {
  CoreResponseError,
  CoreUnavailableError,
  DuplicateSessionCookiesError,
  RateLimitedError,
  SessionError,
  type AnySessionError,
  TooManySessionsError,
} from './errors.js';
import { printable } from './events/printable.js';
import type { ErrorResponder } from './sessions/error-responder.js';
import { createSessionRequest } from './http/session-request.js';
import { findRequestState } from './sessions/request-state.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import type { HttpExchange, HttpRequest } from './util/http-exchange.js';
import type { JsonObject } from './util/json.js';
import { withRequest, type UserContext } from './util/user-context.js';

/** A driver may put a whole statement into its message. */
const MAX_REASON_LENGTH = 2000;

/** What `SessionExceptionFilter` answers. */
export const ANSWERABLE_ERRORS = [
  SessionError,
  CoreUnavailableError,
  CoreResponseError,
  TooManySessionsError,
  RateLimitedError,
  DuplicateSessionCookiesError,
] as const;

type PlainError = Exclude<InstanceType<(typeof ANSWERABLE_ERRORS)[number]>, SessionError>;

/** An error of {@link ANSWERABLE_ERRORS}. */
export type AnswerableError = AnySessionError | PlainError;

/** What answers a session error, and with which context. */
export interface ErrorAnswering {
  readonly responder: ErrorResponder;
  readonly userContext: UserContext;
}

/** An answer that clears no token: the error is not about who is there. */
export interface PlainAnswer {
  readonly code: string;
  readonly status: number;
  readonly body: JsonObject;
  /** Seconds after which to try again. */
  readonly retryAfterSec?: number;
}

export function isAnswerable(error: unknown): error is AnswerableError {
  return SessionError.isSessionError(error) || ANSWERABLE_ERRORS.some((kind) => error instanceof kind);
}

/** Clears tokens, sets the status and sends the body, as the configuration has it. */
export async function answerError(
  error: AnswerableError,
  exchange: HttpExchange,
  { responder, userContext }: ErrorAnswering,
): Promise<void> {
  if (SessionError.isSessionError(error))
    return responder.respond(error, createSessionRequest(exchange, userContext));
  const { response } = exchange;
  const { status, body, retryAfterSec } = toPlainResponse(error);
  if (retryAfterSec !== undefined) response.setHeader('Retry-After', String(Math.ceil(retryAfterSec)));
  response.setStatusCode(status);
  response.sendJSONResponse(body);
}

export function toPlainResponse(error: PlainError): PlainAnswer {
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
  if (error instanceof DuplicateSessionCookiesError) {
    return { code: 'DUPLICATE_SESSION_COOKIES', status: 400, body: { message: 'duplicate session cookies' } };
  }
  return { code: 'BAD_GATEWAY', status: 502, body: { message: 'bad gateway' } };
}

/** For the log: the client is told the kind of error only. No message of ours carries a token. */
export function errorReason(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return printable(`${error.name}: ${error.message}${cause}`, MAX_REASON_LENGTH);
}

/** Sees to it that an error is logged, and answered by the module whose it is. */
export class ErrorAnswers {
  private readonly logger = new Logger('SessionModule');

  constructor(private readonly runtime: Pick<SessionRuntime, 'errorResponder' | 'prepareContext'>) {}

  /**
   * @param original the framework's request, if there is one: with several modules the one that works on it answers
   * @param answer runs once more when the core fails in it, with that trouble in place of the error
   */
  async give<T>(
    error: AnswerableError,
    request: HttpRequest,
    original: unknown,
    answer: (error: AnswerableError, answering: ErrorAnswering) => Promise<T>,
  ): Promise<T> {
    const answering = {
      responder: findRequestState(original)?.errorResponder ?? this.runtime.errorResponder,
      userContext: withRequest(this.runtime.prepareContext(), request),
    };
    this.log(error);
    try {
      return await answer(error, answering);
    } catch (failure) {
      if (!isCoreTrouble(failure)) throw failure;
      this.log(failure);
      return answer(failure, answering);
    }
  }

  private log(error: AnswerableError): void {
    if (isCoreTrouble(error)) this.logger.error(errorReason(error));
    else this.logger.debug(errorReason(error));
  }
}

function isCoreTrouble(error: unknown): error is CoreUnavailableError | CoreResponseError {
  return error instanceof CoreUnavailableError || error instanceof CoreResponseError;
}

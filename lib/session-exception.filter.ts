import { Catch, Inject, Logger, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { CoreResponseError, CoreUnavailableError } from './errors/core.error.js';
import { SessionError, type AnySessionError } from './errors/session.error.js';
import { requestStateOf } from './request-state.js';
import type { SessionRuntime } from './session.runtime.js';
import { SESSION_RUNTIME } from './session.tokens.js';
import type { HttpExchange } from './shared/http-exchange.js';
import { withRequest } from './shared/user-context.js';
import { exchangeFor } from './transport/http-exchange-factory.js';

/**
 * Answers session errors wherever they were thrown: in the guard, in a handler, in a service. Trouble with the core is
 * a 503 or 502 that clears no token. What one of the `errorHandlers` throws is answered as Nest answers any other
 * error. In other contexts than HTTP the error is passed on.
 *
 * @publicApi
 */
@Catch(SessionError, CoreUnavailableError, CoreResponseError)
export class SessionExceptionFilter extends BaseExceptionFilter<unknown> {
  private readonly logger = new Logger('SessionModule');

  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {
    super();
  }

  override catch(
    error: AnySessionError | CoreUnavailableError | CoreResponseError,
    host: ArgumentsHost,
  ): unknown {
    const type: string = host.getType();
    if (type === 'rpc') return throwError(() => error); // there a filter answers with a stream
    if (type !== 'http') throw error;
    return this.answerOrPassOn(error, host);
  }

  /** Nest does not wait for a filter: what it rejects with would end the process instead of the request. */
  private async answerOrPassOn(
    error: AnySessionError | CoreUnavailableError | CoreResponseError,
    host: ArgumentsHost,
  ): Promise<void> {
    try {
      await this.answer(error, host);
    } catch (failure) {
      // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- not the one of promises
      super.catch(failure, host);
    }
  }

  private async answer(
    error: AnySessionError | CoreUnavailableError | CoreResponseError,
    host: ArgumentsHost,
  ): Promise<void> {
    const http = host.switchToHttp();
    const request: unknown = http.getRequest();
    const exchange = exchangeFor(request, http.getResponse());
    if (exchange.response.isSent) return;
    if (!SessionError.isSessionError(error)) return this.sendCoreTrouble(error, exchange);
    this.logger.debug(reasonOf(error));
    const responder = requestStateOf(request)?.errorResponder ?? this.runtime.errorResponder;
    try {
      await responder.respond(error, exchange, withRequest(this.runtime.prepareContext(), exchange.request));
    } catch (failure) {
      if (!(failure instanceof CoreUnavailableError) && !(failure instanceof CoreResponseError))
        throw failure;
      this.sendCoreTrouble(failure, exchange);
    }
  }

  private sendCoreTrouble(error: CoreUnavailableError | CoreResponseError, { response }: HttpExchange): void {
    this.logger.error(reasonOf(error));
    if (error instanceof CoreUnavailableError) {
      response.setHeader('Retry-After', String(Math.ceil(error.retryAfterSec)));
      response.setStatusCode(503);
      response.sendJSONResponse({ message: 'service unavailable' });
      return;
    }
    response.setStatusCode(502);
    response.sendJSONResponse({ message: 'bad gateway' });
  }
}

/** For the log: the client is told the kind of error only. No message of ours carries a token. */
function reasonOf(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.name}: ${error.message}${cause}`;
}

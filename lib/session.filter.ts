import { Catch, Inject, Logger, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { findRequestAndResponse } from './graphql/execution-request.js';
import { GraphqlSessionError, toGraphqlError } from './graphql/graphql-session.error.js';
import { findGatewayClient, type SocketClient } from './websocket/socket-client.js';
import { requestOfHandshake } from './websocket/socket-handshake.js';
import { exceptionEvent, tellError } from './websocket/told-error.js';
import {
  ANSWERABLE_ERRORS,
  answerError,
  ErrorAnswers,
  isAnswerable,
  errorReason,
  type AnswerableError,
} from './session-error-answer.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { getExchange } from './sessions/request-state.js';

/**
 * Answers session errors wherever they were thrown: in the guard, in a handler, in a service. Trouble with the core is
 * a 503 or 502 that clears no token. What one of the `errorHandlers` throws is answered as Nest answers any other
 * error.
 *
 * In GraphQL the error goes into the answer, with its type as `extensions.code`; cookies and headers are written all
 * the same. In a WebSocket gateway, where Nest knows no global filters, bind it with `@UseFilters`: the client then gets
 * the event `exception` with the error's `type`. In other contexts the error is passed on.
 *
 * @publicApi
 */
@Catch(...ANSWERABLE_ERRORS, GraphqlSessionError)
export class SessionExceptionFilter extends BaseExceptionFilter<unknown> {
  private readonly logger = new Logger('SessionModule');
  private readonly errorAnswers: ErrorAnswers;

  constructor(@Inject(SESSION_RUNTIME) runtime: SessionRuntime) {
    super();
    this.errorAnswers = new ErrorAnswers(runtime);
  }

  /**
   * Whether this filter answers an error: for a catch-all filter of the application, which must leave those to it.
   *
   * @example
   * if (SessionExceptionFilter.answers(error)) return this.sessionFilter.catch(error, host);
   */
  static answers(error: unknown): error is AnswerableError | GraphqlSessionError {
    return isAnswerable(error) || error instanceof GraphqlSessionError;
  }

  override catch(error: AnswerableError | GraphqlSessionError, host: ArgumentsHost): unknown {
    if (error instanceof GraphqlSessionError) throw error; // what the guard made of one, ready for the answer
    const type: string = host.getType();
    switch (type) {
      case 'http':
        return this.respondOrDelegate(error, host);
      case 'graphql':
        return this.throwIntoGraphql(error, host);
      case 'ws':
        return this.tellClient(error, host);
      case 'rpc':
        return throwError(() => error); // there a filter answers with a stream
      default:
        throw error;
    }
  }

  /** Nest does not wait for a filter: what it rejects with would end the process instead of the request. */
  private async respondOrDelegate(error: AnswerableError, host: ArgumentsHost): Promise<void> {
    try {
      await this.answer(error, host);
    } catch (failure) {
      // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- not the one of promises
      super.catch(failure, host);
    }
  }

  private async answer(error: AnswerableError, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const original: unknown = http.getRequest();
    const exchange = getExchange(original, http.getResponse());
    if (exchange.response.isSent) return;
    await this.errorAnswers.give(error, exchange.request, original, async (given, answering) =>
      answerError(given, exchange, answering),
    );
  }

  private async throwIntoGraphql(error: AnswerableError, host: ArgumentsHost): Promise<never> {
    throw await toGraphqlError(error, host, () => findRequestAndResponse(host), this.errorAnswers);
  }

  private tellClient(error: AnswerableError, host: ArgumentsHost): Promise<void> {
    const ws = host.switchToWs();
    const client = findGatewayClient(ws.getClient<unknown>());
    if (client === undefined) throw error;
    return this.tellException(error, client, ws.getPattern());
  }

  /** Nobody waits for it here either. */
  private async tellException(error: AnswerableError, client: SocketClient, pattern: string): Promise<void> {
    const request = requestOfHandshake(client.handshake);
    try {
      const told = await this.errorAnswers.give(error, request, undefined, async (given, answering) =>
        tellError(given, { request, response: undefined }, answering),
      );
      client.tell('exception', { ...exceptionEvent(told), cause: { pattern } });
    } catch (failure) {
      this.logger.error(failure instanceof Error ? errorReason(failure) : String(failure));
      client.tell('exception', { status: 'error', message: 'Internal server error' });
    }
  }
}

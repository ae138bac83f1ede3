import { Catch, Inject, Logger, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { CoreResponseError, CoreUnavailableError } from './errors/core.error.js';
import { RateLimitedError } from './errors/rate-limited.error.js';
import { SessionError } from './errors/session.error.js';
import { TooManySessionsError } from './errors/too-many-sessions.error.js';
import { graphqlContextOf, requestAndResponseOf } from './contexts/execution-request.js';
import { GraphqlSessionError } from './contexts/graphql-session.error.js';
import { requestStateOf } from './request-state.js';
import type { SessionRuntime } from './session.runtime.js';
import { SESSION_RUNTIME } from './session.tokens.js';
import type { HttpRequest, HttpResponse } from './shared/http-exchange.js';
import { withRequest } from './shared/user-context.js';
import { gatewayClientOf, graphqlClientOf, type SocketClient } from './contexts/socket-client.js';
import {
  answerError,
  exceptionEvent,
  reasonOf,
  tellError,
  type AnswerableError,
  type ErrorAnswering,
  type ToldError,
} from './contexts/told-error.js';
import { exchangeFor } from './transport/http-exchange-factory.js';
import { IncomingRequest } from './transport/incoming-request.js';

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
@Catch(SessionError, CoreUnavailableError, CoreResponseError, TooManySessionsError, RateLimitedError)
export class SessionExceptionFilter extends BaseExceptionFilter<unknown> {
  private readonly logger = new Logger('SessionModule');

  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {
    super();
  }

  override catch(error: AnswerableError, host: ArgumentsHost): unknown {
    const type: string = host.getType();
    switch (type) {
      case 'http':
        return this.answerOrPassOn(error, host);
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
  private async answerOrPassOn(error: AnswerableError, host: ArgumentsHost): Promise<void> {
    try {
      await this.answer(error, host);
    } catch (failure) {
      // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- not the one of promises
      super.catch(failure, host);
    }
  }

  private async answer(error: AnswerableError, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const request: unknown = http.getRequest();
    const exchange = exchangeFor(request, http.getResponse());
    if (exchange.response.isSent) return;
    this.log(error);
    const answering = this.answeringFor(exchange.request, request);
    try {
      await answerError(error, exchange, answering);
    } catch (failure) {
      if (!(failure instanceof CoreUnavailableError) && !(failure instanceof CoreResponseError))
        throw failure;
      this.log(failure);
      await answerError(failure, exchange, answering);
    }
  }

  /** Other fields of the operation may have an answer, so the response is the driver's to send. */
  private async throwIntoGraphql(error: AnswerableError, host: ArgumentsHost): Promise<never> {
    this.log(error);
    const { request, response, original } = graphqlExchange(host);
    const answering = this.answeringFor(request, original);
    throw new GraphqlSessionError(await this.told(error, { request, response }, answering), error);
  }

  private tellClient(error: AnswerableError, host: ArgumentsHost): Promise<void> {
    const ws = host.switchToWs();
    const client = gatewayClientOf(ws.getClient<unknown>());
    if (client === undefined) throw error;
    this.log(error);
    return this.tellException(error, client, ws.getPattern());
  }

  /** Nobody waits for it here either. */
  private async tellException(error: AnswerableError, client: SocketClient, pattern: string): Promise<void> {
    const request = requestOf(client);
    try {
      const told = await this.told(
        error,
        { request, response: undefined },
        this.answeringFor(request, undefined),
      );
      client.tell('exception', { ...exceptionEvent(told), cause: { pattern } });
    } catch (failure) {
      this.logger.error(failure instanceof Error ? reasonOf(failure) : String(failure));
      client.tell('exception', { status: 'error', message: 'Internal server error' });
    }
  }

  private async told(
    error: AnswerableError,
    exchange: Parameters<typeof tellError>[1],
    answering: ErrorAnswering,
  ): Promise<ToldError> {
    try {
      return await tellError(error, exchange, answering);
    } catch (failure) {
      if (!(failure instanceof CoreUnavailableError) && !(failure instanceof CoreResponseError))
        throw failure;
      this.log(failure);
      return tellError(failure, exchange, answering);
    }
  }

  /** With several modules the one that works on the request answers. */
  private answeringFor(request: HttpRequest, original: unknown): ErrorAnswering {
    return {
      responder: requestStateOf(original)?.errorResponder ?? this.runtime.errorResponder,
      userContext: withRequest(this.runtime.prepareContext(), request),
    };
  }

  private log(error: AnswerableError): void {
    const isTrouble = error instanceof CoreUnavailableError || error instanceof CoreResponseError;
    if (isTrouble) this.logger.error(reasonOf(error));
    else this.logger.debug(reasonOf(error));
  }
}

/** The exchange of a GraphQL operation; without a response where it came through a WebSocket. */
function graphqlExchange(host: ArgumentsHost): {
  request: HttpRequest;
  response: HttpResponse | undefined;
  original: unknown;
} {
  const client = graphqlClientOf(graphqlContextOf(host));
  if (client !== undefined) return { request: requestOf(client), response: undefined, original: undefined };
  const { req, res } = requestAndResponseOf(host);
  return { ...exchangeFor(req, res), original: req };
}

function requestOf({ handshake }: SocketClient): HttpRequest {
  return new IncomingRequest({ method: 'GET', url: handshake?.url, headers: handshake?.headers ?? {} });
}

import { Catch, Inject, Logger, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { errorReason } from './events/printable.js';
import { findGraphqlRequest } from './graphql/graphql-context.js';
import { GraphqlSessionError, toGraphqlError } from './graphql/graphql-session.error.js';
import { linkToHttpException } from './rules/http-exception.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { findErrorRule, HANDLED_ERRORS, isHandledError, type HandledError } from './sessions/error-rules.js';
import { findRequestState, getExchange } from './sessions/request-state.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import { exceptionEvent, findGatewayClient, type SocketClient } from './websocket/socket-client.js';
import { requestOfHandshake } from './websocket/socket-handshake.js';

/**
 * Responds to session errors wherever they were thrown: in the guard, in a handler, in a service. Trouble with the core
 * is a 503 or 502 that clears no token. What one of the `errorHandlers` throws gets the response that Nest gives to any
 * other error.
 *
 * In GraphQL the error goes into the response, with its type as `extensions.code`; cookies and headers are written all
 * the same. In a WebSocket gateway, where Nest knows no global filters, bind it with `@UseFilters`: the client then gets
 * the event `exception` with the error's `type`. The caller of a microservice gets `{ status: 'error', type, message }`, with the
 * failed claims. In other contexts the error is passed on.
 *
 * @publicApi
 */
@Catch(...HANDLED_ERRORS, GraphqlSessionError)
export class SessionExceptionFilter extends BaseExceptionFilter<unknown> {
  static {
    linkToHttpException();
  }

  private readonly logger = new Logger('SessionModule');

  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {
    super();
  }

  /**
   * Returns whether this filter responds to an error. A catch-all filter of the application leaves those to it.
   *
   * @example
   * if (SessionExceptionFilter.answers(error)) return this.sessionFilter.catch(error, host);
   */
  static answers(error: unknown): error is HandledError | GraphqlSessionError {
    return isHandledError(error) || error instanceof GraphqlSessionError;
  }

  override catch(error: HandledError | GraphqlSessionError, host: ArgumentsHost): unknown {
    if (error instanceof GraphqlSessionError) throw error; // the guard made it, ready for the response
    const type: string = host.getType();
    switch (type) {
      case 'http':
        return this.respondOrDelegate(error, host);
      case 'graphql':
        return this.throwIntoGraphql(error, host);
      case 'ws':
        return this.sendToClient(error, host);
      case 'rpc':
        // Microservices expect a stream. The error itself would arrive with its fields, and without its message.
        return throwError(() => exceptionEvent({ details: {}, ...findErrorRule(error) }));
      default:
        throw error;
    }
  }

  /** Never rejects: Nest does not wait for a filter, so that a rejection would end the process. */
  private async respondOrDelegate(error: HandledError, host: ArgumentsHost): Promise<void> {
    try {
      await this.respond(error, host);
    } catch (failure) {
      // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- not the one of promises
      super.catch(failure, host);
    }
  }

  private async respond(error: HandledError, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const req: unknown = http.getRequest();
    const exchange = getExchange(req, http.getResponse());
    if (exchange.response.isSent) return;
    const responder = findRequestState(req)?.errorResponder ?? this.runtime.errorResponder;
    await responder.send(error, exchange);
  }

  private async throwIntoGraphql(error: HandledError, host: ArgumentsHost): Promise<never> {
    throw await toGraphqlError(error, host, () => findGraphqlRequest(host), this.runtime.errorResponder);
  }

  private sendToClient(error: HandledError, host: ArgumentsHost): Promise<void> {
    const ws = host.switchToWs();
    const client = findGatewayClient(ws.getClient<unknown>());
    if (client === undefined) throw error;
    return this.sendException(error, client, ws.getPattern());
  }

  /** Never rejects, for the reason given at {@link respondOrDelegate}. */
  private async sendException(error: HandledError, client: SocketClient, pattern: string): Promise<void> {
    const request = requestOfHandshake(client.handshake);
    try {
      const response = await this.runtime.errorResponder.capture(error, { request, response: undefined });
      client.sendEvent('exception', { ...exceptionEvent(response), cause: { pattern } });
    } catch (failure) {
      this.logger.error(errorReason(failure));
      client.sendEvent('exception', { status: 'error', message: 'Internal server error' });
    }
  }
}

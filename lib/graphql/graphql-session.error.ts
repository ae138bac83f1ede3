import type { ArgumentsHost } from '@nestjs/common';
import type { RequestAndResponse } from '../http/exchanges.js';
import type { ErrorResponder } from '../sessions/error-responder.js';
import type { ErrorResponse, HandledError } from '../sessions/error-rules.js';
import { findRequestState, getExchange } from '../sessions/request-state.js';
import { findGraphqlClient } from '../websocket/socket-client.js';
import { requestOfHandshake } from '../websocket/socket-handshake.js';
import { findGraphqlContext } from './graphql-context.js';
import { recogniseCopies } from '../util/copies.js';

/**
 * A session error in the form of a GraphQL response. It needs no package of GraphQL: `graphql-js` takes over the
 * `extensions` of what a resolver throws, Apollo reads the status in them, Mercurius reads `statusCode`.
 */
export class GraphqlSessionError extends Error {
  static {
    recogniseCopies(this, 'GraphqlSessionError');
  }

  readonly extensions: Readonly<Record<string, unknown>>;
  readonly statusCode: number;

  constructor({ code, message, status, details }: ErrorResponse, cause: Error) {
    super(message, { cause });
    this.name = 'GraphqlSessionError';
    this.statusCode = status;
    this.extensions = { ...details, code, http: { status } };
  }
}

/**
 * Returns the error for the response of an operation. Cookies and headers are written at once; the response itself is
 * the driver's to send, because other fields may have a result.
 *
 * @param find finds the request and the response of an operation that came by HTTP
 * @param responder responds unless another module works on the request
 */
export async function toGraphqlError(
  error: HandledError,
  host: ArgumentsHost,
  find: () => RequestAndResponse,
  responder: ErrorResponder,
): Promise<GraphqlSessionError> {
  const client = findGraphqlClient(findGraphqlContext(host));
  if (client !== undefined) {
    const request = requestOfHandshake(client.handshake);
    return new GraphqlSessionError(await responder.capture(error, { request, response: undefined }), error);
  }
  const { req, res } = find();
  const working = findRequestState(req)?.errorResponder ?? responder;
  return new GraphqlSessionError(await working.capture(error, getExchange(req, res)), error);
}

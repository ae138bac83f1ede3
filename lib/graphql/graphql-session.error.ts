import type { ArgumentsHost } from '@nestjs/common';
import type { AnswerableError, ErrorAnswers } from '../session-error-answer.js';
import type { HttpRequest, HttpResponse } from '../util/http-exchange.js';
import { getExchange } from '../sessions/request-state.js';
import { findGraphqlContext, type RequestAndResponse } from './execution-request.js';
import { findGraphqlClient } from '../websocket/socket-client.js';
import { requestOfHandshake } from '../websocket/socket-handshake.js';
import { tellError, type ToldError } from '../websocket/told-error.js';

/**
 * A session error as it goes into a GraphQL answer. No package of GraphQL is needed for it: `graphql-js` takes over
 * the `extensions` of what a resolver throws, Apollo reads the status in them, Mercurius reads `statusCode`.
 */
export class GraphqlSessionError extends Error {
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly statusCode: number;

  constructor({ code, message, status, details }: ToldError, cause: Error) {
    super(message, { cause });
    this.name = 'GraphqlSessionError';
    this.statusCode = status;
    this.extensions = { ...details, code, http: { status } };
  }
}

/**
 * The error for the answer of an operation. Cookies and headers are written at once; the response itself is the driver's to
 * send, for other fields may have an answer.
 *
 * @param find how the request and the response are found where the operation came by HTTP
 */
export async function toGraphqlError(
  error: AnswerableError,
  host: ArgumentsHost,
  find: () => RequestAndResponse,
  answers: ErrorAnswers,
): Promise<GraphqlSessionError> {
  const { request, response, original } = findExchange(host, find);
  const told = await answers.give(error, request, original, async (given, answering) =>
    tellError(given, { request, response }, answering),
  );
  return new GraphqlSessionError(told, error);
}

/** Without a response where the operation came through a WebSocket. */
function findExchange(
  host: ArgumentsHost,
  find: () => RequestAndResponse,
): { request: HttpRequest; response: HttpResponse | undefined; original: unknown } {
  const client = findGraphqlClient(findGraphqlContext(host));
  if (client !== undefined) {
    return { request: requestOfHandshake(client.handshake), response: undefined, original: undefined };
  }
  const { req, res } = find();
  return { ...getExchange(req, res), original: req };
}

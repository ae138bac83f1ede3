import { recogniseCopies } from '../util/copies.js';
import type { HttpExchange, HttpResponse } from '../util/http-exchange.js';
import type { RequestScope } from '../util/user-context.js';

/**
 * A request, its response and the user context of the call that works for them. Every step of a session that reads a
 * request or writes a response takes this one object.
 */
export interface SessionRequest extends HttpExchange, RequestScope {
  readonly request: HttpExchange['request'];
}

/**
 * A call that hands tokens to the client came after the headers of the response: create and refresh sessions before the first
 * byte is sent, or without the response (`createNewSessionWithoutRequestResponse`).
 *
 * @publicApi
 */
export class ResponseSentError extends Error {
  static {
    recogniseCopies(this, 'ResponseSentError');
  }

  constructor(call: string, options?: ErrorOptions) {
    super(
      `${call}: the headers of the response have been sent, so the client cannot get the tokens. Call it before the first ` +
        'byte is sent, or use its form without request and response',
      options,
    );
    this.name = new.target.name;
  }
}

/**
 * Checks that tokens can still be written, before anything is stored that the client would never get.
 *
 * @param call names the function in the error
 * @throws {ResponseSentError} the headers have been sent
 */
export function assertNotSent({ isSent }: HttpResponse, call: string): void {
  if (isSent) throw new ResponseSentError(call);
}

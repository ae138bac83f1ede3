import type { ExecutionContext } from '@nestjs/common';

/** The request that a context is about, and its response. */
export interface RequestAndResponse {
  readonly req: unknown;
  readonly res: unknown;
}

/**
 * Finds the request and the response in a context.
 *
 * @throws {Error} for every kind of context that is not known here: what cannot be verified is refused
 */
export function requestAndResponseOf(context: ExecutionContext): RequestAndResponse {
  const type: string = context.getType();
  if (type !== 'http') {
    throw new Error(
      `SessionGuard does not know how to find a session in a "${type}" context: extend it and override getRequestAndResponse`,
    );
  }
  const http = context.switchToHttp();
  return { req: http.getRequest<unknown>(), res: http.getResponse<unknown>() };
}

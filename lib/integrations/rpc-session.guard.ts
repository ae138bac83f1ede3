import { Injectable, type ExecutionContext } from '@nestjs/common';
import { CollectedResponse } from '../http/collected-response.js';
import type { RequestAndResponse } from '../http/create-exchange.js';
import { SessionGuard } from '../session.guard.js';
import { findAuthorization } from './rpc-authorization.js';

/**
 * `SessionGuard` for messages of microservices: the access token of the user comes as `authorization: Bearer …` in the metadata of gRPC,
 * NATS, Kafka, RabbitMQ and MQTT 5, and as `metadata.authorization` in a message over TCP or Redis. The decorators of routes hold for
 * messages, too, and `@Session()` and `sessionOf(context)` find the session. In other contexts it is `SessionGuard`.
 *
 * A refusal reaches the caller with the type and the message of the error. Messages are not refreshed: the caller gets a new token where
 * it signed in. For another place of the token, extend it and override {@link getAuthorization}.
 *
 * @publicApi
 */
@Injectable()
export class RpcSessionGuard extends SessionGuard {
  /**
   * Returns the value of `authorization` for a message, `Bearer …`.
   *
   * @returns undefined where the message has none: it is refused then, unless the handler is public or its session optional
   */
  protected getAuthorization(context: ExecutionContext): string | undefined {
    return findAuthorization(context.getArgs<unknown[]>());
  }

  protected override getRequestAndResponse(context: ExecutionContext): RequestAndResponse {
    if (context.getType<string>() !== 'rpc') return super.getRequestAndResponse(context);
    const authorization = this.getAuthorization(context);
    const headers = authorization === undefined ? {} : { authorization };
    // GET, because a message has no cookies and so needs no protection against forged requests.
    return { req: { method: 'GET', url: '/', headers }, res: new CollectedResponse() };
  }
}

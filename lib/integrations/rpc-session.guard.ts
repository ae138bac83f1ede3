import { Injectable, type ExecutionContext } from '@nestjs/common';
import { CollectedResponse } from '../http/collected-response.js';
import type { RequestAndResponse } from '../http/exchanges.js';
import { SessionGuard } from '../session.guard.js';
import { readMember } from '../util/json.js';

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

/**
 * Finds what a message says as `authorization`, in the metadata of its transport: headers of gRPC, NATS, Kafka and RabbitMQ, user
 * properties of MQTT 5. TCP and Redis have none, so there it is `metadata.authorization` of the message itself. The packages of the
 * transports are not imported: their contexts are known by their members.
 *
 * @param args the arguments of the handler: the message first, then the metadata or the context
 */
export function findAuthorization(args: readonly unknown[]): string | undefined {
  const [data, ...others] = args;
  for (const other of others) {
    const found = other === undefined ? undefined : readContext(other);
    if (found !== undefined) return found;
  }
  return toText(readMember(readMember(data, 'metadata'), 'authorization'));
}

function readContext(context: unknown): string | undefined {
  const message = call(context, 'getMessage'); // Kafka, RabbitMQ
  const packet = call(context, 'getPacket'); // MQTT
  const places = [
    context, // gRPC: Metadata itself
    call(context, 'getHeaders'), // NATS
    readMember(message, 'headers'),
    readMember(readMember(message, 'properties'), 'headers'),
    readMember(readMember(packet, 'properties'), 'userProperties'),
  ];
  for (const place of places) {
    const found = toText(readHeader(place));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Headers are a map with `get`, or an object. */
function readHeader(headers: unknown): unknown {
  return typeof readMember(headers, 'get') === 'function'
    ? (headers as { get(name: string): unknown }).get('authorization')
    : (readMember(headers, 'authorization') ?? readMember(headers, 'Authorization'));
}

/** Two values are as bad as none: which of them counts would be a guess. */
function toText(value: unknown): string | undefined {
  const single: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof single === 'string') return single === '' ? undefined : single;
  return single instanceof Uint8Array ? Buffer.from(single).toString('utf8') : undefined;
}

function call(context: unknown, method: string): unknown {
  const found = readMember(context, method);
  return typeof found === 'function' ? (found as () => unknown).call(context) : undefined;
}

import { readMember } from '../util/json.js';

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

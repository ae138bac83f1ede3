import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../util/clock.js';
import type { RecordedResponse, RecordedExchange } from './exchange.js';

/** A request of the probe. */
export interface RequestToSend {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends one request, follows no redirect and never throws: a failure is part of the record. */
export type Sender = (request: RequestToSend) => Promise<RecordedExchange>;

const MAX_BODY_OCTETS = 256 * 1024;
const MAX_HEAD_OCTETS = 64 * 1024;

/** Creates a sender over Node's HTTP client; each request has a connection of its own. */
export function createHttpSender(options: { readonly timeoutMs: number; readonly clock: Clock }): Sender {
  return async (request) => {
    const sentAtMs = options.clock.now();
    const outcome = await exchange(request, options.timeoutMs);
    const { method, url } = request;
    return { method, url, sentAtMs, receivedAtMs: options.clock.now(), ...outcome };
  };
}

type Outcome = Pick<RecordedExchange, 'response' | 'failure' | 'hasTrustedCertificate'>;

async function exchange({ method, url, headers, body }: RequestToSend, timeoutMs: number): Promise<Outcome> {
  const send = url.startsWith('https:') ? requestHttps : requestHttp;
  const payload = body === undefined ? undefined : Buffer.from(body);
  const options: RequestOptions = {
    method,
    agent: false,
    maxHeaderSize: MAX_HEAD_OCTETS,
    headers: { ...headers, ...(payload === undefined ? {} : { 'content-length': payload.byteLength }) },
    signal: AbortSignal.timeout(timeoutMs),
  };
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ failure: describeFailure(error) });
    const client = send(url, options, (message) => {
      readResponse(message).then((response) => resolve({ response, ...trustOf(message) }), fail);
    });
    client.on('error', fail);
    client.end(payload);
  });
}

/** Without trust there is a response only where the process was told not to mind. */
function trustOf({ socket }: IncomingMessage): Pick<RecordedExchange, 'hasTrustedCertificate'> {
  return socket instanceof TLSSocket ? { hasTrustedCertificate: socket.authorized } : {};
}

async function readResponse(message: IncomingMessage): Promise<RecordedResponse> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    octets += chunk.byteLength;
    if (octets > MAX_BODY_OCTETS) break; // no response of the module is that long
    chunks.push(chunk);
  }
  const lines = message.rawHeaders;
  const headers = lines.flatMap((name, i) =>
    i % 2 === 0 ? [[name.toLowerCase(), lines[i + 1] ?? ''] as const] : [],
  );
  return { status: message.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') };
}

function describeFailure(error: unknown): string {
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (name === 'AbortError' || name === 'TimeoutError') return 'TIMEOUT';
  return typeof code === 'string' ? code : 'FAILED';
}

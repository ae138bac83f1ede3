import { createServer, request as sendRequest } from 'node:http';
import type { OutgoingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { fastify } from 'fastify';
import type { HttpExchange } from '../../lib/util/http-exchange.js';
import { getExchange } from '../../lib/sessions/request-state.js';

export const SERVER_KINDS = ['node:http', 'express', 'fastify'] as const;
export type ServerKind = (typeof SERVER_KINDS)[number];

/** The response that the client saw, headers as sent and in their order. */
export interface WireResponse {
  readonly status: number;
  readonly body: string;
  /** All values of a header, one per line on the wire. */
  lines(name: string): string[];
}

export interface WireRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** The framework's own objects, for tests in which the application writes to the response too. */
export interface NativePair {
  readonly req: unknown;
  readonly res: unknown;
}

/**
 * Sends one request over a real socket to a server of the given kind. The handler gets the exchange; unless it responds
 * itself an empty object goes out with 200.
 */
export async function responseOf(
  kind: ServerKind,
  handler: (exchange: HttpExchange, native: NativePair) => void,
  request: WireRequest = {},
): Promise<WireResponse> {
  let failure: unknown;
  const handle = (req: unknown, res: unknown): void => {
    const exchange = getExchange(req, res);
    try {
      handler(exchange, { req, res });
    } catch (error) {
      failure = error;
    }
    exchange.response.sendJSONResponse({});
  };
  const { server, close } = await start(kind, handle);
  try {
    const response = await send((server.address() as AddressInfo).port, request);
    if (failure !== undefined) throw failure;
    return response;
  } finally {
    await close();
  }
}

async function start(
  kind: ServerKind,
  handle: (req: unknown, res: unknown) => void,
): Promise<{ server: Server; close: () => Promise<unknown> }> {
  if (kind === 'fastify') {
    const app = fastify();
    app.all('/*', (req, reply) => handle(req, reply));
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { server: app.server, close: () => app.close() };
  }
  const mounted = express().use('/mounted', handle).use(handle);
  const server = createServer(kind === 'express' ? mounted : handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, close: () => new Promise((resolve) => server.close(resolve)) };
}

function send(
  port: number,
  { method = 'GET', path = '/', headers = {} }: WireRequest,
): Promise<WireResponse> {
  return new Promise((resolve, reject) => {
    const client = sendRequest(
      { host: '127.0.0.1', port, method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { rawHeaders } = response;
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
            lines: (name) =>
              rawHeaders.filter(
                (_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name.toLowerCase(),
              ),
          });
        });
      },
    );
    client.on('error', reject);
    client.end();
  });
}

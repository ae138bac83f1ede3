import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Running } from './settings.js';

/** `Request` refuses to be made with these, and no route here has them. */
const FORBIDDEN_METHOD = /^(CONNECT|TRACE|TRACK)$/;

/** Makes a `Request` of a request to a server of Node, without the body, which the verifier does not read. */
export function toRequest({ method = 'GET', url = '/', headers }: IncomingMessage): Request {
  const lines = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((line): [string, string] => [name, line]),
  );
  // A client may send anything as target and as Host.
  const base = URL.canParse(`http://${headers.host}`) ? `http://${headers.host}` : 'http://localhost';
  return new Request(URL.canParse(url, base) ? new URL(url, base) : base, {
    method: FORBIDDEN_METHOD.test(method) ? 'GET' : method,
    headers: lines,
  });
}

/** The headers of a `Response` as Node's servers take them: several `Set-Cookie` lines stay several. */
export function nodeHeaders({ headers }: Response): Record<string, string | string[]> {
  const cookies = headers.getSetCookie();
  return { ...Object.fromEntries(headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) };
}

/** Sends a `Response` through Node's server. */
export async function sendResponse(response: Response, target: ServerResponse): Promise<void> {
  const body = await response.text();
  target.writeHead(response.status, nodeHeaders(response)).end(body);
}

/** Listens on the loopback. `closing` runs after the server has closed. */
export async function listen(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
  port: number,
  closing: () => unknown,
): Promise<Running> {
  const server = createServer((request, response) => void listener(request, response)).listen(
    port,
    '127.0.0.1',
  );
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server.close(), 'close');
      server.closeAllConnections();
      await closed;
      await closing();
    },
  };
}

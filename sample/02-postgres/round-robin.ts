import { createServer, request, type Server } from 'node:http';

/**
 * A proxy that sends each request to the next of the ports, as a load balancer without sticky sessions does.
 *
 * @param ports read with each request, so that instances may start after the proxy
 */
export function roundRobin(ports: readonly number[]): Server {
  let turn = 0;
  return createServer((incoming, outgoing) => {
    const port = ports[turn++ % ports.length];
    const { method, url, headers } = incoming;
    const forwarded = request({ host: '127.0.0.1', port, method, path: url, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => {
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end();
    });
    incoming.pipe(forwarded);
  });
}

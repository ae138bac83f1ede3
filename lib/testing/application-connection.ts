import { once } from 'node:events';
import { request as sendRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, INestApplicationContext } from '@nestjs/common';
import { SingleFlight } from '../util/single-flight.js';

/** A request as an agent sends it. */
export interface OutgoingRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string | Uint8Array | undefined;
}

/** A response as Node's client receives it. */
export interface IncomingResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** The method of Fastify that must be awaited before the first request; Express has none. */
interface FastifyInstance {
  ready?(): PromiseLike<unknown>;
}

/**
 * Sends requests to the application under test over the loopback: on the port on which it listens, or on a free one while
 * requests run. `inject` of Fastify is not used, because Express has none and some test runners cannot load it.
 */
export class ApplicationConnection {
  private readonly server: Server;
  private readonly instance: FastifyInstance;
  private running = 0;
  /** Set while this connection has opened the port. */
  private readonly opening = new SingleFlight(async () => this.open(), { keepsValue: true });
  private closing: Promise<void> | undefined;

  /** @throws {TypeError} `app` is a module without an HTTP server */
  constructor(app: INestApplicationContext) {
    if (!isHttpApplication(app)) {
      throw new TypeError(
        'An agent needs the application: testSessions(module.createNestApplication()), not testSessions(module)',
      );
    }
    this.server = app.getHttpServer() as Server;
    this.instance = app.getHttpAdapter().getInstance() as FastifyInstance;
  }

  /**
   * Sends a request.
   *
   * @throws {TypeError} the path does not begin with a slash
   */
  async send(request: OutgoingRequest): Promise<IncomingResponse> {
    if (!request.path.startsWith('/')) throw new TypeError(`A path begins with a slash: /${request.path}`);
    this.running++;
    try {
      if (this.opening.current !== undefined || !this.server.listening) await this.opening.run();
      return await exchange((this.server.address() as AddressInfo).port, request);
    } finally {
      if (--this.running === 0) await this.close();
    }
  }

  private async open(): Promise<void> {
    await this.closing;
    await this.instance.ready?.();
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** Closes the port; a later request waits for it. */
  private async close(): Promise<void> {
    if (this.opening.current === undefined) return;
    this.opening.forget();
    this.closing = new Promise((resolve) => this.server.close(() => resolve()));
    await this.closing;
  }
}

function isHttpApplication(app: INestApplicationContext): app is INestApplication {
  return 'getHttpAdapter' in app && 'getHttpServer' in app;
}

async function exchange(
  port: number,
  { method, path, headers, payload }: OutgoingRequest,
): Promise<IncomingResponse> {
  const client = sendRequest({ host: '127.0.0.1', port, agent: false, method, path, headers });
  client.end(payload);
  const [response] = (await once(client, 'response')) as [IncomingMessage];
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

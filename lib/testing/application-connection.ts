import { once } from 'node:events';
import { request as sendRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, INestApplicationContext } from '@nestjs/common';

/** A request as an agent sends it. */
export interface OutgoingRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string | Uint8Array | undefined;
}

/** An answer as the framework gives it. */
export interface IncomingResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** What we use of Fastify: it takes no requests before it is ready. Express has no such method. */
interface FastifyInstance {
  ready?(): PromiseLike<unknown>;
}

/**
 * Carries requests to the application under test, over the loopback: on the port where it listens, or on a free one for
 * as long as requests run. Not by `inject` of Fastify, which exists there only, and which some test runners cannot load.
 */
export class ApplicationConnection {
  private readonly server: Server;
  private readonly instance: FastifyInstance;
  private running = 0;
  /** Set while we listen ourselves. */
  private opening: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** @throws {TypeError} there is no application, but only a module */
  constructor(app: INestApplicationContext) {
    if (!isHttpApplication(app)) {
      throw new TypeError(
        'An agent needs the application: testSessions(module.createNestApplication()), not testSessions(module)',
      );
    }
    this.server = app.getHttpServer() as Server;
    this.instance = app.getHttpAdapter().getInstance() as FastifyInstance;
  }

  /** @throws {TypeError} the path is none */
  async send(request: OutgoingRequest): Promise<IncomingResponse> {
    if (!request.path.startsWith('/')) throw new TypeError(`A path begins with a slash: /${request.path}`);
    this.running++;
    try {
      if (this.opening !== undefined || !this.server.listening) await (this.opening ??= this.open());
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

  /** Until it is done, nobody else can listen. */
  private async close(): Promise<void> {
    if (this.opening === undefined) return;
    this.opening = undefined;
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

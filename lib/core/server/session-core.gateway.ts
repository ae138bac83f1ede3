import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Inject,
  Injectable,
  Logger,
  Optional,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SessionEvents } from '../../events/session-events.js';
import { Telemetry } from '../../events/telemetry.js';
import { CoreClient } from '../core-client.js';
import { startCore } from '../core-provider.js';
import { LiveSessions } from '../live-sessions.js';
import { Clock } from '../../util/clock.js';
import { isLoopback } from './caller-check.js';
import { CdiRefusal } from './cdi-input.js';
import { CdiServer } from './cdi-server.js';
import type { ServedFeed } from '../../feed/served-feed.js';
import type { SessionCoreConfig } from './session-core-options.js';
import { RESOLVED_CORE_OPTIONS, SERVED_FEED } from './session-core.constants.js';

/** The members of Nest's HTTP adapters that are used here. */
interface ServingAdapter {
  getType(): string;
  getHttpServer(): ListeningServer;
  getInstance(): FastifyHooks;
  use(handler: (req: IncomingMessage, res: ServerResponse, next: () => void) => void): unknown;
}

interface ListeningServer {
  address(): AddressInfo | string | null;
}

interface FastifyHooks {
  addHook(
    name: 'onRequest',
    hook: (
      request: { readonly raw: IncomingMessage },
      reply: { readonly raw: ServerResponse; hijack(): unknown },
      done: () => void,
    ) => void,
  ): unknown;
}

/**
 * Puts the served core in front of the application's routes, and before its body parsers: a Core reads every body as
 * JSON whatever its content type says, and responds in text where Nest would respond in JSON. Opens the core before the
 * first request and closes it after the last one.
 */
@Injectable()
export class SessionCoreGateway implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger('SessionCoreModule');

  constructor(
    private readonly server: CdiServer,
    private readonly core: CoreClient,
    private readonly events: SessionEvents,
    private readonly telemetry: Telemetry,
    @Inject(RESOLVED_CORE_OPTIONS) { apiKeys }: SessionCoreConfig,
    private readonly clock: Clock,
    adapterHost: HttpAdapterHost,
    @Optional() @Inject(SERVED_FEED) private readonly feed?: ServedFeed,
  ) {
    const adapter = (): ServingAdapter => adapterHost.httpAdapter as ServingAdapter;
    // It is registered as soon as there is an adapter, because the parsers are registered when the application
    // initialises.
    adapterHost.init$.subscribe(() => this.registerServer(adapter()));
    if (apiKeys.length === 0) adapterHost.listen$.subscribe(() => this.warnOfMissingKeys());
  }

  async onModuleInit(): Promise<void> {
    const { core, clock } = this;
    this.telemetry.observeCoreCalls();
    this.telemetry.observeCore(core.verificationKeys, new LiveSessions(core, clock), clock);
    await startCore(this.core, this.telemetry);
    this.feed?.start();
  }

  beforeApplicationShutdown(): void {
    this.feed?.endWaiting();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.feed?.stop();
    await this.core.close();
    this.events.complete();
  }

  private warnOfMissingKeys(): void {
    this.logger.warn(
      'The core has no apiKeys: it serves calls of this machine alone, and every program here can sign in as any user. ' +
        'Set apiKeys to serve other machines.',
    );
  }

  private registerServer(adapter: ServingAdapter): void {
    if (adapter.getType() === 'fastify') {
      adapter.getInstance().addHook('onRequest', ({ raw: req }, reply, done) => {
        if (!this.server.servesPath(req.url ?? '')) return done();
        reply.hijack();
        void serveCdi(this.server, req, reply.raw, adapter.getHttpServer());
      });
    } else {
      adapter.use((req, res, next) => {
        if (!this.server.servesPath(req.url ?? '')) return next();
        void serveCdi(this.server, req, res, adapter.getHttpServer());
      });
    }
  }
}

/**
 * The length of the longest body that is read, in bytes. A Core's container has no such limit; ten access tokens fit
 * in.
 */
export const MAX_BODY_BYTES = 1_048_576;

/** Responds to one request of a Node server. Never rejects; a client that has left gets no response. */
export async function serveCdi(
  server: CdiServer,
  req: IncomingMessage,
  res: ServerResponse,
  listener: ListeningServer,
): Promise<void> {
  const response = await server.respond({
    method: req.method ?? '',
    url: req.url ?? '',
    header: (name) => readHeader(req, name),
    hosts: namedHosts(req),
    remoteAddress: req.socket.remoteAddress,
    isOnLoopback: listensOnLoopback(listener),
    hasBody: hasBody(req),
    readBody: () => readBounded(req, MAX_BODY_BYTES),
  });
  if (res.destroyed || res.headersSent) return;
  res.writeHead(response.status, { ...response.headers, 'Content-Length': Buffer.byteLength(response.body) });
  res.end(response.body);
}

/**
 * Reads a body into memory, but no more than the limit.
 *
 * @throws {CdiRefusal} 413 as soon as it is longer; the rest is read and dropped, so that the client gets the response
 */
export async function readBounded(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (req.readableEnded) throw new Error('The body was read before it reached the served core');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length <= maxBytes) return void chunks.push(chunk);
      chunks.length = 0;
      req.off('data', take).resume();
      reject(new CdiRefusal(413, `The body is longer than ${maxBytes} bytes`));
    };
    // A client that leaves in the middle gets no response, and is not reported as a failure of the server.
    const left = (): void => reject(new CdiRefusal(400, 'Invalid Json Input'));
    req.on('data', take);
    req.once('end', () => resolve(Buffer.concat(chunks)));
    req.once('error', left).once('close', left);
  });
}

function listensOnLoopback(listener: ListeningServer): boolean {
  const listening = listener.address();
  return typeof listening === 'object' && listening !== null && isLoopback(listening.address);
}

/** Each of them, also where Node keeps the first of several in `headers`. HTTP/2 has `:authority` in place of `Host`. */
function namedHosts({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && /^(host|:authority)$/i.test(rawHeaders[index - 1] ?? ''),
  );
}

/** No call reads the body of a GET. HTTP/2 may send one without telling its length. */
function hasBody({ method, headers, httpVersionMajor }: IncomingMessage): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const length = headers['content-length'];
  if (length !== undefined) return Number(length) !== 0;
  return headers['transfer-encoding'] !== undefined || httpVersionMajor > 1;
}

function readHeader(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

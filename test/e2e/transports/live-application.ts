import { UseFilters, UseGuards, type INestApplication, type Type } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  OptionalSession,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionExceptionFilter,
  SessionGuard,
  SessionSockets,
  VerifySession,
} from 'nest-sessions';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { SessionClient } from '../../support/session-client.js';
import type { TestClock } from 'nest-sessions/testing';
import {
  ADAPTERS,
  type Adapter,
  SHOP,
  TestApplication,
  ApplicationStarter,
} from '../../support/test-application.js';

export const PLATFORMS = ['socket.io', 'ws'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Each platform on each adapter. */
export const LIVE = PLATFORMS.flatMap((platform) => ADAPTERS.map((adapter) => ({ platform, adapter })));

const denied = { id: 'plan', validate: () => ({ isValid: false, reason: 'no plan' }) };

/** One message for each way of asking for a session. */
@UseGuards(SessionGuard)
@UseFilters(SessionExceptionFilter)
class Messages {
  constructor(readonly sockets: SessionSockets) {}

  @SubscribeMessage('whoami')
  whoami(@Session() session: SessionContainer) {
    return { event: 'whoami', data: session.getUserId() };
  }

  @SubscribeMessage('open')
  @PublicAccess()
  open(@Session() session?: SessionContainer) {
    return { event: 'open', data: session === undefined ? 'none' : session.getUserId() };
  }

  @SubscribeMessage('optional')
  @OptionalSession()
  optional(@Session() session?: SessionContainer) {
    return { event: 'optional', data: session === undefined ? 'none' : session.getUserId() };
  }

  @SubscribeMessage('claimed')
  @RequireClaims(denied)
  claimed() {
    return { event: 'claimed', data: 'never' };
  }

  @SubscribeMessage('checked')
  @VerifySession({ checkDatabase: true })
  checked(@Session('userId') userId: string) {
    return { event: 'checked', data: userId };
  }

  @SubscribeMessage('rename')
  async rename(@Session() session: SessionContainer) {
    await session.mergeIntoAccessTokenPayload({ name: 'Ada' });
    return { event: 'rename', data: 'done' };
  }

  @SubscribeMessage('payload')
  payload(@Session('accessTokenPayload') payload: object) {
    return { event: 'payload', data: payload };
  }

  @SubscribeMessage('renew')
  @PublicAccess()
  async renew(@ConnectedSocket() client: object, @MessageBody() accessToken: unknown) {
    const session = await this.sockets.renew(client, accessToken);
    return { event: 'renew', data: session.getUserId() };
  }
}

/** As the guide has it: every connection is admitted first. */
@WebSocketGateway({ path: '/live' })
export class AdmittingGateway extends Messages {
  async handleConnection(client: object, request: object): Promise<void> {
    await this.sockets.admit(client, request);
  }
}

/** Lets connections without a session in; each message says what it needs. */
@WebSocketGateway({ path: '/live' })
export class OpenGateway extends Messages {
  async handleConnection(client: object, request: object): Promise<void> {
    await this.sockets.admit(client, request, { sessionRequired: false });
  }
}

/** Leaves everything to the guard. */
@WebSocketGateway({ path: '/live' })
export class GuardedGateway extends Messages {}

/** Does not wait half a minute for the next poll of a client that has gone. */
class PromptIoAdapter extends IoAdapter {
  override createIOServer(...input: Parameters<IoAdapter['createIOServer']>) {
    const server = super.createIOServer(...input);
    server.engine.on('connection', ({ transport }: { transport: { closeTimeout?: number } }) => {
      transport.closeTimeout = 0;
    });
    return server;
  }
}

/** An application with a gateway, and the connections to it. */
export class LiveApplication extends TestApplication {
  private readonly clients: LiveClient[] = [];

  constructor(
    app: INestApplication,
    clock: TestClock,
    private readonly platform: Platform,
  ) {
    super(app, clock);
  }

  /** Starts applications with a gateway. */
  static via(live: { platform: Platform; adapter: Adapter }): LiveStarter {
    return new LiveStarter(live.adapter, live.platform);
  }

  /** A connection that is open. */
  readonly connect = async (options: ConnectOptions = {}): Promise<LiveClient> => {
    const client = newClient(this.platform, this.port, options);
    this.clients.push(client);
    await client.opened;
    return client;
  };

  protected override async shutDown(): Promise<void> {
    for (const client of this.clients) client.end();
    await super.shutDown();
  }
}

class LiveStarter extends ApplicationStarter<LiveApplication> {
  private gatewayClass: Type = AdmittingGateway;

  constructor(
    adapter: Adapter,
    private readonly platform: Platform,
  ) {
    super(adapter);
  }

  /** Sets the gateway; the default is the {@link AdmittingGateway}. */
  gateway(gateway: Type): this {
    const starter = this.change({});
    starter.gatewayClass = gateway;
    return starter;
  }

  protected override prepare(): this {
    const { platform } = this;
    return this.providers(this.gatewayClass).configure((app) =>
      app.useWebSocketAdapter(platform === 'ws' ? new WsAdapter(app) : new PromptIoAdapter(app)),
    );
  }

  protected override wrap(app: INestApplication, clock: TestClock): LiveApplication {
    return new LiveApplication(app, clock, this.platform);
  }
}

export interface ConnectOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** The `auth` of socket.io. */
  readonly auth?: Readonly<Record<string, string>>;
  /** socket.io only: begin as browsers do by default. */
  readonly polling?: boolean;
}

/** Headers with which a browser on a page of this origin connects. */
export function browserOn(origin: string | undefined, client: SessionClient): Record<string, string> {
  return {
    cookie: `sAccessToken=${client.cookie('sAccessToken') ?? ''}`,
    ...(origin === undefined ? {} : { origin }),
  };
}

/** The same on our own website. */
export function browser(client: SessionClient): ConnectOptions {
  return { headers: browserOn(SHOP.websiteDomain, client) };
}

export function bearer(client: SessionClient): ConnectOptions {
  return { headers: { authorization: `Bearer ${client.accessToken ?? ''}` } };
}

function newClient(platform: Platform, port: number, options: ConnectOptions): LiveClient {
  return platform === 'ws' ? new WsLiveClient(port, options) : new SocketIoLiveClient(port, options);
}

/** How a connection ended, and what it was told before: a close code with `ws`, an event with socket.io. */
export interface Ending {
  readonly type: string;
  readonly code?: number;
}

interface Message {
  readonly event: string;
  readonly data: unknown;
}

/** The message that an exception is about. */
function patternOf({ event, data }: Message): unknown {
  return event === 'exception' ? (data as { cause?: { pattern?: unknown } }).cause?.pattern : undefined;
}

/** One connection of a test. */
export abstract class LiveClient {
  abstract readonly opened: Promise<void>;
  /** Resolves when the server has closed the connection. */
  abstract readonly closed: Promise<Ending>;
  private readonly received: Message[] = [];
  private waiting: (() => void)[] = [];

  abstract send(event: string, data?: unknown): void;
  abstract end(): void;

  /** Sends a message and returns what comes back: the response's data, or the exception. */
  async ask(event: string, data?: unknown): Promise<unknown> {
    this.send(event, data);
    return this.next((message) => message.event === event || patternOf(message) === event);
  }

  /** The first message that fits, the ones before it left alone. */
  async next(fits: (message: Message) => boolean): Promise<unknown> {
    for (;;) {
      const index = this.received.findIndex(fits);
      const [message] = index < 0 ? [] : this.received.splice(index, 1);
      if (message !== undefined) return message.data;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** The data of all messages of an event so far that nothing has asked for. */
  seen(event: string): unknown[] {
    return this.received.filter((message) => message.event === event).map(({ data }) => data);
  }

  protected receive(event: string, data: unknown): void {
    this.received.push({ event, data });
    for (const look of this.waiting.splice(0)) look();
  }

  /** The type of the last exception so far. */
  protected get lastExceptionType(): string {
    const exception = this.received.findLast(({ event }) => event === 'exception')?.data;
    return String((exception as { type?: unknown } | undefined)?.type);
  }
}

class SocketIoLiveClient extends LiveClient {
  readonly opened: Promise<void>;
  readonly closed: Promise<Ending>;
  private readonly socket: Socket;

  constructor(port: number, { headers = {}, auth = {}, polling = false }: ConnectOptions) {
    super();
    this.socket = io(`http://127.0.0.1:${port}`, {
      path: '/live',
      extraHeaders: { ...headers },
      auth,
      forceNew: true,
      reconnection: false,
      transports: [polling ? 'polling' : 'websocket'],
    });
    this.socket.onAny((event: string, data: unknown) => this.receive(event, data));
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('disconnect', () => resolve({ type: this.lastExceptionType }));
    });
  }

  send(event: string, data?: unknown): void {
    this.socket.emit(event, data);
  }

  end(): void {
    this.socket.disconnect();
  }
}

class WsLiveClient extends LiveClient {
  readonly opened: Promise<void>;
  readonly closed: Promise<Ending>;
  private readonly socket: WebSocket;

  constructor(port: number, { headers = {} }: ConnectOptions) {
    super();
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers });
    this.socket.on('message', (text: Buffer) => {
      const { event, data } = JSON.parse(text.toString()) as { event: string; data: unknown };
      this.receive(event, data);
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ type: reason.toString(), code }));
    });
  }

  send(event: string, data?: unknown): void {
    this.socket.send(JSON.stringify({ event, data }));
  }

  end(): void {
    this.socket.terminate();
  }
}

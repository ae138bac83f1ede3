import { UseFilters, UseGuards } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { describe, expect, it } from '@jest/globals';
import { Session, SessionExceptionFilter, SessionGuard, SessionSockets } from 'nest-sessions';
import { io, type Socket } from 'socket.io-client';
import { seededMemoryStore } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { ADAPTERS, type TestApplication } from '../../support/test-application.js';
import { bearer, LIVE, LiveApplication } from './live-application.js';

interface Server {
  emit?(event: string, data: unknown): void;
  to?(room: string): { emit(event: string, data: unknown): void };
  volatile?: { emit(event: string, data: unknown): void };
  readonly clients?: Iterable<{ send(text: string): void }>;
  use?(middleware: (client: object, next: (error?: Error) => void) => void): void;
}

interface Client {
  join?(room: string): unknown;
  readonly recovered?: boolean;
}

const message = (data: string): string => JSON.stringify({ event: 'news', data });

/** Speaks to all clients, and puts them into a room, before it knows whom it speaks to. */
@WebSocketGateway({ path: '/live' })
@UseGuards(SessionGuard)
@UseFilters(SessionExceptionFilter)
class HastyGateway {
  @WebSocketServer() readonly server!: Server;

  constructor(readonly sockets: SessionSockets) {}

  async handleConnection(client: Client, request: object): Promise<void> {
    client.join?.('members');
    const admission = this.sockets.admit(client, request);
    if (client.join !== undefined) this.tell('while it waits');
    await admission;
  }

  @SubscribeMessage('whoami')
  whoami(@Session('userId') userId: string) {
    return { event: 'whoami', data: userId };
  }

  /** By every way in which a server speaks to clients. */
  tell(data: string): void {
    const { server } = this;
    server.to?.('members').emit('news', data);
    server.volatile?.emit('news', `${data}, volatile`);
    if (server.clients === undefined) server.emit?.('news', `${data}, everybody`);
    else for (const client of server.clients) client.send(message(data));
  }
}

/** Admits clients before they connect. */
@WebSocketGateway({ path: '/live', connectionStateRecovery: {} })
@UseGuards(SessionGuard)
@UseFilters(SessionExceptionFilter)
class StrictGateway {
  @WebSocketServer() readonly server!: Server;
  readonly recoveries: unknown[] = [];

  constructor(readonly sockets: SessionSockets) {}

  afterInit(server: Server): void {
    server.use?.(this.sockets.middleware());
  }

  handleConnection(client: Client): void {
    this.recoveries.push(client.recovered);
    if (client.recovered !== true) client.join?.('members');
  }

  @SubscribeMessage('whoami')
  whoami(@Session('userId') userId: string) {
    return { event: 'whoami', data: userId };
  }
}

/** The same, without the middleware. */
@WebSocketGateway({ path: '/live', connectionStateRecovery: {} })
@UseGuards(SessionGuard)
@UseFilters(SessionExceptionFilter)
class AdmittingGateway {
  @WebSocketServer() readonly server!: Server;

  constructor(readonly sockets: SessionSockets) {}

  async handleConnection(client: Client): Promise<void> {
    if (await this.sockets.admit(client)) client.join?.('members');
  }

  @SubscribeMessage('whoami')
  whoami(@Session('userId') userId: string) {
    return { event: 'whoami', data: userId };
  }
}

describe.each(LIVE)('a WebSocket: $platform on $adapter', ({ platform, adapter }) => {
  it('hears of broadcasts only after it has been admitted (S054, S082)', async () => {
    const { signedIn, connect, get } = await LiveApplication.via({ platform, adapter })
      .gateway(HastyGateway)
      .start();
    const live = await connect(bearer(await signedIn('header', 'ada')));
    expect(await live.ask('whoami')).toBe('ada');
    get(HastyGateway).tell('afterwards');
    expect(await live.next(({ event }) => event === 'news')).toBe('afterwards'); // also to the room that it had joined before
  });

  it('is sent nothing if it is refused (S054, S082)', async () => {
    const { connect } = await LiveApplication.via({ platform, adapter }).gateway(HastyGateway).start();
    const live = await connect({ headers: { authorization: 'Bearer x.y.z' } });
    expect(await live.closed).toMatchObject({ type: 'UNAUTHORISED' });
    expect(live.seen('news')).toEqual([]);
  });

  it('is sent nothing more once its session has ended, while the refusal is under way (S054)', async () => {
    const { signedIn, connect, get, sessions } = await LiveApplication.via({ platform, adapter })
      .gateway(HastyGateway)
      .with({
        errorHandlers: {
          onUnauthorised: async (text, _request, response) => {
            get(HastyGateway).tell('too late');
            response.sendJSONResponse({ message: text });
          },
        },
      })
      .start();
    const live = await connect(bearer(await signedIn('header', 'ada')));
    await live.ask('whoami');
    await sessions.revokeAllSessionsForUser({ userId: 'ada' });
    expect(await live.closed).toMatchObject({ type: 'UNAUTHORISED' });
    expect(live.seen('news').filter((data) => String(data).startsWith('too late'))).toEqual([]);
  });
});

/** A client of socket.io that a test reconnects by itself. */
class RecoveringClient {
  readonly news: unknown[] = [];
  readonly socket: Socket;

  constructor({ port }: TestApplication, token: string | undefined) {
    this.socket = io(`http://127.0.0.1:${port}`, {
      path: '/live',
      auth: { token },
      forceNew: true,
      reconnection: false,
      transports: ['websocket'],
    });
    this.socket.on('news', (data) => this.news.push(data));
  }

  /** @returns `connected`, or the type of the exception */
  async outcome(): Promise<string> {
    return new Promise((resolve) => {
      this.socket.once('connect', () => resolve('connected'));
      this.socket.once('connect_error', (error) =>
        resolve((error as { data?: { type?: string } }).data?.type ?? error.message),
      );
    });
  }

  /** Resolves when the server has handled all that came before. */
  async settled(): Promise<unknown> {
    const reply = new Promise((resolve) => this.socket.once('whoami', resolve));
    this.socket.emit('whoami');
    return reply;
  }

  /** Breaks the connection off, as a bad network does. */
  async breakOff(): Promise<void> {
    const gone = new Promise((resolve) => this.socket.once('disconnect', resolve));
    this.socket.io.engine.close();
    await gone;
  }

  async again(token?: string): Promise<string> {
    if (token !== undefined) this.socket.auth = { token };
    this.socket.connect();
    return this.outcome();
  }
}

describe.each(ADAPTERS)('a connection of socket.io that broke off, on %s', (adapter) => {
  async function brokenOff(gateway: typeof StrictGateway | typeof AdmittingGateway) {
    const application = await LiveApplication.via({ platform: 'socket.io', adapter })
      .gateway(gateway)
      .start();
    const ada = await application.signedIn('header', 'ada');
    const live = new RecoveringClient(application, ada.accessToken);
    expect(await live.outcome()).toBe('connected');
    await live.settled();
    const { server } = application.get<StrictGateway | AdmittingGateway>(gateway);
    server.to?.('members').emit('news', 'before');
    await live.settled();
    const left = new Promise<void>((resolve) => {
      (
        server as { sockets?: { sockets: Map<string, { once(event: string, listener: () => void): void }> } }
      ).sockets?.sockets.forEach((socket) => socket.once('disconnect', resolve));
    });
    await live.breakOff();
    await left;
    const tell = (data: string): void => server.to?.('members').emit('news', data);
    return { application, live, tell, ada };
  }

  it('is recovered by the middleware: its rooms, and what it missed (S054)', async () => {
    const { application, live, tell } = await brokenOff(StrictGateway);
    tell('meanwhile');
    expect(await live.again()).toBe('connected');
    tell('afterwards');
    expect(await live.settled()).toBe('ada');
    expect([live.news, live.socket.recovered]).toEqual([['before', 'meanwhile', 'afterwards'], true]);
    expect(application.get(StrictGateway).recoveries).toEqual([false, true]);
    live.socket.disconnect();
  });

  it('is refused by the middleware after the end of its session, and sent nothing (S054)', async () => {
    const { application, live, tell } = await brokenOff(StrictGateway);
    await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
    tell('after the end');
    expect(await live.again()).toBe('UNAUTHORISED');
    expect(live.news).toEqual(['before']);
    live.socket.disconnect();
  });

  it.each([StrictGateway, AdmittingGateway])(
    'hands nothing of one session to another (%s) (S054)',
    async (gateway) => {
      const { application, live, tell } = await brokenOff(gateway);
      tell('for ada');
      const bob = await application.signedIn('header', 'bob');
      expect(await live.again(bob.accessToken)).toBe('connected');
      expect(await live.settled()).toBe('bob');
      expect([live.news, live.socket.recovered]).toEqual([['before'], false]);
      live.socket.disconnect();
    },
  );

  it('is sent nothing before admit has ended, without the middleware (S054)', async () => {
    const { application, live, tell } = await brokenOff(AdmittingGateway);
    await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
    tell('after the end');
    const closed = new Promise((resolve) => live.socket.once('disconnect', resolve));
    await live.again();
    await closed;
    expect(live.news).toEqual(['before']);
  });
});

describe.each(ADAPTERS)('the middleware for socket.io on %s', (adapter) => {
  it('refuses a client without a session before it connects (S082)', async () => {
    const application = await LiveApplication.via({ platform: 'socket.io', adapter })
      .gateway(StrictGateway)
      .start();
    const live = new RecoveringClient(application, undefined);
    expect(await live.outcome()).toBe('UNAUTHORISED');
    expect(application.get(StrictGateway).recoveries).toEqual([]);
    live.socket.disconnect();
  });

  it('closes the connection with its session (S054)', async () => {
    const application = await LiveApplication.via({ platform: 'socket.io', adapter })
      .gateway(StrictGateway)
      .start();
    const live = new RecoveringClient(application, (await application.signedIn('header', 'ada')).accessToken);
    expect(await live.outcome()).toBe('connected');
    expect(await live.settled()).toBe('ada');
    const closed = new Promise((resolve) => live.socket.once('disconnect', resolve));
    await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
    expect(await closed).toBe('io server disconnect');
  });

  it('lets no session in that ends during the handshake (S054)', async () => {
    let end = async (): Promise<unknown> => undefined;
    const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
      const result = await call();
      if (name === 'findSession') await end();
      return result;
    });
    const application = await LiveApplication.via({ platform: 'socket.io', adapter })
      .store(store)
      .gateway(StrictGateway)
      .start();
    const ada = await application.signedIn('header', 'ada');
    end = async () => {
      end = async () => undefined;
      await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
    };
    const live = new RecoveringClient(application, ada.accessToken);
    expect(await live.outcome()).toBe('UNAUTHORISED');
    live.socket.disconnect();
  });
});

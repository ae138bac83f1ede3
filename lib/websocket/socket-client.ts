import { endSending, sendPastEnd } from './ended-sending.js';
import { readMember } from '../util/json.js';
import type { IncomingRequestSource } from '../http/incoming-request.js';
import type { ErrorResponse } from '../sessions/error-rules.js';

/** The request with which a connection began. */
export interface SocketHandshake {
  readonly url: string | undefined;
  readonly headers: IncomingRequestSource['headers'];
  /** An access token that came beside the headers, because browsers cannot set those of a WebSocket. */
  readonly accessToken: string | undefined;
  /** The client's address as the framework or the application determined it, `ip` of the request. */
  readonly ip?: string | undefined;
  /** The address of the other end of the connection: the client, or the proxy in front of the server. */
  readonly peerAddress?: string | undefined;
}

/** The close code and reason of a WebSocket. */
export interface SocketCloseReason {
  readonly code: number;
  readonly reason: string;
}

/** A live connection of socket.io, `ws`, `graphql-ws` or Mercurius. */
export interface SocketClient {
  /** The object that is the same in every call of this connection. */
  readonly connection: object;
  /** Undefined where the library does not keep the handshake. */
  readonly handshake: SocketHandshake | undefined;
  readonly isClosed: boolean;
  onClose(listener: () => void): void;
  /** Keeps broadcasts from the client until {@link release}, where the framework knows rooms. What is sent to it alone passes. */
  hold(): void;
  release(): void;
  /** From now on the client is sent no more than {@link sendEvent}. */
  endSending(): void;
  /** Sends an event, if the connection's protocol allows events of this module. */
  sendEvent(event: string, data: object): void;
  close(reason: SocketCloseReason): void;
}

/** The data of the event `exception`, in the form in which Nest's gateways send errors. */
export function exceptionEvent({ code, message, details }: ErrorResponse): object {
  return { ...details, status: 'error', type: code, message };
}

type Source = IncomingRequestSource;

/** The members that we use of a socket of socket.io. */
interface SocketIoSocket {
  readonly handshake: {
    readonly headers: Source['headers'];
    readonly url?: string;
    readonly auth?: unknown;
    readonly address?: unknown;
  };
  /** The request that began the connection; it may have been a poll. */
  readonly request?: unknown;
  readonly disconnected: boolean;
  readonly id?: string;
  readonly rooms?: ReadonlySet<string>;
  readonly adapter?: { delAll?(id: string): unknown };
  /** The connection below, which several namespaces share. */
  readonly conn?: { once(event: 'close', listener: () => void): unknown; close(): unknown };
  join?(rooms: string | string[]): unknown;
  packet?(...input: unknown[]): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
  emit(event: string, data: object): unknown;
  disconnect(close: boolean): unknown;
}

/** The members that we use of a WebSocket of `ws`. */
interface WsSocket {
  readonly readyState: number;
  once(event: 'close', listener: () => void): unknown;
  send(text: string): unknown;
  close(code: number, reason: string): unknown;
}

/** The members that we use of a Fastify request that became a WebSocket. */
interface FastifySocketRequest extends Source {
  readonly raw: {
    readonly socket: {
      readonly destroyed: boolean;
      once(event: 'close', listener: () => void): unknown;
      destroy(): unknown;
    };
  };
}

const WS_OPEN = 1;

/**
 * Returns the connection behind the client of a gateway.
 *
 * @param request the upgrade request, which `ws` does not keep
 * @returns undefined for a client of unknown shape
 */
export function findGatewayClient(client: unknown, request?: unknown): SocketClient | undefined {
  if (isSocketIoSocket(client)) return new SocketIoClient(client);
  if (isWsSocket(client))
    return new WsClient(client, isSource(request) ? readHandshake(request) : undefined, true);
  return undefined;
}

/**
 * Returns the connection behind the context value of a GraphQL subscription: `graphql-ws` (Apollo), where Nest puts its context
 * into `req`, or Mercurius.
 *
 * @returns undefined where there is none: the operation came by HTTP
 */
export function findGraphqlClient(context: unknown): SocketClient | undefined {
  for (const candidate of [context, readMember(context, 'req')]) {
    const extra = readMember(candidate, 'extra');
    const socket = readMember(extra, 'socket');
    const request = readMember(extra, 'request');
    if (isWsSocket(socket) && isSource(request)) {
      const token = findBearer(readMember(candidate, 'connectionParams'));
      return new WsClient(socket, readHandshake(request, token), false);
    }
  }
  const upgraded = readMember(context, 'request');
  if (!isFastifySocketRequest(upgraded)) return undefined;
  return new FastifySocketClient(upgraded, findBearer(readMember(context, '_connectionInit')));
}

class SocketIoClient implements SocketClient {
  readonly handshake: SocketHandshake;
  private rooms: HeldRooms | undefined;

  constructor(readonly connection: SocketIoSocket) {
    const { headers, url, auth, address } = connection.handshake;
    const token = readMember(auth, 'token');
    this.handshake = {
      headers,
      url,
      accessToken: typeof token === 'string' ? withoutScheme(token) : undefined,
      ip: readText(readMember(connection.request, 'ip')),
      peerAddress: readText(address),
    };
  }

  get isClosed(): boolean {
    return this.connection.disconnected;
  }

  onClose(listener: () => void): void {
    this.connection.once('disconnect', listener);
    this.connection.conn?.once('close', listener); // all that happens where the handshake was not over yet
  }

  hold(): void {
    (this.rooms ??= new HeldRooms(this.connection)).hold();
  }

  release(): void {
    this.rooms?.release();
  }

  endSending(): void {
    this.hold();
    endSending(this.connection, 'packet');
  }

  sendEvent(event: string, data: object): void {
    this.send(() => this.connection.emit(event, data));
  }

  close(): void {
    // A socket whose handshake is not over cannot be disconnected by itself.
    if (this.connection.disconnected) this.connection.conn?.close();
    else this.send(() => this.connection.disconnect(true));
  }

  private send(message: () => unknown): void {
    sendPastEnd(this.connection, 'packet', message);
  }
}

/** Keeps a socket of socket.io out of all rooms, so that no broadcast reaches it, and remembers those that it is to be in. */
class HeldRooms {
  private held: Set<string> | undefined;
  private join: SocketIoSocket['join'];

  constructor(private readonly socket: SocketIoSocket) {}

  hold(): void {
    const { socket } = this;
    if (this.held !== undefined || socket.id === undefined || socket.adapter?.delAll === undefined) return;
    const held = (this.held = new Set(socket.rooms));
    this.join = socket.join;
    socket.adapter.delAll(socket.id);
    socket.join = (rooms) => {
      for (const room of [rooms].flat()) held.add(room);
    };
  }

  release(): void {
    const { held, socket, join } = this;
    this.held = undefined;
    if (held === undefined || join === undefined || socket.disconnected) return;
    socket.join = join;
    socket.join([...held]);
  }
}

class WsClient implements SocketClient {
  constructor(
    readonly connection: WsSocket,
    readonly handshake: SocketHandshake | undefined,
    private readonly speaksNest: boolean,
  ) {}

  get isClosed(): boolean {
    return this.connection.readyState > WS_OPEN;
  }

  onClose(listener: () => void): void {
    this.connection.once('close', listener);
  }

  hold(): void {
    // a broadcast is a loop of the application over its clients
  }

  release(): void {
    // nothing was held
  }

  endSending(): void {
    endSending(this.connection, 'send');
  }

  /** Uses the form of Nest's own adapter; the protocol of `graphql-ws` does not allow it. */
  sendEvent(event: string, data: object): void {
    if (!this.speaksNest || this.connection.readyState !== WS_OPEN) return;
    const text = JSON.stringify({ event, data });
    sendPastEnd(this.connection, 'send', () => this.connection.send(text));
  }

  close({ code, reason }: SocketCloseReason): void {
    this.connection.close(code, reason);
  }
}

/** Mercurius hides its WebSocket, so only the connection below it can be closed. */
class FastifySocketClient implements SocketClient {
  readonly handshake: SocketHandshake;

  constructor(
    readonly connection: FastifySocketRequest,
    accessToken: string | undefined,
  ) {
    this.handshake = readHandshake(connection, accessToken);
  }

  get isClosed(): boolean {
    return this.connection.raw.socket.destroyed;
  }

  onClose(listener: () => void): void {
    this.connection.raw.socket.once('close', listener);
  }

  hold(): void {
    // what goes over the connection is not seen here
  }

  release(): void {
    // nothing was held
  }

  endSending(): void {
    // it is closed at once
  }

  sendEvent(): void {
    // the protocol of GraphQL subscriptions allows no events of this module
  }

  close(): void {
    this.connection.raw.socket.destroy();
  }
}

/** Reads the handshake while the connection is open, because a closed socket no longer knows the peer's address. */
function readHandshake(request: Source, accessToken?: string): SocketHandshake {
  const { url, headers } = request;
  return {
    url,
    headers,
    accessToken,
    ip: readText(readMember(request, 'ip')),
    peerAddress: readText(readMember(readMember(request, 'socket'), 'remoteAddress')),
  };
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Finds `{ authorization: 'Bearer …' }` (or `DPoP …`) in any letter case, also below `headers`, as clients of GraphQL send it. */
function findBearer(parameters: unknown): string | undefined {
  for (const candidate of [parameters, readMember(parameters, 'headers')]) {
    if (typeof candidate !== 'object' || candidate === null) continue;
    for (const [name, value] of Object.entries(candidate)) {
      if (name.toLowerCase() === 'authorization' && typeof value === 'string') return withoutScheme(value);
    }
  }
  return undefined;
}

function withoutScheme(value: string): string {
  const [scheme] = /^(?:Bearer|DPoP) /.exec(value) ?? [];
  return scheme === undefined ? value : value.slice(scheme.length).trim();
}

function isSource(value: unknown): value is Source {
  return isObject(readMember(value, 'headers'));
}

function isSocketIoSocket(value: unknown): value is SocketIoSocket {
  return (
    isSource(readMember(value, 'handshake')) &&
    ['once', 'emit', 'disconnect'].every((name) => typeof readMember(value, name) === 'function')
  );
}

function isWsSocket(value: unknown): value is WsSocket {
  return (
    typeof readMember(value, 'readyState') === 'number' &&
    ['once', 'send', 'close'].every((name) => typeof readMember(value, name) === 'function')
  );
}

function isFastifySocketRequest(value: unknown): value is FastifySocketRequest {
  const socket = readMember(readMember(value, 'raw'), 'socket');
  return (
    isSource(value) && readMember(value, 'ws') === true && typeof readMember(socket, 'destroy') === 'function'
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

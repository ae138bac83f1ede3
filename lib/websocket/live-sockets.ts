import { CoreUnavailableError, SessionError, TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { sessionEndTime } from '../sessions/session-lifetimes.js';
import { type Clock, Deadline } from '../util/clock.js';
import { RevocationLog, type RevocationLogScope } from '../util/revocation-log.js';
import type { SocketClient, SocketHandshake } from './socket-client.js';

/** A connection and its session. */
export interface LiveSocket {
  readonly client: SocketClient;
  readonly handshake: SocketHandshake;
  readonly deadline: Deadline;
  session: SessionContainer | undefined;
  /** When the token expires that it was opened or last renewed with, milliseconds since the epoch. */
  endMs: number;
  /** The verification of the handshake while it runs; messages that arrive meanwhile wait for it. */
  opening: Promise<SessionContainer | undefined> | undefined;
  /** Number of messages that wait for the verification. */
  waitingMessages: number;
  /** Whether the handshake is not over yet for the framework, so that the client does not count as connected. */
  isConnecting: boolean;
  isGone: boolean;
  /** The error that closed the connection; messages that still arrive get the same error. */
  end: Error | undefined;
}

export interface LiveSocketsOptions {
  readonly clock: Clock;
  readonly clockToleranceSec: number;
  readonly socketRenewalGraceSec: number;
  /** Sends the error response to the client. @returns its code */
  readonly sendError: (socket: LiveSocket, error: Error) => Promise<string>;
}

const INTERNAL_ERROR_CODE = 1011;
const CLOSE_WITHIN_MS = 2000;

/** WebSocket close codes by error code: 4000 and more are the application's, 1013 means "try again later". */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  UNAUTHORISED: 4401,
  INVALID_CLAIMS: 4403,
  TRY_REFRESH_TOKEN: 4419,
  SERVICE_UNAVAILABLE: 1013,
  BAD_GATEWAY: 1013,
  TOO_MANY_REQUESTS: 1013,
};

/** The connections of one module, by client and by session; each is closed when its session ends. */
export class LiveSockets {
  private readonly byConnection = new WeakMap<object, LiveSocket>();
  private readonly bySession = new Map<string, Set<LiveSocket>>();
  private readonly revocations = new RevocationLog();

  constructor(private readonly options: LiveSocketsOptions) {}

  /** Sessions that have a connection. */
  get sessionCount(): number {
    return this.bySession.size;
  }

  /** The sessions that have a connection, each once. */
  *sessions(): Iterable<SessionContainer> {
    for (const [socket] of this.bySession.values()) if (socket?.session !== undefined) yield socket.session;
  }

  find(connection: object): LiveSocket | undefined {
    return this.byConnection.get(connection);
  }

  add(client: SocketClient, handshake: SocketHandshake): LiveSocket {
    const socket: LiveSocket = {
      client,
      handshake,
      deadline: new Deadline(this.options.clock),
      session: undefined,
      endMs: Number.POSITIVE_INFINITY,
      opening: undefined,
      waitingMessages: 0,
      isConnecting: false,
      isGone: false,
      end: undefined,
    };
    this.byConnection.set(client.connection, socket);
    client.onClose(() => {
      socket.isGone = true;
      this.release(socket);
    });
    return socket;
  }

  /**
   * Verifies a session and holds its connection, unless the connection is closed or the session revoked meanwhile. Such a
   * revocation found no connection to close.
   */
  async holdProven(
    socket: LiveSocket,
    prove: () => Promise<SessionContainer | undefined>,
  ): Promise<SessionContainer | undefined> {
    const { mark } = this.revocations;
    const session = await prove();
    if (session === undefined) return undefined;
    if (socket.end !== undefined) throw socket.end;
    const isRevoked = this.revocations.includesSince(mark, session.getHandle(), {
      userId: session.getUserId(),
      recipeUserId: session.getRecipeUserId(),
      tenantId: session.getTenantId(),
    });
    if (isRevoked === undefined) {
      throw new CoreUnavailableError('More sessions ended than are remembered while this one was verified');
    }
    if (isRevoked) throw sessionEnded();
    this.hold(socket, session);
    return session;
  }

  /** Lets a connection work for a session until the access token that the client presented has expired. */
  hold(socket: LiveSocket, session: SessionContainer, endMs: number = sessionEndTime(session)): void {
    this.release(socket);
    socket.session = session;
    socket.endMs = endMs;
    if (socket.isGone || (socket.client.isClosed && !socket.isConnecting)) return;
    const ofSession = this.bySession.get(session.getHandle()) ?? new Set<LiveSocket>();
    this.bySession.set(session.getHandle(), ofSession.add(socket));
    const { clockToleranceSec, socketRenewalGraceSec, sendError } = this.options;
    const expiryMs = endMs + clockToleranceSec * 1000;
    socket.deadline.set(expiryMs, () => {
      const expired = tokenExpired();
      socket.deadline.set(expiryMs + socketRenewalGraceSec * 1000, () => void this.close(socket, expired));
      void sendError(socket, expired);
    });
  }

  /** Goes on with the tokens that the check of a message has made, which the client never gets: they give it no time. */
  goOn(socket: LiveSocket, session: SessionContainer): void {
    this.hold(socket, session, Math.min(socket.endMs, sessionEndTime(session)));
  }

  /** @throws {TryRefreshTokenError} the connection waits for its renewal, whatever its session has for a token by now */
  assertInTime({ endMs }: LiveSocket): void {
    const { clock, clockToleranceSec } = this.options;
    if (clock.now() >= endMs + clockToleranceSec * 1000) throw tokenExpired();
  }

  /**
   * Refuses the sessions that are being verified now, because some of them may have ended.
   *
   * @param scope the sessions that may have; undefined: any
   */
  noteUnknownEnds(scope?: RevocationLogScope): void {
    this.revocations.addUnknown(scope);
  }

  /** Closes every connection of a session. */
  endSession(sessionHandle: string): void {
    this.revocations.add(sessionHandle);
    for (const socket of this.bySession.get(sessionHandle) ?? []) void this.close(socket, sessionEnded());
  }

  /** Sends the reason to the client and closes its connection. */
  async close(socket: LiveSocket, error: Error): Promise<void> {
    if (socket.end !== undefined) return;
    socket.end = error;
    this.release(socket);
    socket.client.endSending();
    // Sending runs handlers of the application; one that hangs must not keep the connection open.
    const { clock, sendError } = this.options;
    socket.deadline.set(clock.now() + CLOSE_WITHIN_MS, () =>
      socket.client.close({ code: INTERNAL_ERROR_CODE, reason: '' }),
    );
    const reason = await sendError(socket, error);
    socket.deadline.clear();
    socket.client.close({ code: CLOSE_CODES[reason] ?? INTERNAL_ERROR_CODE, reason });
  }

  /** Forgets all connections without closing them, and stops every timer. */
  clear(): void {
    for (const sockets of this.bySession.values()) for (const socket of sockets) socket.deadline.clear();
    this.bySession.clear();
  }

  private release(socket: LiveSocket): void {
    socket.deadline.clear();
    const handle = socket.session?.getHandle();
    const ofSession = handle === undefined ? undefined : this.bySession.get(handle);
    if (handle === undefined || ofSession === undefined) return;
    ofSession.delete(socket);
    if (ofSession.size === 0) this.bySession.delete(handle);
  }
}

function tokenExpired(): SessionError {
  return new TryRefreshTokenError('The access token of the connection has expired');
}

function sessionEnded(): SessionError {
  return new UnauthorisedError('The session of the connection has ended');
}

import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { RateLimitedError, UnauthorisedError } from '../errors.js';
import { LiveSockets, type LiveSocket } from './live-sockets.js';
import { SessionEvents } from '../events/session-events.js';
import { CapturedResponse } from '../http/captured-response.js';
import { checkArguments } from '../options/call-arguments.js';
import { CONNECTION_CALLS } from '../sessions/call-inputs.js';
import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_RUNTIME } from '../session.constants.js';
import { Clock } from '../util/clock.js';
import { withRequest } from '../util/user-context.js';
import {
  exceptionEvent,
  findGatewayClient,
  findGraphqlClient,
  type SocketClient,
  type SocketHandshake,
} from './socket-client.js';
import { SocketRecovery } from './socket-recovery.js';
import { readHandshake } from './socket-handshake.js';
import { isHandledError, type ErrorResponse, type HandledError } from '../sessions/error-rules.js';
import { errorReason } from '../events/printable.js';

/**
 * The rules for admitting a connection.
 *
 * @publicApi
 */
export interface SocketAdmissionOptions {
  /** Whether a connection without a session is refused. Default true. */
  sessionRequired?: boolean;
  /** Whether the core must confirm that the session exists. Default true: a connection outlives many requests. */
  checkDatabase?: boolean;
  /** Replaces the global claim validators for the admission. */
  overrideGlobalClaimValidators?: NonNullable<VerifySessionOptions['overrideGlobalClaimValidators']>;
}

/** The most messages of one connection that wait for its handshake; further ones are refused. */
const MAX_WAITING_MESSAGES = 1000;

/**
 * The sessions of WebSocket connections: verified at the handshake and again with every message that `SessionGuard`
 * sees, and closed when the session ends. When its access token expires, a connection has `socketRenewalGraceSec` to go on
 * with a new one ({@link renew}); then it is closed.
 *
 * @example
 * async handleConnection(client: Socket) {
 *   const session = await this.sockets.admit(client); // with `ws`: admit(client, request)
 *   if (session) await client.join(session.getUserId());
 * }
 * @publicApi
 */
@Injectable()
export class SessionSockets implements OnApplicationShutdown {
  private readonly logger = new Logger('SessionModule');
  private readonly live: LiveSockets;
  private readonly endings: Subscription;
  private readonly recovery = new SocketRecovery((connection) => this.sessionOf(connection)?.getHandle());

  constructor(
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    @Inject(RESOLVED_SESSION_OPTIONS)
    {
      clockToleranceSec,
      socketRenewalGraceSec,
    }: Pick<ResolvedSessionOptions, 'clockToleranceSec' | 'socketRenewalGraceSec'>,
    clock: Clock,
    events: SessionEvents,
  ) {
    const sendError = async (socket: LiveSocket, error: Error): Promise<string> =>
      this.sendError(socket, error);
    this.live = new LiveSockets({ clock, clockToleranceSec, socketRenewalGraceSec, sendError });
    this.endings = events.endings.subscribe((sessionHandle) => this.live.endSession(sessionHandle));
    events.connections.add({
      sessions: () => this.live.sessions(),
      noteUnknownEnds: (scope) => this.live.noteUnknownEnds(scope),
    });
  }

  /**
   * Verifies the session of a new connection, and closes the connection if the session is refused. Call it first in
   * `handleConnection`; messages that arrive meanwhile wait for it.
   *
   * @param client the client of a gateway: a socket of socket.io or of `ws`; or the context of `graphql-ws` in `onConnect`
   * @param request the upgrade request, second argument of `handleConnection`; needed for `ws` only
   * @returns undefined when the connection was refused, and where a session is not required and there is none
   * @throws {TypeError} the client is none of these, or the request of a `ws` client is missing
   */
  @checkArguments(CONNECTION_CALLS.admit)
  async admit(
    client: object,
    request?: object,
    options: SocketAdmissionOptions = {},
  ): Promise<SessionContainer | undefined> {
    const found = findGatewayClient(client, request) ?? findGraphqlClient(client);
    const socket = found && this.findLiveSocket(found);
    if (socket === undefined) throw unknownClient();
    this.recovery.takeOver(client);
    if (socket.session === undefined) socket.client.hold();
    try {
      const session = await this.open(socket, options);
      if (socket.opening === undefined) socket.client.release(); // several gateways may share the connection
      return session;
    } catch (error) {
      await this.live.close(socket, error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  /**
   * Returns {@link admit} as a middleware of socket.io, for `server.use` in `afterInit`: a client that is refused never
   * connects, and gets `connect_error` with the exception as `data`. Only after it socket.io recovers a connection that broke
   * off (`connectionStateRecovery`), and only if it goes on with the same session.
   *
   * @example
   * afterInit(server: Server) {
   *   server.use(this.sockets.middleware());
   * }
   */
  middleware(options: SocketAdmissionOptions = {}): (client: object, next: (error?: Error) => void) => void {
    return (client, next) => {
      void this.admitBeforeConnecting(client, options)
        .then(
          () => undefined,
          async (error: unknown) => this.connectError(client, error),
        )
        // oxlint-disable-next-line promise/no-callback-in-promise -- socket.io's form of a middleware
        .then(next);
    };
  }

  /**
   * Goes on with a new access token of the same session, which the client got by refreshing. A connection without a session
   * gets one this way.
   *
   * @param accessToken the value that the client sent; a value that is no token is refused
   * @throws {UnauthorisedError} the value is no token, belongs to another session, or needs a proof (`deviceBound`)
   * @throws {TryRefreshTokenError} the token has expired
   * @throws {TypeError} the connection was never admitted
   */
  @checkArguments(CONNECTION_CALLS.renew)
  async renew(client: object, accessToken: unknown): Promise<SessionContainer> {
    const socket = this.live.find(client);
    if (socket === undefined) throw unknownClient();
    if (socket.end !== undefined) throw socket.end;
    const token = typeof accessToken === 'string' ? accessToken : undefined;
    const session = await this.live.holdProven(socket, async () => {
      const proven = await this.verify(socket, token, { checkDatabase: true });
      const held = socket.session?.getHandle();
      if (held === undefined) this.runtime.assertNeedsNoProof(proven?.getAccessTokenPayload());
      if (held === undefined || held === proven?.getHandle()) return proven;
      throw new UnauthorisedError('The token belongs to another session', { clearTokens: false });
    });
    if (session === undefined)
      throw new UnauthorisedError('There is no access token', { clearTokens: false });
    return session;
  }

  /** Returns the session of a connection, as it was last verified; undefined where there is none. */
  sessionOf(client: object): SessionContainer | undefined {
    const socket = this.live.find(client);
    return socket?.end === undefined ? socket?.session : undefined;
  }

  /**
   * @internal Returns the session for one message, verified by the rules of its handler.
   * @throws {TypeError} the client was not admitted and does not carry its handshake
   */
  async sessionForMessage(
    client: SocketClient,
    options: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const socket = this.findLiveSocket(client);
    if (socket === undefined) throw unknownClient();
    const session = await this.openedSession(socket);
    if (session === undefined) {
      if (options.sessionRequired === false) return undefined;
      throw new UnauthorisedError('The connection has no session', { clearTokens: false });
    }
    const verified = await this.verify(socket, session.getAccessToken(), options);
    if (socket.end !== undefined) throw socket.end;
    this.live.assertInTime(socket);
    if (verified === undefined || socket.session !== session) return verified; // renewed meanwhile
    // One container for all messages, so that each sees what another changed, until a check brings a new token.
    if (!verified.getAllSessionTokensDangerously().accessAndFrontTokenUpdated) return session;
    this.live.goOn(socket, verified);
    return verified;
  }

  /** @internal Returns whether this client was admitted, or carries its handshake. */
  isKnown(client: SocketClient): boolean {
    return client.handshake !== undefined || this.live.find(client.connection) !== undefined;
  }

  onApplicationShutdown(): void {
    this.endings.unsubscribe();
    this.live.clear();
  }

  private async admitBeforeConnecting(client: object, options: SocketAdmissionOptions): Promise<void> {
    const found = findGatewayClient(client);
    const socket = found && this.findLiveSocket(found);
    if (socket === undefined) throw unknownClient();
    this.recovery.takeOver(client);
    socket.isConnecting = true;
    const session = await this.open(socket, options);
    if (session !== undefined)
      await this.recovery.recover(client, session.getHandle(), () => socket.end === undefined);
    if (socket.end !== undefined) throw socket.end;
  }

  /** Returns a refusal as socket.io sends it from a middleware. */
  private async connectError(client: object, error: unknown): Promise<Error> {
    try {
      const handshake = this.live.find(client)?.handshake;
      if (handshake === undefined || !isHandledError(error)) throw error;
      const response = await this.captureError(handshake, error);
      return Object.assign(new Error(response.message), { data: exceptionEvent(response) });
    } catch (failure) {
      this.logger.error(errorReason(failure));
      return new Error('Internal server error');
    }
  }

  private async captureError(handshake: SocketHandshake, error: HandledError): Promise<ErrorResponse> {
    const { config, prepareContext, errorResponder } = this.runtime;
    const { request } = readHandshake(handshake, config, prepareContext());
    return errorResponder.capture(error, { request, response: undefined });
  }

  private findLiveSocket(client: SocketClient): LiveSocket | undefined {
    const known = this.live.find(client.connection);
    return known ?? (client.handshake && this.live.add(client, client.handshake));
  }

  /** Returns the session of a connection, which the first message opens if `admit` did not. */
  private async openedSession(socket: LiveSocket): Promise<SessionContainer | undefined> {
    if (socket.opening !== undefined) return this.afterOpening(socket, socket.opening);
    if (socket.end !== undefined) throw socket.end;
    if (socket.session !== undefined) return socket.session;
    // Only the token counts here; the rules of the handler are checked next.
    return this.open(socket, { sessionRequired: false, overrideGlobalClaimValidators: () => [] });
  }

  /** Bounds the messages that wait while an unverified connection opens: the core decides how long, the client how many. */
  private async afterOpening(
    socket: LiveSocket,
    opening: NonNullable<LiveSocket['opening']>,
  ): Promise<SessionContainer | undefined> {
    if (socket.waitingMessages >= MAX_WAITING_MESSAGES) throw new RateLimitedError(1);
    socket.waitingMessages++;
    try {
      return await opening;
    } finally {
      socket.waitingMessages--;
    }
  }

  /** Verifies each opening by its own options, so that none profits from the laxer ones of another. */
  private async open(
    socket: LiveSocket,
    options: SocketAdmissionOptions,
  ): Promise<SessionContainer | undefined> {
    const before = socket.opening;
    const opening = this.openAfter(before, socket, options).finally(() => {
      if (socket.opening === opening) socket.opening = undefined;
    });
    socket.opening = opening;
    return opening;
  }

  private async openAfter(
    before: LiveSocket['opening'],
    socket: LiveSocket,
    options: SocketAdmissionOptions,
  ): Promise<SessionContainer | undefined> {
    await before?.catch(() => undefined); // its own caller gets the error
    if (socket.end !== undefined) throw socket.end;
    return this.live.holdProven(socket, async () =>
      this.verifyHandshake(socket, { checkDatabase: true, ...options }),
    );
  }

  private async verifyHandshake(
    { handshake }: LiveSocket,
    options: SocketAdmissionOptions,
  ): Promise<SessionContainer | undefined> {
    const { api, config, prepareContext } = this.runtime;
    const userContext = prepareContext();
    const { request, areCookiesRefused } = readHandshake(handshake, config, userContext);
    try {
      return await api.verifySession({
        verifySessionOptions: { ...options, antiCsrfCheck: false }, // the origin check takes its place
        // A socket cannot receive new tokens. They are kept here; those of the client stay valid.
        options: this.runtime.apiOptions({ request, response: new CapturedResponse() }),
        userContext,
      });
    } catch (error) {
      if (!areCookiesRefused || !(error instanceof UnauthorisedError)) throw error;
      throw new UnauthorisedError('The handshake came from an origin whose cookies do not count', {
        clearTokens: false,
        cause: error,
      });
    }
  }

  private async verify(
    { handshake }: LiveSocket,
    accessToken: string | undefined,
    options: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const { verbs, config, prepareContext } = this.runtime;
    const userContext = prepareContext();
    withRequest(userContext, readHandshake(handshake, config, userContext).request);
    return verbs.verify.fromToken(
      { accessToken, antiCsrfToken: undefined },
      { ...options, antiCsrfCheck: false },
      userContext,
    );
  }

  /**
   * Sends the error response as an event. It never fails, because a connection must be closed whatever happens to the
   * event.
   *
   * @returns the code of the error
   */
  private async sendError({ client, handshake }: LiveSocket, error: Error): Promise<string> {
    try {
      if (!isHandledError(error)) throw error;
      const response = await this.captureError(handshake, error);
      client.sendEvent('exception', exceptionEvent(response));
      return response.code;
    } catch (failure) {
      this.logger.error(errorReason(failure));
      return 'INTERNAL_ERROR';
    }
  }
}

function unknownClient(): TypeError {
  return new TypeError(
    'SessionSockets needs what handleConnection gets: the client, and of the ws platform the request, too. ' +
      'Call admit(client, request) there before anything else.',
  );
}

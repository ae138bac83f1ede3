import { readMember } from '../util/json.js';

/** A connection of socket.io that broke off, as its adapter keeps it, and the session that it had. */
interface StoredConnection {
  readonly sid: string;
  readonly rooms: readonly string[];
  readonly data: unknown;
  readonly missedPackets: readonly unknown[];
  readonly sessionHandle?: string | undefined;
}

type Restore = (pid: string, offset: string) => Promise<StoredConnection | null> | null;

/** The members that we use of an adapter of socket.io. */
interface RecoveringAdapter {
  readonly nsp: { readonly sockets: ReadonlyMap<string, object> };
  persistSession(connection: StoredConnection): void;
  restoreSession: Restore;
}

/** The members that we use of a socket of socket.io. */
interface RecoverableSocket {
  readonly adapter: RecoveringAdapter;
  readonly handshake: { readonly auth: unknown };
  data: unknown;
  pid?: string;
  recovered: boolean;
  join(rooms: string[]): unknown;
  packet(packet: { type: number; data: unknown }): void;
}

/** `EVENT` of the protocol of socket.io. */
const EVENT = 2;

/**
 * Recovers connections of socket.io after their admission. By itself socket.io restores the rooms of a connection and sends
 * what it missed before any code of the application has seen the handshake, to whoever knows its private id.
 */
export class SocketRecovery {
  private readonly originals = new WeakMap<object, Restore>();

  /** @param sessionHandleOf returns the session of a socket that is connected */
  constructor(private readonly sessionHandleOf: (connection: object) => string | undefined) {}

  /** Keeps socket.io from restoring connections of the namespace of a socket by itself. */
  takeOver(socket: object): void {
    const adapter = readMember(socket, 'adapter');
    if (!isRecoveringAdapter(adapter) || this.originals.has(adapter)) return;
    const persist = adapter.persistSession.bind(adapter);
    this.originals.set(adapter, adapter.restoreSession.bind(adapter));
    adapter.persistSession = (connection) => {
      const connected = adapter.nsp.sockets.get(connection.sid);
      const sessionHandle = connected && this.sessionHandleOf(connected);
      persist({ ...connection, sessionHandle });
    };
    adapter.restoreSession = () => null;
  }

  /**
   * Restores the rooms of a socket and sends what it missed, if it goes on with a connection of the same session.
   *
   * @param isAdmitted whether the session has not ended meanwhile
   */
  async recover(connection: object, sessionHandle: string, isAdmitted: () => boolean): Promise<void> {
    const socket = connection as RecoverableSocket;
    const pid = readMember(socket.handshake.auth, 'pid');
    const offset = readMember(socket.handshake.auth, 'offset');
    if (typeof pid !== 'string' || typeof offset !== 'string') return;
    const stored = await this.originals.get(socket.adapter)?.(pid, offset);
    if (!stored || stored.sessionHandle !== sessionHandle || !isAdmitted()) return;
    void socket.join(stored.rooms.filter((room) => room !== stored.sid));
    socket.data = stored.data;
    socket.pid = pid; // by which the client sees that it has been recovered
    socket.recovered = true;
    for (const data of stored.missedPackets) socket.packet({ type: EVENT, data });
  }
}

function isRecoveringAdapter(adapter: unknown): adapter is RecoveringAdapter {
  return (
    ['persistSession', 'restoreSession'].every((name) => typeof readMember(adapter, name) === 'function') &&
    typeof readMember(readMember(readMember(adapter, 'nsp'), 'sockets'), 'get') === 'function'
  );
}

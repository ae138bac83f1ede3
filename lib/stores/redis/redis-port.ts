import { setTimeout as delay } from 'node:timers/promises';

import type { ListeningConnection } from '../listening.js';

/** The store's port to a client. Commands go to the primary that has the key. */
export interface RedisPort {
  readonly description: string;
  readonly isCluster: boolean;
  /** Prepares the client for commands. */
  open(): Promise<void>;
  /**
   * Resolves when a client that is connecting again has connected, to the primary of this key; undefined while it is connected.
   * Clients keep commands until then, and would write what the caller has long given up.
   */
  whenReady(key: string): Promise<void> | undefined;
  send(key: string, command: readonly string[]): Promise<unknown>;
  /** Sends a command to each primary. */
  sendToPrimaries(command: readonly string[]): Promise<unknown[]>;
  /**
   * Sends two commands over one connection of their own, the second right behind the first, because it waits for what the
   * first has written; other commands do not wait for it.
   */
  sendBoth(key: string, first: readonly string[], second: readonly string[]): Promise<[unknown, unknown]>;
  /**
   * Begins to listen on a channel, on a connection of its own; undefined where the client cannot make one.
   *
   * @param onLost called when the connection is lost, as far as the client tells
   */
  readonly listen?:
    | ((channel: string, onMessage: (content: string) => void, onLost: () => void) => ListeningConnection)
    | undefined;
  /** Connects anew to whichever server is the primary now, where the client cannot find it by itself. */
  reconnect(): void;
  /** Closes what `open` and `sendBoth` opened. */
  close(): Promise<void>;
}

/** A command with its arguments. */
export type Command = readonly string[];
/** The events that the ports listen to. */
export interface Events {
  on(event: string, listener: (...args: never[]) => void): unknown;
}

const READINESS_PAUSE_MS = 20;

/** One wait until a client has connected, however many calls wait for it: by looking, because not all clients report it. */
export class Readiness {
  private waiting: Promise<void> | undefined;

  constructor(private readonly isConnecting: () => boolean) {}

  wait(): Promise<void> | undefined {
    if (this.isConnecting()) this.waiting ??= this.look();
    return this.waiting;
  }

  private async look(): Promise<void> {
    while (this.isConnecting()) await delay(READINESS_PAUSE_MS, undefined, { ref: false });
    this.waiting = undefined;
  }
}

/** Names the server as far as its client says it: never the user, the password or the parameters. */
export function describeServer(isCluster: boolean, host?: unknown, port: unknown = 6379): string {
  const kind = isCluster ? 'a Redis cluster' : 'Redis';
  if (typeof host !== 'string') return kind;
  if (!host.includes('://')) return `${kind} at ${host}:${String(port)}`;
  return URL.canParse(host) ? `${kind} at ${new URL(host).host || 'this machine'}` : kind;
}

/** Returns whether this is an object with these methods. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

/** Ignores the error of a connection, because the command under way or the next one is rejected with it. */
export function ignore(): void {}

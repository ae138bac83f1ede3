/**
 * A client that `redisStore` accepts: of `redis` (node-redis) one of `createClient`, `createClientPool`, `createCluster` or
 * `createSentinel`; of `ioredis` a `Redis`, with Sentinels or without, or a `Cluster`; of `@valkey/valkey-glide` a
 * `GlideClient` or a `GlideClusterClient`. The methods are those that tell them apart.
 *
 * @publicApi
 */
export type RedisClient =
  | { sendCommand(...args: never[]): Promise<unknown>; connect(): Promise<unknown> }
  | { call(command: string, ...args: string[]): Promise<unknown>; pipeline(commands: string[][]): object }
  | { customCommand(args: string[]): Promise<unknown> };

/** The store's port to a client. Commands go to the primary that has the key. */
export interface RedisPort {
  readonly description: string;
  readonly isCluster: boolean;
  /** Prepares the client for commands. */
  open(): Promise<void>;
  send(key: string, command: readonly string[]): Promise<unknown>;
  /** Sends a command to each primary. */
  sendToPrimaries(command: readonly string[]): Promise<unknown[]>;
  /**
   * Sends two commands over one connection of their own, the second right behind the first, because it waits for what the
   * first has written; other commands do not wait for it.
   */
  sendBoth(key: string, first: readonly string[], second: readonly string[]): Promise<[unknown, unknown]>;
  /** Connects anew to whichever server is the primary now, where the client cannot find it by itself. */
  reconnect(): void;
  /** Closes what `open` and `sendBoth` opened. */
  close(): Promise<void>;
}

/** @throws {TypeError} this is no client that the store knows */
export function redisPort(client: object): RedisPort {
  if (hasMethods(client, 'customCommand')) return new GlidePort(client as GlideClient);
  if (hasMethods(client, 'call', 'pipeline', 'duplicate')) return new IoRedisPort(client as IoClient);
  if (hasMethods(client, 'sendCommand', 'connect', 'on')) return new NodeRedisPort(client as NodeClient);
  throw new TypeError(
    'redisStore: give it a client: createClient() or createCluster() of redis, new Redis() or new Cluster() of ioredis, or ' +
      'a client of @valkey/valkey-glide',
  );
}

type Command = readonly string[];
type Events = { on(event: 'error', listener: (error: Error) => void): unknown };

/** All kinds of clients of node-redis, with the methods that only some of them have. */
interface NodeClient extends Events {
  readonly isOpen: boolean;
  readonly options?: {
    readonly url?: unknown;
    readonly socket?: { readonly host?: unknown; readonly port?: unknown };
  };
  connect(): Promise<unknown>;
  duplicate?(): NodeClient;
  destroy(): unknown;
  /** Arguments: of a client and a pool the command; of a Sentinel isReadonly before it; of a cluster the key before that. */
  sendCommand(...args: unknown[]): Promise<unknown>;
  /** Sentinel only: lends a connection to the primary. */
  use?<T>(work: (client: NodeClient) => Promise<T>): Promise<T>;
  /** Pool only: lends a connection. */
  execute?<T>(work: (client: NodeClient) => Promise<T>): Promise<T>;
  /** Cluster only. */
  readonly masters?: readonly object[];
  nodeClient?(node: object): Promise<NodeClient>;
}

/** Recognises by what only a cluster has, and by what a Sentinel has besides. */
class NodeRedisPort implements RedisPort {
  readonly description: string;
  readonly isCluster: boolean;
  private readonly kind: 'client' | 'cluster' | 'sentinel';
  private waiting: Promise<NodeClient> | undefined;
  private hasConnected = false;

  constructor(private readonly client: NodeClient) {
    this.isCluster = hasMethods(client, 'nodeClient');
    this.kind = this.isCluster ? 'cluster' : hasMethods(client, 'use') ? 'sentinel' : 'client';
    const { url, socket } = client.options ?? {};
    this.description = describeServer(this.isCluster, url ?? socket?.host, socket?.port);
    client.on('error', ignore);
  }

  async open(): Promise<void> {
    if (this.client.isOpen) return;
    this.hasConnected = true;
    await this.client.connect();
  }

  async send(key: string, command: Command): Promise<unknown> {
    return this.sendOver(this.client, key, command);
  }

  async sendToPrimaries(command: Command): Promise<unknown[]> {
    const { masters = [] } = this.client;
    if (this.kind !== 'cluster') return [await this.send('', command)];
    return Promise.all(
      masters.map(async (node) => (await this.client.nodeClient?.(node))?.sendCommand([...command])),
    );
  }

  async sendBoth(key: string, first: Command, second: Command): Promise<[unknown, unknown]> {
    const both = async (client: NodeClient): Promise<[unknown, unknown]> =>
      Promise.all([this.sendOver(client, key, first), this.sendOver(client, key, second)]);
    if (this.client.use !== undefined) return this.client.use(both);
    if (this.client.execute !== undefined) return this.client.execute(both);
    this.waiting ??= connectOnce(this.client, (failed) => {
      if (this.waiting === failed) this.waiting = undefined;
    });
    return both(await this.waiting);
  }

  /** Does nothing: a cluster and a Sentinel find the primary by themselves, and a client has only one address. */
  reconnect(): void {}

  async close(): Promise<void> {
    const waiting = await this.waiting?.catch(() => undefined);
    this.waiting = undefined;
    waiting?.destroy();
    if (this.hasConnected && this.client.isOpen) this.client.destroy();
    this.hasConnected = false;
  }

  private async sendOver(client: NodeClient, key: string, command: Command): Promise<unknown> {
    if (this.kind === 'cluster') return client.sendCommand(key, false, [...command]);
    return this.kind === 'sentinel'
      ? client.sendCommand(false, [...command])
      : client.sendCommand([...command]);
  }
}

/** Opens a second client; a failure is not kept. */
function connectOnce(client: NodeClient, forget: (failed: Promise<NodeClient>) => void): Promise<NodeClient> {
  const connecting = (async () => {
    const second = client.duplicate?.();
    if (second === undefined) throw new TypeError('redisStore: this client cannot be duplicated');
    second.on('error', ignore);
    await second.connect();
    return second;
  })();
  connecting.catch(() => forget(connecting));
  return connecting;
}

interface IoClient extends Events {
  readonly isCluster?: boolean;
  readonly status: string;
  readonly options: {
    readonly host?: unknown;
    readonly port?: unknown;
    readonly sentinels?: unknown;
  };
  call(command: string, ...args: string[]): Promise<unknown>;
  pipeline(commands: string[][]): { exec(): Promise<[Error | null, unknown][] | null> };
  duplicate(): IoClient;
  /** Cluster only. */
  nodes?(role: 'master'): IoClient[];
  disconnect(isReconnecting?: boolean): void;
}

class IoRedisPort implements RedisPort {
  readonly description: string;
  readonly isCluster: boolean;
  private waiting: IoClient | undefined;

  constructor(private readonly client: IoClient) {
    this.isCluster = client.isCluster === true;
    const { host, port, sentinels } = client.options;
    this.description = describeServer(this.isCluster, Array.isArray(sentinels) ? undefined : host, port);
    client.on('error', ignore);
  }

  /** Does nothing, because the client connects by itself. */
  async open(): Promise<void> {}

  async send(_key: string, [name = '', ...args]: Command): Promise<unknown> {
    return this.client.call(name, ...args);
  }

  async sendToPrimaries([name = '', ...args]: Command): Promise<unknown[]> {
    if (!this.isCluster) return [await this.client.call(name, ...args)];
    await this.client.call('EXISTS', 'nest-sessions'); // waits until the client knows the nodes
    return Promise.all((this.client.nodes?.('master') ?? []).map(async (node) => node.call(name, ...args)));
  }

  /** Uses a pipeline, which goes to one node but follows no redirection: a plain command finds the new place then. */
  async sendBoth(key: string, first: Command, second: Command): Promise<[unknown, unknown]> {
    const waiting = (this.waiting ??= this.duplicate());
    const results = await waiting
      .pipeline([
        ['call', ...first],
        ['call', ...second],
      ])
      .exec();
    const [[firstError, firstReply] = [null], [secondError, secondReply] = [null]] = results ?? [];
    if (firstError?.message.startsWith('MOVED')) await waiting.call('EXISTS', key);
    const error = firstError ?? secondError;
    if (error) throw error;
    return [firstReply, secondReply];
  }

  /** Reconnects once for all the commands that a demoted server has refused. */
  reconnect(): void {
    for (const client of [this.client, this.waiting])
      if (!this.isCluster && client?.status === 'ready') client.disconnect(true);
  }

  private duplicate(): IoClient {
    const client = this.client.duplicate();
    client.on('error', ignore);
    return client;
  }

  async close(): Promise<void> {
    this.waiting?.disconnect();
    this.waiting = undefined;
  }
}

type GlideRoute = 'allPrimaries' | { readonly type: 'primarySlotKey'; readonly key: string };

interface GlideClient {
  customCommand(args: string[], options?: { readonly route: GlideRoute }): Promise<unknown>;
}

class GlidePort implements RedisPort {
  readonly isCluster: boolean;

  constructor(private readonly client: GlideClient) {
    this.isCluster = hasMethods(client, 'fcallWithRoute');
  }

  get description(): string {
    return describeServer(this.isCluster);
  }

  /** Does nothing, because a client of glide is connected from the beginning. */
  async open(): Promise<void> {}

  async send(key: string, command: Command): Promise<unknown> {
    const route = { type: 'primarySlotKey', key } as const;
    return this.isCluster
      ? this.client.customCommand([...command], { route })
      : this.client.customCommand([...command]);
  }

  /** A cluster answers with an object, or with a list of entries, by node. */
  async sendToPrimaries(command: Command): Promise<unknown[]> {
    if (!this.isCluster) return [await this.client.customCommand([...command])];
    const replies = await this.client.customCommand([...command], { route: 'allPrimaries' });
    if (!Array.isArray(replies)) return Object.values(Object(replies) as Record<string, unknown>);
    return replies.map((entry: { readonly value?: unknown } | null) => entry?.value);
  }

  /** One after the other: glide has one connection for each node, but does not promise an order. */
  async sendBoth(key: string, first: Command, second: Command): Promise<[unknown, unknown]> {
    return [await this.send(key, first), await this.send(key, second)];
  }

  /** Does nothing, because glide finds the primary by itself. */
  reconnect(): void {}

  async close(): Promise<void> {}
}

/** Names the server as far as its client says it: never the user, the password or the parameters. */
function describeServer(isCluster: boolean, host?: unknown, port: unknown = 6379): string {
  const kind = isCluster ? 'a Redis cluster' : 'Redis';
  if (typeof host !== 'string') return kind;
  if (!host.includes('://')) return `${kind} at ${host}:${String(port)}`;
  return URL.canParse(host) ? `${kind} at ${new URL(host).host || 'this machine'}` : kind;
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

/** Ignores the error of a connection, because the command under way or the next one is rejected with it. */
function ignore(): void {}

import { NodeRedisPort, type NodeClient } from './node-redis-port.js';
import {
  describeServer,
  hasMethods,
  ignore,
  Readiness,
  type Command,
  type Events,
  type RedisPort,
} from './redis-port.js';

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
  /** Arguments: of a `Redis` the options, of a `Cluster` the nodes before them. */
  duplicate(...args: unknown[]): IoClient;
  subscribe(channel: string): Promise<unknown>;
  /** Cluster only. */
  nodes?(role: 'master'): IoClient[];
  disconnect(isReconnecting?: boolean): void;
}

class IoRedisPort implements RedisPort {
  readonly description: string;
  readonly isCluster: boolean;
  private readonly readiness: Readiness;
  private waiting: IoClient | undefined;

  constructor(private readonly client: IoClient) {
    this.isCluster = client.isCluster === true;
    const { host, port, sentinels } = client.options;
    this.description = describeServer(this.isCluster, Array.isArray(sentinels) ? undefined : host, port);
    this.readiness = new Readiness(() => /connect|close/.test(client.status));
    client.on('error', ignore);
  }

  whenReady(): Promise<void> | undefined {
    return this.readiness.wait();
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

  readonly listen: RedisPort['listen'] = (channel, onMessage, onLost) => {
    const options = { enableOfflineQueue: true, lazyConnect: false };
    const listener = this.duplicate(...(this.isCluster ? [[], options] : [options]));
    for (const event of ['close', 'end']) listener.on(event, () => onLost());
    listener.on('message', (_channel: string, content: string) => onMessage(content));
    return { ready: listener.subscribe(channel), close: () => listener.disconnect() };
  };

  /** Reconnects once for all the commands that a demoted server has refused. */
  reconnect(): void {
    for (const client of [this.client, this.waiting])
      if (!this.isCluster && client?.status === 'ready') client.disconnect(true);
  }

  private duplicate(...args: unknown[]): IoClient {
    const client = this.client.duplicate(...args);
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

  /** Leaves it to glide, which refuses commands after its own `requestTimeout`. */
  whenReady(): undefined {}

  /** Does nothing, because a client of glide is connected from the beginning. */
  async open(): Promise<void> {}

  async send(key: string, command: Command): Promise<unknown> {
    const route = { type: 'primarySlotKey', key } as const;
    return this.isCluster
      ? this.client.customCommand([...command], { route })
      : this.client.customCommand([...command]);
  }

  /** A cluster returns an object, or a list of entries, by node. */
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

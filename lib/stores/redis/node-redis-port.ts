import { setTimeout as delay } from 'node:timers/promises';
import { SingleFlight } from '../../util/single-flight.js';
import { keySlot } from './redis-layout.js';
import {
  describeServer,
  hasMethods,
  ignore,
  Readiness,
  type Command,
  type Events,
  type RedisPort,
} from './redis-port.js';

const REDISCOVERY_PAUSE_MS = 100;
/** Keys that are tried to find one of another node. */
const MAX_ROUTES = 100;

/** All kinds of clients of node-redis, with the methods that only some of them have. */
export interface NodeClient extends Events {
  readonly isOpen: boolean;
  /** Neither a cluster nor a pool has it. */
  readonly isReady?: boolean;
  readonly options?: {
    readonly url?: unknown;
    readonly socket?: { readonly host?: unknown; readonly port?: unknown };
  };
  connect(): Promise<unknown>;
  duplicate?(): NodeClient;
  destroy(): unknown;
  /** A pool has none. */
  subscribe?(channel: string, listener: (content: string) => void): Promise<void>;
  unsubscribe?(channel: string, listener: (content: string) => void): Promise<void>;
  /** Arguments: of a client and a pool the command; of a Sentinel isReadonly before it; of a cluster the key before that. */
  sendCommand(...args: unknown[]): Promise<unknown>;
  /** Sentinel only: lends a connection to the primary. */
  use?<T>(work: (client: NodeClient) => Promise<T>): Promise<T>;
  /** Pool only: lends a connection. */
  execute?<T>(work: (client: NodeClient) => Promise<T>): Promise<T>;
  /** Cluster only. */
  readonly masters?: readonly object[];
  /** Cluster only: the nodes of each slot; a client that is not connected yet is absent. */
  readonly slots?: readonly { readonly master?: { readonly client?: { readonly isReady: boolean } } }[];
  nodeClient?(node: object): Promise<NodeClient>;
}

/** Recognises by what only a cluster has, and by what a Sentinel has besides. */
export class NodeRedisPort implements RedisPort {
  readonly description: string;
  readonly isCluster: boolean;
  private readonly kind: 'client' | 'cluster' | 'sentinel';
  private readonly readiness: Readiness;
  private waiting: Promise<NodeClient> | undefined;
  private hasConnected = false;
  private readonly look = new SingleFlight(async (key: string) => this.rediscover(key));

  constructor(private readonly client: NodeClient) {
    this.isCluster = hasMethods(client, 'nodeClient');
    this.kind = this.isCluster ? 'cluster' : hasMethods(client, 'use') ? 'sentinel' : 'client';
    const { url, socket } = client.options ?? {};
    this.description = describeServer(this.isCluster, url ?? socket?.host, socket?.port);
    this.readiness = new Readiness(() => client.isOpen && client.isReady === false);
    client.on('error', ignore);
  }

  whenReady(key: string): Promise<void> | undefined {
    if (!this.isCluster) return this.readiness.wait();
    return this.isDown(key) ? this.untilUp(key) : undefined;
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

  /** A cluster and a Sentinel have a connection for it beside the others; a client has none, so that it takes a second one. */
  get listen(): RedisPort['listen'] {
    if (!hasMethods(this.client, 'subscribe', 'unsubscribe')) return undefined;
    return (channel, onMessage, onLost) => {
      const listener = (content: string): void => onMessage(content);
      if (this.kind !== 'client') {
        const ready = this.open().then(async () => this.client.subscribe?.(channel, listener));
        return { ready, close: async () => this.client.unsubscribe?.(channel, listener) };
      }
      const second = duplicate(this.client);
      for (const event of ['error', 'end', 'reconnecting']) second.on(event, () => onLost());
      const ready = second.connect().then(async () => second.subscribe?.(channel, listener));
      return { ready, close: () => second.isOpen && second.destroy() };
    };
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

  private isDown(key: string): boolean {
    return this.client.slots?.[keySlot(key)]?.master?.client?.isReady === false;
  }

  private async untilUp(key: string): Promise<void> {
    while (this.client.isOpen && this.isDown(key)) {
      await this.look.run(key);
    }
  }

  /**
   * Lets a cluster client ask for the nodes again, which it does only when a node redirects it: so a command for the key goes to a node
   * that cannot have it. Without that, the client would wait for a node that is gone (redis/node-redis#2806).
   */
  private async rediscover(key: string): Promise<void> {
    const { slots = [] } = this.client;
    for (let n = 0; n < MAX_ROUTES; n++) {
      if (slots[keySlot(`${n}`)]?.master?.client?.isReady !== true) continue;
      this.client.sendCommand(`${n}`, false, ['EXISTS', key]).catch(ignore); // ends after many redirections
      break;
    }
    await delay(REDISCOVERY_PAUSE_MS, undefined, { ref: false });
  }

  private async sendOver(client: NodeClient, key: string, command: Command): Promise<unknown> {
    if (this.kind === 'cluster') return client.sendCommand(key, false, [...command]);
    return this.kind === 'sentinel'
      ? client.sendCommand(false, [...command])
      : client.sendCommand([...command]);
  }
}

function duplicate(client: NodeClient): NodeClient {
  const second = client.duplicate?.();
  if (second === undefined) throw new TypeError('redisStore: this client cannot be duplicated');
  second.on('error', ignore);
  return second;
}

/** Opens a second client; a failure is not kept. */
function connectOnce(client: NodeClient, forget: (failed: Promise<NodeClient>) => void): Promise<NodeClient> {
  const connecting = (async () => {
    const second = duplicate(client);
    await second.connect();
    return second;
  })();
  connecting.catch(() => forget(connecting));
  return connecting;
}

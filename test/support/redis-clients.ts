import type { RedisClient } from 'nest-sessions/core';

/** A kind of client, as an application would make it. */
export interface ClientKind {
  readonly name: string;
  /** Makes a client of one server; it closes with `closeClients`. */
  connect(url: string): Promise<RedisClient>;
  /** Makes a client of a cluster, which begins at one of its nodes. */
  connectCluster(url: string): Promise<RedisClient>;
  /** Makes a client that asks a Sentinel for the primary; undefined where there is no such client. */
  connectSentinel?(port: number, name: string): Promise<RedisClient>;
}

const closings: (() => unknown)[] = [];

/** Closes all clients that were made. */
export async function closeClients(): Promise<void> {
  await Promise.allSettled(closings.splice(0).map(async (close) => close()));
}

interface Closable {
  destroy?(): unknown;
  disconnect?(): unknown;
  close?(): unknown;
}

type Factory = (
  options: unknown,
) => RedisClient & Closable & { on(event: 'error', listener: () => void): void };
type Constructor = new (...options: unknown[]) => RedisClient & Closable;
type AsyncFactory = { createClient(options: unknown): Promise<RedisClient & Closable> };

/** Loads a package by a name that the compiler does not follow, because its types are of no use here. */
async function load(name: string): Promise<Record<string, unknown>> {
  return (await import(name)) as Record<string, unknown>;
}

/** The clients that the store accepts, of the packages that are installed. */
export async function clientKinds(): Promise<ClientKind[]> {
  const kinds = await Promise.all(
    [nodeRedis(), ioRedis(), glide()].map(async (kind) => kind.catch(() => undefined)),
  );
  return kinds.filter((kind) => kind !== undefined);
}

export async function nodeRedis(): Promise<ClientKind> {
  const { createClient, createCluster, createSentinel } = await load('redis');
  return {
    name: 'node-redis',
    connect: async (url) => kept((createClient as Factory)({ url }), 'destroy'),
    connectCluster: async (url) => kept((createCluster as Factory)({ rootNodes: [{ url }] }), 'destroy'),
    connectSentinel: async (port, name) => {
      const sentinelRootNodes = [{ host: '127.0.0.1', port }];
      return kept((createSentinel as Factory)({ name, sentinelRootNodes }), 'destroy');
    },
  };
}

export async function ioRedis(): Promise<ClientKind> {
  const { Redis, Cluster } = await load('ioredis');
  return {
    name: 'ioredis',
    connect: async (url) => kept(new (Redis as Constructor)(url), 'disconnect'),
    connectCluster: async (url) => kept(new (Cluster as Constructor)([url]), 'disconnect'),
    connectSentinel: async (port, name) => {
      const sentinels = [{ host: '127.0.0.1', port }];
      return kept(new (Redis as Constructor)({ sentinels, name }), 'disconnect');
    },
  };
}

async function glide(): Promise<ClientKind> {
  const { GlideClient, GlideClusterClient } = await load('@valkey/valkey-glide');
  const connect = async (of: unknown, url: string): Promise<RedisClient> => {
    const { hostname, port } = new URL(url);
    const addresses = [{ host: hostname, port: Number(port) }];
    return kept(
      await (of as AsyncFactory).createClient({
        addresses,
        requestTimeout: 5000,
        inflightRequestsLimit: 5000,
      }),
      'close',
    );
  };
  return {
    name: 'valkey-glide',
    connect: async (url) => connect(GlideClient, url),
    connectCluster: async (url) => connect(GlideClusterClient, url),
  };
}

function kept<C extends Closable>(client: C, close: keyof Closable): C {
  closings.push(async () => client[close]?.());
  return client;
}

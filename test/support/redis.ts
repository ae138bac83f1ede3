import { setTimeout as delay } from 'node:timers/promises';
import { describe } from '@jest/globals';
import { freePort } from './free-port.mjs';
import { StartedServer, type RedisServer } from './redis-server.js';

export type { RedisServer } from './redis-server.js';

type Describe = (name: string, suite: () => void) => void;

/** A Redis server for one spec file. */
export interface TestRedis {
  /** Describes a suite that needs the server; skips it where none can be started. */
  readonly describe: Describe;
  /** Describes a suite that kills or changes the server; skips it where that is not ours. */
  readonly describeKilled: Describe;
  readonly url: string;
  /** A beginning for the names of keys that no other test uses. */
  freshPrefix(): string;
  /** Starts another server, in a folder of its own; `stop` ends it. */
  another(...options: readonly string[]): Promise<RedisServer>;
  /** Starts a cluster of three primaries with a replica each; `stop` ends it. */
  cluster(): Promise<RedisCluster>;
  /** Starts a primary, a replica and a Sentinel that watches them; `stop` ends them. */
  sentinel(): Promise<WatchedPair>;
  stop(): Promise<void>;
}

/** Three primaries, and the replicas of each. */
export interface RedisCluster {
  readonly url: string;
  readonly primaries: readonly RedisServer[];
  /** In the order of their primaries. */
  readonly replicas: readonly RedisServer[];
}

/** A primary and a replica, which a Sentinel puts in its place. */
export interface WatchedPair {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinelPort: number;
  /** The name of the pair. */
  readonly name: string;
}

/**
 * Starts `redis-server` or `valkey-server` from the PATH, on a port of its own, or takes the one at `REDIS_URL`. Without one, its suites are
 * skipped and the run ends with a line that says so (skipped-reporter.mjs); with `REDIS_REQUIRED=1` they fail.
 */
export async function startRedis(): Promise<TestRedis> {
  const given = process.env['REDIS_URL'];
  const servers: StartedServer[] = [];
  let prefixes = 0;
  const start = async (options: readonly string[], configuration?: string): Promise<RedisServer> => {
    const server = await StartedServer.prepare(options, configuration);
    servers.push(server); // before it runs, so that it ends with the file whatever happens
    await server.restart();
    return server;
  };
  const another = async (...options: readonly string[]): Promise<RedisServer> => start(options);
  const own = await another().catch(() => undefined);
  const reason = 'there is no redis-server in the PATH; install one, or give a server by REDIS_URL';
  const url = given ?? own?.url;
  if (url === undefined && process.env['REDIS_REQUIRED'] === '1')
    throw new Error(`REDIS_REQUIRED: ${reason}`);
  return {
    describe: url === undefined ? skipped(reason) : describe,
    describeKilled: own === undefined ? skipped(reason) : describe,
    url: url ?? '',
    freshPrefix: () => `test-${process.pid}-${Date.now().toString(36)}-${prefixes++}:`,
    another,
    cluster: async () => formCluster(another),
    sentinel: async () => watchedPair(start),
    stop: async () => {
      await Promise.all(servers.map(async (server) => server.end()));
    },
  };
}

/** The name of a skipped suite ends in the reason, which skipped-reporter.mjs prints. */
function skipped(reason: string): Describe {
  const { skip } = describe;
  return (name, suite) => skip(`${name} [SKIPPED: ${reason}]`, suite);
}

/** The quickest that a cluster can be on a busy machine, and a replica takes over however old its data are. */
const CLUSTER = {
  'cluster-enabled': 'yes',
  'cluster-node-timeout': 2000,
  'cluster-replica-validity-factor': 0,
  'cluster-require-full-coverage': 'no',
};
const SLOTS = 16_384;

async function formCluster(start: TestRedis['another']): Promise<RedisCluster> {
  const node = async (): Promise<RedisServer> => {
    const settings = { ...CLUSTER, 'cluster-port': await freePort() };
    return start(...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]));
  };
  const nodes: RedisServer[] = [];
  for (let n = 0; n < 6; n++) nodes.push(await node());
  const [primaries, replicas] = [nodes.slice(0, 3), nodes.slice(3)];
  const [first] = nodes;
  for (const [n, primary] of primaries.entries()) {
    const [from, to] = [Math.floor((SLOTS * n) / 3), Math.floor((SLOTS * (n + 1)) / 3) - 1];
    primary.command('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`);
    primary.command('CLUSTER', 'SET-CONFIG-EPOCH', `${n + 1}`);
  }
  for (const each of nodes.slice(1)) {
    const [, busPort] = /cluster-port\s+(\d+)/.exec(each.command('CONFIG', 'GET', 'cluster-port')) ?? [];
    first?.command('CLUSTER', 'MEET', '127.0.0.1', `${each.port}`, busPort ?? '');
  }
  await until(() => nodes.every((each) => each.command('CLUSTER', 'INFO').includes('cluster_known_nodes:6')));
  await until(() =>
    replicas.every((replica, n) => {
      const id = primaries[n]?.command('CLUSTER', 'MYID') ?? '';
      return replica.command('CLUSTER', 'REPLICATE', id) === 'OK';
    }),
  );
  await until(
    () =>
      nodes.every((each) => each.command('CLUSTER', 'INFO').includes('cluster_state:ok')) &&
      replicas.every((each) => each.command('INFO', 'replication').includes('master_link_status:up')),
  );
  return { url: first?.url ?? '', primaries, replicas };
}

async function watchedPair(
  start: (options: readonly string[], configuration?: string) => Promise<RedisServer>,
): Promise<WatchedPair> {
  const name = 'sessions';
  const primary = await start([]);
  const replica = await start(['--replicaof', '127.0.0.1', `${primary.port}`]);
  await until(() => replica.command('INFO', 'replication').includes('master_link_status:up'));
  const watched = [
    `monitor ${name} 127.0.0.1 ${primary.port} 1`,
    `down-after-milliseconds ${name} 2000`,
    `failover-timeout ${name} 3000`,
  ];
  const sentinel = await start(['--sentinel'], watched.map((line) => `sentinel ${line}\n`).join(''));
  await until(() => sentinel.command('SENTINEL', 'REPLICAS', name).includes(`${replica.port}`));
  return { primary, replica, sentinelPort: sentinel.port, name };
}

/** Asks again and again, with a pause that lets the servers work; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}

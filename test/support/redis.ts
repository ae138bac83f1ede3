import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { describe } from '@jest/globals';

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

/** A running `redis-server` or `valkey-server`. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Kills it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files. */
  restart(): Promise<void>;
  /** Lets it stand still, as a network does that is cut; its connections stay. */
  freeze(): void;
  thaw(): void;
  /** Sends one command, by a client of its own. @returns what `redis-cli` prints */
  command(...args: readonly string[]): string;
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

/** Loopback, no files, and replicas that are in step at once. */
const SETTINGS = { bind: '127.0.0.1', save: '', appendonly: 'no', 'repl-diskless-sync-delay': 0 };

class StartedServer implements RedisServer {
  private process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly options: readonly string[],
    private readonly configuration: string | undefined,
  ) {}

  static async prepare(options: readonly string[], configuration?: string): Promise<StartedServer> {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-redis-'));
    const server = new StartedServer(await freePort(), folder, options, configuration);
    if (configuration !== undefined) writeFileSync(server.configurationFile, configuration);
    return server;
  }

  /** A Sentinel writes into it what it has learnt. */
  private get configurationFile(): string {
    return join(this.folder, 'server.conf');
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async kill(): Promise<void> {
    if (this.process?.pid === undefined || this.process.exitCode !== null || this.process.signalCode !== null)
      return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
  }

  freeze(): void {
    this.process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.process?.kill('SIGCONT');
  }

  command(...args: readonly string[]): string {
    for (const cli of ['redis-cli', 'valkey-cli']) {
      const { status, stdout, stderr, error } = spawnSync(cli, ['-p', `${this.port}`, ...args], {
        encoding: 'utf8',
      });
      if (status === 0) return stdout.trim();
      if (error === undefined) throw new Error(`${cli} fails at ${args[0]}: ${stdout}${stderr}`);
    }
    throw new Error('There is no redis-cli in the PATH');
  }

  async restart(): Promise<void> {
    for (const command of ['redis-server', 'valkey-server']) if (await this.launch(command)) return;
    throw new Error('There is no redis-server in the PATH, or it does not start');
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Resolves when the server accepts connections. @returns whether it does */
  private async launch(command: string): Promise<boolean> {
    const settings = { ...SETTINGS, port: this.port, dir: this.folder };
    const server = spawn(
      command,
      [
        ...(this.configuration === undefined ? [] : [this.configurationFile]),
        ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]),
        ...this.options,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    this.process = server;
    const failed = new Promise<false>((resolve) => {
      server.once('error', () => resolve(false));
      server.once('exit', () => resolve(false));
    });
    const ready = new Promise<true>((resolve) => {
      createInterface({ input: server.stdout }).on('line', (line) => {
        if (/eady to accept connections|Sentinel ID is/.test(line)) resolve(true);
      });
    });
    return Promise.race([failed, ready]);
  }
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

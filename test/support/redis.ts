import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
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
  stop(): Promise<void>;
}

/** Three primaries, and the replicas of each. */
export interface RedisCluster {
  readonly url: string;
  readonly primaries: readonly RedisServer[];
  /** In the order of their primaries. */
  readonly replicas: readonly RedisServer[];
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
  const another = async (...options: readonly string[]): Promise<RedisServer> => {
    const server = await StartedServer.start(options);
    if (server === undefined) throw new Error('There is no redis-server in the PATH');
    servers.push(server);
    return server;
  };
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
  ) {}

  /** Resolves when the server accepts connections; undefined if none can be started. */
  static async start(options: readonly string[]): Promise<StartedServer | undefined> {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-redis-'));
    const server = new StartedServer(await freePort(), folder, options);
    server.process = await server.launch();
    if (server.process !== undefined) return server;
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async kill(): Promise<void> {
    if (this.process === undefined || this.process.exitCode !== null || this.process.signalCode !== null)
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
      const { status, stdout } = spawnSync(cli, ['-p', `${this.port}`, ...args], { encoding: 'utf8' });
      if (status === 0) return stdout.trim();
    }
    throw new Error(`redis-cli fails at ${args[0]}`);
  }

  async restart(): Promise<void> {
    this.process = await this.launch();
    if (this.process === undefined) throw new Error('The Redis server does not start again');
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async launch(): Promise<ChildProcess | undefined> {
    for (const command of ['redis-server', 'valkey-server']) {
      const server = await launch(command, [
        ...Object.entries({ ...SETTINGS, port: this.port, dir: this.folder }).flatMap(([name, value]) => [
          `--${name}`,
          `${value}`,
        ]),
        ...this.options,
      ]);
      if (server !== undefined) return server;
    }
    return undefined;
  }
}

/** Resolves when the server accepts connections; undefined if it cannot be started. */
async function launch(command: string, options: readonly string[]): Promise<ChildProcess | undefined> {
  const server = spawn(command, options, { stdio: ['ignore', 'pipe', 'ignore'] });
  const failed = new Promise<undefined>((resolve) => {
    server.once('error', () => resolve(undefined));
    server.once('exit', () => resolve(undefined));
  });
  const ready = new Promise<ChildProcess>((resolve) => {
    createInterface({ input: server.stdout }).on('line', (line) => {
      if (line.includes('eady to accept connections')) resolve(server);
    });
  });
  return Promise.race([failed, ready]);
}

/** The quickest that a cluster can be, and a replica takes over however old its data are. */
const CLUSTER = {
  'cluster-enabled': 'yes',
  'cluster-node-timeout': 500,
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

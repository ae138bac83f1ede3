import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { describe } from '@jest/globals';

type Describe = (name: string, suite: () => void) => void;

/** A Redis server for one spec file. */
export interface TestRedis {
  /** Describes a suite that needs the server; skips it where none can be started. */
  readonly describe: Describe;
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts `redis-server` or `valkey-server` from the PATH, without files, on a port of its own. Without one, its suites are
 * skipped and the run ends with a line that says so (skipped-reporter.mjs).
 */
export async function startRedis(): Promise<TestRedis> {
  const port = await freePort();
  for (const command of ['redis-server', 'valkey-server']) {
    const server = await start(command, port);
    if (server === undefined) continue;
    return {
      describe,
      url: `redis://127.0.0.1:${port}`,
      stop: async () => {
        const exit = once(server, 'exit');
        server.kill('SIGKILL');
        await exit;
      },
    };
  }
  return {
    describe: skipped('there is no redis-server in the PATH'),
    url: '',
    stop: async () => {},
  };
}

/** The name of a skipped suite ends in the reason, which skipped-reporter.mjs prints. */
function skipped(reason: string): Describe {
  const { skip } = describe;
  return (name, suite) => skip(`${name} [SKIPPED: ${reason}]`, suite);
}

/** Resolves when the server accepts connections; undefined if it cannot be started. */
async function start(command: string, port: number): Promise<ChildProcess | undefined> {
  const options = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no'];
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

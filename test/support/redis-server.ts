import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.mjs';

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

/** Loopback, no files, and replicas that are in step at once. */
const SETTINGS = { bind: '127.0.0.1', save: '', appendonly: 'no', 'repl-diskless-sync-delay': 0 };

export class StartedServer implements RedisServer {
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

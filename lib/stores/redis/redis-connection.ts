import { DEFAULT_RETRY, withRetries, type RetryPolicy } from '../../util/retries.js';
import { SingleFlight } from '../../util/single-flight.js';
import { withTimeout } from '../../util/with-timeout.js';
import { StoreFullError } from '../../errors.js';
import { StoreSetupError } from '../session-store.js';
import type { RedisPort } from './redis-port.js';
import type { RedisScript } from './redis-script.js';

/**
 * Failures without an effect that end by themselves: a fail-over, a start, another's script, too few replicas, and the limit of
 * glide.
 */
const TRANSIENT =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MOVED|ASK)\b|^Reached maximum inflight/;
/** Failures that no repetition mends. */
const SETUP_FAULT =
  /^(NOAUTH|WRONGPASS|NOPERM|CROSSSLOT)\b|^ERR (unknown command|WAITAOF cannot be used|.*user_script|Unexpected engine)/i;
const OLDEST_MAJOR = 7;
/** How often a write is confirmed anew because the primary has changed meanwhile. */
const MAX_ROUNDS = 5;

export interface RedisConnectionOptions {
  readonly commandTimeoutMs: number;
  /** Copies that an ending waits for; undefined: one if a server has a replica at the start, else none. */
  readonly waitForReplicas?: number | undefined;
  /** Whether the disks must have it, too. */
  readonly waitForDisk: boolean;
  readonly waitTimeoutMs: number;
}

/** A store's access to its servers: it checks them before the first script, and repeats scripts that had no effect. */
export class RedisConnection {
  private readonly opening = new SingleFlight(async () => this.open(), { keepsValue: true });

  /** The command that waits for copies of what was written; undefined if no copy is waited for. */
  private waitCommand: readonly string[] | undefined;

  constructor(
    readonly port: RedisPort,
    private readonly options: RedisConnectionOptions,
    private readonly retry: RetryPolicy = DEFAULT_RETRY,
  ) {}

  /** Whether {@link runDurably} waits for anything; known after the first call. */
  get isWaiting(): boolean {
    return this.waitCommand !== undefined;
  }

  /** Runs a script on the primary of its keys. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const key = keys[0] ?? '';
    await this.ready(key);
    return this.attempts(async () => {
      return this.withText(script, async (evaluation) =>
        this.timed(this.port.send(key, [...evaluation, `${keys.length}`, ...keys, ...args.map(String)])),
      );
    });
  }

  /**
   * Runs a script whose effect must survive the loss of a server, as far as the options say. The server confirms the writes of
   * one connection, but a client may change its connection, and so the server, between the write and the confirmation. So the
   * script runs again after it: if it still finds something to do, the new primary had not received the write.
   *
   * @param args for a mark, which makes the script write something in any case
   * @param isDone whether a reply says that the work was done before
   * @returns the replies of all runs that may have done something
   */
  async runDurably(
    script: RedisScript,
    keys: readonly string[],
    args: (mark: string) => readonly (string | number)[],
    isDone: (reply: unknown) => boolean,
  ): Promise<unknown[]> {
    await this.ready(keys[0] ?? '');
    if (this.waitCommand === undefined) return [await this.run(script, keys, args(''))];
    const replies: unknown[] = [];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      replies.push(await this.runAndWait(script, keys, args('1'), this.waitCommand));
      const check = await this.run(script, keys, args(''));
      replies.push(check);
      if (isDone(check)) return replies;
    }
    throw new Error('The primary has changed again and again, so that a write is not confirmed');
  }

  private async runAndWait(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
    waitCommand: readonly string[],
  ): Promise<unknown> {
    const key = keys[0] ?? '';
    const timeoutMs = this.options.commandTimeoutMs + this.options.waitTimeoutMs;
    const [reply, copies] = await this.attempts(async () =>
      this.withText(script, async (evaluation) => {
        const command = [...evaluation, `${keys.length}`, ...keys, ...args.map(String)];
        return inTime(this.port.sendBoth(key, command, waitCommand), timeoutMs);
      }),
    );
    const confirmed = (Array.isArray(copies) ? copies : [copies]).map(replyNumber);
    const wanted = waitCommand.slice(1, -1).map(Number);
    if (!wanted.every((count, i) => (confirmed[i] ?? 0) >= count)) {
      throw new Error(
        `${waitCommand.join(' ')} returned ${confirmed.join(', ')}: too few copies of a write are confirmed, which has happened on the primary`,
      );
    }
    return reply;
  }

  /** Runs one plain command on the primary of a key. */
  async command(key: string, ...command: readonly (string | number)[]): Promise<unknown> {
    await this.ready(key);
    return this.attempts(async () => this.timed(this.port.send(key, command.map(String))));
  }

  async close(): Promise<void> {
    const { current } = this.opening;
    this.opening.forget();
    await current?.catch(() => undefined);
    await this.port.close();
  }

  /** Sends the digest of a script, and its text if the server does not know it: after a restart or a fail-over. */
  private async withText<T>(
    { sha, text }: RedisScript,
    send: (evaluation: readonly [string, string]) => Promise<T>,
  ): Promise<T> {
    try {
      return await send(['EVALSHA', sha]);
    } catch (error) {
      if (!/^NOSCRIPT\b/.test(redisMessage(error))) throw error;
      return send(['EVAL', text]);
    }
  }

  private async attempts<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await withRetries(
        work,
        (error) => {
          if (!TRANSIENT.test(redisMessage(error))) return false;
          if (redisMessage(error).startsWith('READONLY')) this.port.reconnect();
          return true;
        },
        this.retry,
      );
    } catch (error) {
      throw explained(error);
    }
  }

  private async ready(key: string): Promise<void> {
    await this.opening.run();
    const connecting = this.port.whenReady(key);
    if (connecting !== undefined) await this.timed(connecting);
  }

  private async timed<T>(work: Promise<T>): Promise<T> {
    return inTime(work, this.options.commandTimeoutMs);
  }

  private async open(): Promise<void> {
    await this.attempts(async () => this.timed(this.port.open()));
    await this.timed(this.port.whenReady('') ?? Promise.resolve());
    const servers = (await this.attempts(async () => this.timed(this.port.sendToPrimaries(['INFO'])))).map(
      readInfo,
    );
    for (const server of servers) assertUsable(server, this.port.isCluster, this.options.waitForDisk);
    this.waitCommand = waitCommandFor(servers, this.options);
  }
}

async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return withTimeout(work, timeoutMs, `Redis has not responded within ${timeoutMs} ms`);
}

/** Returns the command that waits as the options say; undefined if no copy is waited for. */
function waitCommandFor(
  servers: readonly ServerInfo[],
  { waitForReplicas, waitForDisk, waitTimeoutMs }: RedisConnectionOptions,
): string[] | undefined {
  const hasReplicas = servers.some((server) => Number(server.get('connected_slaves')) > 0);
  const replicas = waitForReplicas ?? (hasReplicas ? 1 : 0);
  if (waitForDisk) return ['WAITAOF', '1', `${replicas}`, `${waitTimeoutMs}`];
  return replicas === 0 ? undefined : ['WAIT', `${replicas}`, `${waitTimeoutMs}`];
}

/** The lines of INFO. */
type ServerInfo = ReadonlyMap<string, string>;

function readInfo(reply: unknown): ServerInfo {
  const lines = replyText(reply).split(/\r?\n/);
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** @throws {StoreSetupError} sessions would not be safe there */
function assertUsable(server: ServerInfo, isCluster: boolean, isWaitingForDisk: boolean): void {
  const version = server.get('redis_version');
  if (version === undefined)
    throw new StoreSetupError('The server does not say its version as Redis and Valkey do');
  if (isOlder(version, OLDEST_MAJOR, 0))
    throw new StoreSetupError(
      `Redis ${version} is too old: Redis ${OLDEST_MAJOR} or newer, or Valkey, is needed`,
    );
  const policy = server.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    throw new StoreSetupError(
      `The server's maxmemory-policy is ${policy}: it would remove sessions, and the keys that sign them, when memory is ` +
        'short. Set it to noeviction, or use a server of its own for sessions',
    );
  }
  if (isWaitingForDisk && (isOlder(version, 7, 2) || server.get('aof_enabled') !== '1')) {
    throw new StoreSetupError(
      'waitForDisk needs Redis 7.2 or newer, or Valkey, with an append-only file (appendonly yes)',
    );
  }
  if ((server.get('cluster_enabled') === '1') !== isCluster) {
    throw new StoreSetupError(
      isCluster
        ? 'The server is not in cluster mode, but its client is one for a cluster'
        : 'The server is in cluster mode: give the store a client for a cluster',
    );
  }
}

function isOlder(version: string, major: number, minor: number): boolean {
  const [itsMajor = 0, itsMinor = 0] = version.split('.').map(Number);
  return itsMajor < major || (itsMajor === major && itsMinor < minor);
}

/** Gives a failure that needs somebody's attention its own class. */
function explained(error: unknown): unknown {
  const message = redisMessage(error);
  if (/^OOM\b/.test(message))
    return new StoreFullError('Redis has no memory left for another session (maxmemory)', { cause: error });
  if (/^WRONGTYPE\b/.test(message)) {
    const text =
      'A key of the store is of another type, so another program has written it: remove it, or give the store a keyPrefix of its own';
    return new StoreSetupError(text, { cause: error });
  }
  return SETUP_FAULT.test(message) || error instanceof TypeError
    ? new StoreSetupError(message, { cause: error })
    : error;
}

/** The names that glide gives to the codes of a server. */
const GLIDE_NAMES: Readonly<Record<string, string>> = {
  Ask: 'ASK',
  BusyLoadingError: 'LOADING',
  ClusterDown: 'CLUSTERDOWN',
  MasterDown: 'MASTERDOWN',
  Moved: 'MOVED',
  NoScriptError: 'NOSCRIPT',
  PermissionDenied: 'NOPERM',
  ReadOnly: 'READONLY',
  ResponseError: 'ERR',
  TryAgain: 'TRYAGAIN',
};

/** Returns the server's message, which begins with a code. */
function redisMessage(error: unknown): string {
  const { message }: { message?: unknown } = typeof error === 'object' && error !== null ? error : {};
  if (typeof message !== 'string') return '';
  const [, name, rest] = /^An error was signalled by the server: - (\w+): ([^]*)$/.exec(message) ?? [];
  return name === undefined ? message : `${GLIDE_NAMES[name] ?? name} ${rest}`;
}

/** @throws {Error} the reply is no text */
export function replyText(reply: unknown): string {
  if (typeof reply === 'string') return reply;
  if (Buffer.isBuffer(reply)) return reply.toString('utf8');
  throw new Error('Redis returned something else than a text');
}

/** @throws {Error} the reply is no whole number */
export function replyNumber(reply: unknown): number {
  const isNumber = typeof reply === 'number' || typeof reply === 'bigint';
  const number = isNumber || typeof reply === 'string' ? Number(reply || Number.NaN) : Number.NaN;
  if (isNumber || Number.isSafeInteger(number)) return Number(reply);
  throw new Error('Redis returned something else than a number');
}

/** @throws {Error} the reply is no list */
export function replyList(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error('Redis returned something else than a list');
}

/** @throws {Error} the reply is no list of texts */
export function replyTexts(reply: unknown): string[] {
  return replyList(reply).map(replyText);
}

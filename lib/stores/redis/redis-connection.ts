import { DEFAULT_RETRY, withRetries, type RetryPolicy } from '../../util/retries.js';
import { SingleFlight } from '../../util/single-flight.js';
import { withTimeout } from '../../util/with-timeout.js';
import { StoreFullError } from '../../errors.js';
import { StoreSetupError } from '../session-store.js';
import type { RedisPort } from './redis-client.js';
import type { RedisScript } from './redis-scripts.js';

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

export interface RedisConnectionOptions {
  readonly commandTimeoutMs: number;
}

/** A store's access to its servers: it checks them before the first script, and repeats scripts that had no effect. */
export class RedisConnection {
  private readonly opening = new SingleFlight(async () => this.open(), { keepsValue: true });

  constructor(
    readonly port: RedisPort,
    private readonly options: RedisConnectionOptions,
    private readonly retry: RetryPolicy = DEFAULT_RETRY,
  ) {}

  /** Runs a script on the primary of its keys. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    await this.opening.run();
    return this.attempts(async () => {
      const key = keys[0] ?? '';
      return this.withText(script, async (evaluation) =>
        this.inTime(this.port.send(key, [...evaluation, `${keys.length}`, ...keys, ...args.map(String)])),
      );
    });
  }

  /** Runs one plain command on the primary of a key. */
  async command(key: string, ...command: readonly (string | number)[]): Promise<unknown> {
    await this.opening.run();
    return this.attempts(async () => this.inTime(this.port.send(key, command.map(String))));
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
      if (!/^NOSCRIPT\b|NoScriptError/.test(redisMessage(error))) throw error;
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

  private async inTime<T>(work: Promise<T>): Promise<T> {
    const { commandTimeoutMs } = this.options;
    return withTimeout(work, commandTimeoutMs, `Redis has not answered within ${commandTimeoutMs} ms`);
  }

  private async open(): Promise<void> {
    await this.attempts(async () => this.inTime(this.port.open()));
    const servers = (await this.attempts(async () => this.inTime(this.port.sendToPrimaries(['INFO'])))).map(
      readInfo,
    );
    for (const server of servers) assertUsable(server, this.port.isCluster);
  }
}

/** The lines of INFO. */
type ServerInfo = ReadonlyMap<string, string>;

function readInfo(reply: unknown): ServerInfo {
  const lines = replyText(reply).split(/\r?\n/);
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** @throws {StoreSetupError} sessions would not be safe there */
function assertUsable(server: ServerInfo, isCluster: boolean): void {
  const version = server.get('redis_version');
  if (version === undefined)
    throw new StoreSetupError('The server does not say its version as Redis and Valkey do');
  if (Number.parseInt(version, 10) < OLDEST_MAJOR)
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
  if ((server.get('cluster_enabled') === '1') !== isCluster) {
    throw new StoreSetupError(
      isCluster
        ? 'The server is not in cluster mode, but its client is one for a cluster'
        : 'The server is in cluster mode: give the store a client for a cluster',
    );
  }
}

/** Gives a failure that needs somebody's attention its own class. */
function explained(error: unknown): unknown {
  const message = redisMessage(error);
  if (/^OOM\b/.test(message))
    return new StoreFullError('Redis has no memory left for another session (maxmemory)', { cause: error });
  return SETUP_FAULT.test(message) || error instanceof TypeError
    ? new StoreSetupError(message, { cause: error })
    : error;
}

/** Returns the server's message, which glide puts behind one of its own. */
export function redisMessage(error: unknown): string {
  const { message }: { message?: unknown } = typeof error === 'object' && error !== null ? error : {};
  return typeof message === 'string'
    ? message.replace(/^An error was signalled by the server: - \w+: /, '')
    : '';
}

/** @throws {Error} the reply is no text */
export function replyText(reply: unknown): string {
  if (typeof reply === 'string') return reply;
  if (Buffer.isBuffer(reply)) return reply.toString('utf8');
  throw new Error('Redis answered with something else than a text');
}

/** @throws {Error} the reply is no list */
export function replyList(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error('Redis answered with something else than a list');
}

/** @throws {Error} the reply is no list of texts */
export function replyTexts(reply: unknown): string[] {
  return replyList(reply).map(replyText);
}

import { randomUUID } from 'node:crypto';
import { DEFAULT_RETRY, rest } from '../../util/retries.js';
import { KeyedMutex } from '../../util/keyed-mutex.js';
import type { RedisConnection } from './redis-connection.js';
import type { RedisLayout } from './redis-layout.js';
import { UNLOCK } from './redis-scripts.js';

/** How long a process that dies keeps others from a user's lock. */
const LOCK_MS = 5000;
/** Many short pauses, somewhat longer in all than a dead process keeps a lock. */
const WAITING = { ...DEFAULT_RETRY, firstPauseMs: 5, longestPauseMs: 50 };
const ATTEMPTS = 400;

/**
 * Locks of users, for what no script can do at once because the users' sessions are in several slots of a cluster. A process
 * that stalls may lose a lock, so the last step checks it: the script that adds a row names the lock of the row's user.
 */
export class UserLocks {
  private readonly turns = new KeyedMutex();

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {}

  /**
   * Runs work while no other call holds a lock of these users.
   *
   * @param work gets a token, which is the value of each lock
   */
  async run<T>(userIds: readonly string[], work: (token: string) => Promise<T>): Promise<T> {
    const users = [...new Set(userIds)].sort();
    return this.turns.run(users.join('\0'), async () => this.runLocked(users, work));
  }

  private async runLocked<T>(users: readonly string[], work: (token: string) => Promise<T>): Promise<T> {
    const token = randomUUID();
    const held: string[] = [];
    try {
      for (const userId of users) {
        const key = this.layout.lockKey(userId);
        held.push(key);
        await this.take(key, token);
      }
      return await work(token);
    } finally {
      await Promise.allSettled(held.map(async (key) => this.connection.run(UNLOCK, [key], [token])));
    }
  }

  private async take(key: string, token: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const reply = await this.connection.command(key, 'SET', key, token, 'NX', 'PX', LOCK_MS);
      if (reply !== null) return;
      if (attempt === ATTEMPTS) throw new Error('Other calls hold the lock of a user for too long');
      await rest(WAITING, attempt);
    }
  }
}

import {
  SessionStore,
  type StoredDynamicKey,
  type StoredKeyPlace,
  type StoredStaticKey,
} from '../session-store.js';
import { replyNumber, replyText, replyTexts, type RedisConnection } from './redis-connection.js';
import type { RedisLayout } from './redis-layout.js';
import { script, type RedisScript } from './redis-script.js';

const RSA = 'RS256';
const REFRESH_TOKEN_KEY = 'refresh';

/** KEYS keys. Returns names and values in turn. */
const ALL_KEYS = script(`return call('HGETALL', KEYS[1])`);

/** KEYS keys; ARGV mark, name, value. Returns the value that the name has. */
const SET_KEY_ONCE = script(
  `
call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
mark(ARGV[1])
return call('HGET', KEYS[1], ARGV[2])`,
  '',
);

/**
 * KEYS keys; ARGV mark, name, value, time, algorithm, earliest time of a key that makes this one superfluous. Returns whether it
 * was added, 1 or 0.
 */
const ADD_DYNAMIC_KEY = script(
  `
for _, name in ipairs(call('HKEYS', KEYS[1])) do
  local created, algorithm = string.match(name, '^dynamic:(%d+):(.*)$')
  if created == ARGV[4] or
      (algorithm == ARGV[5] and tonumber(created) >= tonumber(ARGV[6])) then
    mark(ARGV[1])
    return 0
  end
end
call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1`,
  '',
);

/** KEYS keys; ARGV mark, time. Removes the rotating keys from before it. Returns their number. */
const DELETE_DYNAMIC_KEYS = script(`
local removed = 0
for _, name in ipairs(call('HKEYS', KEYS[1])) do
  local created = string.match(name, '^dynamic:(%d+):')
  if created and tonumber(created) < tonumber(ARGV[2]) then removed = removed + call('HDEL', KEYS[1], name) end
end
mark(ARGV[1])
return removed`);

/**
 * KEYS keys; ARGV mark, name, text, new text. Returns whether the name has the new text, 1 or 0: a repetition after the loss of a
 * server finds its own work done.
 */
const REPLACE_KEY = script(
  `
local stored = call('HGET', KEYS[1], ARGV[2])
if stored == ARGV[3] then call('HSET', KEYS[1], ARGV[2], ARGV[4]) end
mark(ARGV[1])
return (stored == ARGV[3] or stored == ARGV[4]) and 1 or 0`,
  '',
);

/** The half of a Redis store that keeps keys: one hash, with a field for each key. */
export abstract class RedisKeyStore extends SessionStore {
  protected constructor(
    protected readonly connection: RedisConnection,
    protected readonly layout: RedisLayout,
  ) {
    super();
  }

  override async getOrSetRefreshTokenKey(candidate: string): Promise<string> {
    return replyText(await this.writeKeys(SET_KEY_ONCE, () => true, REFRESH_TOKEN_KEY, candidate));
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    const keys = (await this.fields()).flatMap(([name, value]) => {
      const [, createdAt, algorithm = ''] = /^dynamic:(\d+):(.*)$/.exec(name) ?? [];
      const createdAtMs = Number(createdAt);
      if (createdAt === undefined || createdAtMs < sinceMs) return [];
      return algorithm === RSA ? { createdAtMs, value } : { createdAtMs, value, algorithm };
    });
    return keys.sort(byNewest);
  }

  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    const { createdAtMs, value, algorithm = RSA } = key;
    const name = `dynamic:${createdAtMs}:${algorithm}`;
    await this.writeKeys(ADD_DYNAMIC_KEY, isZero, name, value, createdAtMs, algorithm, unlessSinceMs);
  }

  override async deleteDynamicKeys(beforeMs: number): Promise<void> {
    await this.writeKeys(DELETE_DYNAMIC_KEYS, isZero, beforeMs);
  }

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    const keys = (await this.fields()).flatMap(([name, text]) => {
      const [, algorithm] = /^static:(.*)$/.exec(name) ?? [];
      const [createdAt, kid = '', value = ''] = text.split('\0');
      return algorithm === undefined ? [] : { kid, createdAtMs: Number(createdAt), value, algorithm };
    });
    return keys.sort(byNewest);
  }

  override async addStaticKey({ kid, createdAtMs, value, algorithm }: StoredStaticKey): Promise<void> {
    await this.writeKeys(
      SET_KEY_ONCE,
      () => true,
      `static:${algorithm}`,
      [createdAtMs, kid, value].join('\0'),
    );
  }

  override async replaceKey(place: StoredKeyPlace, from: string, to: string): Promise<boolean> {
    const replace = async (name: string, before: string, after: string): Promise<boolean> =>
      replyNumber(await this.writeKeys(REPLACE_KEY, () => true, name, before, after)) === 1;
    if (place.kind === 'refresh-token') return replace(REFRESH_TOKEN_KEY, from, to);
    const { algorithm = RSA } = place;
    if (place.kind === 'dynamic') return replace(`dynamic:${place.createdAtMs}:${algorithm}`, from, to);
    const key = (await this.findStaticKeys()).find(({ kid }) => kid === place.kid);
    if (key === undefined) return false;
    const text = (value: string): string => [key.createdAtMs, key.kid, value].join('\0');
    return replace(`static:${algorithm}`, text(from), text(to));
  }

  private async fields(): Promise<(readonly [name: string, value: string])[]> {
    const texts = replyTexts(await this.connection.run(ALL_KEYS, [this.layout.keysKey], []));
    return texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1] ?? ''] as const] : []));
  }

  /** @returns the last reply */
  private async writeKeys(
    script: RedisScript,
    isDone: (reply: unknown) => boolean,
    ...args: readonly (string | number)[]
  ): Promise<unknown> {
    const replies = await this.connection.runDurably(
      script,
      [this.layout.keysKey],
      (mark) => [mark, ...args],
      isDone,
    );
    return replies.at(-1);
  }
}

const isZero = (reply: unknown): boolean => replyNumber(reply) === 0;

const byNewest = (a: { createdAtMs: number }, b: { createdAtMs: number }): number =>
  b.createdAtMs - a.createdAtMs;

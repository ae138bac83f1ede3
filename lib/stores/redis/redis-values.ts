import type { SharedValue, SharedValues } from '../../audit/shared-values.js';
import { replyNumber, replyText, type RedisConnection } from './redis-connection.js';
import type { RedisLayout } from './redis-layout.js';
import { script } from './redis-script.js';

/** KEYS value; ARGV the present text ("=" in front, empty for none), the new text, its life. Returns whether it was replaced, 1 or 0. */
const REPLACE_VALUE = script(
  `
local known = call('GET', KEYS[1])
if (known and '=' .. known or '') ~= ARGV[1] then return 0 end
call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`,
  '',
);

/** Shared values as keys of their own, which end by themselves. */
export class RedisValues implements SharedValues {
  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {}

  async read(name: string): Promise<string | undefined> {
    const key = this.layout.valueKey(name);
    const text = await this.connection.command(key, 'GET', key);
    return text === null ? undefined : replyText(text);
  }

  async replace(name: string, from: string | undefined, to: SharedValue, nowMs: number): Promise<boolean> {
    const lifeMs = Math.max(1, Math.ceil(to.untilMs - nowMs));
    const known = from === undefined ? '' : `=${from}`;
    const args = [known, to.text, lifeMs];
    return replyNumber(await this.connection.run(REPLACE_VALUE, [this.layout.valueKey(name)], args)) === 1;
  }
}

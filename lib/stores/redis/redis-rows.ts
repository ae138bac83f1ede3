import { isStorableText, type SessionKey, type SessionsOfUsers } from '../session-store.js';
import { replyList, replyText, replyTexts, type RedisConnection } from './redis-connection.js';
import {
  indexMember,
  parseIndexMember,
  parseRowName,
  tenantRowNames,
  type RedisLayout,
} from './redis-layout.js';
import { ROWS, SWEEP, USER_ROWS } from './redis-scripts.js';

/** Rows that one script looks at, so that none blocks the server for long. */
const PAGE = 500;

/** A row as the index of a user leads to it. */
export interface UserRow extends SessionKey {
  readonly createdAtMs: number;
}

/** The condition on rows; an absent member is not checked. */
interface RowsCondition {
  readonly earliestMs?: number;
  readonly latestMs?: number;
  readonly userId?: string;
}

/** What is done to rows that are found: "end" removes them. */
type Action = 'look' | 'end';

/** Many sessions at once: by their keys, by their users, and all of them in turn. */
export class RedisRows {
  private sweepLeft: number[] = [];
  private sweepPosition = '';

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {}

  /**
   * Goes through the index of one partition after the other. It removes what the server has not removed yet, and the members of
   * rows that are gone.
   */
  async sweep(nowMs: number, limit: number): Promise<{ mayHaveMore: boolean }> {
    if (this.sweepLeft.length === 0) this.sweepLeft = await this.partitionsInUse();
    for (let left = limit; left > 0 && this.sweepLeft.length > 0;) {
      const [partition = 0] = this.sweepLeft;
      const page = Math.min(left, PAGE);
      const [last, foreign] = replyList(
        await this.connection.run(
          SWEEP,
          [this.layout.indexKey(partition)],
          [this.layout.partitionTag(partition), nowMs, this.sweepPosition, page],
        ),
      );
      await this.sweepForeign(replyTexts(foreign), nowMs);
      this.sweepPosition = replyText(last);
      if (this.sweepPosition === '') this.sweepLeft.shift();
      left -= page;
    }
    return { mayHaveMore: this.sweepLeft.length > 0 };
  }

  private async partitionsInUse(): Promise<number[]> {
    const all = Array.from({ length: this.layout.partitions }, (_, partition) => partition);
    const sizes = await Promise.all(
      all.map(async (partition) => {
        const index = this.layout.indexKey(partition);
        return this.connection.command(index, 'ZCARD', index);
      }),
    );
    return all.filter((partition) => Number(sizes[partition]) > 0);
  }

  /** Removes expired rows in other partitions than their users' indexes, and members whose rows are gone. */
  private async sweepForeign(members: readonly string[], nowMs: number): Promise<void> {
    const gone = new Set(members);
    for (const member of members) {
      const key = parseIndexMember(member);
      const [found] = await this.rowReplies([key], 'end', { latestMs: nowMs, userId: key.userId });
      if (found === '=') gone.delete(member);
    }
    await this.forget([...gone].map(parseIndexMember));
  }

  /** Reads or removes the live rows of users, by their indexes. */
  async ofUsers({ userIds, tenantId, nowMs }: SessionsOfUsers, action: Action): Promise<UserRow[]> {
    const users = [...new Set(userIds)].filter(isStorableText);
    const rows = await Promise.all(
      users.map(async (userId) => {
        const found: UserRow[] = [];
        const partition = this.layout.userPartition(userId);
        const index = this.layout.indexKey(partition);
        for (let last = '', isFirst = true; isFirst || last !== ''; isFirst = false) {
          const [next, here, foreign] = replyList(
            await this.connection.run(
              USER_ROWS,
              [index],
              [
                this.layout.partitionTag(partition),
                userId,
                tenantRowNames(tenantId),
                nowMs,
                action,
                last,
                PAGE,
              ],
            ),
          );
          last = replyText(next);
          const texts = replyTexts(here);
          for (let i = 0; i < texts.length; i += 2)
            found.push({ ...parseRowName(texts[i] ?? ''), createdAtMs: Number(texts[i + 1]) });
          const keys = replyTexts(foreign).map(parseRowName);
          found.push(...(await this.byKeys(keys, action, { earliestMs: nowMs, userId })));
        }
        return found;
      }),
    );
    return rows.flat();
  }

  /** Reads or removes rows by their keys. @returns those that exist and meet the condition */
  async byKeys(keys: readonly SessionKey[], action: Action, where: RowsCondition = {}): Promise<UserRow[]> {
    const found: UserRow[] = [];
    const foreign: (SessionKey & { readonly userId: string })[] = [];
    for (const [partition, together] of this.byPartition(keys)) {
      for (let start = 0; start < together.length; start += PAGE) {
        const page = together.slice(start, start + PAGE);
        const replies = await this.rowReplies(page, action, where);
        for (const [i, { tenantId, sessionHandle }] of page.entries()) {
          const [createdAt = '', ...user] = (replies[i] ?? '').split('\0');
          if (user.length === 0) continue;
          const userId = user.join('\0');
          found.push({ tenantId, sessionHandle, createdAtMs: Number(createdAt) });
          if (this.layout.userPartition(userId) !== partition)
            foreign.push({ tenantId, sessionHandle, userId });
        }
      }
    }
    if (action === 'end') await this.forget(foreign);
    return found;
  }

  /** @param keys of one partition */
  private async rowReplies(
    keys: readonly SessionKey[],
    action: Action,
    { earliestMs, latestMs, userId = '' }: RowsCondition,
  ): Promise<string[]> {
    const { layout } = this;
    const index = layout.indexKey(layout.handlePartition(keys[0]?.sessionHandle ?? ''));
    const names = keys.map((key) => layout.rowKey(key));
    return replyTexts(
      await this.connection.run(ROWS, [index, ...names], [action, earliestMs ?? '', latestMs ?? '', userId]),
    );
  }

  /** Removes members of the indexes. */
  private async forget(rows: readonly (SessionKey & { readonly userId: string })[]): Promise<void> {
    for (const row of rows) {
      const index = this.layout.indexKey(this.layout.userPartition(row.userId));
      await this.connection.command(index, 'ZREM', index, indexMember(row));
    }
  }

  private byPartition(keys: readonly SessionKey[]): Map<number, SessionKey[]> {
    const groups = new Map<number, SessionKey[]>();
    for (const key of keys) {
      const partition = this.layout.handlePartition(key.sessionHandle);
      const group = groups.get(partition);
      if (group === undefined) groups.set(partition, [key]);
      else group.push(key);
    }
    return groups;
  }
}

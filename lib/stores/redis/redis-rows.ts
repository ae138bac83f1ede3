import type { AuditNote } from '../../audit/audit-record.js';
import type { RevocationNote } from '../../feed/revocation-feed.js';
import { isStorableText, type SessionKey, type SessionsOfUsers } from '../session-store.js';
import { replyList, replyNumber, replyText, replyTexts, type RedisConnection } from './redis-connection.js';
import {
  indexMember,
  parseIndexMember,
  parseRowName,
  tenantRowNames,
  type RedisLayout,
} from './redis-layout.js';
import { auditArgument } from './redis-audit.js';
import { noteArguments } from './redis-feed.js';
import { ROWS, SWEEP, USER_ROWS } from './redis-scripts.js';

/** Rows that one script looks at, so that none blocks the server for long. */
const PAGE = 500;

/** A row as the index of a user leads to it. */
export interface UserRow extends SessionKey {
  readonly createdAtMs: number;
}

/** A row, with the user in whose index it is. */
interface IndexedRow extends UserRow {
  readonly userId: string;
}

/** The condition on rows; an absent member is not checked. */
interface RowsCondition {
  readonly earliestMs?: number | '';
  readonly latestMs?: number | '';
  readonly createdBeforeMs?: number | '' | undefined;
  readonly userId?: string;
}

interface RowsDetails {
  readonly where?: RowsCondition;
  readonly notes?: RowNotes;
}

/** With notes, records of each removed row are written in the same step. */
export interface RowNotes {
  readonly note?: RevocationNote | undefined;
  readonly audit?: AuditNote | undefined;
}

const NO_NOTES: RowNotes = {};

/** The arguments of the scripts that end rows. */
function noteArgumentsOf({ note, audit }: RowNotes): (string | number)[] {
  return [...noteArguments(note), auditArgument(audit)];
}

/** The fate of rows that are found: "end" removes them. */
type Action = 'look' | 'end';

/** Many sessions at once: by their keys, by their users, and all of them in turn. */
export class RedisRows {
  /** The partitions that a sweep has still to go through, and the last member that it saw in the first of them. */
  private sweepState: { readonly left: readonly number[]; readonly last: string } = { left: [], last: '' };

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {}

  /**
   * Goes through the index of one partition after the other. It removes what the server has not removed yet, and the members of
   * rows that are gone.
   */
  async sweep(nowMs: number, limit: number, audit?: AuditNote): Promise<{ mayHaveMore: boolean }> {
    let { left, last } = this.sweepState;
    if (left.length === 0) [left, last] = [await this.partitionsInUse(), ''];
    for (let rest = limit; rest > 0 && left.length > 0;) {
      const [partition = 0, ...others] = left;
      const page = Math.min(rest, PAGE);
      const [next, foreign] = replyList(
        await this.connection.run(
          SWEEP,
          [this.layout.indexKey(partition)],
          [this.layout.partitionTag(partition), nowMs, last, page, auditArgument(audit)],
        ),
      );
      await this.sweepForeign(replyTexts(foreign), nowMs, audit);
      last = replyText(next);
      if (last === '') left = others;
      rest -= page;
    }
    this.sweepState = { left, last };
    return { mayHaveMore: left.length > 0 };
  }

  private async partitionsInUse(): Promise<number[]> {
    const all = this.layout.allPartitions();
    const sizes = await Promise.all(
      all.map(async (partition) => {
        const index = this.layout.indexKey(partition);
        return this.connection.command(index, 'ZCARD', index);
      }),
    );
    return all.filter((partition) => replyNumber(sizes[partition]) > 0);
  }

  /** Removes expired rows in other partitions than their users' indexes, and members whose rows are gone. */
  private async sweepForeign(
    members: readonly string[],
    nowMs: number,
    audit: AuditNote | undefined,
  ): Promise<void> {
    const gone = new Set(members);
    for (const member of members) {
      const key = parseIndexMember(member);
      const partition = this.layout.handlePartition(key.sessionHandle);
      const where = { latestMs: nowMs, userId: key.userId };
      const [[found] = []] = await this.pageReplies(partition, [key], 'end', { where, notes: { audit } });
      if (found === '=') gone.delete(member);
    }
    await this.forget([...gone].map(parseIndexMember));
  }

  /** Reads or removes the live rows of users, by their indexes. */
  async ofUsers(input: SessionsOfUsers, action: Action, notes = NO_NOTES): Promise<UserRow[]> {
    const users = [...new Set(input.userIds)].filter(isStorableText);
    const rows = await Promise.all(users.map(async (userId) => this.ofUser(userId, input, action, notes)));
    return distinct(rows.flat());
  }

  private async ofUser(
    userId: string,
    { tenantId, nowMs, createdBeforeMs }: SessionsOfUsers,
    action: Action,
    notes: RowNotes,
  ): Promise<UserRow[]> {
    const partition = this.layout.userPartition(userId);
    const index = this.layout.indexKey(partition);
    const head = [this.layout.partitionTag(partition), userId, tenantRowNames(tenantId), nowMs, action];
    const found: UserRow[] = [];
    const foreign: SessionKey[] = [];
    for (let last: string | undefined = ''; last !== undefined;) {
      const reply = await this.connection.run(
        USER_ROWS,
        [index],
        [...head, last, PAGE, createdBeforeMs ?? '', ...noteArgumentsOf(notes)],
      );
      const [next, here, elsewhere] = replyList(reply);
      last = replyText(next) || undefined;
      found.push(...userRows(replyTexts(here)));
      foreign.push(...replyTexts(elsewhere).map(parseRowName));
    }
    if (action === 'end') await this.confirm(partition, found, notes);
    return [
      ...found,
      ...(await this.byKeys(foreign, action, {
        where: { earliestMs: nowMs, createdBeforeMs, userId },
        notes,
      })),
    ];
  }

  /**
   * Waits for copies of removals in a partition, as far as the options say; also where there was nothing to remove, because an
   * earlier call may have removed the rows and then failed.
   */
  async confirm(partition: number, removed: readonly SessionKey[], notes: RowNotes): Promise<void> {
    if (!this.connection.isWaiting) return;
    await this.pageReplies(partition, removed.slice(0, PAGE), 'end', { notes });
    if (removed.length > PAGE) await this.confirm(partition, removed.slice(PAGE), notes);
  }

  /** Reads or removes rows by their keys. @returns those that exist and meet the condition */
  async byKeys(keys: readonly SessionKey[], action: Action, details: RowsDetails = {}): Promise<UserRow[]> {
    const found = await Promise.all(
      this.pagesByPartition(keys).map(async ([partition, page]) => {
        const replies = await this.pageReplies(partition, page, action, details);
        return replies.flatMap((reply) => page.flatMap((key, i) => keyedRow(key, reply[i] ?? '')));
      }),
    );
    const rows = found.flat();
    if (action === 'end') {
      const { layout } = this;
      const isForeign = ({ sessionHandle, userId }: IndexedRow): boolean =>
        layout.handlePartition(sessionHandle) !== layout.userPartition(userId);
      await this.forget(rows.filter(isForeign));
    }
    return distinct(rows);
  }

  /** @returns the replies of the script ROWS; several if it ran again to be sure of its effect */
  private async pageReplies(
    partition: number,
    page: readonly SessionKey[],
    action: Action,
    { where = {}, notes = NO_NOTES }: RowsDetails,
  ): Promise<string[][]> {
    const { earliestMs = '', latestMs = '', userId = '', createdBeforeMs = '' } = where;
    const keys = [this.layout.indexKey(partition), ...page.map((key) => this.layout.rowKey(key))];
    const args = (mark: string) => [
      action,
      earliestMs,
      latestMs,
      userId,
      mark,
      createdBeforeMs,
      ...noteArgumentsOf(notes),
    ];
    const replies =
      action === 'end'
        ? await this.connection.runDurably(ROWS, keys, args, hasNoRow)
        : [await this.connection.run(ROWS, keys, args(''))];
    return replies.map(replyTexts);
  }

  /** Removes members of the indexes. */
  private async forget(rows: readonly Omit<IndexedRow, 'createdAtMs'>[]): Promise<void> {
    for (const row of rows) {
      const index = this.layout.indexKey(this.layout.userPartition(row.userId));
      await this.connection.command(index, 'ZREM', index, indexMember(row));
    }
  }

  private pagesByPartition(keys: readonly SessionKey[]): [partition: number, page: SessionKey[]][] {
    const groups = new Map<number, SessionKey[]>();
    for (const key of keys) {
      const partition = this.layout.handlePartition(key.sessionHandle);
      const group = groups.get(partition);
      if (group === undefined) groups.set(partition, [key]);
      else group.push(key);
    }
    return Array.from(groups).flatMap(([partition, group]) =>
      Array.from({ length: Math.ceil(group.length / PAGE) }, (_, page): [number, SessionKey[]] => [
        partition,
        group.slice(page * PAGE, (page + 1) * PAGE),
      ]),
    );
  }
}

/** Reads the names and times of creation that the script USER_ROWS returns in turn. */
function userRows(texts: readonly string[]): UserRow[] {
  return texts.flatMap((name, i) =>
    i % 2 === 0 ? { ...parseRowName(name), createdAtMs: Number(texts[i + 1]) } : [],
  );
}

/** Reads what the script ROWS returns of one row. */
function keyedRow({ tenantId, sessionHandle }: SessionKey, reply: string): IndexedRow[] {
  const end = reply.indexOf('\0');
  if (end < 0) return [];
  const createdAtMs = Number(reply.slice(0, end));
  return [{ tenantId, sessionHandle, createdAtMs, userId: reply.slice(end + 1) }];
}

/** Keeps one of several reports of a row that was removed again, after a fail-over. */
function distinct<Row extends SessionKey>(rows: readonly Row[]): Row[] {
  return [...new Map(rows.map((row) => [`${row.tenantId}\0${row.sessionHandle}`, row])).values()];
}

/** Whether the script ROWS found no row that matches. */
function hasNoRow(reply: unknown): boolean {
  return !replyTexts(reply).some((text) => text.includes('\0'));
}

import { SingleFlight } from '../../util/single-flight.js';
import {
  isStorableText,
  type SessionCountStep,
  type SessionKey,
  type SessionPage,
  type SessionPosition,
  type SessionRow,
  type SessionSearch,
} from '../session-store.js';
import { replyList, replyNumber, replyText, type RedisConnection } from './redis-connection.js';
import {
  creationSetEnding,
  decodeRow,
  parseRowName,
  rowName,
  tenantRowNames,
  type RedisLayout,
} from './redis-layout.js';
import type { RedisRows } from './redis-rows.js';
import { LIST, SEARCH } from './redis-search-scripts.js';

/** Rows that one script looks at, so that none blocks the server for long. */
const LOOKED_AT_ONCE = 500;
/** Rows that one page looks at, so that many ended ones do not hold it up. */
const MAX_LOOKED_AT = 5000;

/** The beginning of a script; see SEARCH. */
type Start = readonly [how: 'newest' | 'at' | 'before' | 'from', timeMs: number | '', name: string];
const NEWEST: Start = ['newest', '', ''];

/** The result of the script SEARCH. */
interface Step {
  /** The last row that was looked at; undefined if there was none. */
  readonly last: SessionPosition | undefined;
  readonly hasMore: boolean;
  readonly looked: number;
  readonly count: number;
  readonly rows: readonly SessionRow[];
}

/** Lists and counts the sessions of everybody by a sorted set in each partition. */
export class RedisSearch {
  /** The partitions whose index is being completed. */
  private readonly listings = new Map<number, SingleFlight<void>>();

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
    private readonly rows: RedisRows,
    private readonly find: (key: SessionKey) => Promise<SessionRow | undefined>,
  ) {}

  /** One script on a single server; in a cluster at least one for each partition, whose results are merged. */
  async page(search: SessionSearch): Promise<SessionPage> {
    if (!isStorableText(search.tenantId ?? '')) return { rows: [], next: undefined };
    if (search.userIds !== undefined) return this.pageOfUsers(search.userIds, search);
    const partitions = this.layout.allPartitions();
    const each = partitions.length === 1 ? search.limit : Math.ceil((2 * search.limit) / partitions.length);
    const walks = partitions.map(
      (partition) =>
        new Walk(this.start(partition, search.after), async (start) =>
          this.step(partition, start, search, each + 1),
        ),
    );
    return this.merge(walks, search.limit);
  }

  /** Takes the newest row of all partitions again and again, once no partition may have a newer one that was not read yet. */
  private async merge(walks: readonly Walk[], limit: number): Promise<SessionPage> {
    const rows: SessionRow[] = [];
    for (let looked = 0; ;) {
      const first = walks.reduce<Walk | undefined>((best, walk) => this.ahead(best, walk), undefined);
      const head = first?.head;
      const unknown = walks.filter(
        ({ isUnread, reached }) =>
          isUnread && (head === undefined || reached === undefined || this.isNewer(reached, head)),
      );
      if (unknown.length > 0) {
        if (looked >= MAX_LOOKED_AT) return { rows, next: this.newest(unknown) };
        for (const count of await Promise.all(unknown.map(async (walk) => walk.read()))) looked += count;
        continue;
      }
      const last = rows.at(-1);
      if (first === undefined || head === undefined) return { rows, next: undefined };
      if (last !== undefined && rows.length === limit) return { rows, next: positionOf(last) };
      rows.push(head);
      first.drop();
    }
  }

  /** Partition by partition, because a count needs no order. */
  async count(search: SessionSearch): Promise<SessionCountStep> {
    if (!isStorableText(search.tenantId ?? '')) return { count: 0, next: undefined };
    if (search.userIds !== undefined)
      return { count: (await this.ofUsers(search.userIds, search)).length, next: undefined };
    const { after } = search;
    const begin = after === undefined ? 0 : this.layout.handlePartition(after.sessionHandle);
    let [count, left] = [0, search.limit];
    for (const partition of this.layout.allPartitions().slice(begin)) {
      let start = after !== undefined && partition === begin ? startAt(after) : NEWEST;
      for (let hasMore = true; hasMore;) {
        const step = await this.step(partition, start, search, 'count', Math.min(left, LOOKED_AT_ONCE));
        count += step.count;
        left -= step.looked;
        if (step.last === undefined) break;
        if (left <= 0) return { count, next: step.last };
        start = startAt(step.last);
        ({ hasMore } = step);
      }
    }
    return { count, next: undefined };
  }

  private async step(
    partition: number,
    [how, timeMs, name]: Start,
    search: SessionSearch,
    wanted: number | 'count',
    most = LOOKED_AT_ONCE,
  ): Promise<Step> {
    const { tenantId, createdSinceMs, nowMs } = search;
    const ending = creationSetEnding(tenantId);
    const beginning = ending === '' ? tenantRowNames(tenantId) : '';
    const reply = replyList(
      await this.connection.run(
        SEARCH,
        [this.layout.indexKey(partition)],
        [ending, how, timeMs, name, createdSinceMs ?? '-inf', nowMs, beginning, wanted, most],
      ),
    );
    if (reply.length > 1) return toStep(reply);
    await this.list(partition);
    return this.step(partition, [how, timeMs, name], search, wanted, most);
  }

  /** Completes the index of a partition, whose sessions an older version has stored: once, in steps. */
  private async list(partition: number): Promise<void> {
    let listing = this.listings.get(partition);
    if (listing === undefined) {
      listing = new SingleFlight(async () => {
        const index = this.layout.indexKey(partition);
        let last = '';
        do last = replyText(await this.connection.run(LIST, [index], [last, LOOKED_AT_ONCE]));
        while (last !== '');
      });
      this.listings.set(partition, listing);
    }
    await listing.run();
  }

  private async pageOfUsers(userIds: readonly string[], search: SessionSearch): Promise<SessionPage> {
    const keys = await this.ofUsers(userIds, search);
    const page = keys.slice(0, search.limit);
    const rows = await Promise.all(page.map(this.find));
    const last = page.at(-1);
    return {
      rows: rows.filter((row) => row !== undefined && row.expiresAtMs >= search.nowMs) as SessionRow[],
      next: last !== undefined && keys.length > page.length ? positionOf(last) : undefined,
    };
  }

  private async ofUsers(
    userIds: readonly string[],
    { tenantId, nowMs, createdSinceMs = Number.NEGATIVE_INFINITY, after }: SessionSearch,
  ): Promise<SessionPosition[]> {
    const rows = await this.rows.ofUsers({ userIds, tenantId, nowMs }, 'look');
    return rows
      .filter((row) => row.createdAtMs >= createdSinceMs && (after === undefined || this.isNewer(after, row)))
      .sort((a, b) => (this.isNewer(a, b) ? -1 : 1));
  }

  /** Sessions of one time are in the order of their partitions, so only one of them has to look for the place of a name. */
  private start(partition: number, after: SessionPosition | undefined): Start {
    if (after === undefined) return NEWEST;
    const place = this.layout.handlePartition(after.sessionHandle);
    if (partition === place) return startAt(after);
    return [partition < place ? 'before' : 'from', after.createdAtMs, ''];
  }

  private isNewer(a: SessionPosition, b: SessionPosition): boolean {
    if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs > b.createdAtMs;
    const [left, right] = [a, b].map(({ sessionHandle }) => this.layout.handlePartition(sessionHandle));
    return left === right ? rowName(a) > rowName(b) : Number(left) < Number(right);
  }

  private ahead(best: Walk | undefined, walk: Walk): Walk | undefined {
    if (walk.head === undefined) return best;
    return best?.head === undefined || this.isNewer(walk.head, best.head) ? walk : best;
  }

  private newest(walks: readonly Walk[]): SessionPosition | undefined {
    return walks
      .map(({ reached }) => reached)
      .filter((reached) => reached !== undefined)
      .reduce((best, reached) => (this.isNewer(reached, best) ? reached : best));
  }
}

/** The rows of one partition, which are read some at a time. */
class Walk {
  /** The last row that was looked at. */
  reached: SessionPosition | undefined;
  private rows: readonly SessionRow[] = [];
  private dropped = 0;
  private hasMore = true;

  constructor(
    private start: Start,
    private readonly step: (start: Start) => Promise<Step>,
  ) {}

  get head(): SessionRow | undefined {
    return this.rows[this.dropped];
  }

  /** Whether its next row has to be read. */
  get isUnread(): boolean {
    return this.head === undefined && this.hasMore;
  }

  drop(): void {
    this.dropped++;
  }

  /** @returns how many rows were looked at */
  async read(): Promise<number> {
    const { rows, last, hasMore, looked } = await this.step(this.start);
    [this.rows, this.dropped] = [rows, 0];
    this.hasMore = hasMore && last !== undefined;
    if (last !== undefined) [this.reached, this.start] = [last, startAt(last)];
    return looked;
  }
}

function startAt(position: SessionPosition): Start {
  return ['at', position.createdAtMs, rowName(position)];
}

function positionOf({ tenantId, sessionHandle, createdAtMs }: SessionPosition): SessionPosition {
  return { tenantId, sessionHandle, createdAtMs };
}

function toStep([name, time, hasMore, looked, count, ...rows]: readonly unknown[]): Step {
  const last = replyText(name);
  return {
    last: last === '' ? undefined : { ...parseRowName(last), createdAtMs: Number(replyText(time)) },
    hasMore: replyNumber(hasMore) === 1,
    looked: replyNumber(looked),
    count: replyNumber(count),
    rows: rows.flatMap((row, i) =>
      i % 2 === 0 ? decodeRow(parseRowName(replyText(row)), replyText(rows[i + 1])) : [],
    ),
  };
}

import { createHash, randomUUID } from 'node:crypto';
import { parseDetails, type AuditEntry, type AuditNote, type AuditRecord } from '../../audit/audit-record.js';
import {
  AuditTrail,
  LOOKED_AT,
  refusePosition,
  type AuditPage,
  type AuditSearch,
} from '../../audit/audit-trail.js';
import { matchesSearch } from '../../audit/memory-trail.js';
import { APPEND_AUDIT, READ_AUDIT, SWEEP_AUDIT } from './redis-audit-scripts.js';
import { replyList, replyNumber, replyText, replyTexts, type RedisConnection } from './redis-connection.js';
import { parseRowName, type RedisLayout } from './redis-layout.js';
import { RedisPlacement } from './redis-placement.js';

/** Entries that one script reads of a stream where not all are wanted. */
const CHOSEN_FROM = 1000;

/** An entry of a stream. */
interface Entry {
  readonly partition: number;
  readonly id: string;
  readonly fields: readonly string[];
}

/** The last entry that was read, of each partition. */
type Positions = Map<number, Pick<Entry, 'id'> & { readonly digest: string }>;

/**
 * A stream in each partition as an audit trail: the script that changes a session writes the record into the stream beside it. The records
 * of one session are in one stream, and so in their order; those of several partitions are put in order page by page.
 */
export class RedisTrail extends AuditTrail {
  private readonly placement: RedisPlacement;

  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
  ) {
    super();
    this.placement = new RedisPlacement(connection, layout);
  }

  override async append(entries: readonly AuditEntry[]): Promise<void> {
    const { layout } = this;
    const groups = new Map<number, AuditEntry[]>();
    for (const entry of entries) {
      const { sessionHandle } = entry.subject;
      const partition = sessionHandle === undefined ? 0 : layout.handlePartition(sessionHandle);
      groups.set(partition, [...(groups.get(partition) ?? []), entry]);
    }
    for (const [partition, group] of groups) {
      await this.connection.runDurably(
        APPEND_AUDIT,
        [layout.indexKey(partition), layout.callKey(partition, randomUUID())],
        (mark) => [mark, ...group.flatMap((entry) => [entry.kind, entry.keepUntilMs, entryText(entry)])],
        (reply) => replyNumber(reply) === 0,
      );
    }
  }

  override async read(search: AuditSearch): Promise<AuditPage> {
    const positions = parsePosition(search);
    const { entries, isCut } = await this.entries(search, positions);
    const records: AuditRecord[] = [];
    let looked = 0;
    for (const entry of entries) {
      if (records.length === search.limit) break;
      looked++;
      positions.set(entry.partition, { id: entry.id, digest: digestOf(entry) });
      const record = toRecord(entry);
      if (matchesSearch(record, search)) records.push(record);
    }
    const mayHaveMore = isCut || looked < entries.length;
    const next = formatPosition(search.newestFirst, positions);
    return { records, mayHaveMore, ...(search.newestFirst && !mayHaveMore ? {} : { next }) };
  }

  /** Reads the entries behind positions, those of all partitions by their time. */
  private async entries(
    search: AuditSearch,
    positions: Positions,
  ): Promise<{ readonly entries: Entry[]; readonly isCut: boolean }> {
    const { newestFirst, limit, sessionHandle } = search;
    const wanted = sessionHandle === undefined ? undefined : this.layout.handlePartition(sessionHandle);
    const isChosen = [search.sessionHandle, search.userIds, search.tenantId, search.kinds].some(
      (condition) => condition !== undefined,
    );
    const most = isChosen ? Math.max(limit, CHOSEN_FROM) : limit;
    const mostOfServer = Math.max(most, LOOKED_AT);
    const replies = await this.placement.forEachServer(async (all) => {
      const together = all.filter((partition) => wanted === undefined || partition === wanted);
      if (together.length === 0) return [];
      const streams = together.map((partition) => this.layout.auditKey(partition));
      const places = together.flatMap((partition, i) => {
        const { id = '', digest = '' } = positions.get(partition) ?? {};
        return [streams[i] ?? '', id, digest];
      });
      const head = [newestFirst ? 'newest' : 'oldest', most, mostOfServer];
      const reply = await this.connection.run(READ_AUDIT, streams.slice(0, 1), [...head, ...places]);
      return replyList(reply).map((page) => readPage(page, together));
    });
    const pages = replies.flat();
    const looked = replies.map((each) => each.reduce((sum, page) => sum + page.length, 0));
    const isCut = pages.some((page) => page.length >= most) || looked.some((count) => count >= mostOfServer);
    return { entries: pages.flat().sort(byTime(newestFirst)), isCut };
  }

  /** Each partition removes as many as one script may, whatever the limit. */
  override async sweep(nowMs: number): Promise<{ mayHaveMore: boolean }> {
    let mayHaveMore = false;
    for (const partition of this.layout.allPartitions()) {
      const stream = this.layout.auditKey(partition);
      if (replyNumber(await this.connection.run(SWEEP_AUDIT, [stream], [nowMs])) === 1) mayHaveMore = true;
    }
    return { mayHaveMore };
  }
}

/** Returns a note as the scripts take it; empty without one. */
export function auditArgument(note: AuditNote | undefined): string {
  if (note === undefined) return '';
  return [note.kind, note.timeMs, note.keepUntilMs, JSON.stringify(note.details)].join('\0');
}

/** Returns the text of an entry that belongs to no row. */
export function entryText({ timeMs, subject, details }: AuditEntry): string {
  return JSON.stringify({ ...details, ...subject, timeMs });
}

function readPage(reply: unknown, partitions: readonly number[]): Entry[] {
  const [index, entries] = replyList(reply);
  const partition = partitions[replyNumber(index)];
  if (partition === undefined) throw new Error('Redis returned a stream that was not asked for');
  return replyList(entries).map((entry) => {
    const [id, fields] = replyList(entry);
    return { partition, id: replyText(id), fields: replyTexts(fields) };
  });
}

/** Reads an entry: the columns of a note and a row, or JSON. */
function toRecord({ partition, id, fields }: Entry): AuditRecord {
  const field = new Map(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : [])));
  const own = { id: `${partition}-${id}`, kind: (field.get('k') ?? '') as AuditRecord['kind'] };
  const json = field.get('j');
  if (json !== undefined) return { timeMs: 0, ...parseDetails(json), ...own };
  const { tenantId, sessionHandle } = parseRowName(field.get('s') ?? '');
  const number = (name: string, value = ''): object => (value === '' ? {} : { [name]: Number(value) });
  return {
    ...parseDetails(field.get('d') ?? ''),
    ...own,
    timeMs: Number(field.get('t')),
    tenantId,
    sessionHandle,
    recipeUserId: field.get('u') ?? '',
    ...number('sessionCreatedAtMs', field.get('c')),
    ...number('sessionExpiresAtMs', field.get('e')),
  };
}

function byTime(newestFirst: boolean): (a: Entry, b: Entry) => number {
  const numbers = ({ id }: Entry): [number, number] => {
    const [time = 0, count = 0] = id.split('-').map(Number);
    return [time, count];
  };
  return (a, b) => {
    const [[timeA, countA], [timeB, countB]] = [numbers(a), numbers(b)];
    const order = timeA - timeB || countA - countB;
    return newestFirst ? -order : order;
  };
}

function digestOf({ fields }: Entry): string {
  return createHash('sha1').update(fields.join('\0')).digest('hex').slice(0, 6);
}

const PART = /^(\d{1,3})_(\d{1,19}-\d{1,19})_([0-9a-f]{6})$/;

function parsePosition({ after, newestFirst }: AuditSearch): Positions {
  if (after === undefined) return new Map();
  const [, direction, rest = ''] = /^([on])([\d_a-f.-]*)$/.exec(after) ?? refusePosition();
  if ((direction === 'n') !== newestFirst) return refusePosition();
  const parts = rest === '' ? [] : rest.split('.');
  return new Map(
    parts.map((part) => {
      const [, partition, id = '', digest = ''] = PART.exec(part) ?? refusePosition();
      return [Number(partition), { id, digest }];
    }),
  );
}

function formatPosition(newestFirst: boolean, positions: Positions): string {
  const parts = Array.from(positions, ([partition, { id, digest }]) => `${partition}_${id}_${digest}`);
  return `${newestFirst ? 'n' : 'o'}${parts.join('.')}`;
}

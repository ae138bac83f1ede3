import { randomUUID } from 'node:crypto';
import {
  noteOfRemoved,
  subjectOfRow,
  type AuditedRow,
  type AuditEntry,
  type AuditNote,
  type AuditRecord,
} from './audit-record.js';
import { AuditTrail, refusePosition, type AuditPage, type AuditSearch } from './audit-trail.js';

/** Records that are kept; beyond it the oldest go. */
const MAX_RECORDS = 100_000;

interface Kept {
  readonly number: number;
  readonly record: AuditRecord;
  readonly keepUntilMs: number;
}

/** An audit trail in the memory of this process: it ends with the process, as the sessions there do. */
export class MemoryTrail extends AuditTrail {
  private readonly name = randomUUID().slice(0, 8);
  private kept: Kept[] = [];
  private lastNumber = 0;

  constructor(private readonly maxRecords: number = MAX_RECORDS) {
    super();
  }

  override async append(entries: readonly AuditEntry[]): Promise<void> {
    for (const entry of entries) this.add(entry);
  }

  /** Writes a record of each row at once. */
  note(rows: readonly AuditedRow[], note: AuditNote | undefined): void {
    if (note === undefined) return;
    for (const row of rows) this.add({ ...noteOfRemoved(note, row.expiresAtMs), subject: subjectOfRow(row) });
  }

  private add({ kind, timeMs, keepUntilMs, details, subject }: AuditEntry): void {
    const number = ++this.lastNumber;
    const record = { id: `${this.name}-${number}`, kind, timeMs, ...subject, ...details };
    this.kept.push({ number, record, keepUntilMs });
    if (this.kept.length > this.maxRecords * 1.1) this.kept = this.kept.slice(-this.maxRecords);
  }

  override async read(search: AuditSearch): Promise<AuditPage> {
    const { newestFirst, limit } = search;
    const place = this.placeOf(search.after);
    const rows = newestFirst ? this.kept.toReversed() : this.kept;
    const isAfter = ({ number }: Kept): boolean =>
      place === undefined || (newestFirst ? number < place : number > place);
    const records: AuditRecord[] = [];
    let reached = place ?? 0;
    const looked = rows.filter(isAfter);
    for (const { number, record } of looked) {
      if (records.length === limit) return this.page(records, reached, true);
      if (matchesSearch(record, search)) records.push(record);
      reached = number;
    }
    return newestFirst ? { records, mayHaveMore: false } : this.page(records, reached, false);
  }

  private page(records: readonly AuditRecord[], reached: number, mayHaveMore: boolean): AuditPage {
    return { records, mayHaveMore, next: `${this.name}-${reached}` };
  }

  override async sweep(nowMs: number): Promise<{ mayHaveMore: boolean }> {
    this.kept = this.kept.filter(({ keepUntilMs }) => keepUntilMs > nowMs);
    return { mayHaveMore: false };
  }

  /** @returns the number of the record at a position; 0 for the position of a trail that ended with its process */
  private placeOf(after: string | undefined): number | undefined {
    if (after === undefined) return undefined;
    const [, name, number] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(after) ?? refusePosition();
    return name === this.name ? Number(number) : 0;
  }
}

/** Returns whether a record fulfils the conditions, for stores that cannot ask for them. */
export function matchesSearch(record: AuditRecord, search: AuditSearch): boolean {
  const { sessionHandle, userIds, tenantId, kinds } = search;
  return (
    (sessionHandle === undefined || record.sessionHandle === sessionHandle) &&
    (tenantId === undefined || record.tenantId === tenantId) &&
    (userIds === undefined || userIds.includes(record.recipeUserId ?? '')) &&
    (kinds === undefined || kinds.includes(record.kind))
  );
}

import { randomUUID } from 'node:crypto';
import { cutOffEntry, type AuditNote } from '../../audit/audit-record.js';
import { cutOffRevocation, type RevocationNote } from '../../feed/revocation-feed.js';
import type { SessionCutOff } from '../session-store.js';
import { replyNumber, type RedisConnection } from './redis-connection.js';
import { entryText } from './redis-audit.js';
import { CUT_OFF } from './redis-feed-scripts.js';
import { noteArguments, type RedisFeed } from './redis-feed.js';
import { tenantRowNames, type RedisLayout } from './redis-layout.js';

/** The field of the cut-off of all tenants; no name of a session begins like it. */
const EVERYBODY = '*';
/** Partitions that wait for their copies at the same time, so that none waits too long for its turn. */
const PARTITIONS_AT_ONCE = 16;

interface CutOffRecords {
  /** Empty: none. */
  readonly record: string;
  readonly lifeMs: number | '';
  readonly audit: AuditNote | undefined;
}

const NO_RECORDS = { record: '', lifeMs: '' } as const;

/** Ends the sessions of a tenant or of everybody by a small hash in each partition, which all scripts ask about the rows that they read. */
export class RedisCutOffs {
  constructor(
    private readonly connection: RedisConnection,
    private readonly layout: RedisLayout,
    private readonly feed: RedisFeed,
  ) {}

  async set(cutOff: SessionCutOff, note: RevocationNote | undefined, audit?: AuditNote): Promise<void> {
    const partitions = this.layout.allPartitions();
    if (partitions.length > 1) {
      await this.setInAll(partitions, cutOff, note, audit);
      return;
    }
    const [, lifeMs] = noteArguments(note);
    const record = note === undefined ? '' : JSON.stringify(cutOffRevocation(cutOff.tenantId, note));
    await this.setIn(0, cutOff, { record, lifeMs, audit });
  }

  /**
   * Writes the record before the first cut-off and after the last: a process that dies in between leaves a record too many, and an
   * instance that asked about a session before its cut-off was set asks again. The times of the two differ, so that each is news.
   */
  private async setInAll(
    partitions: number[],
    cutOff: SessionCutOff,
    note: RevocationNote | undefined,
    audit: AuditNote | undefined,
  ): Promise<void> {
    const tell = async (more: number): Promise<void> => {
      if (note === undefined) return;
      await this.feed.publish([cutOffRevocation(cutOff.tenantId, { ...note, untilMs: note.untilMs + more })]);
    };
    await tell(0);
    const left = [...partitions];
    while (left.length > 0) {
      const together = left.splice(0, PARTITIONS_AT_ONCE);
      await Promise.all(
        together.map(async (partition) => {
          await this.setIn(partition, cutOff, { ...NO_RECORDS, audit: partition === 0 ? audit : undefined });
        }),
      );
    }
    await tell(1);
  }

  private async setIn(
    partition: number,
    { tenantId, createdBeforeMs, includesPresent }: SessionCutOff,
    { record, lifeMs, audit }: CutOffRecords,
  ): Promise<void> {
    const entry = audit && cutOffEntry(audit, tenantId);
    const audited = entry === undefined ? ['', '', ''] : [entryText(entry), entry.kind, entry.keepUntilMs];
    const tenant = tenantId === undefined ? EVERYBODY : tenantRowNames(tenantId);
    await this.connection.runDurably(
      CUT_OFF,
      [this.layout.indexKey(partition), this.layout.callKey(partition, randomUUID())],
      (mark) => [mark, tenant, createdBeforeMs, includesPresent ? 1 : '', record, lifeMs, ...audited],
      (reply) => replyNumber(reply) === 0,
    );
  }
}

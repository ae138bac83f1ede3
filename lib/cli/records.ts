import type { AuditRecord } from '../audit/audit-record.js';
import type { OpenedSessions } from './open-sessions.js';
import { timeText, type Column } from './output.js';

/** Returns the newest records of a session, the newest first; none where no audit trail is kept. */
export async function newestOfSession(
  { core, service }: OpenedSessions,
  search: { readonly sessionHandle: string; readonly kinds?: 'ended'; readonly limit: number },
): Promise<readonly AuditRecord[]> {
  if (core.auditTrail === undefined) return [];
  return (await service.readAudit({ ...search, newestFirst: true })).records;
}

/** The facts of a record that depend on its kind, in a few words. */
export function recordDetails(record: AuditRecord): string {
  const { reason, initiator, actorId, names, presented, current, createdBeforeMs } = record;
  const { delivery, attempts, token } = record;
  const facts: readonly (readonly [string, string | number | undefined])[] = [
    ['reason', reason],
    ['by', initiator],
    ['used by', actorId],
    ['names', names?.join(' ')],
    ['presented', presented?.token],
    ['current', current?.token],
    ['token', token],
    ['created before', createdBeforeMs === undefined ? undefined : timeText(createdBeforeMs)],
    ['delivery', delivery],
    ['attempts', attempts],
  ];
  return facts
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(', ');
}

/** The columns of a list of records. */
export const RECORD_COLUMNS: readonly Column<AuditRecord>[] = [
  { title: 'TIME', read: ({ timeMs }) => timeText(timeMs), isWhole: true },
  { title: 'EVENT', read: ({ kind }) => kind, isWhole: true },
  { title: 'USER', read: ({ userId, recipeUserId }) => userId ?? recipeUserId },
  { title: 'TENANT', read: ({ tenantId }) => tenantId },
  { title: 'SESSION', read: ({ sessionHandle }) => sessionHandle, isWhole: true },
  { title: 'DETAILS', read: recordDetails },
  { title: 'ADDRESS', read: ({ ip }) => ip },
  { title: 'AGENT', read: ({ userAgent }) => userAgent },
];

/** The columns of the life of one session. */
export const LIFE_COLUMNS: readonly Column<AuditRecord>[] = RECORD_COLUMNS.filter(
  ({ title }) => !['USER', 'TENANT', 'SESSION'].includes(title),
);

/** A record as JSON, with its time as text. */
export function recordJson({ timeMs, ...record }: AuditRecord): object {
  return { time: new Date(timeMs).toISOString(), ...record };
}

import type { AuditBranch, AuditRecord } from '../audit/audit-record.js';

/** One of the two branches of refresh tokens that a theft shows. */
export interface TheftBranch extends AuditBranch {
  /** `presented`: the token that came back; `current`: the one that is in use. */
  readonly name: 'presented' | 'current';
  /** The client that brought the token, or for which it became the current one; absent where the trail does not know. */
  readonly ip?: string;
  readonly userAgent?: string;
}

/**
 * Returns both branches of a theft with their clients: the one that presented the old token is that of the theft's own record, the other is
 * that of the record which made the current token the current one.
 */
export function theftBranches(theft: AuditRecord, life: readonly AuditRecord[]): TheftBranch[] {
  const { presented, current } = theft;
  const promotion = current && life.findLast(({ token }) => token === current.token);
  return [
    ...(presented === undefined ? [] : [{ name: 'presented' as const, ...presented, ...clientOf(theft) }]),
    ...(current === undefined ? [] : [{ name: 'current' as const, ...current, ...clientOf(promotion) }]),
  ];
}

function clientOf(record: AuditRecord | undefined): Pick<AuditRecord, 'ip' | 'userAgent'> {
  return {
    ...(record?.ip !== undefined && { ip: record.ip }),
    ...(record?.userAgent !== undefined && { userAgent: record.userAgent }),
  };
}

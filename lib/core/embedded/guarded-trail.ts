import type { AuditEntry } from '../../audit/audit-record.js';
import { AuditTrail, type AuditPage, type AuditSearch } from '../../audit/audit-trail.js';
import { CoreBadInputError } from '../../errors.js';

/** The engine's access to the audit trail of its store, as guarded as the rest of the store. */
export class GuardedTrail extends AuditTrail {
  constructor(
    private readonly trail: AuditTrail,
    private readonly pass: <T>(work: () => Promise<T>) => Promise<T>,
  ) {
    super();
  }

  override async append(entries: readonly AuditEntry[]): Promise<void> {
    return this.pass(async () => this.trail.append(entries));
  }

  /** @throws {CoreBadInputError} `after` is no position, which often comes from a client */
  override async read(search: AuditSearch): Promise<AuditPage> {
    return this.pass(async () => {
      try {
        return await this.trail.read(search);
      } catch (error) {
        if (error instanceof TypeError && error.message.startsWith('after:'))
          throw new CoreBadInputError(error.message);
        throw error;
      }
    });
  }

  override async sweep(nowMs: number, limit: number): Promise<{ readonly mayHaveMore: boolean }> {
    return this.pass(async () => this.trail.sweep(nowMs, limit));
  }
}

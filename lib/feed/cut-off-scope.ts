import type { Revocation } from './revocation-feed.js';

/** The facts of a session by which cut-offs name it. */
export interface CutOffSubject {
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
}

/** The sessions that some cut-offs are about, whenever they began. */
export class CutOffScope {
  /** Undefined among the tenants of a user: all of them. */
  private readonly users = new Map<string, Set<string | undefined>>();
  private readonly tenants = new Set<string>();
  private isEverybody = false;

  constructor(cutOffs: readonly Pick<Revocation, 'kind' | 'id' | 'tenantId'>[]) {
    for (const { kind, id, tenantId } of cutOffs) {
      if (kind === 'user') this.users.set(id, (this.users.get(id) ?? new Set()).add(tenantId));
      else if (kind === 'tenant') this.tenants.add(id);
      else if (kind === 'all') this.isEverybody = true;
    }
  }

  /** The scope of all sessions. */
  static everybody(): CutOffScope {
    return new CutOffScope([{ kind: 'all', id: '', tenantId: undefined }]);
  }

  includes({ userId, recipeUserId, tenantId }: CutOffSubject): boolean {
    return (
      this.isEverybody ||
      this.tenants.has(tenantId) ||
      this.includesUser(userId, tenantId) ||
      this.includesUser(recipeUserId, tenantId)
    );
  }

  private includesUser(id: string, tenantId: string): boolean {
    const tenants = this.users.get(id);
    return tenants !== undefined && (tenants.has(undefined) || tenants.has(tenantId));
  }
}

/** A position in a revocation log. */
export type RevocationMark = number;

/** The facts of a session by which it may have ended without being named. */
export interface RevocationLogSubject {
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
}

/** Sessions that are not named one by one. */
export interface RevocationLogScope {
  includes(subject: RevocationLogSubject): boolean;
}

/** The largest number of scopes that are kept; older ones count for every session. */
const MAX_SCOPES = 100;

/**
 * The sessions that were revoked last, for work that runs meanwhile. It is one bounded log for all of that work, because
 * clients decide how much of it runs. Each call takes the same few steps, however full the log is.
 */
export class RevocationLog {
  private readonly handles: (string | undefined)[] = [];
  /** The last position of each handle that is kept. */
  private readonly positions = new Map<string, number>();
  /** The position of the last entry that stands for unknown sessions. */
  private lastUnknown = -1;
  /** The last entries that stand for unknown sessions of a scope, the oldest first. */
  private readonly scopes: { readonly position: number; readonly scope: RevocationLogScope }[] = [];
  /** The present end of the log. */
  mark: RevocationMark = 0;

  /** @param capacity number of entries that are kept */
  constructor(private readonly capacity = 10_000) {}

  add(sessionHandle: string): void {
    this.positions.set(sessionHandle, this.advance(sessionHandle));
  }

  /**
   * Notes that sessions were revoked whose handles are not known.
   *
   * @param scope the sessions that may be among them; undefined: any
   */
  addUnknown(scope?: RevocationLogScope): void {
    const position = this.advance(undefined);
    if (scope === undefined) this.lastUnknown = position;
    else this.scopes.push({ position, scope });
    if (this.scopes.length <= MAX_SCOPES) return;
    this.lastUnknown = Math.max(this.lastUnknown, this.scopes.shift()?.position ?? -1);
  }

  /** Returns whether a session is among those that are kept. */
  includes(sessionHandle: string): boolean {
    return this.positions.has(sessionHandle);
  }

  /**
   * @param subject the facts of the session; undefined: every scope may include it
   * @returns undefined when it is not known, because more was added since than the log keeps, or unknown sessions
   */
  includesSince(
    mark: RevocationMark,
    sessionHandle: string,
    subject?: RevocationLogSubject,
  ): boolean | undefined {
    const position = this.positions.get(sessionHandle);
    if (position !== undefined && position >= mark) return true;
    if (mark <= this.lastUnknown || this.mark - mark > this.capacity) return undefined;
    const isInDoubt = this.scopes.some(
      (each) => each.position >= mark && (subject === undefined || each.scope.includes(subject)),
    );
    return isInDoubt ? undefined : false;
  }

  /** @returns the position of the new entry */
  private advance(sessionHandle: string | undefined): number {
    const place = this.mark % this.capacity;
    const oldest = this.handles[place];
    // A handle that was added again has a later position, which stays.
    if (oldest !== undefined && this.positions.get(oldest) === this.mark - this.capacity) {
      this.positions.delete(oldest);
    }
    this.handles[place] = sessionHandle;
    return this.mark++;
  }
}

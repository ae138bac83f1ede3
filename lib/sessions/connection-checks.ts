import type { CoreClient } from '../core/core-client.js';
import type { ConnectedSession, SessionConnections } from '../events/session-event-hub.js';
import type { CutOffScope } from '../feed/cut-off-scope.js';
import { hasLivingParents, parentHandles } from '../util/delegation-claims.js';
import { SingleFlight } from '../util/single-flight.js';
import { tenantIdOfHandle } from '../util/tenant-id.js';

/** Questions to the core at the same time: a cut-off may concern every connection of a process. */
const MAX_QUESTIONS = 50;

type SessionFinder = Pick<CoreClient, 'getSessionInformation'>;

/**
 * Looks up the sessions of open sockets and streams after cut-offs. Each session that waits is asked about once, however
 * many cut-offs it waits for, so ending many users costs the core no more than there are connections of them.
 */
export class ConnectionChecks {
  /** The sessions to look up. */
  private readonly due = new Set<string>();
  private readonly passes = new SingleFlight(async (core: SessionFinder) => this.pass(core));

  constructor(
    private readonly connections: ReadonlySet<SessionConnections>,
    private readonly endSession: (sessionHandle: string) => void,
  ) {}

  /** Marks the connected sessions of a scope, and those that end with another session, for the next {@link run}. */
  add(scope: CutOffScope): void {
    for (const session of this.connected()) {
      const handle = session.getHandle();
      const subject = {
        userId: session.getUserId(),
        recipeUserId: session.getRecipeUserId(),
        tenantId: tenantIdOfHandle(handle),
      };
      // The session that it ends with may be of another user and tenant.
      const hasParent = parentHandles(session.getAccessTokenPayload()).length > 0;
      if (hasParent || scope.includes(subject)) this.due.add(handle);
    }
  }

  /**
   * Looks up the sessions that are marked, and ends the work for those that the core does not know any more. Those that are
   * marked meanwhile join.
   *
   * @throws {CoreUnavailableError} some could not be looked up: they stay marked
   */
  async run(core: SessionFinder): Promise<void> {
    do await this.passes.run(core);
    while (this.due.size > 0); // marked when the pass that was joined had just ended
  }

  private async pass(core: SessionFinder): Promise<void> {
    this.forgetClosed();
    const failures: unknown[] = [];
    // Questioners of their own, not groups: a slow response must not keep the other places empty.
    const questioner = async (): Promise<void> => {
      for (const handle of this.due) {
        if (failures.length > 0) return; // a core in trouble is not asked about the rest
        this.due.delete(handle); // before the question, because a cut-off may come while it runs
        try {
          if (!(await isLive(core, handle))) this.endSession(handle);
        } catch (error) {
          this.due.add(handle);
          failures.push(error);
        }
      }
    };
    while (this.due.size > 0 && failures.length === 0) {
      await Promise.all(Array.from({ length: Math.min(this.due.size, MAX_QUESTIONS) }, questioner));
    }
    if (failures.length > 0) throw failures[0];
  }

  /** A connection that closed by itself is not worth a question. */
  private forgetClosed(): void {
    if (this.due.size === 0) return;
    const open = new Set([...this.connected()].map((session) => session.getHandle()));
    for (const handle of this.due) if (!open.has(handle)) this.due.delete(handle);
  }

  private *connected(): Iterable<ConnectedSession> {
    for (const kind of this.connections) yield* kind.sessions();
  }
}

/** Returns whether a session goes on, and those that it ends with. @throws {CoreUnavailableError} it could not be looked up */
export async function isLive(core: SessionFinder, handle: string): Promise<boolean> {
  const session = await core.getSessionInformation(handle, {});
  return session !== undefined && hasLivingParents(core, session.userDataInJWT);
}

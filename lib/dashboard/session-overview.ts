import type { AuditKind, AuditRecord } from '../audit/audit-record.js';
import type { CoreClient } from '../core/core-client.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { SessionDevice } from '../options/feature-options.js';
import type { SessionCount } from '../sessions/find.js';
import type { SessionFunctions } from '../sessions/session-functions.js';
import type { SessionInformation } from '../sessions/stored-sessions.interface.js';
import type { DelegationFacts } from '../util/delegation-claims.js';
import { cursorBefore, writeCursor } from '../util/session-cursor.js';
import { rotatingKeyMs } from '../util/verification-keys.js';
import { theftBranches, type TheftBranch } from './theft-branches.js';

const DEFAULT_LIMIT = 50;
/** Sessions of one page of the core, and how many a search by device looks at before it returns. */
const PAGE = 500;
const MAX_LOOKED_AT = 1000;
/** Records of one session's life that are read at most. */
const MAX_RECORDS = 500;

/** A live session as operators see it: neither its payload nor its data. */
export interface SessionSummary extends DelegationFacts {
  readonly sessionHandle: string;
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  /** Milliseconds since the epoch, as the other times. */
  readonly createdMs: number;
  /** When it ends unless it is refreshed. */
  readonly expiresMs: number;
  readonly device?: SessionDevice;
  readonly deviceBound?: 'dbsc' | 'dpop';
}

/** Which live sessions a list is about: those that fulfil every condition that is given. */
export interface SummarySearch {
  readonly sessionHandle?: string | undefined;
  readonly userId?: string | undefined;
  readonly tenantId?: string | undefined;
  /** A part of the address or of the user agent, in any case; needs the option `devices`. */
  readonly device?: string | undefined;
  readonly createdAfterMs?: number | undefined;
  readonly createdBeforeMs?: number | undefined;
  /** The `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** 1 to 500; default 50. */
  readonly limit?: number | undefined;
}

/** A page of live sessions, the newest first. */
export interface SummaryPage {
  /** May be fewer than asked for, or none, although there are more. */
  readonly sessions: readonly SessionSummary[];
  readonly nextCursor?: string;
}

/** An entry of a session's life. */
export type TimelineEntry = AuditRecord & {
  /** Of a theft: both branches, with the client that used each, as far as the trail knows it. */
  readonly branches?: readonly TheftBranch[];
};

/** A session from its beginning to its end. */
export interface SessionStory {
  /** Undefined after its end. */
  readonly session: SessionSummary | undefined;
  /** Oldest first; undefined if no audit trail is kept. */
  readonly timeline: readonly TimelineEntry[] | undefined;
  /** Whether older entries were left out. */
  readonly isCut: boolean;
}

/** A published signing key. */
export interface KeyAge {
  readonly kid: string;
  readonly algorithm: string | undefined;
  /** `rotating` keys are replaced by time, the `static` one is not; `unknown` for ids of another form. */
  readonly kind: 'rotating' | 'static' | 'unknown';
  /** When it was made, milliseconds since the epoch; known of rotating keys. */
  readonly createdMs: number | undefined;
}

/** The sessions to end: exactly one choice, with `tenantId` and `createdBeforeMs` to narrow `userId`, `tenantId` and `everybody`. */
export interface SessionSelection {
  readonly sessionHandle?: string | undefined;
  readonly userId?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly createdBeforeMs?: number | undefined;
  readonly everybody?: boolean | undefined;
}

/** Operators' views of sessions, and the calls that end them, without HTTP: for the dashboard and for programs. */
export class SessionOverview {
  constructor(
    private readonly sessions: SessionFunctions,
    private readonly core: Pick<CoreClient, 'auditTrail'>,
  ) {}

  /** Lists live sessions. @throws {CoreBadInputError} as `SessionService.findSessions` */
  async find(search: SummarySearch): Promise<SummaryPage> {
    const { sessionHandle, device } = search;
    if (sessionHandle !== undefined) {
      const found = await this.sessions.getSessionInformation(sessionHandle);
      const session = found && toSummary(found);
      return { sessions: session !== undefined && fulfils(session, search) ? [session] : [] };
    }
    if (device !== undefined) return this.findByDevice(device, search);
    const { sessions, nextCursor } = await this.page(search, search.cursor, search.limit ?? DEFAULT_LIMIT);
    return { sessions: sessions.map(toSummary), ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** Counts live sessions of a user, of a tenant, or of everybody; `createdAfterMs` leaves older ones out. */
  async count({
    userId,
    tenantId,
    createdAfterMs,
  }: Pick<SummarySearch, 'userId' | 'tenantId' | 'createdAfterMs'>): Promise<SessionCount> {
    return this.sessions.countSessions({ userId, tenantId, createdAfter: dateOf(createdAfterMs) });
  }

  /** Tells the life of a session. @returns undefined if neither the store nor the trail knows the handle */
  async story(sessionHandle: string): Promise<SessionStory | undefined> {
    const [found, trail] = await Promise.all([
      this.sessions.getSessionInformation(sessionHandle),
      this.readLife(sessionHandle),
    ]);
    const session = found && toSummary(found);
    if (session === undefined && (trail === undefined || trail.records.length === 0)) return undefined;
    const timeline = trail?.records.map((record) =>
      record.kind === 'session.theft-detected'
        ? { ...record, branches: theftBranches(record, trail.records) }
        : record,
    );
    return { session, timeline, isCut: trail?.isCut ?? false };
  }

  /** Reads the audit trail, the newest record first. @returns undefined if none is kept */
  async trail(search: {
    readonly userId?: string | undefined;
    readonly tenantId?: string | undefined;
    readonly sessionHandle?: string | undefined;
    readonly kinds?: readonly AuditKind[] | 'ended' | undefined;
    readonly after?: string | undefined;
    readonly limit?: number | undefined;
  }) {
    if (this.core.auditTrail === undefined) return undefined;
    return this.sessions.readAudit({ ...search, newestFirst: true });
  }

  /** Lists the published keys, the newest first. */
  async keys(): Promise<readonly KeyAge[]> {
    const { keys } = await this.sessions.getJWKS();
    return keys
      .map(({ kid, alg }) => ({ kid, algorithm: alg, ...ageOf(kid) }))
      .sort((a, b) => (b.createdMs ?? 0) - (a.createdMs ?? 0));
  }

  /**
   * Ends sessions.
   *
   * @returns how many ended; undefined for all of a tenant or of everybody, which one write ends without naming them
   * @throws {TypeError} the selection says not which, or contradicts itself
   */
  async end(selection: SessionSelection, details: RevocationDetails): Promise<number | undefined> {
    const { sessionHandle, userId, tenantId, createdBeforeMs, everybody = false } = selection;
    if (sessionHandle !== undefined) {
      if (userId !== undefined || tenantId !== undefined || createdBeforeMs !== undefined || everybody)
        throw new TypeError('sessionHandle names one session: leave the other conditions out');
      return (await this.sessions.revokeSession(sessionHandle, undefined, details)) ? 1 : 0;
    }
    if (everybody === (userId !== undefined || tenantId !== undefined)) {
      throw new TypeError('Say which sessions: sessionHandle, userId, tenantId, or everybody alone');
    }
    const ended = await this.sessions.revokeSessions({
      ...details,
      ...(tenantId !== undefined && { tenantId }),
      ...(userId !== undefined && { userIds: [userId] }),
      ...(createdBeforeMs !== undefined && { createdBefore: new Date(createdBeforeMs) }),
      ...(everybody && createdBeforeMs === undefined && { all: true as const }),
    });
    return ended?.length;
  }

  /** Reads pages until one is full or enough sessions were looked at, because no index finds devices. */
  private async findByDevice(wanted: string, search: SummarySearch): Promise<SummaryPage> {
    const { limit = DEFAULT_LIMIT } = search;
    const found: SessionSummary[] = [];
    let { cursor } = search;
    for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += PAGE) {
      const { sessions, nextCursor } = await this.page(search, cursor, PAGE);
      for (const session of sessions.map(toSummary).filter((each) => isOn(wanted, each))) {
        const last = found.at(-1);
        if (last !== undefined && found.length === limit)
          return { sessions: found, nextCursor: cursorAt(last) };
        found.push(session);
      }
      if (nextCursor === undefined) return { sessions: found };
      cursor = nextCursor;
    }
    return { sessions: found, ...(cursor !== undefined && { nextCursor: cursor }) };
  }

  private async page(search: SummarySearch, cursor: string | undefined, limit: number) {
    const { userId, tenantId, createdAfterMs, createdBeforeMs } = search;
    return this.sessions.findSessions({
      userId,
      tenantId,
      createdAfter: dateOf(createdAfterMs),
      // The list goes from new to old, so it begins at that moment.
      cursor: cursor ?? (createdBeforeMs === undefined ? undefined : cursorBefore(createdBeforeMs)),
      limit,
    });
  }

  private async readLife(sessionHandle: string) {
    const page = await this.trail({ sessionHandle, limit: MAX_RECORDS });
    return page && { records: page.records.toReversed(), isCut: page.mayHaveMore };
  }
}

function dateOf(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}

function toSummary(session: SessionInformation): SessionSummary {
  const { sessionHandle, userId, recipeUserId, tenantId, timeCreated, expiry } = session;
  const { device, deviceBound, actorId, parentSessionHandle } = session;
  return {
    sessionHandle,
    userId,
    recipeUserId,
    tenantId,
    createdMs: timeCreated,
    expiresMs: expiry,
    ...(device !== undefined && { device }),
    ...(deviceBound !== undefined && { deviceBound }),
    ...(actorId !== undefined && { actorId }),
    ...(parentSessionHandle !== undefined && { parentSessionHandle }),
  };
}

/** Whether a session that was found by its handle fulfils the other conditions. */
function fulfils(session: SessionSummary, search: SummarySearch): boolean {
  const { userId, tenantId, device, createdAfterMs, createdBeforeMs } = search;
  return (
    (userId === undefined || userId === session.userId || userId === session.recipeUserId) &&
    (tenantId === undefined || tenantId === session.tenantId) &&
    (device === undefined || isOn(device, session)) &&
    (createdAfterMs === undefined || session.createdMs >= createdAfterMs) &&
    (createdBeforeMs === undefined || session.createdMs < createdBeforeMs)
  );
}

function isOn(wanted: string, { device }: SessionSummary): boolean {
  return [device?.ip, device?.userAgent].some((text) => text?.toLowerCase().includes(wanted.toLowerCase()));
}

function cursorAt({ createdMs, tenantId, sessionHandle }: SessionSummary): string {
  return writeCursor({ createdAtMs: createdMs, tenantId, sessionHandle });
}

function ageOf(kid: string): Pick<KeyAge, 'kind' | 'createdMs'> {
  const createdMs = rotatingKeyMs(kid);
  if (createdMs !== undefined) return { kind: 'rotating', createdMs };
  return { kind: kid.startsWith('s-') ? 'static' : 'unknown', createdMs };
}

import { MAX_COUNTED_AT_ONCE, MAX_PAGE } from '../core/core-inputs.js';
import type { CoreSessionSearch } from '../core/core.types.js';
import { CoreBadInputError } from '../errors.js';
import { readCursor, writeCursor, type SessionPosition } from '../util/session-cursor.js';
import type { UserContext } from '../util/user-context.js';
import { toSessionInformation } from './data.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { SessionInformation } from './stored-sessions.interface.js';

const DEFAULT_LIMIT = 50;
const DEFAULT_COUNTED = 10_000;
/** Sessions that a page reads at most where no index finds those that were used lately. */
const MAX_READ = 1000;

/**
 * The sessions that `SessionService.findSessions` and `countSessions` are about: all that fulfil every condition that is given.
 *
 * @publicApi
 */
export interface SessionConditions {
  /** Default: all tenants. */
  tenantId?: string | undefined;
  /** The user, with the accounts linked to it. Default: everybody. */
  userId?: string | undefined;
  /** Created then or later. */
  createdAfter?: Date | undefined;
  /** Used then or later, as the option `devices` keeps it, which must be set. No index helps here: each session is read. */
  lastSeenAfter?: Date | undefined;
  /** Passed unchanged to the functions of the core. Default: a new one for each call. */
  userContext?: UserContext | undefined;
}

/**
 * The arguments of `SessionService.findSessions`.
 *
 * @publicApi
 */
export interface FindSessionsInput extends SessionConditions {
  /** `nextCursor` of the page before. Default: the first page. */
  cursor?: string | undefined;
  /** The largest number of sessions of a page, 1 to 500. Default 50. */
  limit?: number | undefined;
}

/**
 * The arguments of `SessionService.countSessions`.
 *
 * @publicApi
 */
export interface CountSessionsInput extends SessionConditions {
  /** How many sessions are looked at, at most; a higher number takes longer. Default 10,000. */
  upTo?: number | undefined;
}

/**
 * One page of sessions, the newest first.
 *
 * @publicApi
 */
export interface SessionInformationPage {
  /** May be fewer than asked for, or none, although there are more. */
  readonly sessions: readonly SessionInformation[];
  /** The argument `cursor` for the next page; absent after the last one. */
  readonly nextCursor?: string;
}

/**
 * A number of sessions.
 *
 * @publicApi
 */
export interface SessionCount {
  /** Exact, unless `hasMore` is true; then there are at least as many. */
  readonly count: number;
  /** True if there are sessions that were not looked at. */
  readonly hasMore: boolean;
  /**
   * PostgreSQL's own estimate of all sessions, those that have just ended included. Only if `hasMore` is true and no condition was given;
   * absent on other stores.
   */
  readonly estimate?: number;
}

type Conditions = Omit<CoreSessionSearch, 'after' | 'limit'>;

/** Lists and counts the sessions of everybody. */
export class SessionSearches {
  constructor(private readonly context: RecipeContext) {}

  async page(input: FindSessionsInput, userContext: UserContext): Promise<SessionInformationPage> {
    const { cursor, limit = DEFAULT_LIMIT } = input;
    const after = cursor === undefined ? undefined : positionOf(cursor);
    const conditions = toConditions(input);
    const { sessions, next } =
      input.lastSeenAfter === undefined
        ? await this.read({ ...conditions, after, limit }, userContext)
        : await this.usedSince(input.lastSeenAfter, { ...conditions, after, limit }, userContext);
    return { sessions, ...(next && { nextCursor: writeCursor(next) }) };
  }

  async count(input: CountSessionsInput, userContext: UserContext): Promise<SessionCount> {
    const { lastSeenAfter, upTo = DEFAULT_COUNTED } = input;
    const conditions = toConditions(input);
    let [count, left] = [0, upTo];
    let after: SessionPosition | undefined;
    let estimate: number | undefined;
    do {
      const limit = Math.min(left, lastSeenAfter === undefined ? MAX_COUNTED_AT_ONCE : MAX_PAGE);
      const search = { ...conditions, after, limit };
      const step =
        lastSeenAfter === undefined
          ? await this.context.core.countSessions(search, userContext)
          : await this.countUsed(lastSeenAfter, search, userContext);
      [count, left, after] = [count + step.count, left - limit, step.next];
      if ('estimate' in step) ({ estimate } = step);
    } while (after !== undefined && left > 0);
    const hasMore = after !== undefined;
    return {
      count,
      hasMore,
      ...(hasMore && estimate !== undefined && { estimate: Math.max(estimate, count) }),
    };
  }

  private async read(search: CoreSessionSearch, userContext: UserContext) {
    const { core } = this.context;
    const { sessions, next } = await core.searchSessions(search, userContext);
    return { sessions: sessions.map((session) => toSessionInformation(session, this.context)), next };
  }

  /** Reads pages until one is full or enough sessions were looked at, so that no call reads all sessions. */
  private async usedSince(since: Date, search: CoreSessionSearch, userContext: UserContext) {
    this.requireDevices();
    const found: SessionInformation[] = [];
    let { after } = search;
    for (let read = 0; read < MAX_READ; read += MAX_PAGE) {
      const { sessions, next } = await this.read({ ...search, after, limit: MAX_PAGE }, userContext);
      for (const session of sessions.filter((each) => isUsedSince(each, since))) {
        const last = found.at(-1);
        if (last !== undefined && found.length === search.limit)
          return { sessions: found, next: placeOf(last) };
        found.push(session);
      }
      if (next === undefined) return { sessions: found, next };
      after = next;
    }
    return { sessions: found, next: after };
  }

  private async countUsed(since: Date, search: CoreSessionSearch, userContext: UserContext) {
    this.requireDevices();
    const { sessions, next } = await this.read(search, userContext);
    return { count: sessions.filter((session) => isUsedSince(session, since)).length, next };
  }

  private requireDevices(): void {
    if (this.context.devices.isOn) return;
    throw new TypeError(
      'lastSeenAfter: only the option devices keeps when a session was last used; set it, or leave this out',
    );
  }
}

function toConditions({ tenantId, userId, createdAfter }: SessionConditions): Conditions {
  return { tenantId, userId, createdSinceMs: createdAfter?.getTime() };
}

/** @throws {CoreBadInputError} the text is no cursor: it often comes from a client */
function positionOf(cursor: string): SessionPosition {
  const position = readCursor(cursor);
  if (position !== undefined) return position;
  throw new CoreBadInputError(
    'cursor: this is none. Pass the nextCursor of the page before as it is, or nothing for the first page',
  );
}

function placeOf({ timeCreated, tenantId, sessionHandle }: SessionInformation): SessionPosition {
  return { createdAtMs: timeCreated, tenantId, sessionHandle };
}

/** A session that was made before the option was set counts as used when it was made. */
function isUsedSince({ device, timeCreated }: SessionInformation, since: Date): boolean {
  return (device?.lastSeen ?? timeCreated) >= since.getTime();
}

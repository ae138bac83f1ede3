import { MAX_PAGE } from '../core/core-inputs.js';
import { CoreBadInputError } from '../errors.js';
import type { SessionInformation } from '../sessions/stored-sessions.interface.js';
import { cursorBefore } from '../util/session-cursor.js';
import { readMoment, optionText, type CommandCall, type OptionRows } from './command.js';
import { UsageError, type CliIo } from './io.js';
import type { OpenedSessions } from './open-sessions.js';
import { timeText, type Column } from './output.js';
import { withProgress, type Progress } from './progress.js';

/** The sessions that a command is about. */
export interface ChosenSessions {
  readonly userId: string | undefined;
  readonly tenantId: string | undefined;
  readonly createdBefore: Date | undefined;
}

export const CONDITION_OPTIONS: OptionRows = {
  user: { value: '<id>', text: 'of this user; with --config also of linked accounts' },
  tenant: { value: '<id>', text: 'of this tenant' },
  'created-before': {
    value: '<time>',
    text: 'created before: 2026-01-31T08:00Z, or how long ago: 30m,\n2h, 7d',
  },
};

export function sessionConditions(call: CommandCall): ChosenSessions {
  return {
    userId: optionText(call, 'user'),
    tenantId: optionText(call, 'tenant'),
    createdBefore: readMoment(call, 'created-before'),
  };
}

export interface FoundSessions {
  readonly sessions: readonly SessionInformation[];
  readonly hasMore: boolean;
}

/**
 * Finds sessions, the newest first. A core that finds them by user only is asked for those of the user.
 *
 * @throws {UsageError} such a core, and no user is named
 */
export async function findSessions(
  opened: OpenedSessions,
  chosen: ChosenSessions,
  limit: number,
  io: CliIo,
): Promise<FoundSessions> {
  return withProgress(io, 'sessions read', async (progress) => {
    try {
      return await findByPages(opened, chosen, limit, progress);
    } catch (error) {
      if (!(error instanceof CoreBadInputError) || error.message.startsWith('cursor')) throw error;
      if (chosen.userId === undefined)
        throw new UsageError(`name a user by --user: ${error.message}`, { cause: error });
      return findByHandles(opened, { ...chosen, userId: chosen.userId }, limit, progress);
    }
  });
}

async function findByPages(
  { service }: OpenedSessions,
  { userId, tenantId, createdBefore }: ChosenSessions,
  limit: number,
  progress: Progress,
): Promise<FoundSessions> {
  const sessions: SessionInformation[] = [];
  let cursor = createdBefore && cursorBefore(createdBefore.getTime());
  do {
    const page = await service.findSessions({
      userId,
      tenantId,
      cursor,
      limit: Math.min(MAX_PAGE, limit - sessions.length),
    });
    sessions.push(...page.sessions.filter((session) => isBefore(session, createdBefore)));
    cursor = page.nextCursor;
    progress.show(sessions.length, Number.isFinite(limit) ? limit : undefined);
  } while (cursor !== undefined && sessions.length < limit);
  return { sessions, hasMore: cursor !== undefined };
}

function isBefore({ timeCreated }: SessionInformation, moment: Date | undefined): boolean {
  return moment === undefined || timeCreated < moment.getTime();
}

async function findByHandles(
  { service }: OpenedSessions,
  { userId, tenantId, createdBefore }: ChosenSessions & { readonly userId: string },
  limit: number,
  progress: Progress,
): Promise<FoundSessions> {
  const handles = await service.getAllSessionHandlesForUser({
    userId,
    ...(tenantId === undefined ? {} : { tenantId }),
  });
  const found: SessionInformation[] = [];
  for (const [index, handle] of handles.entries()) {
    const session = await service.getSessionInformation(handle);
    if (session !== undefined) found.push(session);
    progress.show(index + 1, handles.length);
  }
  const wanted = found
    .filter((session) => isBefore(session, createdBefore))
    .sort((a, b) => b.timeCreated - a.timeCreated);
  return { sessions: wanted.slice(0, limit), hasMore: wanted.length > limit };
}

/** The columns of a list of sessions. */
export const SESSION_COLUMNS: readonly Column<SessionInformation>[] = [
  { title: 'SESSION', read: ({ sessionHandle }) => sessionHandle, isWhole: true },
  { title: 'USER', read: ({ userId }) => userId },
  {
    title: 'LOGIN',
    read: ({ userId, recipeUserId }) => (recipeUserId === userId ? undefined : recipeUserId),
  },
  { title: 'ACTOR', read: ({ actorId }) => actorId },
  { title: 'TENANT', read: ({ tenantId }) => tenantId },
  { title: 'CREATED', read: ({ timeCreated }) => timeText(timeCreated), isWhole: true },
  { title: 'LAST SEEN', read: ({ device }) => device && timeText(device.lastSeen), isWhole: true },
  { title: 'ADDRESS', read: ({ device }) => device?.ip },
  { title: 'AGENT', read: ({ device }) => device?.userAgent },
  { title: 'BOUND', read: ({ deviceBound }) => deviceBound },
  { title: 'PARENT', read: ({ parentSessionHandle }) => parentSessionHandle, isWhole: true },
];

/** A session as JSON: times as texts, and of payload and data the names alone, because an application may keep secrets there. */
export function sessionJson(session: SessionInformation): object {
  const { sessionHandle, userId, recipeUserId, tenantId, timeCreated, expiry, device, deviceBound } = session;
  const { actorId, parentSessionHandle } = session;
  return {
    sessionHandle,
    userId,
    recipeUserId,
    tenantId,
    createdAt: new Date(timeCreated).toISOString(),
    expiresAt: new Date(expiry).toISOString(),
    ...(device === undefined
      ? {}
      : { device: { ...device, lastSeen: new Date(device.lastSeen).toISOString() } }),
    ...(deviceBound === undefined ? {} : { deviceBound }),
    ...(actorId === undefined ? {} : { actorId }),
    ...(parentSessionHandle === undefined ? {} : { parentSessionHandle }),
    payloadNames: Object.keys(session.customClaimsInAccessTokenPayload),
    dataNames: Object.keys(session.sessionDataInDatabase),
  };
}

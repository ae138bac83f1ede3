import type { AuditRecord } from '../../audit/audit-record.js';
import type { SessionInformation } from '../../sessions/stored-sessions.interface.js';
import { isSet, type Command } from '../command.js';
import { EXIT, type CliIo } from '../io.js';
import { factsText, jsonText, tableText, timeText } from '../output.js';
import { LIFE_COLUMNS, newestOfSession, recordJson } from '../records.js';
import { sessionJson } from '../session-conditions.js';

/** Records of one session that are shown, the newest. */
const SHOWN_RECORDS = 100;

export const sessionsShow: Command = {
  name: 'sessions show',
  argument: '<session handle>',
  argumentCount: [1, 1],
  summary: 'Shows a session, and its life as the audit trail has it, also after its end.',
  details: `Of payload and data the names are shown, because an application may keep secrets
there.`,
  options: {
    payload: { text: 'also the content of the access token payload, which the client\nhas, too' },
  },
  run: async (call) => {
    const [sessionHandle = ''] = call.positionals;
    const opened = await call.open();
    const session = await opened.service.getSessionInformation(sessionHandle);
    const newest = await newestOfSession(opened, { sessionHandle, limit: SHOWN_RECORDS });
    const records = newest.toReversed();
    const payload = isSet(call, 'payload') ? session?.customClaimsInAccessTokenPayload : undefined;
    if (isSet(call, 'json')) {
      const live = session && { ...sessionJson(session), ...(payload === undefined ? {} : { payload }) };
      call.io.stdout(
        jsonText({ isLive: session !== undefined, session: live ?? null, records: records.map(recordJson) }),
      );
    } else call.io.stdout(sessionText({ sessionHandle, session, records, payload }, call.io));
    return session === undefined && records.length === 0 ? EXIT.nothing : EXIT.done;
  },
};

interface ShownSession {
  readonly sessionHandle: string;
  readonly session: SessionInformation | undefined;
  readonly records: readonly AuditRecord[];
  readonly payload: object | undefined;
}

function sessionText({ sessionHandle, session, records, payload }: ShownSession, io: CliIo): string {
  if (session === undefined && records.length === 0)
    return 'No such session is live, and the audit trail has none.\n';
  const head =
    session === undefined
      ? factsText(
          [
            ['session', sessionHandle],
            ['state', 'ended'],
          ],
          io,
        )
      : liveText(session, io);
  const content = payload === undefined ? '' : jsonText(payload);
  const life = records.length === 0 ? '' : `\n${tableText(LIFE_COLUMNS, records, io)}`;
  return `${head}${content}${life}`;
}

function liveText(session: SessionInformation, io: CliIo): string {
  const { device, deviceBound, userId, recipeUserId, actorId, parentSessionHandle } = session;
  return factsText(
    [
      ['session', session.sessionHandle],
      ['state', 'live'],
      ['user', userId],
      ['login', recipeUserId === userId ? undefined : recipeUserId],
      ['used by', actorId],
      ['ends with', parentSessionHandle],
      ['tenant', session.tenantId],
      ['created', timeText(session.timeCreated)],
      ['expires', timeText(session.expiry)],
      ['last seen', device && timeText(device.lastSeen)],
      ['address', device?.ip],
      ['agent', device?.userAgent],
      ['bound by', deviceBound],
      ['payload', Object.keys(session.customClaimsInAccessTokenPayload).join(', ') || 'empty'],
      ['data', Object.keys(session.sessionDataInDatabase).join(', ') || 'empty'],
    ],
    io,
  );
}

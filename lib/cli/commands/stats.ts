import { AUDIT_KINDS, type AuditKind } from '../../audit/audit-record.js';
import type { SessionCount } from '../../sessions/find.js';
import { isSet, readWholeNumber, optionText, type Command, type CommandCall } from '../command.js';
import { EXIT } from '../io.js';
import { fromStore, type OpenedSessions } from '../open-sessions.js';
import { ageText, countText, factsText, jsonText } from '../output.js';
import { newestRecords } from './audit.js';

const DEFAULT_UP_TO = 100_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Records of the last day that are counted, at most. */
const COUNTED_RECORDS = 100_000;

export const stats: Command = {
  name: 'stats',
  summary: 'Counts live sessions, and what happened in the last hour and the last day.',
  details: 'The events are those of the audit trail, where there is one.',
  options: {
    tenant: { value: '<id>', text: 'of this tenant' },
    'up-to': {
      value: '<number>',
      text: `sessions that are counted exactly; more take longer\n(default ${countText(DEFAULT_UP_TO)})`,
    },
  },
  run: async (call) => {
    const upTo = readWholeNumber(call, 'up-to', [1, 100_000_000]) ?? DEFAULT_UP_TO;
    const opened = await call.open();
    const figures = await readFigures(opened, upTo, call);
    call.io.stdout(isSet(call, 'json') ? jsonText(figures) : figuresText(figures, call));
    return EXIT.done;
  },
};

/** How often a thing happened in the last hour and the last day. */
interface Recent {
  readonly hour: number;
  readonly day: number;
}

interface Figures {
  readonly core: string;
  readonly live: SessionCount;
  readonly signedIn: { readonly hour: SessionCount; readonly day: SessionCount };
  /** By kind; null without an audit trail. */
  readonly recorded: Readonly<Record<string, Recent>> | null;
  /** Milliseconds; null where the keys are not known here. */
  readonly newestKeyAgeMs: number | null;
}

async function readFigures(opened: OpenedSessions, upTo: number, call: CommandCall): Promise<Figures> {
  const { service, core, store, description } = opened;
  const now = call.io.clock.now();
  const tenantId = optionText(call, 'tenant');
  const count = async (periodMs?: number): Promise<SessionCount> =>
    service.countSessions({
      tenantId,
      upTo,
      ...(periodMs === undefined ? {} : { createdAfter: new Date(now - periodMs) }),
    });
  const keys = store && (await fromStore(store.findDynamicKeys(0)));
  const newest = keys?.[0]?.createdAtMs;
  return {
    core: description,
    live: await count(),
    signedIn: { hour: await count(HOUR_MS), day: await count(DAY_MS) },
    recorded: core.auditTrail === undefined ? null : await countRecords(opened, now, call),
    newestKeyAgeMs: newest === undefined ? null : now - newest,
  };
}

async function countRecords(
  opened: OpenedSessions,
  now: number,
  call: CommandCall,
): Promise<Record<string, Recent>> {
  const tenantId = optionText(call, 'tenant');
  const records = await newestRecords(
    opened,
    { tenantId, sinceMs: now - DAY_MS, limit: COUNTED_RECORDS },
    call,
  );
  const countKind = (kind: AuditKind): Recent => {
    const ofKind = records.filter((record) => record.kind === kind);
    return { hour: ofKind.filter(({ timeMs }) => timeMs >= now - HOUR_MS).length, day: ofKind.length };
  };
  return Object.fromEntries(AUDIT_KINDS.map((kind) => [kind, countKind(kind)]));
}

function figuresText(
  { core, live, signedIn, recorded, newestKeyAgeMs }: Figures,
  { io }: CommandCall,
): string {
  const recent = (hour: string, day: string): string => `${hour} in the last hour, ${day} in the last day`;
  const events = Object.entries(recorded ?? {}).filter(([, { day }]) => day > 0);
  return factsText(
    [
      ['core', core],
      ['live sessions', boundText(live)],
      ['of these signed in', recent(boundText(signedIn.hour), boundText(signedIn.day))],
      ...events.map(([kind, { hour, day }]) => [kind, recent(countText(hour), countText(day))] as const),
      ['audit trail', recorded === null ? 'none' : undefined],
      ['newest signing key', newestKeyAgeMs === null ? undefined : `${ageText(newestKeyAgeMs)} old`],
    ],
    io,
  );
}

function boundText({ count, hasMore }: SessionCount): string {
  return `${hasMore ? 'more than ' : ''}${countText(count)}`;
}

import type { SessionCount } from '../../sessions/find.js';
import type { SessionInformation } from '../../sessions/stored-sessions.interface.js';
import { isSet, optionText, type Command, type CommandCall } from '../command.js';
import { EXIT, RefusedError, UsageError } from '../io.js';
import type { OpenedSessions } from '../open-sessions.js';
import { countText, jsonText, safeText, tableText } from '../output.js';
import {
  CONDITION_OPTIONS,
  findSessions,
  SESSION_COLUMNS,
  sessionConditions,
  sessionJson,
  type ChosenSessions,
} from '../session-conditions.js';

/** Sessions that are counted where all of a tenant or of everybody end; more take longer than a person waits. */
const COUNTED = 1_000_000;
/** Sessions that the table before the question shows. */
const SHOWN = 20;

export const sessionsEnd: Command = {
  name: 'sessions end',
  argument: '[session handle …]',
  argumentCount: [0, 1000],
  summary: 'Ends sessions: those of the handles, or all that meet the conditions.',
  details: `It asks first, unless one session is named by its handle; --yes answers in a script.
Conditions also end what comes to meet them before the answer. Reason and initiator
are written to the audit trail.`,
  options: {
    ...CONDITION_OPTIONS,
    all: { text: 'everybody, in all tenants' },
    reason: { value: '<text>', text: 'for events and the audit trail, at most 256 characters' },
    initiator: { value: '<text>', text: 'the person who does it (default: shell:<your account>)' },
    'dry-run': { text: 'shows what would end, and ends nothing' },
    yes: { text: 'does not ask' },
  },
  run: async (call) => {
    const task = readTask(call);
    const opened = await call.open();
    const ending = await prepareEnding(opened, task, call);
    if (ending.count === 0) return report(call, ending, 'No session was found, so none was ended.', []);
    if (isSet(call, 'dry-run')) return showOnly(call, ending);
    await confirm(call, ending);
    const ended = await ending.run();
    if (ended?.length === 0) return report(call, ending, 'The sessions had ended meanwhile.', []);
    const amount = ended === undefined ? ending : { count: ended.length, hasMore: false };
    return report(call, ending, `Ended ${ending.describe(amount)}.${feedWarning(opened, call)}`, ended);
  },
};

type Task = { readonly handles: readonly string[] } | (ChosenSessions & { readonly handles?: undefined });

function readTask(call: CommandCall): Task {
  const { positionals } = call;
  const chosen = sessionConditions(call);
  const isChosen = Object.values(chosen).some((each) => each !== undefined);
  const isNamed = chosen.userId !== undefined || chosen.tenantId !== undefined;
  if (positionals.length > 0) {
    if (isChosen || isSet(call, 'all')) throw new UsageError('give session handles or conditions, not both');
    return { handles: positionals };
  }
  if (isSet(call, 'all') && isNamed)
    throw new UsageError('--all is everybody, so name no --user and no --tenant');
  if (!isChosen && !isSet(call, 'all'))
    throw new UsageError(
      'say which sessions: their handles, --user, --tenant, --created-before, or --all for everybody',
    );
  return chosen;
}

/** Sessions that are about to end. */
interface Ending extends SessionCount {
  /** Whether a person has to agree: always, except for one session that is named. */
  readonly isAsked: boolean;
  /** Some of them, to look at. */
  readonly shown: readonly SessionInformation[];
  describe(amount: SessionCount): string;
  /** @returns their handles; undefined for a cut-off, which names none */
  run(): Promise<readonly string[] | undefined>;
}

async function prepareEnding(opened: OpenedSessions, task: Task, call: CommandCall): Promise<Ending> {
  if (task.handles !== undefined) return endingOfHandles(opened, task.handles, call);
  return task.userId === undefined ? endingOfMany(opened, task, call) : endingOfUser(opened, task, call);
}

function endingDetails(call: CommandCall) {
  return {
    reason: optionText(call, 'reason'),
    initiator: optionText(call, 'initiator') ?? `shell:${call.io.account}`,
  };
}

async function endingOfHandles(
  { service }: OpenedSessions,
  handles: readonly string[],
  call: CommandCall,
): Promise<Ending> {
  const found = await Promise.all(
    [...new Set(handles)].map(async (handle) => service.getSessionInformation(handle)),
  );
  const shown = found.filter((session) => session !== undefined);
  const live = shown.map(({ sessionHandle }) => sessionHandle);
  return {
    count: shown.length,
    hasMore: false,
    isAsked: shown.length > 1,
    shown,
    describe: sessionsText,
    run: async () => service.revokeMultipleSessions(live, undefined, endingDetails(call)),
  };
}

async function endingOfUser(
  opened: OpenedSessions,
  chosen: ChosenSessions,
  call: CommandCall,
): Promise<Ending> {
  const { userId = '', tenantId, createdBefore } = chosen;
  const { sessions, hasMore } = await findSessions(opened, chosen, COUNTED, call.io);
  const { service } = opened;
  return {
    count: sessions.length,
    hasMore,
    isAsked: true,
    shown: sessions,
    describe: (amount) => `${sessionsText(amount)} of ${safeText(userId)}`,
    run: async () =>
      service.revokeSessions({
        userIds: [userId],
        ...(tenantId === undefined ? {} : { tenantId }),
        ...(createdBefore === undefined ? {} : { createdBefore }),
        ...endingDetails(call),
      }),
  };
}

/** A cut-off ends them with one write, so they are only counted. */
async function endingOfMany(
  opened: OpenedSessions,
  chosen: ChosenSessions,
  call: CommandCall,
): Promise<Ending> {
  const { tenantId, createdBefore } = chosen;
  const { service } = opened;
  const { sessions, hasMore } = await findSessions(opened, chosen, SHOWN, call.io);
  return {
    ...(hasMore ? await countMany(opened, chosen, sessions.length) : { count: sessions.length, hasMore }),
    isAsked: true,
    shown: sessions,
    describe: (amount) =>
      [
        `${sessionsText(amount)} of ${tenantId === undefined ? 'everybody' : `the tenant ${safeText(tenantId)}`}`,
        ...(createdBefore === undefined ? [] : [`created before ${createdBefore.toISOString()}`]),
      ].join(', '),
    run: async () =>
      service.revokeSessions({
        ...(tenantId === undefined ? {} : { tenantId }),
        ...(createdBefore === undefined ? {} : { createdBefore }),
        ...(tenantId === undefined && createdBefore === undefined ? { all: true } : {}),
        ...endingDetails(call),
      }),
  };
}

/** Counts all sessions and those that are too new: both counts stop, so the difference says only what it proves. */
async function countMany(
  { service }: OpenedSessions,
  { tenantId, createdBefore }: ChosenSessions,
  found: number,
): Promise<SessionCount> {
  const all = await service.countSessions({ tenantId, upTo: COUNTED });
  if (createdBefore === undefined) return all;
  const newer = await service.countSessions({ tenantId, createdAfter: createdBefore, upTo: COUNTED });
  return { count: Math.max(all.count - newer.count, found), hasMore: all.hasMore };
}

/** A line for an application whose instances are not told; empty where the application's options are not known. */
function feedWarning({ options }: OpenedSessions, call: CommandCall): string {
  if (options.revocationFeed !== undefined || optionText(call, 'config') === undefined) return '';
  return '\nTheir access tokens work until they expire, except on routes with checkDatabase, because the option revocationFeed is off.';
}

function sessionsText({ count, hasMore }: SessionCount): string {
  return `${hasMore ? 'more than ' : ''}${countText(count)} ${count === 1 ? 'session' : 'sessions'}`;
}

function endingText({ shown, count, hasMore }: Ending, call: CommandCall): string {
  const number = hasMore ? 'others' : `${countText(count - SHOWN)} more`;
  const more = count > SHOWN || hasMore ? `… and ${number}\n` : '';
  return `${tableText(SESSION_COLUMNS, shown.slice(0, SHOWN), call.io)}${more}`;
}

async function confirm(call: CommandCall, ending: Ending): Promise<void> {
  const { io } = call;
  if (!ending.isAsked || isSet(call, 'yes')) return;
  const what = ending.describe(ending);
  if (io.ask === undefined)
    throw new RefusedError(
      `this would end ${what}, and there is no terminal to ask: --yes does it, --dry-run shows them`,
    );
  io.stderr(endingText(ending, call));
  const answer = await io.ask(`End ${what}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new RefusedError('no session was ended');
}

function showOnly(call: CommandCall, ending: Ending): number {
  const { stdout } = call.io;
  const { count, hasMore, shown } = ending;
  if (isSet(call, 'json'))
    stdout(jsonText({ wouldEnd: count, hasMore, sessions: shown.slice(0, SHOWN).map(sessionJson) }));
  else
    stdout(`${endingText(ending, call)}This would end ${ending.describe(ending)}. No session was ended.\n`);
  return EXIT.done;
}

function report(
  call: CommandCall,
  ending: Ending,
  sentence: string,
  handles: readonly string[] | undefined,
): number {
  const { count, hasMore } = handles === undefined ? ending : { count: handles.length, hasMore: false };
  const { stdout } = call.io;
  if (isSet(call, 'json')) stdout(jsonText({ ended: count, hasMore, sessionHandles: handles ?? null }));
  else stdout(`${sentence}\n`);
  return count === 0 ? EXIT.nothing : EXIT.done;
}

import type { AuditRecord } from '../../audit/audit-record.js';
import { errorReason } from '../../events/printable.js';
import { readRevocation, type Revocation, type RevocationFeed } from '../../feed/revocation-feed.js';
import { MAX_RECORDS } from '../../sessions/audit.js';
import { isSet, readWholeNumber, type Command, type CommandCall } from '../command.js';
import { EXIT, RefusedError } from '../io.js';
import { fromStore, type OpenedSessions } from '../open-sessions.js';
import { jsonLine, safeText, timeText } from '../output.js';
import { withProgress } from '../progress.js';
import { recordDetails, recordJson } from '../records.js';
import { RECORD_OPTIONS, recordConditions, type RecordConditions } from './audit.js';

const DEFAULT_INTERVAL_SEC = 1;

export const watch: Command = {
  name: 'watch',
  summary: 'Shows sign-ins, changes, thefts and ends of sessions as they happen, until Ctrl+C.',
  details: `It reads the audit trail, which has no refused requests, and of refreshes only the
first use of the new tokens. Without a trail it reads the feed by which instances tell
each other which sessions have ended. With --json each event is one line. A store
that does not respond is asked again.`,
  options: {
    ...RECORD_OPTIONS,
    interval: { value: '<seconds>', text: `how often it looks (default ${DEFAULT_INTERVAL_SEC})` },
  },
  run: async (call) => {
    const intervalMs = (readWholeNumber(call, 'interval', [1, 3600]) ?? DEFAULT_INTERVAL_SEC) * 1000;
    const conditions = recordConditions(call);
    const isChosen = Object.values(conditions).some((each) => each !== undefined);
    const opened = await call.open();
    const { feed } = opened;
    if (opened.core.auditTrail === undefined && isChosen)
      throw new RefusedError('without an audit trail events cannot be chosen: the feed names sessions alone');
    const source =
      opened.core.auditTrail === undefined ? feedSource(feed, call) : auditSource(opened, conditions, call);
    await source.begin();
    call.io.stderr(`Watching ${source.name} of ${safeText(opened.description)}.\n`);
    await repeat(source, intervalMs, call);
    return EXIT.done;
  },
};

/** The place that events come from. */
interface Source {
  readonly name: string;
  /** Passes over what is there. */
  begin(): Promise<void>;
  /** Prints what is new. */
  next(): Promise<void>;
  subscribe(wake: () => void): () => Promise<void>;
}

function auditSource({ service }: OpenedSessions, conditions: RecordConditions, call: CommandCall): Source {
  let after: string | undefined;
  const read = async (show: (records: readonly AuditRecord[]) => void): Promise<void> => {
    let mayHaveMore: boolean;
    do {
      const page = await service.readAudit({ ...conditions, after, limit: MAX_RECORDS });
      show(page.records);
      ({ next: after = after, mayHaveMore } = page);
    } while (mayHaveMore && !call.io.signal.aborted);
  };
  return {
    name: 'the audit trail',
    begin: async () =>
      withProgress(call.io, 'earlier records passed over', async (progress) => {
        let passed = 0;
        await read((records) => progress.show((passed += records.length)));
      }),
    next: async () =>
      read((records) => {
        for (const record of records) print(call, recordJson(record), recordLine(record));
      }),
    subscribe: () => async () => undefined,
  };
}

function feedSource(feed: RevocationFeed | undefined, call: CommandCall): Source {
  if (feed === undefined)
    throw new RefusedError(
      'there is neither an audit trail nor a feed to watch: set the option audit, or revocationFeed',
    );
  let position: string | undefined;
  const read = async (show: (records: readonly unknown[]) => void): Promise<void> => {
    let mayHaveMore: boolean;
    do {
      const page = await fromStore(feed.read(position));
      show(page.records);
      ({ position, mayHaveMore = false } = page);
    } while (mayHaveMore && !call.io.signal.aborted);
  };
  return {
    name: 'the feed of ended sessions',
    begin: async () => read(() => undefined),
    next: async () =>
      read((records) => {
        for (const each of records.map(readRevocation))
          if (each !== undefined) print(call, each, revocationLine(each));
      }),
    subscribe: (wake) => feed.subscribe(wake),
  };
}

/** Looks at an interval, and at once when something is announced, also if it is announced while it looks. */
async function repeat(source: Source, intervalMs: number, { io }: CommandCall): Promise<void> {
  let isAnnounced = false;
  let wake: () => void = () => undefined;
  const announce = (): void => {
    isAnnounced = true;
    wake();
  };
  const end = source.subscribe(announce);
  io.signal.addEventListener('abort', announce, { once: true });
  try {
    while (!io.signal.aborted) {
      if (!isAnnounced)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, intervalMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      isAnnounced = false;
      try {
        if (!io.signal.aborted) await source.next();
      } catch (error) {
        io.stderr(`nest-sessions: ${errorReason(error)}\n`);
      }
    }
  } finally {
    await end();
  }
}

function print(call: CommandCall, event: object, line: string): void {
  call.io.stdout(isSet(call, 'json') ? jsonLine(event) : `${line}\n`);
}

function recordLine(record: AuditRecord): string {
  const { timeMs, kind, userId, recipeUserId, tenantId, sessionHandle, ip, userAgent } = record;
  const parts = [
    timeText(timeMs),
    kind,
    userId ?? recipeUserId,
    tenantId,
    sessionHandle,
    recordDetails(record),
    ip,
    userAgent,
  ];
  return joinedText(parts);
}

function revocationLine({ kind, id, tenantId, notBeforeMs, reason, initiator }: Revocation): string {
  const facts = [
    reason === undefined ? undefined : `reason: ${reason}`,
    initiator === undefined ? undefined : `by: ${initiator}`,
  ];
  return joinedText([timeText(notBeforeMs), `ended: ${kind}`, id, tenantId, ...facts]);
}

function joinedText(parts: readonly (string | undefined)[]): string {
  return parts.flatMap((part) => (part === undefined || part === '' ? [] : safeText(part))).join('  ');
}

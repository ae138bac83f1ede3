import { AUDIT_KINDS, type AuditKind, type AuditRecord } from '../../audit/audit-record.js';
import { MAX_RECORDS } from '../../sessions/audit.js';
import { closestName } from '../../options/unknown-options.js';
import {
  isSet,
  optionText,
  optionTexts,
  readMoment,
  readWholeNumber,
  type Command,
  type CommandCall,
  type OptionRows,
} from '../command.js';
import { EXIT, UsageError } from '../io.js';
import type { OpenedSessions } from '../open-sessions.js';
import { jsonText, tableText } from '../output.js';
import { withProgress } from '../progress.js';
import { RECORD_COLUMNS, recordJson } from '../records.js';

const DEFAULT_LIMIT = 100;

export const RECORD_OPTIONS: OptionRows = {
  session: { value: '<handle>', text: 'of this session' },
  user: { value: '<id>', text: 'of this user; with --config also of linked accounts' },
  tenant: { value: '<id>', text: 'of this tenant' },
  kind: {
    value: '<kind>',
    text: `may be repeated; ended, or one of\n${AUDIT_KINDS.join('\n')}`,
    isMultiple: true,
  },
};

export const auditCommand: Command = {
  name: 'audit',
  summary: 'Shows the audit trail, the newest records first.',
  options: {
    ...RECORD_OPTIONS,
    since: { value: '<time>', text: 'from then on: 2026-01-31T08:00Z, or how long ago: 30m, 2h, 7d' },
    limit: { value: '<number>', text: `at most so many (default ${DEFAULT_LIMIT})` },
  },
  run: async (call) => {
    const limit = readWholeNumber(call, 'limit', [1, 1_000_000]) ?? DEFAULT_LIMIT;
    const [conditions, since] = [recordConditions(call), readMoment(call, 'since')];
    const records = await newestRecords(
      await call.open(),
      { ...conditions, sinceMs: since?.getTime(), limit },
      call,
    );
    const { stdout } = call.io;
    if (isSet(call, 'json')) stdout(jsonText({ records: records.map(recordJson) }));
    else
      stdout(records.length === 0 ? 'No record was found.\n' : tableText(RECORD_COLUMNS, records, call.io));
    return records.length === 0 ? EXIT.nothing : EXIT.done;
  },
};

/** The conditions of `readAudit`. */
export interface RecordConditions {
  readonly sessionHandle?: string | undefined;
  readonly userId?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly kinds?: readonly AuditKind[] | 'ended' | undefined;
}

export function recordConditions(call: CommandCall): RecordConditions {
  const kinds = optionTexts(call, 'kind');
  return {
    sessionHandle: optionText(call, 'session'),
    userId: optionText(call, 'user'),
    tenantId: optionText(call, 'tenant'),
    kinds:
      kinds.length === 0
        ? undefined
        : kinds.length === 1 && kinds[0] === 'ended'
          ? 'ended'
          : kinds.map(readKind),
  };
}

function readKind(text: string): AuditKind {
  const known = AUDIT_KINDS.find((kind) => kind === text);
  if (known !== undefined) return known;
  const closest = closestName(text, AUDIT_KINDS);
  const advice =
    closest === undefined
      ? `expected: ended, or one of ${AUDIT_KINDS.join(', ')}`
      : `did you mean ${closest}?`;
  throw new UsageError(`--kind: there is no ${text}; ${advice}`);
}

/** Reads records until there are enough of them, or one is too old. */
export async function newestRecords(
  { service }: OpenedSessions,
  {
    limit,
    sinceMs,
    ...conditions
  }: RecordConditions & { readonly limit: number; readonly sinceMs?: number | undefined },
  { io }: CommandCall,
): Promise<readonly AuditRecord[]> {
  const found: AuditRecord[] = [];
  let after: string | undefined;
  return withProgress(io, 'records read', async (progress) => {
    do {
      const page = await service.readAudit({
        ...conditions,
        newestFirst: true,
        after,
        limit: Math.min(MAX_RECORDS, limit - found.length),
      });
      const wanted = page.records.filter(({ timeMs }) => timeMs >= (sinceMs ?? Number.NEGATIVE_INFINITY));
      found.push(...wanted);
      progress.show(found.length);
      after = wanted.length < page.records.length ? undefined : page.next;
    } while (after !== undefined && found.length < limit);
    return found;
  });
}

import { ENDING_KINDS, AUDIT_KINDS, type AuditKind } from '../audit/audit-record.js';
import type { AuditPage } from '../audit/audit-trail.js';
import type { CoreClient } from '../core/core-client.js';
import { trueOrFalse, wholeNumber } from '../options/option-checks.js';
import { option, type Check } from '../options/option-table.js';
import type { UserContext } from '../util/user-context.js';
import { anyText, sessionHandle, tenantId, userId } from './call-checks.js';

const DEFAULT_LIMIT = 100;
/** Records of one page. */
export const MAX_RECORDS = 1000;

/**
 * The arguments of `SessionService.readAudit`: records that fulfil every condition that is given.
 *
 * @publicApi
 */
export interface ReadAuditInput {
  /** The `next` of the page before. Default: from the beginning. */
  after?: string | undefined;
  /** The largest number of records of a page, 1 to 1000. Default 100. */
  limit?: number | undefined;
  /** True: the newest first, as lists for people show them. Default false: in the order in which it happened to each session. */
  newestFirst?: boolean | undefined;
  sessionHandle?: string | undefined;
  /** The user, with the accounts linked to it. */
  userId?: string | undefined;
  tenantId?: string | undefined;
  /** `'ended'`: those that end sessions, which are the history of ended sessions. */
  kinds?: readonly AuditKind[] | 'ended' | undefined;
  userContext?: UserContext;
}

const kinds: Check<readonly AuditKind[] | 'ended'> = (value) => {
  const isKinds = Array.isArray(value) && value.every((kind) => AUDIT_KINDS.includes(kind as AuditKind));
  if (isKinds || value === 'ended') return value as AuditKind[];
  throw new Error(`'ended' or an array is expected, of ${AUDIT_KINDS.join(', ')}`);
};

/** The members of {@link ReadAuditInput}, beside the user context. */
export const READ_AUDIT = {
  after: option(anyText),
  limit: option(wholeNumber(1, MAX_RECORDS)),
  newestFirst: option(trueOrFalse),
  sessionHandle: option(sessionHandle),
  userId: option(userId),
  tenantId: option(tenantId),
  kinds: option(kinds),
};

/** Reads a page of the audit trail. */
export async function readAudit(
  core: CoreClient,
  input: ReadAuditInput,
  userContext: UserContext,
): Promise<AuditPage> {
  const { after, limit = DEFAULT_LIMIT, newestFirst = false } = input;
  return core.readAudit(
    {
      after,
      limit,
      newestFirst,
      sessionHandle: input.sessionHandle,
      userId: input.userId,
      tenantId: input.tenantId,
      kinds: input.kinds === 'ended' ? ENDING_KINDS : input.kinds,
    },
    userContext,
  );
}

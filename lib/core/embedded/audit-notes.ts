import { createHash } from 'node:crypto';
import {
  HISTORY_KINDS,
  noteOfCutOff,
  subjectOfRow,
  type AuditBranch,
  type AuditDetails,
  type AuditKind,
  type AuditNote,
} from '../../audit/audit-record.js';
import type { AuditTrail } from '../../audit/audit-trail.js';
import { givenDetails, type RevocationDetails } from '../../feed/revocation-feed.js';
import type { RowLimit, SessionChange, SessionRow } from '../../stores/session-store.js';
import { refreshTokenHash1 } from '../../tokens/refresh-token.js';
import { delegationFacts } from '../../util/delegation-claims.js';
import { parseJsonObject } from '../../util/json.js';
import type { UserContext } from '../../util/user-context.js';
import type { CoreContext } from '../core-provider.js';
import { inMs } from './embedded-core-config.js';
import type { PresentedRefreshToken } from './refresh-rotation.js';

const MAX_NAMES = 64;
const MAX_NAME_LENGTH = 128;
/** The library's own member of the session data, which it writes at every noted use. */
const OWN_NAME = 'nest-sessions.device';

/** Makes the notes that the store writes beside each change; none without the option `audit`. */
export class AuditNotes {
  constructor(
    private readonly context: Pick<CoreContext, 'audit' | 'clock'>,
    private readonly trail: Pick<AuditTrail, 'append'> | undefined,
  ) {}

  get isOn(): boolean {
    return this.context.audit !== undefined;
  }

  /** The account is known where accounts are not linked, and from the token. */
  created(row: SessionRow, userId: string, userContext: UserContext | undefined): AuditNote | undefined {
    return this.note('session.created', userContext, () => ({
      userId,
      token: digest(row.refreshTokenHash2),
      ...delegationFacts(parseJsonObject(row.accessTokenPayload) ?? {}),
    }));
  }

  /** The notes of a sign-in within a limit, which may end other sessions. */
  limited(
    row: SessionRow,
    userId: string,
    {
      ending,
      userContext,
    }: { readonly ending: RevocationDetails; readonly userContext: UserContext | undefined },
  ): RowLimit['audit'] {
    const created = this.created(row, userId, userContext);
    const ended = this.ended(ending, userContext);
    return created && ended && { created, ended };
  }

  /** Adds the note of a promotion to the change that makes it. */
  promotion(change: SessionChange, userContext: UserContext | undefined): SessionChange {
    const { refreshTokenHash2 = '' } = change;
    const audit = this.note('session.promoted', userContext, () => ({
      token: digest(refreshTokenHash2),
    }));
    return audit === undefined ? change : { ...change, audit };
  }

  ended(details: RevocationDetails, userContext: UserContext | undefined): AuditNote | undefined {
    return this.note('session.revoked', userContext, () => givenDetails(details));
  }

  endedBefore(
    createdBeforeMs: number,
    details: RevocationDetails,
    userContext: UserContext | undefined,
  ): AuditNote | undefined {
    return this.note('sessions.ended-before', userContext, () => ({
      createdBeforeMs,
      ...givenDetails(details),
    }));
  }

  /** The note of rows that a sweep removes: their time is over, or a cut-off has ended them. */
  swept(): AuditNote | undefined {
    const note = this.note('session.revoked', undefined, () => ({}));
    return note && noteOfCutOff(note);
  }

  /** @param names of the members that were written; those of the library itself are no news */
  written(
    column: 'sessionData' | 'accessTokenPayload',
    names: () => readonly string[],
    userContext: UserContext | undefined,
  ): AuditNote | undefined {
    if (this.context.audit === undefined) return undefined;
    const written = names();
    const told = written.filter((name) => name !== OWN_NAME);
    if (told.length === 0 && written.length > 0) return undefined;
    const kind = column === 'sessionData' ? 'session.data-changed' : 'session.payload-changed';
    return this.note(kind, userContext, () => ({
      names: told.slice(0, MAX_NAMES).map((name) => name.slice(0, MAX_NAME_LENGTH)),
    }));
  }

  /** Writes the record of a theft, before anything is done about it. */
  async theft(
    row: SessionRow,
    presented: PresentedRefreshToken,
    userContext: UserContext | undefined,
  ): Promise<void> {
    const { refreshTokenHash2, prevRefreshTokenHash2, rotatedAtMs, createdAtMs } = row;
    const { parentRefreshTokenHash1: parentHash1 } = presented;
    const note = this.note('session.theft-detected', userContext, () => ({
      presented: branch(presented.hash2, parentHash1 && refreshTokenHash1(parentHash1)),
      current: {
        ...branch(refreshTokenHash2, prevRefreshTokenHash2),
        sinceMs: rotatedAtMs ?? createdAtMs,
      },
    }));
    if (note !== undefined) await this.trail?.append([{ ...note, subject: subjectOfRow(row) }]);
  }

  private note(
    kind: AuditKind,
    userContext: UserContext | undefined,
    details: () => AuditDetails,
  ): AuditNote | undefined {
    const { audit, clock } = this.context;
    if (audit === undefined) return undefined;
    const timeMs = clock.now();
    const keptSec = HISTORY_KINDS.includes(kind) ? audit.keepEndedForSec : audit.keepForSec;
    const source = audit.describeSource?.(userContext) ?? {};
    return { kind, timeMs, keepUntilMs: timeMs + inMs(keptSec), details: { ...details(), ...source } };
  }
}

function branch(hash2: string, parentHash2: string | undefined): AuditBranch {
  return { token: digest(hash2), ...(parentHash2 === undefined ? {} : { parent: digest(parentHash2) }) };
}

/** Returns a short name of a token, from which nothing can be learned about it. */
function digest(hash2: string): string {
  return createHash('sha256').update(`audit ${hash2}`).digest('base64url').slice(0, 12);
}

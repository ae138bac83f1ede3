import { toEventSource } from '../../events/session-event.js';
import type { SessionEventHub } from '../../events/session-event-hub.js';
import type { SessionKey, SessionRow, SessionStore } from '../../stores/session-store.js';
import type { RefreshTokens } from '../../tokens/refresh-token.js';
import { LIFETIME_CLAIMS } from '../../util/lifetime-claims.js';
import type { UserContext } from '../../util/user-context.js';
import type { VerifySessionResult } from '../core.types.js';
import type { PresentedRefreshToken } from './refresh-rotation.js';
import type { AuditNotes } from './audit-notes.js';
import type { Revocations } from './revocations.js';
import type { ParentToken, SessionIssuerParts } from './session-issuer.js';

/** The dependencies of both ways to rotate. */
export interface RotationParts extends SessionIssuerParts {
  readonly store: SessionStore;
  readonly events: SessionEventHub;
  readonly revocations: Pick<Revocations, 'byHandles'>;
  readonly audit: AuditNotes;
}

/** A refresh under way, whose refresh token is authentic. */
export interface Refresh {
  readonly key: SessionKey;
  /** As the token names it. */
  readonly recipeUserId: string;
  readonly presented: PresentedRefreshToken;
  readonly parent: ParentToken;
  readonly sealer: RefreshTokens;
  readonly enableAntiCsrf: boolean;
  readonly useStaticKey: boolean;
  /** undefined: the core's own validity. */
  readonly accessTokenValidityMs: number | undefined;
  readonly userContext: UserContext | undefined;
}

/** A session whose payload has one of these claims may end sooner than the core's own validity. */
export const NAMES_OF_LIMITS: readonly string[] = [LIFETIME_CLAIMS.expiry, LIFETIME_CLAIMS.idle];

/** The message about a refresh token without a live session, in a Core's words. */
export const SESSION_GONE = 'Session missing in db or has expired';

/** Returns the result for a session that has ended or never existed. */
export function unauthorised(message: string): { status: 'UNAUTHORISED'; message: string } {
  return { status: 'UNAUTHORISED', message };
}

/** Returns the refusal of an access token whose session does not go on. @param row undefined: it has ended, or never was */
export function sessionMissing(row: SessionRow | undefined, message: string): VerifySessionResult {
  return { ...unauthorised(message), ...(row !== undefined && { hasExpired: true }) };
}

/** Emits an event of the engine about a session. */
export async function emitRotation(
  { clock, events, primaryUserIdOf }: RotationParts,
  type: 'session.promoted' | 'session.grace-hit',
  { sessionHandle, userId: recipeUserId, tenantId }: SessionRow,
  userContext: UserContext | undefined,
): Promise<void> {
  const timeMs = clock.now();
  // The event is emitted even if the application cannot name the account; the request fails later because of that.
  const userId = await primaryUserIdOf(recipeUserId).catch(() => recipeUserId);
  events.emit({ type, timeMs, sessionHandle, userId, recipeUserId, tenantId, ...toEventSource(userContext) });
}

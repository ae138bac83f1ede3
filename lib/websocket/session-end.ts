import { accessTokenInfo, parseWithoutVerifying } from '../tokens/access-token.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { endOfSessionMs } from '../util/lifetime-claims.js';

/** The options that say how long a connection may outlast its access token. */
export interface ConnectionTimes {
  readonly clockToleranceSec: number;
  readonly socketRenewalGraceSec: number;
}

/**
 * When the access token that a session was verified with expires, or the session with it, milliseconds since the epoch. A token
 * that the core put in its place does not count, as no connection hands it to its client. The tokens of a SuperTokens Core may
 * outlive the absolute end, of which it knows nothing.
 */
export function sessionEndTime(session: SessionContainer): number {
  const parsed = parseWithoutVerifying(session.getAccessToken());
  if (parsed === undefined) return 0;
  const { payload } = accessTokenInfo(parsed);
  const expiryMs = session.getPresentedTokenExpiry();
  return Math.min(expiryMs, endOfSessionMs(payload) ?? expiryMs);
}

import { accessTokenInfo, parseWithoutVerifying } from '../tokens/access-token.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { endOfSessionMs } from '../util/lifetime-claims.js';

/** The options that say how long a connection may outlast its access token. */
export interface ConnectionTimes {
  readonly clockToleranceSec: number;
  readonly socketRenewalGraceSec: number;
}

/**
 * When the access token that a session works with expires, or the session with it, milliseconds since the epoch. The
 * tokens of a SuperTokens Core may outlive the absolute end, of which it knows nothing.
 */
export function sessionEndTime(session: SessionContainer): number {
  const parsed = parseWithoutVerifying(session.getAccessToken());
  if (parsed === undefined) return 0;
  const { expiryMs, payload } = accessTokenInfo(parsed);
  return Math.min(expiryMs, endOfSessionMs(payload) ?? expiryMs);
}

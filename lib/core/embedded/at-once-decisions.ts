import type { SessionRow } from '../../stores/session-store.js';
import { refreshTokenHash1 } from '../../tokens/refresh-token.js';
import { safeEqual } from '../../util/safe-equal.js';
import type { TokenReuseSubtype } from '../core.types.js';
import type { PresentedAccessToken, PresentedRefreshToken, RotationState } from './refresh-rotation.js';

/** The columns that name a session's refresh tokens. */
type Lineage = Pick<SessionRow, 'refreshTokenHash2' | 'prevRefreshTokenHash2'>;

/** The decision about a refresh token where it is replaced at once, with the case numbers of B9. */
export type AtOnceDecision =
  /** No live session: the client must sign in again. */
  | 'UNKNOWN_SESSION'
  /** Cases 1 and 2: the presented token is current, or an unused child of it. A new token becomes current, the presented one previous. */
  | 'ROTATE'
  /** Case 3: it was current within the grace period. A new token becomes current in place of the one that it got before. */
  | 'ROTATE_AGAIN'
  /** Case 4: it came back too late, or is a sibling or an ancestor. */
  | TokenReuseSubtype;

/**
 * Decides about a presented refresh token as a Core does for CDI 5.6.
 *
 * @param gracePeriodMs how long after its rotation the previous token is still accepted; that moment is included
 * @see docs/protocol/core.md B9
 */
export function decideRefreshAtOnce(
  row: RotationState | undefined,
  presented: PresentedRefreshToken,
  nowMs: number,
  gracePeriodMs: number,
): AtOnceDecision {
  if (row === undefined || row.expiresAtMs < nowMs) return 'UNKNOWN_SESSION';
  const parentHash2 =
    presented.parentRefreshTokenHash1 && refreshTokenHash1(presented.parentRefreshTokenHash1);
  if (safeEqual(row.refreshTokenHash2, presented.hash2)) return 'ROTATE';
  if (safeEqual(row.refreshTokenHash2, parentHash2)) return 'ROTATE';
  const { prevRefreshTokenHash2, rotatedAtMs } = row;
  if (prevRefreshTokenHash2 === undefined) return 'STALE_LINEAGE';
  if (safeEqual(prevRefreshTokenHash2, presented.hash2)) {
    const isWithinGrace = rotatedAtMs !== undefined && nowMs <= rotatedAtMs + gracePeriodMs;
    return isWithinGrace ? 'ROTATE_AGAIN' : 'RECENT_PREV';
  }
  return safeEqual(prevRefreshTokenHash2, parentHash2) ? 'ORPHANED_BRANCH' : 'STALE_LINEAGE';
}

/**
 * Returns whether an access token belongs to the current refresh token or to the previous one: it was made with it, or with a
 * child of it.
 *
 * @see docs/protocol/core.md B9
 */
export function isOfCurrentLine(row: Lineage, token: PresentedAccessToken): boolean {
  const { refreshTokenHash1: own, parentRefreshTokenHash1: parent } = token;
  const hashes = [own, parent].filter((hash1) => hash1 !== undefined).map(refreshTokenHash1);
  return hashes.some(
    (hash2) => safeEqual(row.refreshTokenHash2, hash2) || safeEqual(row.prevRefreshTokenHash2, hash2),
  );
}

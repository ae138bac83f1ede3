import { safeEqual } from '../../util/safe-equal.js';
import { refreshTokenHash1 } from '../../tokens/refresh-token.js';
import type { SessionRow } from '../../stores/session-store.js';

/** The columns that the rules depend on. */
export type RotationState = Pick<
  SessionRow,
  'refreshTokenHash2' | 'prevRefreshTokenHash2' | 'rotatedAtMs' | 'expiresAtMs'
>;

export type RefreshDecision =
  /** No live session: the client must sign in again. */
  | 'UNKNOWN_SESSION'
  /** The presented token is current: return its child, and write no row. */
  | 'ISSUE_CHILD'
  /** It is an unused child of the current token: make it current, then return its child. */
  | 'PROMOTE'
  /** It was current within the grace period: return its child, the current token, again, and write no row. */
  | 'REPEAT_CHILD'
  /** Its child has been used, so two parties hold tokens of this session. */
  | 'THEFT';

export interface PresentedRefreshToken {
  readonly hash2: string;
  readonly parentRefreshTokenHash1: string | undefined;
}

/**
 * Decides about a presented refresh token.
 *
 * @param gracePeriodMs how long a replaced token still gets the same successor; 0 disables it
 * @see docs/protocol/core.md B7, B8
 */
export function decideRefresh(
  row: RotationState | undefined,
  presented: PresentedRefreshToken,
  nowMs: number,
  gracePeriodMs: number,
): RefreshDecision {
  if (row === undefined || row.expiresAtMs < nowMs) return 'UNKNOWN_SESSION';
  if (safeEqual(row.refreshTokenHash2, presented.hash2)) return 'ISSUE_CHILD';
  if (matchesHash(row.refreshTokenHash2, presented.parentRefreshTokenHash1)) return 'PROMOTE';
  const wasReplacedJustNow =
    gracePeriodMs > 0 &&
    row.prevRefreshTokenHash2 !== undefined &&
    row.rotatedAtMs !== undefined &&
    nowMs <= row.rotatedAtMs + gracePeriodMs &&
    safeEqual(row.prevRefreshTokenHash2, presented.hash2);
  return wasReplacedJustNow ? 'REPEAT_CHILD' : 'THEFT';
}

export interface PresentedAccessToken {
  readonly refreshTokenHash1: string;
  /** Present on a token from a refresh until its first use. */
  readonly parentRefreshTokenHash1: string | undefined;
}

export type VerifyDecision =
  /** There is no such session. */
  | 'MISSING'
  /** The access token stays as it is. */
  | 'KEEP_TOKEN'
  /** First use of a refreshed token: make its refresh token current, then replace the access token. */
  | 'PROMOTE'
  /** Its refresh token is current, or the stored payload differs: replace the access token until its own end, and write no row. */
  | 'REPLACE_TOKEN';

/**
 * Decides about a proven access token that has a parent, or whose caller wants the database checked.
 *
 * @see docs/protocol/core.md B6 steps 2-5
 */
export function decideVerify(
  row: RotationState | undefined,
  presented: PresentedAccessToken,
  nowMs: number,
  isPayloadChanged: boolean,
): VerifyDecision {
  // Unlike a Core, treat an expired session as missing also before it is swept.
  if (row === undefined || row.expiresAtMs < nowMs) return 'MISSING';
  const { parentRefreshTokenHash1 } = presented;
  if (parentRefreshTokenHash1 === undefined) return isPayloadChanged ? 'REPLACE_TOKEN' : 'KEEP_TOKEN';
  if (matchesHash(row.refreshTokenHash2, parentRefreshTokenHash1)) return 'PROMOTE';
  if (matchesHash(row.refreshTokenHash2, presented.refreshTokenHash1) || isPayloadChanged)
    return 'REPLACE_TOKEN';
  return 'KEEP_TOKEN';
}

/** Returns whether a stored second hash belongs to the token with this first hash. */
function matchesHash(hash2: string, hash1: string | undefined): boolean {
  return hash1 !== undefined && safeEqual(hash2, refreshTokenHash1(hash1));
}

import { safeEqual } from '../../util/safe-equal.js';
import { refreshTokenHash1 } from '../../tokens/refresh-token.js';
import type { SessionRow } from '../../stores/session-store.js';

/** The part of a row that the rules look at. */
export type RotationState = Pick<
  SessionRow,
  'refreshTokenHash2' | 'prevRefreshTokenHash2' | 'rotatedAtMs' | 'expiresAtMs'
>;

export type RefreshDecision =
  /** No live session: the client must sign in again. */
  | 'UNKNOWN_SESSION'
  /** The presented token is current: hand out its child. Nothing is written. */
  | 'ISSUE_CHILD'
  /** It is an unused child of the current one: make it current, then hand out its child. */
  | 'PROMOTE'
  /** It was current until a moment ago: hand out its child, the current one, again. Nothing is written. */
  | 'REPEAT_CHILD'
  /** Its child has been used: two parties hold tokens of this session. */
  | 'THEFT';

export interface PresentedRefreshToken {
  readonly hash2: string;
  readonly parentRefreshTokenHash1: string | undefined;
}

/**
 * What a presented refresh token means for its session.
 *
 * @param gracePeriodMs how long a token that has just been replaced gets the same successor again; 0 for not at all
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
  /** Set on a token from a refresh that has not been used yet. */
  readonly parentRefreshTokenHash1: string | undefined;
}

export type VerifyDecision =
  /** There is no such session. */
  | 'MISSING'
  /** The token stands as it is. */
  | 'KEEP_TOKEN'
  /** First use of a refreshed token: make its refresh token current, then replace the access token. */
  | 'PROMOTE'
  /** Its refresh token is current, or the stored payload differs: replace the access token. Nothing is written. */
  | 'REPLACE_TOKEN';

/**
 * What an access token that has already been proven means for its session. Only asked when it has a parent or the
 * caller wants the database checked.
 *
 * @see docs/protocol/core.md B6 steps 2-5
 */
export function decideVerify(
  row: RotationState | undefined,
  presented: PresentedAccessToken,
  nowMs: number,
  isPayloadChanged: boolean,
): VerifyDecision {
  // Unlike a Core, a session that has run out is not served just because it has not been swept yet.
  if (row === undefined || row.expiresAtMs < nowMs) return 'MISSING';
  const { parentRefreshTokenHash1 } = presented;
  if (parentRefreshTokenHash1 === undefined) return isPayloadChanged ? 'REPLACE_TOKEN' : 'KEEP_TOKEN';
  if (matchesHash(row.refreshTokenHash2, parentRefreshTokenHash1)) return 'PROMOTE';
  if (matchesHash(row.refreshTokenHash2, presented.refreshTokenHash1) || isPayloadChanged)
    return 'REPLACE_TOKEN';
  return 'KEEP_TOKEN';
}

/** Whether a stored second hash belongs to the token with this first hash. */
function matchesHash(hash2: string, hash1: string | undefined): boolean {
  return hash1 !== undefined && safeEqual(hash2, refreshTokenHash1(hash1));
}

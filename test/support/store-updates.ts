import type {
  FoundSession,
  SessionChange,
  SessionCondition,
  SessionKey,
  SessionRow,
  SessionStore,
} from '../../lib/stores/session-store.js';

/** The facts that the engine has when it makes the child of a current refresh token the current one. */
export interface Promotion extends SessionKey {
  readonly fromHash2: string;
  readonly toHash2: string;
  readonly expiresAtMs: number;
  /** undefined leaves the kind of key as it is. */
  readonly useStaticKey?: boolean | undefined;
  readonly nowMs: number;
}

/** Makes a promotion as the engine does. */
export async function promote(store: SessionStore, promotion: Promotion): Promise<SessionRow | undefined> {
  const { where, change } = promotionUpdate(promotion);
  return store.update(promotion, where, change);
}

/** Looks a session up and promotes it on the way, as the engine does. */
export async function findAndPromote(
  store: SessionStore,
  promotion: Promotion,
  unlessMentioned: readonly string[] = [],
): Promise<FoundSession> {
  return store.findAndUpdate(promotion, { ...promotionUpdate(promotion), unlessMentioned });
}

/** The condition under which the engine changes data and payload: the session has not ended. */
export function whileLive(nowMs: number): SessionCondition {
  return { minExpiresAtMs: nowMs + 1 };
}

function promotionUpdate(promotion: Promotion): { where: SessionCondition; change: SessionChange } {
  const { fromHash2, toHash2, expiresAtMs, useStaticKey, nowMs } = promotion;
  return {
    where: { refreshTokenHash2: fromHash2, minExpiresAtMs: nowMs },
    change: {
      refreshTokenHash2: toHash2,
      prevRefreshTokenHash2: fromHash2,
      rotatedAtMs: nowMs,
      expiresAtMs,
      ...(useStaticKey === undefined ? {} : { useStaticKey }),
    },
  };
}

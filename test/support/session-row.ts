import type { SessionRow, SessionSearch } from '../../lib/stores/session-store.js';

export const NOW = 1_760_000_000_000;
/** A live row of a store, as plain as can be. */
export const ROW: SessionRow = {
  tenantId: 'public',
  sessionHandle: 'handle-1',
  userId: 'user-1',
  refreshTokenHash2: 'a'.repeat(64),
  sessionData: '{}',
  accessTokenPayload: '{}',
  expiresAtMs: NOW + 1000,
  createdAtMs: NOW,
  useStaticKey: false,
  prevRefreshTokenHash2: undefined,
  rotatedAtMs: undefined,
};
export const KEY = { tenantId: 'public', sessionHandle: 'handle-1' };
/** A search for every live session. */
export const EVERYBODY: SessionSearch = {
  tenantId: undefined,
  userIds: undefined,
  createdSinceMs: undefined,
  nowMs: NOW,
  after: undefined,
  limit: 50,
};

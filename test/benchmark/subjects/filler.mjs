import { randomUUID } from 'node:crypto';

const SESSIONS_OF_A_USER = 5;
const now = Date.now();

/** The content of rows that only fill a table. One in a hundred has expired. */
export const filler = {
  sessionsOfUser: SESSIONS_OF_A_USER,
  expiredShare: 100,
  sessionData: '{"theme":"dark","cart":[1,2,3]}',
  payload: '{"st-role":{"v":["admin","editor"],"t":1760000000000}}',
  /** Of row 0; each further one is a millisecond younger. */
  firstCreatedAtMs: now - 10_000_000,
  liveUntilMs: now + 100 * 86_400_000,
  expiredSinceMs: now - 60_000,
  userId: (i) => `filler-${Math.floor(i / SESSIONS_OF_A_USER)}`,
  hash: (i) => i.toString(16).padStart(64, '0'),
  expiresAtMs: (i) => (i % 100 === 0 ? filler.expiredSinceMs : filler.liveUntilMs),
  row: (i) => ({
    tenantId: 'public',
    sessionHandle: randomUUID(),
    userId: filler.userId(i),
    refreshTokenHash2: filler.hash(i),
    sessionData: filler.sessionData,
    accessTokenPayload: filler.payload,
    expiresAtMs: filler.expiresAtMs(i),
    createdAtMs: filler.firstCreatedAtMs + i,
    useStaticKey: false,
    prevRefreshTokenHash2: undefined,
    rotatedAtMs: undefined,
  }),
};

import { randomUUID } from 'node:crypto';
import { memoryStore } from 'nest-sessions';
import { filler } from './filler.mjs';

/** @type {import('./store-subject.mjs').OpenStores} */
export async function open() {
  return {
    serverCpuMs: () => 0,
    table: async () => {
      const store = memoryStore({ maxSessions: 10_000_000 });
      return {
        store,
        fill: async (from, count) => {
          for (let i = from; i < from + count; i++) {
            await store.insertSession({
              tenantId: 'public',
              sessionHandle: randomUUID(),
              userId: filler.userId(i),
              refreshTokenHash2: filler.hash(i),
              sessionData: filler.sessionData,
              accessTokenPayload: filler.payload,
              expiresAtMs: filler.expiresAtMs(i),
              createdAtMs: filler.createdAtMs,
              useStaticKey: false,
              prevRefreshTokenHash2: undefined,
              rotatedAtMs: undefined,
            });
          }
        },
        settle: async () => {},
      };
    },
    close: async () => {},
  };
}

// A memory store with many sessions in a process of its own. The rows are what the engine makes of a sign-in and of one
// first use: no text is shared between them that is not shared then.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { embeddedCore, memoryStore } from 'nest-sessions';
import { coreContext } from './core-context.mjs';

const REFRESHED = 400;
const CALLERS = 16;
const YEAR_MS = 365 * 86_400_000;

/** @param {{ sessions: number, sessionsOfUser: number }} options */
export async function serve({ sessions, sessionsOfUser }) {
  const store = memoryStore({ maxSessions: 2 * sessions });
  const core = embeddedCore({ store }).create(coreContext());
  await core.start();
  const before = heapBytes();
  for (let i = 0; i < sessions; i++)
    await addSession(store, `user-${Math.floor(i / sessionsOfUser)}-of-many`);
  const bytesPerSession = (heapBytes() - before) / sessions;
  const chains = [];
  for (let i = 0; i < CALLERS; i++) chains.push({ token: await signIn(core) });
  return {
    port: 0,
    close: () => core.close(),
    answers: { bytesPerSession: () => bytesPerSession, refresh: () => refreshTimes(core, chains) },
  };
}

function heapBytes() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function addSession(store, userId) {
  const now = Date.now();
  const key = { tenantId: 'public', sessionHandle: randomUUID() };
  const hash = () => createHash('sha256').update(randomBytes(32)).digest('hex');
  const first = hash();
  await store.insertSession({
    ...key,
    userId,
    refreshTokenHash2: first,
    sessionData: JSON.stringify({ theme: 'dark', cart: [1, 2, now % 1000] }),
    accessTokenPayload: JSON.stringify({
      iss: 'https://api.shop.io/auth',
      'st-role': { v: ['admin'], t: now },
    }),
    expiresAtMs: now + YEAR_MS,
    createdAtMs: now,
    useStaticKey: false,
    prevRefreshTokenHash2: undefined,
    rotatedAtMs: undefined,
  });
  const where = { refreshTokenHash2: first, minExpiresAtMs: now + 1 };
  const [prevRefreshTokenHash2, expiresAtMs] = [first, now + YEAR_MS];
  const change = { refreshTokenHash2: hash(), prevRefreshTokenHash2, rotatedAtMs: now + 1, expiresAtMs };
  await store.update(key, where, change);
}

async function signIn(core) {
  const input = {
    tenantId: 'public',
    recipeUserId: randomUUID(),
    userDataInJWT: { role: 'admin' },
    userDataInDatabase: {},
    useDynamicSigningKey: true,
    enableAntiCsrf: false,
  };
  return (await core.createSession(input, {})).refreshToken.token;
}

/** How long each of some refreshes took while 16 callers were at work, milliseconds. */
async function refreshTimes(core, chains) {
  const times = [];
  await Promise.all(
    chains.map(async (chain) => {
      for (let i = 0; i < REFRESHED / CALLERS; i++) {
        const began = performance.now();
        const input = { refreshToken: chain.token, antiCsrfToken: undefined };
        const result = await core.refreshSession(
          { ...input, enableAntiCsrf: false, useDynamicSigningKey: true },
          {},
        );
        times.push(performance.now() - began);
        chain.token = result.refreshToken.token;
      }
    }),
  );
  return times;
}

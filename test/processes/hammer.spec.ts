import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, expect, it } from '@jest/globals';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { create, refresh, refreshed } from '../support/core-calls.js';
import { embeddedCoreOn, rowOf, seedSigningKeys } from '../support/embedded.js';
import { refreshTokenHash2 } from '../../lib/tokens/refresh-token.js';
import { compiledScript } from '../support/compiled-script.js';
import { countFrom } from '../fixtures/fc-runs.js';
import type { HammerTarget, HistoryEntry } from './hammer-history.js';
import { startPostgres } from '../support/postgres.js';
import { closeClients, nodeRedis } from '../support/redis-clients.js';
import { startRedis } from '../support/redis.js';

const SECONDS = countFrom('HAMMER_SECONDS', 4);

const postgres = await startPostgres();
const redis = await startRedis();
afterAll(async () => {
  await closeClients();
  await Promise.all([postgres.stop(), redis.stop()]);
});

/** After so many acknowledged calls a process is killed. */
const CALLS_TO_DEATH = 25;

/** @param calls it is killed at that many */
async function historyOf(
  script: string,
  target: HammerTarget,
  calls = Number.POSITIVE_INFINITY,
): Promise<HistoryEntry[]> {
  const child = spawn(process.execPath, [script, JSON.stringify(target)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const history: HistoryEntry[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    history.push(JSON.parse(line) as HistoryEntry);
    if (history.length === calls) child.kill('SIGKILL');
  }
  return history;
}

/** A process that is killed and started again, with the tokens that it got, until the time is over. */
async function historyOfKilled(script: string, target: HammerTarget): Promise<HistoryEntry[][]> {
  const histories: HistoryEntry[][] = [];
  while (histories.length < 2 || Date.now() < target.endsAt) {
    const held = new Map(target.sessions.map(({ handle, token }) => [handle, token]));
    for (const { did, handle, key } of histories.flat()) if (did === 'refresh' && key) held.set(handle, key);
    const sessions = Array.from(held, ([handle, token]) => ({ handle, token }));
    const name = `${target.name}${histories.length}-`;
    histories.push(await historyOf(script, { ...target, name, sessions }, CALLS_TO_DEATH));
  }
  return histories;
}

interface HammeredDatabase extends Pick<HammerTarget, 'engine' | 'url' | 'place'> {
  readonly store: SessionStore;
}

postgres.describe('three processes on one PostgreSQL, of which one is killed and started again', () => {
  hammer(async () => {
    const place = postgres.freshSchema();
    const store = postgresStore(postgres.pool(), { schema: place });
    return { engine: 'postgres', url: postgres.url, place, store };
  });
});

redis.describe('three processes on one Redis, of which one is killed and started again', () => {
  hammer(async () => {
    const place = redis.freshPrefix();
    const store = redisStore(await (await nodeRedis()).connect(redis.url), { keyPrefix: place });
    return { engine: 'redis', url: redis.url, place, store };
  });
});

function hammer(open: () => Promise<HammeredDatabase>): void {
  it(
    'revive no session, lose no acknowledged merge, and leave one line of refresh tokens (S115)',
    async () => {
      const { store, ...place } = await open();
      const { core } = embeddedCoreOn(store);
      await seedSigningKeys(store);
      const made = await Promise.all(Array.from({ length: 60 }, () => create(core)));
      const sessions = made.map(({ session, refreshToken }) => ({
        handle: session.handle,
        token: refreshToken.token,
      }));
      const script = await compiledScript(new URL('hammer-process.ts', import.meta.url));
      const target = { ...place, endsAt: Date.now() + SECONDS * 1000, leastCalls: 40, sessions };
      const [killed, ...histories] = await Promise.all([
        historyOfKilled(script, { ...target, name: 'c' }),
        ...['a', 'b'].map((name) => historyOf(script, { ...target, name })),
      ]);
      rmSync(script);
      expect(killed.length).toBeGreaterThan(1);
      const history = [...killed, ...histories].flat();
      for (const did of ['refresh', 'verify', 'merge', 'revoke'])
        expect(history.some((entry) => entry.did === did)).toBe(true);
      const problems: string[] = [];
      const note = (isFine: boolean, problem: string): void => {
        if (!isFine) problems.push(problem);
      };
      for (const { handle, token } of sessions) {
        const all = history.filter((entry) => entry.handle === handle);
        const own = all.filter(({ did }) => did !== 'revoking');
        const tokens = new Set([
          token,
          ...own.flatMap(({ did, key }) => (did === 'refresh' && key ? key : [])),
        ]);
        const revoked = own.find(({ did }) => did === 'revoke');
        // A process that was killed may have ended the session without having said so.
        const wasRevoking = all.length > own.length;
        if (revoked || (wasRevoking && (await core.getSessionInformation(handle)) === undefined)) {
          note(!own.some(({ startedAt }) => revoked && startedAt > revoked.endedAt), `${handle} was revived`);
          for (const each of tokens)
            note((await refresh(core, each)).status === 'UNAUTHORISED', `${handle} refreshes after its end`);
          continue;
        }
        const data = (await core.getSessionInformation(handle))?.userDataInDatabase;
        const merged = own.flatMap(({ did, key }) => (did === 'merge' && key ? key : []));
        note(
          merged.every((key) => data?.[key] === 1),
          `${handle} lost a merge`,
        );
        const { refreshTokenHash2: current } = await rowOf(store, handle);
        const live = [...tokens].filter((each) => refreshTokenHash2(each) === current);
        note(live.length === 1, `${handle} has ${live.length} current tokens`);
        const child = (await refreshed(core, live[0] ?? '')).refreshToken.token;
        for (const each of tokens) {
          if (each === live[0] || each === child) continue;
          note((await refresh(core, each)).status === 'TOKEN_THEFT_DETECTED', `${handle} has two lines`);
        }
      }
      expect(problems).toEqual([]);
    },
    (SECONDS + 115) * 1000,
  );
}

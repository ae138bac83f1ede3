import { writeSync } from 'node:fs';
import pg from 'pg';
import { createClient } from 'redis';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { refresh, verify } from '../support/core-calls.js';
import { embeddedCoreOn } from '../support/embedded.js';
import type { HammerTarget, HistoryEntry } from './hammer-history.js';

/** Refreshes, verifies, merges and revokes until its time is over, and says after each call what came of it. */
const { engine, url, place, name, endsAt, leastCalls, sessions } = JSON.parse(
  process.argv[2] ?? '',
) as HammerTarget;
const store =
  engine === 'redis'
    ? redisStore(createClient({ url }), { keyPrefix: place })
    : postgresStore(new pg.Pool({ connectionString: url }), { schema: place });
const { core } = embeddedCoreOn(store);
const held = new Map(sessions.map(({ handle, token }) => [handle, token]));
const tell = (entry: HistoryEntry): number => writeSync(1, `${JSON.stringify(entry)}\n`);
const now = (): number => performance.timeOrigin + performance.now();

for (let n = 0; n < leastCalls || now() < endsAt; n++) {
  const isSure = n === 5; // so that each process ends a session, however slow the machine is
  const index = isSure
    ? 2 * Math.floor(Math.random() * (sessions.length / 2))
    : Math.floor(Math.random() * sessions.length);
  const handle = sessions[index]?.handle ?? '';
  const dice = Math.random();
  const startedAt = now();
  // Half of the sessions live to the end, however long that is.
  if ((isSure || dice < 0.01) && index % 2 === 0) {
    tell({ did: 'revoking', handle, startedAt, endedAt: startedAt }); // it may be killed before it can say that it has
    const [revoked] = await core.revokeSessions([handle]);
    if (revoked) tell({ did: 'revoke', handle, startedAt, endedAt: now() });
  } else if (dice < 0.5) {
    const key = `${name}${n}`;
    if (await core.mergeSessionData(handle, { [key]: 1 }))
      tell({ did: 'merge', handle, key, startedAt, endedAt: now() });
  } else {
    const result = await refresh(core, held.get(handle) ?? '');
    if (result.status !== 'OK') continue;
    const token = result.refreshToken.token;
    held.set(handle, token);
    tell({ did: 'refresh', handle, key: token, startedAt, endedAt: now() });
    const promotedAt = now();
    const { status } = await verify(core, result.accessToken.token, { checkDatabase: true });
    if (status === 'OK') tell({ did: 'verify', handle, startedAt: promotedAt, endedAt: now() });
  }
}
process.exit(0);

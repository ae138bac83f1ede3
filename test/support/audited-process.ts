import { writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { createClient } from 'redis';
import { Deliverer } from '../../lib/audit/deliverer.js';
import { embeddedCore } from '../../lib/core/embedded/embedded-core-options.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import { webhook } from '../../lib/signals/webhook.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { SystemClock } from '../../lib/util/clock.js';
import { create } from './core-calls.js';

/** `place`: the schema, the beginning of the names of keys, or the file. */
const { kind, url, place, hook, secret } = JSON.parse(process.argv[2] ?? '') as Record<
  'kind' | 'url' | 'place' | 'hook' | 'secret',
  string
>;

async function openStore(): Promise<SessionStore> {
  if (kind === 'SQLite') return sqliteStore(place);
  if (kind === 'PostgreSQL') return postgresStore(new pg.Pool({ connectionString: url }), { schema: place });
  const client = createClient({ url });
  await client.connect();
  return redisStore(client, { keyPrefix: place });
}

/**
 * An instance that begins and ends sessions until it is killed, and delivers their records to a webhook meanwhile. It says
 * after each change what is now acknowledged: a line `<handle> <kind>`.
 */
const clock = new SystemClock();
const store = await openStore();
const core = embeddedCore({ store }).create({
  clock,
  events: new SessionEvents(),
  apiDomain: 'http://localhost:3000',
  jwksRefreshIntervalSec: 14_400,
  audit: { keepForSec: 86_400, keepEndedForSec: 86_400 },
});
await core.start();
const { auditTrail: trail, sharedValues: values } = core;
if (trail === undefined || values === undefined) throw new Error('There is no audit trail');
const deliverer = new Deliverer({
  delivery: webhook({ url: hook, secret }),
  trail,
  values,
  clock,
  keepMs: 86_400_000,
});

async function deliver(): Promise<void> {
  for (;;) {
    await deliverer.run();
    await nextTurn(); // SQLite never waits, so that nothing else would be done meanwhile
  }
}

async function work(): Promise<void> {
  for (;;) {
    const { session } = await create(core);
    writeSync(1, `${session.handle} session.created\n`);
    await core.mergeSessionData(session.handle, { cart: 1 }, {});
    writeSync(1, `${session.handle} session.data-changed\n`);
    await core.revokeSessions([session.handle], {}, { reason: 'done' });
    writeSync(1, `${session.handle} session.revoked\n`);
  }
}

await Promise.all([deliver(), work(), work(), work()]);

import { createInterface } from 'node:readline';
import { embeddedCore } from '../../lib/core/embedded/embedded-core-options.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { create } from '../support/core-calls.js';
import { TEST_START_MS } from '../support/embedded.js';

/**
 * An instance on a SQLite file that does what the lines of its input say: `create` a session, `end` one by its handle, or `end-all`.
 * It responds to each with a line of JSON.
 */
const core = embeddedCore({ store: sqliteStore(process.argv[2] ?? '') }).create({
  clock: new TestClock(TEST_START_MS),
  events: new SessionEvents(),
  apiDomain: 'http://localhost:3000',
  jwksRefreshIntervalSec: 14_400,
  recordsRevocations: true,
});

async function obey(order: string, sessionHandle: string): Promise<unknown> {
  if (order === 'end') return core.revokeSessions([sessionHandle], {}, { reason: 'lost phone' });
  if (order === 'end-all')
    return core.revokeInBulk({ tenantId: undefined, userIds: undefined, createdBeforeMs: undefined }, {});
  const { session, accessToken } = await create(core);
  return { handle: session.handle, accessToken: accessToken.token };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [order = '', sessionHandle = ''] = line.split(' ');
  console.log(JSON.stringify(await obey(order, sessionHandle)));
}
await core.close();

import { afterAll, describe, expect, it } from '@jest/globals';
import { createSessions, redisStore, remoteCore } from 'nest-sessions/standalone';
import { createClient } from 'redis';
import { TestClock } from '../../lib/testing/test-clock.js';
import { TEST_START_MS } from '../support/embedded.js';
import { startRedis } from '../support/redis.js';
import { startServedCore } from '../support/served-core.js';
import { APP_INFO, shell, shopOn, signIn } from '../support/shell.js';

const redis = await startRedis();
afterAll(() => redis.stop());

redis.describe('nest-sessions on Redis', () => {
  it('lists, ends and audits sessions of the application that has the same keys', async () => {
    const clock = new TestClock(Date.now());
    const client = createClient({ url: redis.url });
    const keyPrefix = 'shop-of-the-command:';
    const shop = await shopOn(redisStore(client, { keyPrefix }), clock);
    const { handle } = await signIn(shop, { userId: 'ada' });
    const run = shell({ clock });
    const options = ['--store', redis.url, '--key-prefix', keyPrefix];
    expect((await run('sessions', 'list', '--user', 'ada', ...options)).stdout).toContain(handle);
    expect((await run('sessions', 'end', handle, '--reason', 'ticket 4711', ...options)).stdout).toBe(
      'Ended 1 session.\n',
    );
    expect((await run('audit', '--user', 'ada', '--kind', 'ended', ...options)).stdout).toContain(
      'reason: ticket 4711, by: shell:support',
    );
    expect((await run('migrate', ...options)).stdout).toContain('This store has no tables');
    await shop.close();
  });
});

describe('nest-sessions on a core over HTTP', () => {
  it('lists, verifies and ends sessions there, and leaves its keys to it', async () => {
    const clock = new TestClock(TEST_START_MS);
    const core = await startServedCore({ clock });
    const sessions = createSessions({
      appInfo: APP_INFO,
      core: remoteCore({ connectionURI: core.uri }),
      clock,
    });
    await sessions.start();
    const { handle, accessToken } = await signIn(sessions, { userId: 'ada' });
    const run = shell({ clock });
    const options = ['--core', core.uri];
    expect((await run('sessions', 'list', ...options)).stdout).toContain(handle);
    expect((await run('verify', accessToken, ...options)).code).toBe(0);
    expect((await run('keys', 'list', ...options)).stdout).toMatch(/^d-\d+ .*published$/m);
    expect((await run('keys', 'rotate', ...options)).code).toBe(1);
    expect((await run('audit', ...options)).stderr).toContain('There is no audit trail');
    expect((await run('sessions', 'end', '--user', 'ada', '--yes', ...options)).stdout).toBe(
      'Ended 1 session of ada.\n',
    );
    expect((await run('verify', accessToken, ...options)).stdout).toMatch(/^✗ session +has ended$/m);
    await sessions.close();
    await core.close();
  });
});

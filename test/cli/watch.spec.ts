import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createSessions, embeddedCore, memoryStore } from 'nest-sessions/standalone';
import { APP_INFO, shell, signIn } from '../support/shell.js';
import { shopOnFile } from '../support/shop-file.js';

const place = shopOnFile();

/** Runs `watch` until it has printed so many lines. `happen` runs once it watches. */
async function watched(argv: readonly string[], lines: number, happen: () => Promise<unknown>) {
  const ending = new AbortController();
  let printed = '';
  const { promise: watching, resolve: begin } = withResolvers();
  const outcome = shell({
    clock: place.clock,
    signal: ending.signal,
    stdout: (text) => {
      printed += text;
      if (printed.split('\n').length > lines) ending.abort();
    },
    stderr: (text) => {
      if (text.startsWith('Watching')) begin(text);
    },
  })('watch', ...argv);
  const said = await Promise.race([watching, outcome.then(() => 'ended')]);
  await happen();
  const { code } = await outcome;
  return { code, printed: printed.trimEnd().split('\n'), said };
}

function withResolvers(): { promise: Promise<string>; resolve: (text: string) => void } {
  let resolve: (text: string) => void = () => undefined;
  const promise = new Promise<string>((resolver) => (resolve = resolver));
  return { promise, resolve };
}

describe('nest-sessions watch', () => {
  it('shows what happens from now on, one line for each event', async () => {
    const before = await signIn(place.shop, { userId: 'before' });
    const { code, printed, said } = await watched(['--store', place.store], 2, async () => {
      await signIn(place.shop, { userId: 'ada' });
      await place.shop.service.revokeSession(before.handle, undefined, { reason: '\u001b[2Jgone' });
    });
    expect(code).toBe(0);
    expect(said).toBe('Watching the audit trail of embedded, with SQLite.\n');
    expect(printed).toEqual([
      expect.stringMatching(/^\S+ \S+Z {2}session\.created {2}ada {2}public/),
      expect.stringContaining(
        String.raw`session.revoked  before  public  ${before.handle}  reason: \u{1b}[2Jgone`,
      ),
    ]);
  });

  it('prints JSON by the line, of the kinds and users that are asked for', async () => {
    const { handle } = await signIn(place.shop, { userId: 'ada' });
    const argv = ['--json', '--user', 'ada', '--kind', 'ended', '--store', place.store];
    const { printed } = await watched(argv, 1, async () => {
      await signIn(place.shop, { userId: 'ada' });
      await place.shop.service.revokeSession(handle, undefined, { reason: 'x' });
    });
    expect(printed.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { kind: 'session.revoked', sessionHandle: handle, reason: 'x' },
    ]);
  });

  it('follows the feed where there is no audit trail', async () => {
    const config = join(place.folder, 'feed.config.mjs');
    writeFileSync(config, 'export default () => globalThis.feedUnderTest;\n');
    const options = {
      appInfo: APP_INFO,
      core: embeddedCore({ store: memoryStore(), signingAlgorithm: 'ES256' }),
      revocationFeed: { pollMs: 60_000 },
    } as const;
    (globalThis as { feedUnderTest?: unknown }).feedUnderTest = options;
    const shop = createSessions({ ...options, clock: place.clock });
    await shop.start();
    const { handle } = await signIn(shop, { userId: 'ada' });
    const argv = ['--interval', '3600', '--config', config];
    const { printed, said } = await watched(argv, 1, async () =>
      shop.service.revokeSession(handle, undefined, { reason: 'lost phone' }),
    );
    expect(said).toContain('the feed of ended sessions');
    expect(printed).toEqual([
      expect.stringMatching(new RegExp(`ended: session {2}${handle} .*reason: lost phone$`)),
    ]);
    await shop.close();
  });

  it('reads again at once when the feed announces a record while it is read', async () => {
    const config = join(place.folder, 'announcing.config.mjs');
    writeFileSync(config, 'export default () => globalThis.feedUnderTest;\n');
    let announce: () => void = () => undefined;
    let reads = 0;
    const feed = {
      publish: async () => undefined,
      subscribe: (wake: () => void) => {
        announce = wake;
        return async () => undefined;
      },
      read: async () => {
        reads++;
        if (reads === 2) announce();
        const record = { kind: 'session', id: `read-${reads}`, notBeforeMs: 1000, untilMs: 2000 };
        return { records: [record], position: 'x' };
      },
    };
    (globalThis as { feedUnderTest?: unknown }).feedUnderTest = {
      appInfo: APP_INFO,
      core: embeddedCore({ store: memoryStore() }),
      revocationFeed: { feed },
    };
    const argv = ['--interval', '3600', '--config', config];
    const { printed } = await watched(argv, 2, async () => announce());
    expect(printed).toEqual([expect.stringContaining('read-2'), expect.stringContaining('read-3')]);
  });

  it('refuses to choose events of a core without an audit trail', async () => {
    const { code, stderr } = await shell()('watch', '--user', 'ada', '--core', 'http://127.0.0.1:1');
    expect(code).toBe(1);
    expect(stderr).toContain('without an audit trail');
  });
});

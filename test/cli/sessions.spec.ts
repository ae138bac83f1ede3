import { beforeEach, describe, expect, it } from '@jest/globals';
import { sqliteStore, type Sessions } from 'nest-sessions/standalone';
import type { TestClock } from '../../lib/testing/test-clock.js';
import { TEST_START_MS } from '../support/embedded.js';
import { shell, signIn, type Shell } from '../support/shell.js';
import { parsed, shopOnFile } from '../support/shop-file.js';
import { SAFARI } from '../support/user-agents.js';

const place = shopOnFile();
let clock: TestClock;
let shop: Sessions;
let store: string;
let run: Shell;

beforeEach(() => {
  ({ clock, shop, store, run } = place);
});

const liveHandles = async (userId: string): Promise<string[]> =>
  shop.service.getAllSessionHandlesForUser({ userId });

describe('nest-sessions sessions list', () => {
  it('shows the sessions of a user with time and device, the newest first', async () => {
    const first = await signIn(shop, { userId: 'ada' });
    clock.advanceSeconds(60);
    const second = await signIn(shop, { userId: 'ada', userAgent: SAFARI });
    await signIn(shop, { userId: 'bob' });
    const { code, stdout, stderr } = await run('sessions', 'list', '--user', 'ada', '--store', store);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [head, ...lines] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^SESSION +USER +TENANT +CREATED +LAST SEEN +AGENT$/);
    expect(lines.map((line) => line.split(/ {2,}/)[0])).toEqual([second.handle, first.handle]);
    expect(lines[0]).toContain('Safari');
  });

  it('prints one document of JSON', async () => {
    const { handle } = await signIn(shop, { userId: 'ada', tenantId: 't1' });
    const { stdout } = await run('sessions', 'list', '--json', '--store', store);
    expect(parsed(stdout)).toMatchObject({
      hasMore: false,
      sessions: [
        {
          sessionHandle: handle,
          userId: 'ada',
          tenantId: 't1',
          createdAt: new Date(TEST_START_MS).toISOString(),
        },
      ],
    });
  });

  it('finds those of a tenant, and those created before a moment', async () => {
    const old = await signIn(shop, { userId: 'ada', tenantId: 't1' });
    const other = await signIn(shop, { userId: 'ada' });
    clock.advanceSeconds(7200);
    await signIn(shop, { userId: 'ada', tenantId: 't1' });
    const handles = async (...options: string[]): Promise<unknown> => {
      const { stdout } = await run('sessions', 'list', '--json', '--store', store, ...options);
      return (parsed(stdout)['sessions'] as { sessionHandle: string }[]).map(
        ({ sessionHandle }) => sessionHandle,
      );
    };
    expect(await handles('--tenant', 't1', '--created-before', '1h')).toEqual([old.handle]);
    expect((await handles('--created-before', '2h')) as string[]).toHaveLength(0);
    expect(new Set((await handles('--created-before', '90m')) as string[])).toEqual(
      new Set([old.handle, other.handle]),
    );
  });

  it('reads page after page, and says when there are more than asked for', async () => {
    for (let count = 0; count < 3; count++) await signIn(shop, { userId: 'ada' });
    const { stdout } = await run('sessions', 'list', '--limit', '2', '--store', store);
    expect(stdout).toContain('There are more than these 2');
  });

  it('ends with 1 where there is none', async () => {
    const { code, stdout } = await run('sessions', 'list', '--user', 'nobody', '--store', store);
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'No session was found.\n' });
  });

  it('fits the terminal: long texts are cut, and in a narrow one each session is a block of lines', async () => {
    const { handle } = await signIn(shop, { userId: 'a'.repeat(100) });
    const { stdout } = await shell({ clock, isTerminal: true, columns: 140, env: { NO_COLOR: '1' } })(
      'sessions',
      'list',
      '--store',
      store,
    );
    for (const line of stdout.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(140);
    expect(stdout).toContain(handle);
    expect(stdout).toContain('a…');
    const narrow = await shell({ clock, isTerminal: true, columns: 40, env: { NO_COLOR: '1' } })(
      'sessions',
      'list',
      '--store',
      store,
    );
    expect(narrow.stdout).toContain(`SESSION: ${handle}\nUSER: a`);
  });
});

describe('nest-sessions sessions show', () => {
  it('shows a live session: names of payload and data, never their values', async () => {
    const session = await shop.service.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      accessTokenPayload: { plan: 'gold' },
      sessionDataInDatabase: { upstreamToken: 'hunter2' },
    });
    const { code, stdout } = await run('sessions', 'show', session.getHandle(), '--store', store);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^state +live$/m);
    expect(stdout).toMatch(/^data +upstreamToken$/m);
    expect(stdout).toMatch(/^payload +.*plan/m);
    expect(stdout).toContain('session.created');
    expect(stdout).not.toMatch(/hunter2|gold/);
    expect(
      (await run('sessions', 'show', session.getHandle(), '--payload', '--store', store)).stdout,
    ).toContain('gold');
  });

  it('shows the life of a session that has ended, and ends with 1 for one that never was', async () => {
    const { handle } = await signIn(shop, { userId: 'ada' });
    await shop.service.revokeSession(handle, undefined, { reason: 'lost phone', initiator: 'ada' });
    const { code, stdout } = await run('sessions', 'show', handle, '--store', store);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^state +ended$/m);
    expect(stdout).toContain('reason: lost phone, by: ada');
    expect((await run('sessions', 'show', 'nothing', '--store', store)).code).toBe(1);
  });
});

describe('a session of support staff who act for the user', () => {
  it('names its actor and its parent in the list, in its facts and in its records', async () => {
    const actor = await signIn(shop, { userId: 'support-7' });
    const session = await shop.service.createNewSessionWithoutRequestResponse({
      userId: 'ada',
      actor: { sessionHandle: actor.handle },
    });
    const listed = await run('sessions', 'list', '--user', 'ada', '--store', store);
    expect(listed.stdout).toMatch(/^SESSION +USER +ACTOR +TENANT .*PARENT$/m);
    expect(listed.stdout).toMatch(new RegExp(`ada +support-7 +public .*${actor.handle}$`, 'm'));
    const json = await run('sessions', 'list', '--user', 'ada', '--json', '--store', store);
    expect(parsed(json.stdout)['sessions']).toMatchObject([
      { actorId: 'support-7', parentSessionHandle: actor.handle },
    ]);
    const { stdout } = await run('sessions', 'show', session.getHandle(), '--store', store);
    expect(stdout).toMatch(/^used by +support-7$/m);
    expect(stdout).toMatch(new RegExp(`^ends with +${actor.handle}$`, 'm'));
    expect(stdout).toMatch(/session\.created +.*used by: support-7/);
  });
});

describe('nest-sessions sessions end', () => {
  it('ends one session without a question, with reason and initiator in the audit trail', async () => {
    const { handle } = await signIn(shop, { userId: 'ada' });
    const { code, stdout } = await run(
      'sessions',
      'end',
      handle,
      '--reason',
      'ticket 4711',
      '--store',
      store,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Ended 1 session.\n' });
    expect(await liveHandles('ada')).toEqual([]);
    const { records } = await shop.service.readAudit({ sessionHandle: handle, kinds: 'ended' });
    expect(records).toMatchObject([
      { kind: 'session.revoked', reason: 'ticket 4711', initiator: 'shell:support' },
    ]);
  });

  it.each([['--user', 'ada'], ['--tenant', 'public'], ['--all']])(
    'asks about %j although one session meets it, because others may come to meet it',
    async (...conditions) => {
      await signIn(shop, { userId: 'ada' });
      const refused = await run('sessions', 'end', ...conditions, '--store', store);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('this would end 1 session of ');
      expect(await liveHandles('ada')).toHaveLength(1);
    },
  );

  it('refuses to end several where there is no terminal to ask, and ends them with --yes', async () => {
    for (let count = 0; count < 2; count++) await signIn(shop, { userId: 'ada' });
    const refused = await run('sessions', 'end', '--user', 'ada', '--store', store);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('this would end 2 sessions of ada, and there is no terminal to ask');
    expect(await liveHandles('ada')).toHaveLength(2);
    const done = await run('sessions', 'end', '--user', 'ada', '--yes', '--json', '--store', store);
    expect(parsed(done.stdout)).toMatchObject({ ended: 2 });
    expect(await liveHandles('ada')).toEqual([]);
  });

  it.each([
    ['y', 0, 0],
    ['', 1, 2],
    ['no', 1, 2],
  ])('asks the person at the terminal, who types %j', async (response, code, left) => {
    for (let count = 0; count < 2; count++) await signIn(shop, { userId: 'ada' });
    const questions: string[] = [];
    const asked = shell({
      clock,
      ask: async (question) => {
        questions.push(question);
        return response;
      },
    });
    const outcome = await asked('sessions', 'end', '--user', 'ada', '--store', store);
    expect(outcome.code).toBe(code);
    expect(questions).toEqual(['End 2 sessions of ada? [y/N] ']);
    expect(outcome.stderr).toContain('SESSION');
    expect(await liveHandles('ada')).toHaveLength(left);
  });

  it('ends nothing with --dry-run, and shows what would end', async () => {
    const { handle } = await signIn(shop, { userId: 'ada', tenantId: 't1' });
    const { code, stdout } = await run('sessions', 'end', '--tenant', 't1', '--dry-run', '--store', store);
    expect(code).toBe(0);
    expect(stdout).toContain(handle);
    expect(stdout).toContain('This would end 1 session of the tenant t1. No session was ended.');
    expect(await liveHandles('ada')).toHaveLength(1);
  });

  it('ends all of a tenant that were created before a moment, by one cut-off', async () => {
    for (let count = 0; count < 3; count++) await signIn(shop, { userId: `user-${count}`, tenantId: 't1' });
    const elsewhere = await signIn(shop, { userId: 'ada' });
    clock.advanceSeconds(7200);
    const newer = await signIn(shop, { userId: 'ada', tenantId: 't1' });
    const { code, stdout } = await run(
      'sessions',
      'end',
      '--tenant',
      't1',
      '--created-before',
      '1h',
      '--yes',
      '--store',
      store,
    );
    expect(code).toBe(0);
    expect(stdout).toContain('Ended 3 sessions of the tenant t1, created before');
    expect(new Set(await liveHandles('ada'))).toEqual(new Set([elsewhere.handle, newer.handle]));
    expect(await liveHandles('user-1')).toEqual([]);
  });

  it.each([
    [[], 'say which sessions'],
    [['--all', '--user', 'ada'], '--all is everybody'],
    [['handle', '--user', 'ada'], 'not both'],
    [['--created-before', 'yesterday', '--yes'], '--created-before is expected as a time'],
  ])('refuses %j with 2, and ends nothing', async (options, message) => {
    await signIn(shop, { userId: 'ada' });
    const { code, stderr } = await run('sessions', 'end', ...options, '--store', store);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(await liveHandles('ada')).toHaveLength(1);
  });

  it('ends with 1 where there is nothing to end', async () => {
    const { code, stdout } = await run('sessions', 'end', '--user', 'nobody', '--store', store);
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'No session was found, so none was ended.\n' });
  });
});

describe('nest-sessions stats and audit', () => {
  it('counts sessions, sign-ins and what the audit trail has of the last hour and day', async () => {
    const { handle } = await signIn(shop, { userId: 'ada' });
    clock.advanceSeconds(7200);
    await signIn(shop, { userId: 'bob' });
    await shop.service.revokeSession(handle);
    const { code, stdout } = await run('stats', '--json', '--store', store);
    expect(code).toBe(0);
    expect(parsed(stdout)).toMatchObject({
      core: 'embedded, with SQLite',
      live: { count: 1, hasMore: false },
      signedIn: { hour: { count: 1 }, day: { count: 1 } },
      recorded: { 'session.created': { hour: 1, day: 2 }, 'session.revoked': { hour: 1, day: 1 } },
    });
    const { stdout: text } = await run('stats', '--store', store);
    expect(text).toMatch(/^session.created +1 in the last hour, 2 in the last day$/m);
  });

  it('shows records by kind and user, the newest first, and suggests the kind that was meant', async () => {
    const { handle } = await signIn(shop, { userId: 'ada' });
    await signIn(shop, { userId: 'bob' });
    await shop.service.revokeSession(handle, undefined, { reason: 'x' });
    const { stdout } = await run('audit', '--user', 'ada', '--json', '--store', store);
    expect((parsed(stdout)['records'] as { kind: string }[]).map(({ kind }) => kind)).toEqual([
      'session.revoked',
      'session.created',
    ]);
    expect((await run('audit', '--kind', 'session.expired', '--store', store)).code).toBe(1);
    const misspelt = await run('audit', '--kind', 'session.revokd', '--store', store);
    expect(misspelt.code).toBe(2);
    expect(misspelt.stderr).toContain('did you mean session.revoked?');
  });
});

/** Writes a record as another program may have written it. */
async function noteFromElsewhere(reason: string): Promise<void> {
  const other = sqliteStore(store.slice('sqlite:'.length));
  const [timeMs, keepUntilMs] = [clock.now(), clock.now() + 3_600_000];
  await other.audit?.append([
    { kind: 'session.revoked', timeMs, keepUntilMs, details: { reason }, subject: {} },
  ]);
  await other.close();
}

describe('texts from outside', () => {
  const HOSTILE = `\u001b]0;owned\u0007\u001b[2J\u202Eadmin\u2066\n<b>x</b>\u200b\u0085`;
  /** Control characters but the line breaks of ours, marks that turn the direction of text, and invisible characters. */
  const OBEYED = /[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u;

  it.each([[[]], [['--json']]])('reach the terminal as text alone, with %j', async (options) => {
    const reason = HOSTILE.repeat(5);
    const session = await signIn(shop, { userId: HOSTILE, userAgent: HOSTILE });
    await signIn(shop, { userId: HOSTILE });
    await noteFromElsewhere(HOSTILE.repeat(30_000));
    const outcomes = [
      await run('sessions', 'list', '--store', store, ...options),
      await run('sessions', 'show', session.handle, '--store', store, ...options),
      await run('sessions', 'end', '--user', HOSTILE, '--dry-run', '--store', store, ...options),
      await run('sessions', 'end', '--user', HOSTILE, '--store', store, ...options),
      await run(
        'sessions',
        'end',
        session.handle,
        '--reason',
        reason,
        '--initiator',
        HOSTILE,
        '--store',
        store,
        ...options,
      ),
      await run('audit', '--store', store, ...options),
      await run('sessions', HOSTILE, ...options),
      await run('audit', '--kind', HOSTILE, '--store', store, ...options),
      await run(`--${HOSTILE}`, ...options),
    ];
    for (const { stdout, stderr } of outcomes) {
      expect(stdout).not.toMatch(OBEYED);
      expect(stderr).not.toMatch(OBEYED);
      expect(stdout.length).toBeLessThan(
        options.length === 0 ? 20_000 : 2_000_000 * String.raw`\u001b`.length,
      );
    }
    const all = outcomes.map(({ stdout }) => stdout).join('');
    expect(all).toContain(options.length > 0 ? String.raw`\u001b[2J` : String.raw`\u{1b}[2J`);
  });
});

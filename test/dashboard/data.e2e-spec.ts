import { describe, expect, it, jest } from '@jest/globals';
import { CoreBadInputError } from 'nest-sessions';
import { ADAPTERS } from '../support/test-application.js';
import { CHROME, FIREFOX, SAFARI } from '../support/user-agents.js';
import { endSessions, openAuditedDashboard, openDashboard, readData } from './open-dashboard.js';

type Body = Readonly<Record<string, unknown>>;
type Counted = { readonly counts: Readonly<Record<string, readonly number[]>> };
const bodyOf = async (response: Promise<{ readonly body: unknown }>): Promise<Body> =>
  (await response).body as Body;

describe.each(ADAPTERS)('the data of the dashboard on %s', (adapter) => {
  it('finds sessions by user, tenant, device, time and handle, page by page', async () => {
    const application = await openAuditedDashboard(adapter);
    const { client, clock } = application;
    const admin = await application.signedIn('cookie', 'admin');
    const handles: string[] = [];
    for (const [userId, tenantId, agent] of [
      ['ada', 'public', FIREFOX],
      ['ada', 'acme', SAFARI],
      ['bob', 'acme', 'curl/8'],
    ] as const) {
      clock.advanceSeconds(60);
      const response = await client().post('/login', { userId, tenantId }, { 'user-agent': agent });
      handles.push((response.body as { sessionHandle: string }).sessionHandle);
    }
    const found = async (query: string) =>
      (await bodyOf(readData(admin, `sessions?${query}`)))['sessions'] as readonly {
        sessionHandle: string;
      }[];
    const handlesOf = async (query: string) => (await found(query)).map(({ sessionHandle }) => sessionHandle);
    expect(await handlesOf('userId=ada')).toEqual([handles[1], handles[0]]);
    expect(await handlesOf('tenantId=acme')).toEqual([handles[2], handles[1]]);
    expect(await handlesOf('device=firefox')).toEqual([handles[0]]);
    expect(await handlesOf(`createdBefore=${clock.now() - 60_000}&userId=ada`)).toEqual([handles[0]]);
    expect(await handlesOf(`createdAfter=${clock.now()}`)).toEqual([handles[2]]);
    expect(await handlesOf(`sessionHandle=${handles[1]}`)).toEqual([handles[1]]);
    const first = await bodyOf(readData(admin, 'sessions?userId=ada&limit=1'));
    expect(await handlesOf(`userId=ada&limit=1&cursor=${String(first['nextCursor'])}`)).toEqual([handles[0]]);
    expect(await bodyOf(readData(admin, 'count?tenantId=acme'))).toEqual({ count: 2, hasMore: false });
    expect(await bodyOf(readData(admin, `count?createdAfter=${clock.now()}`))).toMatchObject({ count: 1 });
    expect(JSON.stringify(await found('userId=ada'))).not.toContain('accessTokenPayload');
  });

  it('finds the session of a handle only if it fulfils the other conditions, too', async () => {
    const application = await openDashboard(adapter);
    const { client, clock } = application;
    const admin = await application.signedIn('cookie', 'admin');
    clock.advanceSeconds(60);
    const login = { userId: 'ada', tenantId: 'acme' };
    const { body } = await client().post('/login', login, { 'user-agent': FIREFOX });
    const { sessionHandle } = body as { sessionHandle: string };
    const now = clock.now();
    const counts = async (queries: readonly string[]) => {
      const pages = await Promise.all(
        queries.map(async (query) =>
          bodyOf(readData(admin, `sessions?sessionHandle=${sessionHandle}&${query}`)),
        ),
      );
      return pages.map(({ sessions }, at) => [queries[at], (sessions as readonly unknown[]).length]);
    };
    const times = (after: number, before: number) => [`createdAfter=${after}`, `createdBefore=${before}`];
    const fulfilled = ['userId=ada', 'tenantId=acme', 'device=FIREFOX', ...times(now, now + 1)];
    expect(await counts(fulfilled)).toEqual(fulfilled.map((query) => [query, 1]));
    const others = ['userId=bob', 'tenantId=public', 'device=safari', ...times(now + 1, now)];
    expect(await counts(others)).toEqual(others.map((query) => [query, 0]));
  });

  it.each([
    [{}, { ip: '127.0.0.0/24', userAgent: 'Firefox on Windows' }],
    [{ devices: false }, { ip: '127.0.0.0/24', userAgent: 'Firefox on Windows' }],
    [{ devices: { ip: 'full', userAgent: 'full' } }, { ip: '127.0.0.1', userAgent: FIREFOX }],
  ] as const)(
    'shows as much of the client in events as devices are kept with: %j',
    async (options, shown) => {
      const application = await openDashboard(adapter, options);
      const admin = await application.signedIn('cookie', 'admin');
      const login = { userId: 'ada', tenantId: 'public' };
      const { body } = await application.client().post('/login', login, { 'user-agent': FIREFOX });
      const { sessionHandle } = body as { sessionHandle: string };
      const { events } = await bodyOf(readData(admin, 'recent'));
      const ofAda = (events as Body[]).find((event) => event['sessionHandle'] === sessionHandle) ?? {};
      expect({ ip: ofAda['ip'], userAgent: ofAda['userAgent'] }).toEqual(shown);
    },
  );

  it('reads a query with a question mark in it to its end', async () => {
    const application = await openDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    await application.sessions.createNewSessionWithoutRequestResponse({ userId: 'who?me' });
    const { sessions } = await bodyOf(readData(admin, 'sessions?limit=5&userId=who?me'));
    expect(sessions).toMatchObject([{ userId: 'who?me' }]);
  });

  it('tells the life of a session: sign-in, refresh, theft with both branches, end', async () => {
    const application = await openAuditedDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    const user = application.client();
    const agent = (name: string) => ({ 'user-agent': name });
    const login = await user.post('/login', { userId: 'ada' }, agent(FIREFOX));
    const thief = user.copy();
    await user.refresh(agent(FIREFOX));
    await user.get('/me', agent(FIREFOX));
    await thief.refresh(agent(CHROME));
    const { sessionHandle } = login.body as { sessionHandle: string };
    const story = await bodyOf(readData(admin, `story?sessionHandle=${sessionHandle}`));
    const timeline = story['timeline'] as readonly { kind: string; branches?: unknown }[];
    expect(story['session']).toBeUndefined();
    expect(timeline.map(({ kind }) => kind)).toEqual([
      'session.created',
      'session.promoted',
      'session.theft-detected',
      'session.revoked',
    ]);
    expect(timeline[2]?.branches).toMatchObject([
      { name: 'presented', userAgent: 'Chrome on Linux' },
      { name: 'current', userAgent: 'Firefox on Windows' },
    ]);
    const events = story['events'] as readonly { type: string }[];
    expect(events.map(({ type }) => type)).toContain('session.refreshed');
  });

  it('ends one session, all of a user, a tenant, and all before a moment, with the reason and who did it in the trail', async () => {
    const application = await openAuditedDashboard(adapter);
    const { sessions, clock } = application;
    const admin = await application.signedIn('cookie', 'admin');
    const signIn = async (userId: string, tenantId = 'public') => {
      const session = await sessions.createNewSessionWithoutRequestResponse({ userId, tenantId });
      return session.getHandle();
    };
    const one = await signIn('ada');
    expect(await bodyOf(endSessions(admin, { sessionHandle: one, reason: 'lost phone' }))).toMatchObject({
      ended: 1,
    });
    await signIn('ada');
    await signIn('ada', 'acme');
    expect(await bodyOf(endSessions(admin, { userId: 'ada', reason: 'left' }))).toMatchObject({ ended: 2 });
    await signIn('bob', 'acme');
    expect(await bodyOf(endSessions(admin, { tenantId: 'acme', reason: 'closed' }))).toMatchObject({
      ended: null,
    });
    expect(await bodyOf(readData(admin, 'count?tenantId=acme'))).toMatchObject({ count: 0 });
    const before = await signIn('carl');
    clock.advanceSeconds(10);
    const moment = clock.now();
    clock.advanceSeconds(10);
    await application.signedIn('cookie', 'dora');
    const late = await application.signedIn('cookie', 'admin');
    await endSessions(late, { everybody: true, createdBeforeMs: moment, reason: 'key leaked' });
    expect(await sessions.getSessionInformation(before)).toBeUndefined();
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'dora' })).toHaveLength(1);
    const trail = await bodyOf(readData(late, `trail?sessionHandle=${one}&kind=ended`));
    expect(trail['records']).toMatchObject([
      { kind: 'session.revoked', reason: 'lost phone', initiator: 'admin' },
    ]);
    const cutOffs = await bodyOf(readData(late, 'trail?kind=sessions.ended-before'));
    expect(cutOffs['records']).toMatchObject([
      { reason: 'key leaked', initiator: 'admin' },
      { reason: 'closed' },
    ]);
  });

  it.each([
    ['no reason', { userId: 'ada' }, 'reason'],
    ['a reason of blanks', { userId: 'ada', reason: '  ' }, 'reason'],
    ['a reason of a megabyte', { userId: 'ada', reason: 'x'.repeat(50_000) }, 'reason'],
    ['no sessions', { reason: 'why not' }, 'Say which sessions'],
    ['everybody and a user', { everybody: true, userId: 'ada', reason: 'x' }, 'Say which sessions'],
    ['a handle and a user', { sessionHandle: 'h', userId: 'ada', reason: 'x' }, 'one session'],
    ['a condition that is misspelt', { userId: 'ada', tenant: 'acme', reason: 'x' }, 'not known'],
    ['a moment as text', { everybody: true, createdBeforeMs: '2026', reason: 'x' }, 'createdBeforeMs'],
    ['no moment', { everybody: true, createdBeforeMs: null, reason: 'x' }, 'createdBeforeMs'],
    ['the moment 0', { everybody: true, createdBeforeMs: 0, reason: 'x' }, 'createdBeforeMs'],
    ['everybody: false', { everybody: false, tenantId: 'acme', reason: 'x' }, 'everybody'],
    ['a list', ['ada'], 'JSON object'],
  ])('ends nothing for %s', async (_, body, part) => {
    const application = await openDashboard(adapter);
    await application.signedIn('cookie', 'ada');
    const admin = await application.signedIn('cookie', 'admin');
    const response = await endSessions(admin, body);
    expect([response.status, response.text]).toEqual([400, expect.stringContaining(part)]);
    expect(await application.sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toHaveLength(1);
  });

  it.each([
    'sessions?createdAfter=soon',
    'sessions?limit=201',
    'sessions?cursor=x',
    'sessions?sessionHandle=a%20b',
    'count?createdBefore=1',
    'count?device=firefox',
    'count?sessionHandle=a',
    'trail?kind=x',
    'story',
    `sessions?userId=${'x'.repeat(1025)}`,
  ])('responds with 400 and the reason: %s', async (path) => {
    const application = await openAuditedDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    expect((await readData(admin, path)).status).toBe(400);
  });

  it('counts what happens by minutes, refusals by their kind', async () => {
    const application = await openDashboard(adapter);
    const { clock, client } = application;
    const admin = await application.signedIn('cookie', 'admin');
    await client().get('/me');
    await client().get('/me', { authorization: 'Bearer nonsense' });
    clock.advanceSeconds(60);
    await application.signedIn('cookie', 'ada');
    const { hour, day, live } = await bodyOf(readData(admin, 'summary'));
    const counts = (series: unknown, name: string) => (series as Counted).counts[name]?.slice(-2);
    expect(counts(hour, 'signIns')).toEqual([1, 1]);
    expect(counts(hour, 'refused:NO_TOKEN')).toEqual([2, 0]);
    expect(counts(day, 'signIns')?.reduce((sum, each) => sum + each)).toBe(2);
    expect(live).toEqual({ count: 2, hasMore: false });
    expect([hour, day]).toMatchObject([{ steps: 60 }, { steps: 96 }]);
    clock.advanceSeconds(25 * 3600);
    const later = await application.signedIn('cookie', 'admin');
    expect(counts((await bodyOf(readData(later, 'summary')))['day'], 'signIns')).toEqual([0, 1]);
  });

  it('shows core, feed and keys', async () => {
    const application = await openAuditedDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    application.clock.advanceSeconds(600);
    const { core, instances, areInstancesShared } = await bodyOf(readData(admin, 'summary'));
    expect(core).toMatchObject({ isUp: true });
    expect(areInstancesShared).toBe(true);
    expect(instances).toMatchObject([{ feed: { kept: 0 }, startedAtMs: expect.any(Number) }]);
    expect(await bodyOf(readData(admin, 'instances'))).toEqual({ instances, areInstancesKnown: true });
    const { keys } = await bodyOf(readData(admin, 'keys'));
    expect(keys).toContainEqual(expect.objectContaining({ kind: 'rotating', createdMs: expect.any(Number) }));
    expect(keys).toContainEqual(expect.objectContaining({ kind: 'static' }));
  });

  it('says what is wrong with a search of the trail, not that there is none', async () => {
    const application = await openAuditedDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    jest.spyOn(application.sessions, 'readAudit').mockRejectedValue(new CoreBadInputError('no such user'));
    const response = await readData(admin, 'trail?userId=ada');
    expect([response.status, response.text]).toEqual([400, expect.stringContaining('no such user')]);
  });

  it('says that there is no audit trail, and shows the rest', async () => {
    const application = await openDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    const { sessions } = await bodyOf(readData(admin, 'sessions'));
    const [{ sessionHandle }] = sessions as [{ sessionHandle: string }];
    expect(await bodyOf(readData(admin, 'trail'))).toEqual({ isMissing: true });
    const story = await bodyOf(readData(admin, `story?sessionHandle=${sessionHandle}`));
    expect(story).toMatchObject({ session: { userId: 'admin' }, events: [{ type: 'session.created' }] });
    expect(story['timeline']).toBeUndefined();
  });
});

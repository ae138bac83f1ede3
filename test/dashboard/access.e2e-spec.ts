import { afterEach, describe, expect, it } from '@jest/globals';
import type { SessionContainer } from 'nest-sessions';
import { SessionDashboardModule } from 'nest-sessions/dashboard';
import { EventStream } from '../e2e/transports/event-stream.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, type TestApplication } from '../support/test-application.js';
import { endSessions, openDashboard, OWN_ACTION, OWN_PAGE, readData, ROUTES } from './open-dashboard.js';

/** Headers of requests that a page of another origin causes. */
const FOREIGN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a script of another site': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'cors',
    origin: 'https://evil.example',
  },
  'a picture of another site': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'no-cors',
    'sec-fetch-dest': 'image',
  },
  'a frame of another site': {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'iframe',
  },
  'a neighbour on the same site': {
    'sec-fetch-site': 'same-site',
    'sec-fetch-mode': 'cors',
    origin: 'https://blog.shop.io',
  },
  'a browser without Fetch Metadata': { origin: 'https://evil.example' },
  'an opaque origin': { origin: 'null' },
};

/** A person follows a link. */
const LINK = {
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
};

afterEach(() => EventStream.closeAll());

describe.each(ADAPTERS)('access to the dashboard on %s', (adapter) => {
  async function sendAll(
    send: (request: {
      method: string;
      path: string;
      body?: unknown;
      headers: Record<string, string>;
    }) => ReturnType<SessionClient['send']>,
    headers: Record<string, string> = OWN_ACTION,
  ) {
    const responses = [];
    for (const { status: _, ...route } of ROUTES) responses.push(await send({ ...route, headers }));
    return responses;
  }

  async function eventStatus(
    application: TestApplication,
    client: SessionClient,
  ): Promise<number | undefined> {
    return (await EventStream.open(application, client, '/admin/sessions/events', OWN_PAGE)).status;
  }

  it('gives a visitor without a session a 401 and no data, at every route', async () => {
    const application = await openDashboard(adapter);
    for (const response of await sendAll(application.send)) {
      expect(response.status).toBe(401);
      expect(response.text).not.toContain('sessions"');
    }
    expect(await eventStatus(application, application.client('header'))).toBe(401);
  });

  it('gives a user whom authorize does not let in a 403, at every route', async () => {
    const application = await openDashboard(adapter);
    const user = await application.signedIn('cookie', 'ada');
    for (const response of await sendAll(async (request) => user.send(request)))
      expect(response.status).toBe(403);
    expect(await eventStatus(application, await application.signedIn('header', 'ada'))).toBe(403);
  });

  it('lets an admin in, at every route', async () => {
    const application = await openDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    const statuses = (await sendAll(async (request) => admin.send(request))).map(({ status }) => status);
    expect(statuses).toEqual(ROUTES.map(({ status }) => status));
    expect(await eventStatus(application, await application.signedIn('header', 'admin'))).toBe(200);
  });

  it.each(Object.entries(FOREIGN))("refuses %s the admin's cookies, at every route", async (_, headers) => {
    const application = await openDashboard(adapter, { crossSiteRequests: 'allow' });
    const admin = await application.signedIn('cookie', 'admin');
    const responses = await sendAll(async (request) => admin.send(request), {
      ...headers,
      'nest-sessions-dashboard': '1',
    });
    expect(responses.map(({ status }) => status)).toEqual(ROUTES.map(() => 403));
    const events = await admin.get('/admin/sessions/events', headers);
    expect(events.status).toBe(403);
  });

  it('does nothing for a form of its own origin, which cannot send the header of actions', async () => {
    const application = await openDashboard(adapter);
    await application.signedIn('cookie', 'ada');
    const admin = await application.signedIn('cookie', 'admin');
    const body = { userId: 'ada', reason: 'forged' };
    expect((await admin.post('/admin/sessions/actions/end', body, OWN_PAGE)).status).toBe(403);
    expect(await application.sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toHaveLength(1);
  });

  it('opens no data, events or files by a link', async () => {
    const { signedIn } = await openDashboard(adapter);
    const admin = await signedIn('cookie', 'admin');
    const [, ...rest] = ROUTES.filter(({ method }) => method === 'GET').map(({ path }) => path);
    for (const path of [...rest, '/admin/sessions/events']) {
      const { status } = await admin.get(path, LINK);
      expect([path, status]).toEqual([path, 403]);
    }
  });

  it.each(['an actor', 'a parent'])(
    'refuses a session that names %s, whatever authorize says',
    async (what) => {
      const application = await openDashboard(adapter, {}, () => true);
      const { sessions } = application;
      const support = await sessions.createNewSessionWithoutRequestResponse({ userId: 'support-7' });
      const sessionHandle = support.getHandle();
      const given =
        what === 'an actor'
          ? await sessions.createNewSessionWithoutRequestResponse({
              userId: 'admin',
              actor: { sessionHandle },
            })
          : await sessions.createChildSession({ parentSessionHandle: sessionHandle });
      const { accessToken } = given.getAllSessionTokensDangerously();
      const responses = await sendAll(application.send, {
        ...OWN_ACTION,
        authorization: `Bearer ${accessToken}`,
      });
      expect(responses.map(({ status }) => status)).toEqual(ROUTES.map(() => 403));
    },
  );

  it('opens by a link from anywhere, in no frame and without data', async () => {
    const { signedIn } = await openDashboard(adapter);
    const admin = await signedIn('cookie', 'admin');
    const page = await admin.get('/admin/sessions', LINK);
    expect(page.status).toBe(200);
    expect(page.header('content-type')).toBe('text/html; charset=utf-8');
    expect(page.header('x-frame-options')).toBe('DENY');
    expect(page.header('cache-control')).toBe('no-store');
    expect(page.header('content-security-policy')).toMatch(
      /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/,
    );
    expect(page.text).not.toMatch(/<script(?![^>]*src=)|<style|style=|https?:/);
    expect(page.text).toContain('src="sessions/assets/page.js"');
  });

  it('shows a person why it is closed, and lets the script of that page refresh an expired token', async () => {
    const application = await openDashboard(adapter);
    const visitor = await application.client().get('/admin/sessions');
    expect(visitor.text).toContain('You are not signed in');
    const user = await application.signedIn('cookie', 'ada');
    expect((await user.get('/admin/sessions')).text).toContain('This page is not open to you');
    expect((await application.client().get('/admin/sessions/open/renew.js')).status).toBe(200);
    const admin = await application.signedIn('cookie', 'admin');
    application.clock.advanceSeconds(3601);
    const expired = await admin.get('/admin/sessions');
    expect([expired.status, expired.text.includes('data-refresh="/auth/session/refresh"')]).toEqual([
      401,
      true,
    ]);
  });

  it('tells its script the status of an expired token that the application has chosen', async () => {
    const application = await openDashboard(adapter, { sessionExpiredStatusCode: 440 });
    const admin = await application.signedIn('cookie', 'admin');
    expect((await admin.get('/admin/sessions')).text).toContain('data-expired="440"');
    application.clock.advanceSeconds(3601);
    expect((await admin.get('/admin/sessions')).text).toContain('data-expired="440"');
    expect((await readData(admin, 'sessions')).status).toBe(440);
  });

  it('says that a right is missing, whichever status the application has chosen for failed claims', async () => {
    const application = await openDashboard(adapter, { invalidClaimStatusCode: 418 });
    const page = await (await application.signedIn('cookie', 'ada')).get('/admin/sessions');
    expect([page.status, page.text.includes('This page is not open to you')]).toEqual([403, true]);
  });

  it('leaves refreshes to the application where they need an anti-CSRF token', async () => {
    const application = await openDashboard(adapter, { antiCsrf: 'VIA_TOKEN' });
    const admin = await application.signedIn('cookie', 'admin');
    expect((await admin.get('/admin/sessions')).text).toContain('data-refresh=""');
    expect((await endSessions(admin, { userId: 'ada', reason: 'a test' })).status).toBe(200);
  });

  it('shows an admin nothing more whose session has been ended, although the access token is good', async () => {
    const application = await openDashboard(adapter);
    const admin = await application.signedIn('cookie', 'admin');
    const copy = admin.copy();
    await application.sessions.revokeAllSessionsForUser({ userId: 'admin' });
    expect((await readData(admin, 'sessions')).status).toBe(401);
    expect((await endSessions(copy, { everybody: true, reason: 'revenge' })).status).toBe(401);
  });

  it('ends the stream of events with the session of its reader', async () => {
    const application = await openDashboard(adapter);
    const admin = await application.signedIn('header', 'admin');
    const stream = await EventStream.open(application, admin, '/admin/sessions/events', OWN_PAGE);
    const first = stream.first();
    await application.signedIn('cookie', 'ada');
    expect(JSON.parse(await first)).toMatchObject({ type: 'session.created', userId: 'ada' });
    await application.sessions.revokeAllSessionsForUser({ userId: 'admin' });
    await stream.ended();
  });

  it('ends open streams when the application closes, which waits for its connections', async () => {
    const application = await openDashboard(adapter);
    const admin = await application.signedIn('header', 'admin');
    const stream = await EventStream.open(application, admin, '/admin/sessions/events', OWN_PAGE);
    await Promise.all([application.close(), stream.ended()]);
    expect(stream.status).toBe(200);
  });

  it.each<[string, (session: SessionContainer) => unknown, number]>([
    ['true', () => true, 200],
    ['a promise of true', async (session) => session.getUserId() === 'admin', 200],
    ['false', () => false, 403],
    ['anything else', () => 'yes', 403],
    [
      'an error',
      (): never => {
        throw new Error('no directory');
      },
      500,
    ],
  ])('asks a function: %s', async (_, decide, status) => {
    const { signedIn } = await openDashboard(adapter, {}, decide as () => boolean);
    const admin = await signedIn('cookie', 'admin');
    expect((await readData(admin, 'summary')).status).toBe(status);
  });
});

describe('the options of the dashboard', () => {
  it.each<[string, object, string]>([
    ['no authorize', { path: 'admin' }, 'authorize: is missing: say who may see the sessions of everybody'],
    [
      'no validators',
      { authorize: [] },
      'an array of claim validators is expected, at least one, or a function',
    ],
    ['a path with a query', { path: 'admin?x', authorize: () => true }, 'names between slashes are expected'],
    ['an unknown name', { authorise: () => true, authorize: () => true }, 'authorise'],
  ])('stop the start with one clear sentence: %s', (_, options, sentence) => {
    expect(() => SessionDashboardModule.forRoot(options as never)).toThrow(sentence);
    expect(() => SessionDashboardModule.forRoot(options as never)).toThrow(
      'SessionDashboardModule cannot start',
    );
  });
});

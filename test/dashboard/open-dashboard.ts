import { BooleanClaim, type SessionModuleOptions } from 'nest-sessions';
import { SessionDashboardModule, type DashboardAuthorize } from 'nest-sessions/dashboard';
import type { SessionStore } from 'nest-sessions/core';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { TestApplication, type Adapter } from '../support/test-application.js';

/** True for the user `admin`. */
export const IsAdminClaim = new BooleanClaim({ key: 'admin', fetchValue: (userId) => userId === 'admin' });

/** The headers that a browser sends with a call of the page's own script. */
export const OWN_PAGE = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
};
/** The same of an action. */
export const OWN_ACTION = { ...OWN_PAGE, 'nest-sessions-dashboard': '1' };

/** The routes, with the status that an admin gets for each. */
export const ROUTES: readonly { method: string; path: string; body?: unknown; status: number }[] = [
  { method: 'GET', path: '/admin/sessions', status: 200 },
  { method: 'GET', path: '/admin/sessions/assets/page.js', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/summary', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/instances', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/recent', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/sessions', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/count', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/story?sessionHandle=unknown', status: 404 },
  { method: 'GET', path: '/admin/sessions/data/trail', status: 200 },
  { method: 'GET', path: '/admin/sessions/data/keys', status: 200 },
  {
    method: 'POST',
    path: '/admin/sessions/actions/end',
    body: { userId: 'nobody', reason: 'a test' },
    status: 200,
  },
];

/** An application that mounts the dashboard at `/admin/sessions`. */
export async function openDashboard(
  adapter: Adapter,
  options: Partial<SessionModuleOptions> = {},
  authorize: DashboardAuthorize = [IsAdminClaim.validators.isTrue()],
  { clock = new TestClock(TEST_START_MS), store }: { clock?: TestClock; store?: SessionStore } = {},
): Promise<TestApplication> {
  return TestApplication.on(adapter)
    .clock(clock)
    .store(store)
    .with({ claims: [IsAdminClaim], devices: {}, ...options })
    .imports(SessionDashboardModule.forRoot({ path: 'admin/sessions', authorize }))
    .start();
}

/** One with an audit trail and a feed. */
export async function openAuditedDashboard(adapter: Adapter): Promise<TestApplication> {
  return openDashboard(adapter, { audit: {}, revocationFeed: {} });
}

/** Reads JSON as the page does. */
export async function readData(client: SessionClient, path: string): Promise<ClientResponse> {
  return client.get(`/admin/sessions/data/${path}`, OWN_PAGE);
}

export async function endSessions(client: SessionClient, body: unknown): Promise<ClientResponse> {
  return client.post('/admin/sessions/actions/end', body, OWN_ACTION);
}

import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Running, Settings } from '../../sample/08-other-frameworks/settings.js';
import { oddTokens } from '../fixtures/odd-tokens.js';
import { Service, startSessionApi, type SessionApi } from './session-api.js';

const UNAUTHORISED = { status: 401, body: { message: 'unauthorised' } };
const TRY_REFRESH = { status: 401, body: { message: 'try refresh token' } };
/** A request without what the browser client adds to each. */
const WITHOUT_CLIENT = { rid: undefined };
const MODES = ['cookie', 'header'] as const;
/** Of the corpus one in twelve: that both doors judge alike is shown with all of them. */
const HOSTILE = oddTokens().filter((_, i) => i % 12 === 0);

/**
 * The behaviour of any service with guarded routes whose users sign in at a Nest application.
 *
 * @param methods odd ones beside `PUT` and `OPTIONS`
 */
export function guardedService(
  start: (settings: Settings) => Promise<Running>,
  methods: readonly string[] = [],
): void {
  let api: SessionApi;
  let service: Service;

  beforeAll(async () => {
    api = await startSessionApi();
    service = new Service(await start({ port: 0, apiDomain: api.origin }));
  });

  it('responds with 401 without a session, in the words that the browser client looks for', async () => {
    expect(await service.send({ path: '/me' })).toMatchObject(UNAUTHORISED);
    expect(await service.send({ method: 'POST', path: '/orders', body: { item: 'tea' } })).toMatchObject(
      UNAUTHORISED,
    );
    expect((await service.send({ path: '/nowhere' })).status).toBe(404);
  });

  describe.each(MODES)('with the tokens in a %s', (mode) => {
    it('knows the user who has signed in at the API', async () => {
      const client = service.clientOf(await api.session(), mode);
      const { status, body } = await client.get('/me');
      expect({ status, body }).toEqual({ status: 200, body: { userId: 'ada' } });
      expect(await client.post('/orders', { item: 'tea' })).toMatchObject({
        status: 200,
        body: { userId: 'ada' },
      });
    });

    it('responds with "try refresh token" when the access token has expired, and refreshes at the API', async () => {
      const client = service.clientOf(await api.expiredSession(), mode);
      expect(await client.get('/me')).toMatchObject(TRY_REFRESH);
      expect((await client.refresh()).status).toBe(200);
      expect(await client.get('/me')).toMatchObject({ status: 200, body: { userId: 'ada' } });
    });

    it('responds with 403 and names the claim that a route asks for and the session does not have', async () => {
      const refused = await service.clientOf(await api.session('free'), mode).get('/reports');
      expect(refused).toMatchObject({
        status: 403,
        body: { message: 'invalid claim', claimValidationErrors: [{ id: 'plan' }] },
      });
      expect((await service.clientOf(await api.session('pro'), mode).get('/reports')).status).toBe(200);
    });
  });

  it('changes no state for a page of another site, whose requests bring the cookie along', async () => {
    const client = service.clientOf(await api.session(), 'cookie');
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (const headers of [foreign, { ...foreign, ...WITHOUT_CLIENT }, WITHOUT_CLIENT]) {
      const { status } = await client.post('/orders', { item: 'tea' }, headers);
      expect({ headers, status }).toEqual({ headers, status: 401 });
    }
    expect((await client.post('/orders', { item: 'tea' })).status).toBe(200);
  });

  it('responds with 401 to a refresh that the API refuses, and removes the cookies', async () => {
    const session = await api.session();
    await api.application.sessions.revokeSession(session.sessionHandle);
    const client = service.clientOf(session, 'cookie');
    expect(await client.refresh()).toMatchObject(UNAUTHORISED);
    expect(await client.get('/me')).toMatchObject(UNAUTHORISED);
  });

  it('refuses odd tokens and headers, never with a 500', async () => {
    const cookies = HOSTILE.map(({ token }) => ({ cookie: `sAccessToken=${encodeURIComponent(token)}` }));
    const bearers = HOSTILE.filter(({ token }) => /^[\t -~]*$/.test(token)).map(({ token }) => ({
      authorization: `Bearer ${token}`,
    }));
    const other = [{ cookie: 'sAccessToken=%; sAccessToken=%00; =;;' }, { authorization: 'Basic' }];
    for (const headers of [...cookies, ...bearers, ...other]) {
      const { status } = await service.send({ path: '/me', headers, isAlone: true });
      // hapi itself responds with 400 to cookies that are none.
      expect({ headers, isRefused: [400, 401].includes(status) }).toEqual({ headers, isRefused: true });
    }
  });

  it('never responds with 500 to odd methods and targets', async () => {
    const targets = ['//', '/me?%', '/%00', '/me/../me'];
    const requests = [
      ...targets.map((path) => ({ path })),
      ...['PUT', 'OPTIONS', ...methods].map((method) => ({ method, path: '/me' })),
    ];
    for (const request of requests) {
      const { status } = await service.send({ ...request, isAlone: true });
      expect({ request, isFailure: status >= 500 }).toEqual({ request, isFailure: false });
    }
  });

  it('serves many requests at once when it has just started and knows no keys yet', async () => {
    const young = new Service(await start({ port: 0, apiDomain: api.origin }));
    const client = young.clientOf(await api.session(), 'header');
    const responses = await Promise.all(Array.from({ length: 20 }, () => client.get('/me')));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });

  describe('whose API cannot be reached', () => {
    it('responds with 503 to a session and to a refresh, and still 401 without one', async () => {
      const lost = new Service(await start({ port: 0, apiDomain: 'http://127.0.0.1:1' }));
      const client = lost.clientOf(await api.session(), 'header');
      expect((await client.get('/me')).status).toBe(503);
      expect((await client.refresh()).status).toBe(503);
      expect(await lost.send({ path: '/me' })).toMatchObject(UNAUTHORISED);
    });
  });
}

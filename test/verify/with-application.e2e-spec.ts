import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createSessionVerifier,
  forwardRefresh,
  sessionErrorResponse,
  type SessionVerifier,
} from 'nest-sessions/verify';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

describe.each(ADAPTERS)('a service beside an API on %s', (adapter) => {
  let application: TestApplication;
  let verifier: SessionVerifier;

  beforeAll(async () => {
    application = await TestApplication.on(adapter).start();
    const { clock } = application;
    verifier = createSessionVerifier({
      apiDomain: `http://127.0.0.1:${application.port}`,
      websiteDomain: 'https://shop.io',
      antiCsrf: 'NONE',
      clock,
    });
  });

  const request = (headers: Readonly<Record<string, string>>, method = 'GET'): Request =>
    new Request('https://orders.shop.io/list', { method, headers });

  it.each(['cookie', 'header'] as const)('lets in whoever signed in there, by %s', async (mode) => {
    const client = await application.signedIn(mode, 'user-7');
    const session = await verifier.verify(request(client.requestHeaders('/list')));
    expect(session).toMatchObject({ userId: 'user-7', tenantId: 'public', transferMethod: mode });
  });

  it('responds as the API does without a session', async () => {
    const error: unknown = await verifier.verify(request({})).catch((each: unknown) => each);
    const response = sessionErrorResponse(error);
    const expected = await application.client().get('/me');
    expect([response?.status, await response?.text()]).toEqual([expected.status, expected.text]);
  });
});

describe('a session whose tokens only reach services without a feed', () => {
  async function setUp() {
    const application = await TestApplication.on('express').start();
    const verifier = createSessionVerifier({
      apiDomain: `http://127.0.0.1:${application.port}`,
      clock: application.clock,
    });
    const owner = await application.signedIn('header');
    return { application, verifier, owner, thief: owner.copy() };
  }

  it('goes on over many refreshes, of which no token reaches the API', async () => {
    const { application, verifier, owner } = await setUp();
    for (let hour = 0; hour < 5; hour++) {
      application.clock.advanceSeconds(3601);
      await expect(verifier.verifyToken(owner.accessToken)).rejects.toMatchObject({
        type: 'TRY_REFRESH_TOKEN',
      });
      expect((await owner.refresh()).status).toBe(200);
      await verifier.verifyToken(owner.accessToken);
    }
  });

  it('loses no refresh token when the response of a refresh is lost', async () => {
    const { verifier, owner, thief: lost } = await setUp();
    await lost.refresh();
    await owner.refresh();
    expect(await verifier.verifyToken(owner.accessToken)).toMatchObject({ userId: 'user-1' });
  });

  it('has a stolen refresh token found out by the refresh after the one that used it', async () => {
    const { verifier, owner, thief } = await setUp();
    await owner.refresh();
    await verifier.verifyToken(owner.accessToken);
    await owner.refresh(); // promotes the one before
    const response = await thief.refresh();
    expect([response.status, response.text]).toEqual([401, '{"message":"token theft detected"}']);
  });

  it('has it found out at once when the API sees a token', async () => {
    const { verifier, application, owner, thief } = await setUp();
    await owner.refresh();
    await verifier.verifyToken(owner.accessToken);
    await owner.get('/me');
    expect((await thief.refresh()).text).toBe('{"message":"token theft detected"}');
    expect((await application.client().get('/me')).status).toBe(401);
  });

  it.each(['cookie', 'header'] as const)(
    'refreshes through a service that hands it on, by %s',
    async (mode) => {
      const { application, verifier } = await setUp();
      const client = await application.signedIn(mode);
      application.clock.advanceSeconds(3601);
      const path = '/auth/session/refresh';
      const request = new Request(`https://shop.io${path}`, {
        method: 'POST',
        headers: client.requestHeaders(path),
      });
      const response = await forwardRefresh(request, { apiDomain: `http://127.0.0.1:${application.port}` });
      const { headers } = response;
      client.keep({
        lines: (name) =>
          name === 'set-cookie' ? headers.getSetCookie() : (headers.get(name)?.split(', ') ?? []),
      });
      const session = await verifier.verify(
        new Request('https://shop.io/orders', { headers: client.requestHeaders('/orders') }),
      );
      expect([response.status, session.transferMethod]).toEqual([200, mode]);
    },
  );
});

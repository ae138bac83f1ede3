import { beforeAll, describe, expect, it } from '@jest/globals';
import { createSessionVerifier, sessionErrorResponse, type SessionVerifier } from 'nest-sessions/verify';
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

  it('answers as the API does without a session', async () => {
    const error: unknown = await verifier.verify(request({})).catch((each: unknown) => each);
    const response = sessionErrorResponse(error);
    const expected = await application.client().get('/me');
    expect([response?.status, await response?.text()]).toEqual([expected.status, expected.text]);
  });
});

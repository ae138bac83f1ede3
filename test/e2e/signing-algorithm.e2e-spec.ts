import { describe, expect, it } from '@jest/globals';
import { embeddedCore, remoteCore } from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { jwtHeader } from '../fixtures/jwt-parts.js';
import { startServedCore } from '../support/served-core.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

interface PublishedKey {
  readonly kid: string;
  readonly kty: string;
  readonly alg: string;
}

async function assertSignedByES256({ signedIn, send }: TestApplication): Promise<void> {
  const client = await signedIn('header');
  const { alg, kid } = jwtHeader(client.accessToken);
  expect(alg).toBe('ES256');
  const { keys } = (await send({ path: '/auth/jwt/jwks.json' })).body as { keys: PublishedKey[] };
  expect(keys.find((key) => key.kid === kid)).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256' });
  expect((await client.get('/me')).status).toBe(200);
  expect((await client.refresh()).status).toBe(200);
  expect((await client.get('/me')).status).toBe(200);
  expect((await client.get('/checked')).status).toBe(200);
  expect(jwtHeader(client.accessToken)['alg']).toBe('ES256');
}

describe.each(ADAPTERS)('access tokens signed with ES256 on %s', (adapter) => {
  it('carry a session from sign-in over refresh to a route that asks the database', async () => {
    const core = embeddedCore({ store: await seededMemoryStore(), signingAlgorithm: 'ES256' });
    await TestApplication.on(adapter).with({ core }).run(assertSignedByES256);
  });

  it('do so when they come from a core that is served elsewhere', async () => {
    const served = await startServedCore({ coreOptions: { signingAlgorithm: 'ES256' } });
    const core = remoteCore({ connectionURI: served.uri });
    await TestApplication.on(adapter).clock(served.clock).with({ core }).run(assertSignedByES256);
    await served.close();
  });

  it('leave the users of before signed in when the option is set, and when it is taken back', async () => {
    const store = await seededMemoryStore();
    const tokens: (string | undefined)[] = [];
    for (const signingAlgorithm of ['RS256', 'ES256', 'RS256'] as const) {
      const core = embeddedCore({ store, signingAlgorithm });
      await TestApplication.on(adapter)
        .with({ core })
        .run(async ({ signedIn, send }) => {
          tokens.push((await signedIn('header')).accessToken);
          for (const token of tokens) {
            const headers = { authorization: `Bearer ${token}` };
            expect((await send({ path: '/me', headers })).status).toBe(200);
          }
        });
    }
    expect(tokens.map((token) => jwtHeader(token)['alg'])).toEqual(['RS256', 'ES256', 'RS256']);
  });
});

import { describe, expect, it } from '@jest/globals';
import { BooleanClaim } from 'nest-sessions';
import {
  ADAPTERS,
  type Adapter,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';

/** The second factor as an application writes it: a claim that starts as false and that every route asks for. */
const SecondFactor = new BooleanClaim({ key: 'second-factor', fetchValue: () => false });

const withSecondFactor = (adapter: Adapter): ApplicationStarter =>
  TestApplication.on(adapter)
    .with({ claims: [SecondFactor], globalClaimValidators: [SecondFactor.validators.isTrue()] })
    .handlers({
      open: {
        complete: async ({ sessions, req, res, body }) => {
          const session = await sessions.getSession(req, res, { overrideGlobalClaimValidators: () => [] });
          if ((body as { code?: string }).code !== '123456') return { isComplete: false };
          await session?.setClaimValue(SecondFactor, true);
          return { isComplete: true };
        },
      },
    });

describe.each(ADAPTERS)('a sign-in whose second factor is pending on %s', (adapter) => {
  it.each(['cookie', 'header'] as const)(
    'GHSA-xg6x-h9c9-2m83: stays pending also when its token is remembered as verified, by %s',
    async (mode) => {
      const application = await withSecondFactor(adapter).start();
      const client = await application.signedIn(mode);
      for (let i = 0; i < 3; i++) expect((await client.get('/me')).status).toBe(403);
      const beforeTheSecondFactor = client.copy();

      expect((await client.post('/open/complete', { code: '123456' })).body).toEqual({ isComplete: true });

      for (const path of ['/me', '/checked', '/me']) expect((await client.get(path)).status).toBe(200);
      expect((await beforeTheSecondFactor.get('/me')).status).toBe(403);
    },
  );

  it('CVE-2024-45042: is judged by what was done, not by what the first factor would allow', async () => {
    const application = await withSecondFactor(adapter).start();
    const client = await application.signedIn();
    expect((await client.post('/open/complete', { code: 'wrong' })).body).toEqual({ isComplete: false });
    expect((await client.get('/me')).status).toBe(403);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(403);
    expect((await client.get('/checked')).status).toBe(403);
  });
});

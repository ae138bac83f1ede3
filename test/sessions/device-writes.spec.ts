import { describe, expect, it } from '@jest/globals';
import { remoteCore, type UserContext } from 'nest-sessions';
import { FakeCore, GOOD_RESPONSES, sendJson } from '../support/fake-core.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import { TestApplication } from '../support/test-application.js';

describe('noting the device of one session', () => {
  it('does not make requests of other sessions read anew what they have read from a remote core', async () => {
    const core = await FakeCore.start();
    const written = new Promise<void>((resolve) => {
      core.on('/recipe/session/data', (response, request) => {
        sendJson(GOOD_RESPONSES.updated)(response, request);
        if ((request.body as { sessionHandle: string }).sessionHandle === 'other') resolve();
      });
    });
    const bearerOf = (sessionHandle: string) => ({
      authorization: `Bearer ${jwt(V5_HEADER, { ...V5_CLAIMS, sessionHandle })}`,
    });
    let useOther = async (): Promise<unknown> => undefined;
    try {
      await TestApplication.on('express')
        .with({ core: remoteCore({ connectionURI: core.uri }), devices: { ip: 'off' } })
        .handlers({
          guarded: {
            'read-twice': async (_session, { sessions }) => {
              const userContext: UserContext = {};
              await sessions.getSessionInformation('mine', userContext);
              await useOther();
              await written;
              await sessions.getSessionInformation('mine', userContext);
            },
          },
        })
        .run(async ({ send }) => {
          useOther = async () => send({ path: '/me', headers: bearerOf('other') });
          expect((await send({ path: '/run/read-twice', headers: bearerOf('reader') })).status).toBe(200);
        });
      expect(core.received.filter(({ query }) => query['sessionHandle'] === 'mine')).toHaveLength(1);
    } finally {
      await core.kill();
    }
  });
});

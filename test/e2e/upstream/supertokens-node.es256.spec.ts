import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertokens from 'supertokens-node';
import Session from 'supertokens-node/recipe/session/index.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { decoded } from '../../support/core-calls.js';
import { startServedCore, type ServedCore } from '../../support/served-core.js';

describe('supertokens-node beside a core that signs with ES256', () => {
  let core: ServedCore;

  beforeAll(async () => {
    core = await startServedCore({ clock: new TestClock(), coreOptions: { signingAlgorithm: 'ES256' } });
    supertokens.init({
      framework: 'custom',
      telemetry: false,
      supertokens: { connectionURI: core.uri },
      appInfo: {
        appName: 'Shop',
        apiDomain: 'http://localhost:3000',
        websiteDomain: 'http://localhost:3001',
      },
      recipeList: [Session.init({ antiCsrf: 'NONE' })],
    });
  });
  afterAll(async () => {
    await core.close();
  });

  it('verifies its tokens with the published keys, and refreshes', async () => {
    const userId = supertokens.convertToRecipeUserId('user-1');
    const session = await Session.createNewSessionWithoutRequestResponse('public', userId);
    const { accessToken, refreshToken } = session.getAllSessionTokensDangerously();
    expect(decoded(accessToken).header).toMatchObject({ alg: 'ES256', version: '5' });
    const verified = await Session.getSessionWithoutRequestResponse(accessToken);
    expect(verified.getUserId()).toBe('user-1');
    const next = await Session.refreshSessionWithoutRequestResponse(refreshToken ?? '', true);
    const used = await Session.getSessionWithoutRequestResponse(next.getAccessToken());
    expect(decoded(used.getAccessToken()).header).toMatchObject({ alg: 'ES256' });
    const [head, payload, signature = ''] = accessToken.split('.');
    const forged = `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    await expect(Session.getSessionWithoutRequestResponse(forged)).rejects.toMatchObject({
      type: 'TRY_REFRESH_TOKEN',
    });
  });
});

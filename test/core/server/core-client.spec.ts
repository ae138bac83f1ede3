import { env } from 'node:process';
import { describe, expect, it } from '@jest/globals';
import type { CoreClient } from '../../../lib/core/core-client.js';
import type { TokenRotation } from '../../../lib/core/core.types.js';
import { remoteCore } from '../../../lib/core/remote/http-core-client.js';
import type { RemoteCoreOptions } from '../../../lib/core/remote/remote-core-config.js';
import { SessionEvents } from '../../../lib/events/session-events.js';
import { SystemClock, type Clock } from '../../../lib/util/clock.js';
import { describeCoreClient } from '../../contract/core-client.contract.js';
import { create, decoded, refresh, refreshed, replacementOf, verify } from '../../support/core-calls.js';
import { seededMemoryStore } from '../../support/embedded.js';
import { startServedCore, withServedCore } from '../../support/served-core.js';
import type { Adapter } from '../../support/adapters.js';
import type { MakeCore } from '../../contract/core-under-test.js';

const KEY = 'a-key-of-more-than-20-characters';
const REAL_CORE = env['SUPERTOKENS_CORE_URI'];

function remoteClient(
  connectionURI: string,
  clock: Clock,
  options: Pick<RemoteCoreOptions, 'apiKey' | 'newestCdiVersion'> = {},
): CoreClient {
  // 200 calls at once take their time on a busy machine.
  const provider = remoteCore({ connectionURI, requestTimeoutMs: 120_000, ...options });
  if (provider.problems.length > 0) throw new Error(JSON.stringify(provider.problems));
  return provider.create({
    clock,
    events: new SessionEvents(),
    apiDomain: 'http://localhost:3000',
    jwksRefreshIntervalSec: 14_400,
  });
}

/** The core is served in one version, so that a client can agree on no other. Both adapters serve all versions alike. */
describe.each<[version: string, rotation: TokenRotation, adapter: Adapter]>([
  ['5.0', 'at-first-use', 'fastify'],
  ['5.4', 'at-first-use', 'express'],
  ['5.6', 'at-once', 'fastify'],
])('over a real socket, CDI %s, %s, served by %s', (version, rotation, adapter) => {
  const makeCore: MakeCore = async (options) => {
    const coreOptions = { ...options, store: await seededMemoryStore() };
    const serving = { apiKeys: [KEY], versions: [version] };
    const served = await startServedCore({ adapter, coreOptions, options: serving });
    const clients: CoreClient[] = [];
    const another = async (): Promise<CoreClient> => {
      const client = remoteClient(served.uri, served.clock, { apiKey: KEY });
      clients.push(client);
      await client.start();
      return client;
    };
    return {
      core: await another(),
      clock: served.clock,
      another,
      close: async () => {
        await Promise.all(clients.map((client) => client.close()));
        await served.close();
      },
    };
  };
  describeCoreClient('of SessionCoreModule, through remoteCore', makeCore, [rotation]);
});

/** Steps that need no movable clock, so that a core that is not ours can be asked, too. */
async function liveThroughASession(core: CoreClient): Promise<void> {
  const recipeUserId = `contract-${process.pid}-${Date.now()}`;
  const first = await create(core, {
    recipeUserId,
    userDataInJWT: { role: 'a' },
    userDataInDatabase: { n: 1 },
  });
  const { handle } = first.session;
  expect(await verify(core, first.accessToken.token)).toEqual({ status: 'OK', session: first.session });
  const second = await refreshed(core, first.refreshToken.token);
  const replacement = await replacementOf(core, second.accessToken.token);
  expect(decoded(replacement).payload['parentRefreshTokenHash1']).toBeNull();
  expect(await core.updateAccessTokenPayload(handle, { role: 'b' }, {})).toBe(true);
  expect(await core.updateSessionData(handle, { n: 2 }, {})).toBe(true);
  expect(await core.getSessionInformation(handle, {})).toMatchObject({
    userDataInJWT: { role: 'b' },
    userDataInDatabase: { n: 2 },
  });
  const regenerated = await core.regenerateAccessToken(
    { accessToken: replacement, userDataInJWT: undefined },
    {},
  );
  expect(regenerated).toMatchObject({ status: 'OK', session: { userDataInJWT: { role: 'b' } } });
  const ofUser = { userId: recipeUserId, tenantId: undefined, includeLinkedAccounts: true };
  expect(await core.getSessionHandlesOfUser(ofUser, {})).toEqual([handle]);
  expect(await refresh(core, first.refreshToken.token)).toEqual({
    status: 'TOKEN_THEFT_DETECTED',
    session: { handle, userId: recipeUserId, recipeUserId },
  });
  expect(await core.revokeSessionsOfUser(ofUser, {})).toEqual([handle]);
  expect(await refresh(core, second.refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
  expect(await verify(core, replacement, { checkDatabase: true })).toMatchObject({ status: 'UNAUTHORISED' });
  const jwt = await core.createJwt(
    {
      payload: { a: 1 },
      validity: 60,
      useStaticSigningKey: true,
      algorithm: 'RS256',
      jwksDomain: 'http://d',
    },
    {},
  );
  const { kid } = decoded(jwt.status === 'OK' ? jwt.jwt : '').header;
  expect((await core.getJwks({})).keys.map((key) => key.kid)).toContain(kid);
}

describe('the life of a session through remoteCore, over CDI 5.4', () => {
  it('is the same at the served core', async () => {
    await withServedCore({}, async ({ uri, clock }) => {
      const core = remoteClient(uri, clock, { newestCdiVersion: '5.4' });
      await expect(liveThroughASession(core)).resolves.toBeUndefined();
      await core.close();
    });
  });

  const atARealCore = REAL_CORE === undefined ? it.skip : it;
  atARealCore(
    'is the same at the SuperTokens Core of SUPERTOKENS_CORE_URI (skipped where that is not set)',
    async () => {
      const core = remoteClient(REAL_CORE ?? '', new SystemClock(), {
        apiKey: env['SUPERTOKENS_CORE_API_KEY'],
        newestCdiVersion: '5.4',
      });
      await liveThroughASession(core);
      await core.close();
    },
  );
});

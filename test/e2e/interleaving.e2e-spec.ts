import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Handlers } from '../support/demo.controller.js';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

const USERS = 50;
const ROUNDS = 3;
const REQUESTS = USERS * ROUNDS * 4;

describe.each(ADAPTERS)('requests of many users at once on %s', (adapter) => {
  it(`never meet: ${REQUESTS} interleaved ones of ${USERS} users, each with the response for its owner (S080)`, async () => {
    const handlers = {
      guarded: {
        /** Looks at the session before and after others had their turns, by every way there is. */
        slow: async (session, { sessions, req, res }) => {
          const before = session.getUserId();
          await nextTurn();
          await session.mergeIntoAccessTokenPayload({ owner: before });
          await nextTurn();
          const again = await sessions.getSession(req, res);
          return [before, session.getUserId(), again.getUserId(), session.getAccessTokenPayload()['owner']];
        },
      },
    } satisfies Handlers;
    const { signedIn } = await TestApplication.on(adapter)
      .with({ antiCsrf: 'VIA_TOKEN' })
      .handlers(handlers)
      .start();
    const run = async (index: number): Promise<void> => {
      const userId = `user-${index}`;
      const client = await signedIn(index % 2 === 0 ? 'cookie' : 'header', userId);
      const handle = client.front.up['sessionHandle'];
      for (let round = 0; round < ROUNDS; round++) {
        expect((await client.post('/me')).body).toMatchObject({ userId, sessionHandle: handle });
        expect((await client.get('/run/slow')).body).toEqual([userId, userId, userId, userId]);
        expect((await client.refresh()).status).toBe(200);
        expect((await client.get('/checked')).body).toMatchObject({ userId, sessionHandle: handle });
        expectOwnTokens(client, userId);
      }
    };
    await Promise.all(Array.from({ length: USERS }, (_, index) => run(index)));
  });
});

function expectOwnTokens(client: SessionClient, userId: string): void {
  expect(client.front).toMatchObject({ uid: userId, up: { sub: userId, owner: userId } });
  expect(jwtClaims(client.accessToken ?? client.cookie('sAccessToken'))['sub']).toBe(userId);
}

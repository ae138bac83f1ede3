import { describe, expect, it } from '@jest/globals';
import type { SessionStore } from 'nest-sessions/core';
import type { TestSession } from 'nest-sessions/testing';
import { seededMemoryStore } from '../../support/embedded.js';
import { SHOP, TestApplication } from '../../support/test-application.js';
import { NOTHING, tokenTraffic } from '../../support/token-traffic.js';
import { ask, DRIVERS, read, GraphqlApplication } from './graphql-application.js';
import { AdmittingGateway, bearer, browser, LIVE, OpenGateway, LiveApplication } from './live-application.js';

const options = { accessTokenIssuers: ['https://api.shop.io/auth'], accessTokenAudience: 'shop' };
const OURS = { aud: 'shop' };

/** A session that another application on the same core has made. */
async function madeElsewhere(store: SessionStore): Promise<TestSession> {
  const elsewhere = { appInfo: { ...SHOP, apiDomain: 'https://old.shop.io' } };
  let session: TestSession | undefined;
  await TestApplication.on('express')
    .store(store)
    .with(elsewhere)
    .run(async ({ testSessions }) => {
      session = await testSessions.createTestSession({ accessTokenPayload: OURS });
    });
  if (session === undefined) throw new Error('There is no session');
  return session;
}

describe.each(DRIVERS)('a session of another issuer in GraphQL: $name', (driver) => {
  it('is refused on every field that looks for one, and keeps its tokens (S009)', async () => {
    const store = await seededMemoryStore();
    const session = await madeElsewhere(store);
    const { clientOf, client: newClient } = await GraphqlApplication.via(driver)
      .store(store)
      .with(options)
      .start();
    for (const mode of ['cookie', 'header'] as const) {
      const response = await ask(clientOf(session, mode), '{ maybeMe claimed open }');
      expect(read(response).data).toEqual({ maybeMe: null, claimed: null, open: 'session: none' });
      const refusal = { message: 'unauthorised', extensions: { code: 'UNAUTHORISED' } };
      expect(read(response).errors).toMatchObject([refusal, refusal]);
      expect(tokenTraffic(response)).toEqual(NOTHING);
      expect(read(await ask(clientOf(session, mode), '{ optional }')).errors).toMatchObject([refusal]);
    }
    const own = newClient('header');
    await own.login('ada', { payload: OURS });
    expect(read(await ask(own, '{ me optional }')).data).toEqual({ me: 'ada', optional: 'session: ada' });
  });
});

describe.each(LIVE)('a session of another issuer on a WebSocket: $platform on $adapter', (live) => {
  /** How a refused connection ends; socket.io knows no close codes. */
  const ending = live.platform === 'ws' ? { type: 'UNAUTHORISED', code: 4401 } : { type: 'UNAUTHORISED' };

  it('opens no connection (S009)', async () => {
    const store = await seededMemoryStore();
    const session = await madeElsewhere(store);
    for (const gateway of [AdmittingGateway, OpenGateway]) {
      await LiveApplication.via(live)
        .store(store)
        .with(options)
        .gateway(gateway)
        .run(async ({ clientOf, client: newClient, connect }) => {
          expect(await (await connect(browser(clientOf(session, 'cookie')))).closed).toEqual(ending);
          expect(await (await connect(bearer(clientOf(session, 'header')))).closed).toEqual(ending);
          const own = newClient('header');
          await own.login('ada', { payload: OURS });
          expect(await (await connect(bearer(own))).ask('whoami')).toBe('ada');
        });
    }
  });

  it('renews no connection (S009)', async () => {
    const store = await seededMemoryStore();
    const session = await madeElsewhere(store);
    const { connect } = await LiveApplication.via(live)
      .store(store)
      .with(options)
      .gateway(OpenGateway)
      .start();
    const connection = await connect({ headers: { origin: SHOP.websiteDomain } });
    expect(await connection.ask('renew', session.accessToken)).toMatchObject({ type: 'UNAUTHORISED' });
    expect(await connection.ask('open')).toBe('none');
  });
});

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import Koa from 'koa';
import { createSessions, type Sessions } from 'nest-sessions/standalone';
import { closeAfterTest } from '../support/close-after-test.js';
import { SHOP } from '../support/test-application.js';
import { switchedCore } from '../support/switched-core.js';

/** A Koa application that hands its context to the sessions. */
function createApplication(sessions: Sessions): Koa {
  const app = new Koa();
  app.use(async (ctx, next) => {
    try {
      if (await sessions.handle(ctx)) ctx.respond = false;
      else await next();
    } catch (error) {
      if (!(await sessions.respond(error, ctx))) throw error;
      ctx.respond = false;
    }
  });
  app.use(async (ctx) => {
    if (ctx.path === '/login') ctx.body = (await sessions.createNewSession(ctx, { userId: 'ada' })).toJSON();
    else ctx.body = { userId: (await sessions.verify(ctx)).getUserId() };
  });
  return app;
}

async function listen(app: Koa): Promise<string> {
  const server: Server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterTest(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('the context of Koa is a request and its response', async () => {
  const sessions = createSessions({ appInfo: SHOP, core: await switchedCore(undefined, undefined) });
  closeAfterTest(() => sessions.close());
  await sessions.start();
  const base = await listen(createApplication(sessions));
  const login = await fetch(`${base}/login`, { method: 'POST', headers: { 'st-auth-mode': 'cookie' } });
  const cookies = login.headers.getSetCookie().map((line) => line.split(';')[0]);
  const headers = { cookie: cookies.join('; ') };
  expect([login.status, cookies.length]).toEqual([200, 2]);
  expect(await (await fetch(`${base}/me`, { headers })).json()).toEqual({ userId: 'ada' });
  const refused = await fetch(`${base}/me`);
  expect([refused.status, await refused.text()]).toEqual([401, '{"message":"unauthorised"}']);
  const refreshed = await fetch(`${base}/auth/session/refresh`, { method: 'POST', headers });
  expect([refreshed.status, refreshed.headers.getSetCookie().length]).toEqual([200, 2]);
  expect((await fetch(`${base}/auth/jwt/jwks.json`)).status).toBe(200);
});

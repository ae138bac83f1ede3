import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Session, SessionGuard, type SessionContainer, type SessionModuleOptions } from 'nest-sessions';
import { DeviceKey, offeredChallenge, OWN_REQUEST, REGISTER, RENEW } from '../support/binding-browser.js';
import { DemoController } from '../support/demo.controller.js';
import { deviceBound } from '../support/device-bound.js';
import { ACCESS_VALIDITY_SEC, seededMemoryStore } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import { storeWithHeldUpdate } from '../support/intercepted-store.js';
import { TestApplication } from '../support/test-application.js';

@Controller('extra')
@UseGuards(SessionGuard)
class ExtraController {
  @Post('merge')
  async merge(@Session() session: SessionContainer) {
    await session.mergeIntoAccessTokenPayload({ theme: 'dark' });
    return {};
  }
  @Get('any')
  any() {
    return {};
  }
}
const starter = (options: Partial<SessionModuleOptions> = deviceBound({ dbsc: true })) =>
  TestApplication.on('express').with(options).controllers(DemoController, ExtraController);
const clears = (response: ClientResponse): boolean =>
  response.lines('set-cookie').some((line) => line.startsWith('sRefreshToken=;'));
const show = (response: ClientResponse) => [response.status, clears(response), response.text];
async function lostRegistration(application: TestApplication) {
  const client = application.client('cookie');
  const challenge = offeredChallenge(await client.login());
  const headers = { ...OWN_REQUEST, 'secure-session-response': new DeviceKey().registration(challenge) };
  expect((await client.copy().send({ path: REGISTER, method: 'POST', headers })).status).toBe(200);
  return client;
}

describe('the binding of a session that is refreshed without its cookie', () => {
  it('keeps its session when a handler changes the payload after a registration whose response was lost', async () => {
    const application = await starter().start();
    const client = await lostRegistration(application);
    expect((await client.post('/extra/merge', {})).status).toBe(201);
    const guarded = await client.get('/me');
    const refresh = await client.refresh();
    expect([guarded.status, ...show(refresh)]).toEqual([expect.anything(), 200, false, expect.anything()]);
  });

  it('keeps its session after a lost registration beside an older-named cookie of a neighbour', async () => {
    const application = await starter().start();
    const client = await lostRegistration(application);
    const out = [];
    for (let i = 0; i < 3; i++) {
      application.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
      const cookie = `${client.requestHeaders('/auth/session/refresh')['cookie']}; __Secure-sBound=planted`;
      const response = await application.send({
        path: '/auth/session/refresh',
        method: 'POST',
        headers: { cookie },
      });
      out.push(response.status);
    }
    expect(out).toContain(200);
  });

  it('forgets the key of a registration whose response was lost, so that the client goes on without it', async () => {
    const application = await starter().start();
    const client = await lostRegistration(application);
    const sessionHandle = client.front.up['sessionHandle'] as string;
    const boundBy = async () =>
      (await application.sessions.getSessionInformation(sessionHandle))?.deviceBound;
    expect(await boundBy()).toBe('dbsc');
    expect((await client.refresh()).status).toBe(200);
    expect(await boundBy()).toBeUndefined();
    expect((await client.get('/me')).status).toBe(200);
  });

  it('keeps the key that a browser has refreshed with, whoever comes with the tokens from before', async () => {
    const application = await starter().start();
    const client = application.client('cookie');
    const login = await client.login();
    const thief = client.copy();
    const key = new DeviceKey();
    const headers = { ...OWN_REQUEST, 'secure-session-response': key.registration(offeredChallenge(login)) };
    expect((await client.send({ path: REGISTER, method: 'POST', headers })).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    const { status } = await thief.refresh();
    const { sessionHandle } = login.body as { sessionHandle: string };
    const info = await application.sessions.getSessionInformation(sessionHandle);
    expect([status === 200, info?.deviceBound]).toEqual([false, 'dbsc']);
  });

  it('a refresh that the hook does not let pass leaves the key of the session', async () => {
    let fails = false;
    const application = await starter({
      ...deviceBound({ dbsc: true }),
      onRefresh: () => {
        if (fails) throw new Error('risk service down');
      },
    }).start();
    const client = application.client('cookie');
    const login = await client.login();
    const thief = client.copy();
    const key = new DeviceKey();
    const headers = { ...OWN_REQUEST, 'secure-session-response': key.registration(offeredChallenge(login)) };
    const registered = await client.send({ path: REGISTER, method: 'POST', headers });
    expect(registered.status).toBe(200);
    fails = true;
    const stolen = await thief.refresh();
    const { sessionHandle } = login.body as { sessionHandle: string };
    const info = await application.sessions.getSessionInformation(sessionHandle);
    expect([stolen.status, info?.deviceBound]).toEqual([503, 'dbsc']);
  });

  it('a browser that shows its key while a release is on its way keeps it', async () => {
    const { store, holdNext } = storeWithHeldUpdate(await seededMemoryStore());
    const application = await starter().store(store).start();
    const client = application.client('cookie');
    const login = await client.login();
    const thief = client.copy();
    const key = new DeviceKey();
    const headers = { ...OWN_REQUEST, 'secure-session-response': key.registration(offeredChallenge(login)) };
    const registered = await client.send({ path: REGISTER, method: 'POST', headers });
    const challenge = /^"([^"]*)"/.exec(registered.header('secure-session-challenge') ?? '')?.[1] ?? '';
    const { sessionHandle } = login.body as { sessionHandle: string };
    const { reached, release } = holdNext();
    const steal = thief.refresh();
    await reached;
    const renewal = client.send({
      path: RENEW,
      method: 'POST',
      headers: {
        ...OWN_REQUEST,
        'sec-secure-session-id': sessionHandle,
        'secure-session-response': key.renewal(challenge),
      },
    });
    const b = await renewal;
    release();
    const a = await steal;
    const info = await application.sessions.getSessionInformation(sessionHandle);
    expect(b.status).toBe(200); // the browser keeps its key, and has shown it
    expect([a.status === 200, info?.deviceBound]).not.toEqual([true, undefined]);
  });

  it('the hook ends the session itself', async () => {
    const application = await starter({
      ...deviceBound({ dpop: true }),
      onRefresh: async ({ session }) => {
        await session.revokeSession();
      },
    }).start();
    const client = application.client('cookie');
    await client.login();
    const response = await client.refresh();
    expect(response.status).not.toBe(200); // 200 without any token
  });
});

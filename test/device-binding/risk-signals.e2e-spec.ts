import { describe, expect, it } from '@jest/globals';
import type { ListedSession } from 'nest-sessions/core';
import type { DeviceBoundOptions, OnRefresh, RefreshDecision, RefreshToDecide } from 'nest-sessions/core';
import { browserOf } from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient } from '../support/dpop-client.js';
import { seededMemoryStore } from '../support/embedded.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

const SKIPPED = 'quota_exceeded;session_identifier="x"';

describe.each(ADAPTERS)('the binding of a session, on %s,', (adapter) => {
  async function start(options: DeviceBoundOptions = { dbsc: { whenSkipped: 'accept' }, dpop: true }) {
    const asked: Pick<RefreshToDecide, 'deviceBound' | 'skipped'>[] = [];
    let decision: RefreshDecision = 'allow';
    const onRefresh: OnRefresh = ({ deviceBound: bound, skipped }) => {
      asked.push({ deviceBound: bound, skipped });
      return decision;
    };
    const decide = (next: RefreshDecision): void => void (decision = next);
    const application = await TestApplication.on(adapter)
      .with({ ...deviceBound(options), onRefresh, userSessionRoutes: true })
      .start();
    const { http, clock, client, sessions } = application;
    const browser = browserOf(application);
    const dpop = new DpopClient(http, clock);
    return { asked, decide, browser, dpop, client, sessions, clock };
  }

  it('is shown to the hook of a refresh, with the reasons why a cookie was not renewed', async () => {
    const { asked, browser, dpop, client, clock } = await start();
    await browser.login();
    expect((await browser.refresh()).status).toBe(200);
    await dpop.login();
    expect((await dpop.refresh()).status).toBe(200);
    const plain = client('header');
    await plain.login();
    // Only the browser of a bound session has something to skip.
    expect((await plain.refresh({ 'secure-session-skipped': SKIPPED })).status).toBe(200);
    clock.advanceSeconds(3600);
    const stolen = browser.stolenCookies();
    expect((await stolen.refresh({ 'secure-session-skipped': SKIPPED })).status).toBe(200);
    expect(asked).toEqual([
      { deviceBound: 'dbsc', skipped: [] },
      { deviceBound: 'dpop', skipped: [] },
      { deviceBound: undefined, skipped: [] },
      { deviceBound: 'dbsc', skipped: ['quota_exceeded'] },
    ]);
  });

  it('is not enough: the hook can end a bound session, and the browser loses its bound cookie, too', async () => {
    const { decide, browser } = await start();
    await browser.login();
    decide('end');
    expect((await browser.refresh()).status).toBe(401);
    expect(browser.session.requestHeaders('/auth/session/refresh')['cookie']).toBeUndefined();
  });

  it('is kept when a refresh asks for a new authentication', async () => {
    const { decide, browser } = await start();
    await browser.login();
    decide('step-up');
    expect((await browser.refresh()).status).toBe(200);
    const { payload } = (await browser.send({ path: '/me' })).body as { payload: object };
    expect(payload).toMatchObject({ auth_time: 0, cnf: { via: 'dbsc' } });
  });

  it('is not asked for where the proof of the key is missing', async () => {
    const { asked, browser, clock } = await start();
    await browser.login();
    const stolen = browser.stolenCookies();
    clock.advanceSeconds(3600);
    expect((await stolen.refresh()).status).toBe(503); // its bound cookie is over: the browser would renew it
    expect(asked).toEqual([]);
  });

  it('is in the list of the user, and in the information about the session', async () => {
    const { browser, dpop, client, sessions } = await start();
    const plain = client('header');
    const handles: string[] = [];
    for (const each of [browser, dpop, plain]) {
      const { body } = await each.login();
      handles.push((body as { sessionHandle: string }).sessionHandle);
    }
    const list = (await plain.get('/auth/sessions')).body as { sessions: ListedSession[] };
    const shown = new Map(list.sessions.map((session) => [session.sessionHandle, session]));
    expect(handles.map((handle) => shown.get(handle)?.deviceBound)).toEqual(['dbsc', 'dpop', undefined]);
    expect(shown.get(handles[2] ?? '')).not.toHaveProperty('deviceBound');
    const information = await Promise.all(handles.map((handle) => sessions.getSessionInformation(handle)));
    expect(information.map((each) => each?.deviceBound)).toEqual(['dbsc', 'dpop', undefined]);
  });
});

describe('a session that was bound by a way that is switched off', () => {
  it('is not shown as bound, because no proof is asked for', async () => {
    const store = await seededMemoryStore();
    const on = await TestApplication.on('express')
      .store(store)
      .with(deviceBound({ dbsc: true }))
      .start();
    const browser = browserOf(on);
    const { sessionHandle } = (await browser.login()).body as { sessionHandle: string };
    expect((await on.sessions.getSessionInformation(sessionHandle))?.deviceBound).toBe('dbsc');
    const off = await TestApplication.on('express').store(store).start();
    expect(await off.sessions.getSessionInformation(sessionHandle)).not.toHaveProperty('deviceBound');
  });
});

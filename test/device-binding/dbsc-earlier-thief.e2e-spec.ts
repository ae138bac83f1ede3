import { describe, expect, it } from '@jest/globals';
import { browserOf } from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { TestApplication } from '../support/test-application.js';

describe('a thief with cookies from before the registration', () => {
  it('is out once the owner’s browser has shown its key, and what he did before is on record', async () => {
    const application = await TestApplication.on('express')
      .with(deviceBound({ dbsc: true }))
      .start();
    const browser = browserOf(application);
    const owner = browser as unknown as Record<
      'noteExpiry' | 'registerIfOffered',
      (response: unknown) => unknown
    >;
    const login = await browser.session.login();
    const thief = browser.session.copy(); // before the registration
    owner.noteExpiry(login);
    await owner.registerIfOffered(login);
    const log: unknown[] = [];
    for (let round = 0; round < 12; round++) {
      application.clock.advanceSeconds(300);
      const idle = thief.copy(); // its former access token goes on without a first use of the new ones
      const steal = await thief.refresh();
      const meanwhile = await idle.get('/me');
      application.clock.advanceSeconds(301);
      const guarded = await browser.send({ path: '/me' });
      const own = guarded.status === 401 ? await browser.refresh() : undefined;
      const again = await browser.send({ path: '/me' });
      const theft = await thief.get('/me');
      log.push(
        [
          steal.status,
          meanwhile.status,
          guarded.status,
          own?.status,
          again.status,
          theft.status,
          thief.cookie('sRefreshToken') === browser.session.cookie('sRefreshToken'),
        ].join(' '),
      );
    }
    // Each round: the thief's refresh, its use of a token, then the owner's use of the bound cookie.
    expect(application.events.map(({ type }) => type)).toContain('device.proof-refused');
    expect(log.slice(1)).not.toContainEqual(expect.stringMatching(/^200 200/));
  });
});

import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { watchedStore } from '../support/watched-store.js';

/** Everything that was logged, at every level, with all that hangs on it. */
class Notebook implements LoggerService {
  text = '';
  readonly log = this.note.bind(this);
  readonly error = this.note.bind(this);
  readonly warn = this.note.bind(this);
  readonly debug = this.note.bind(this);
  readonly verbose = this.note.bind(this);
  readonly fatal = this.note.bind(this);

  private note(...values: unknown[]): void {
    this.text += `${values.map((value) => inspect(value, { depth: 10 })).join(' ')}\n`;
  }
}

describe.each(ADAPTERS)('the log on %s', (adapter) => {
  it('never holds a token, through sign-in, refresh, theft, outage and errors (S103)', async () => {
    const logger = new Notebook();
    const { store, failing } = await watchedStore();
    const secrets = new Set<string>();
    const note = (client: SessionClient): void => {
      for (const name of ['sAccessToken', 'sRefreshToken']) secrets.add(client.cookie(name) ?? '');
      for (const secret of [client.accessToken, client.refreshToken, client.antiCsrf])
        secrets.add(secret ?? '');
    };
    const handlers = { guarded: { boom: () => Promise.reject(new Error('boom')) } };
    const options = { antiCsrf: 'VIA_TOKEN' } as const;
    const { signedIn, send, events } = await TestApplication.on(adapter)
      .store(store)
      .logger(logger)
      .handlers(handlers)
      .with(options)
      .start();
    for (const mode of ['cookie', 'header'] as const) {
      const client = await signedIn(mode);
      const thief = client.copy();
      note(client);
      await client.refresh();
      await client.get('/run/boom');
      note(client);
      failing.add('findSession').add('findAndUpdate');
      expect((await client.refresh()).status).toBe(503);
      expect((await client.get('/checked')).status).toBe(503);
      failing.clear();
      const cookie = `sRefreshToken=${client.cookie('sRefreshToken')}`;
      await send({
        method: 'POST',
        path: '/auth/session/refresh',
        headers: { cookie: `${cookie}; ${cookie}` },
      });
      await thief.refresh();
    }
    expect(logger.text).toContain('The session store failed at find');
    expect(logger.text).toContain('olderCookieDomain');
    const written = logger.text + JSON.stringify(events);
    for (const secret of [...secrets].filter((each) => each !== '')) {
      expect(written.includes(secret) || written.includes(decodeURIComponent(secret))).toBe(false);
    }
    expect(secrets.size).toBeGreaterThan(8);
  });

  it('names the claims that a 403 is about, and neither their values nor a line of their own (S079, S103)', async () => {
    const logger = new Notebook();
    const reason = { expectedValue: 'expected-secret', actualValue: 'found-secret' };
    const failing = (id: string) => ({ id, validate: () => ({ isValid: false, reason }) });
    const { signedIn } = await TestApplication.on(adapter)
      .logger(logger)
      .with({ globalClaimValidators: [failing('plan'), failing('second\nfactor')] })
      .start();
    const client = await signedIn('header');
    const before = logger.text.length;
    expect((await client.get('/me')).status).toBe(403);
    const lines = logger.text.slice(before).split('\n');
    const named = lines.filter((line) => line.includes('plan'));
    expect(named).toHaveLength(1);
    expect(named[0]).toContain('INVALID_CLAIMS (plan, second');
    expect(named[0]).toContain('factor)');
    expect(logger.text).not.toMatch(/expected-secret|found-secret/);
  });
});

import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import { Logger as NestLogger } from '@nestjs/common';
import { sessionRedactPaths } from 'nest-sessions';
import { Logger, LoggerModule } from 'nestjs-pino';
import { seededMemoryStore } from '../support/embedded.js';
import { interceptedStore } from '../support/intercepted-store.js';
import { withServedCore } from '../support/served-core.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

const CANARY = 'CANARY-of-a-row';

describe('nestjs-pino', () => {
  it('writes requests and responses without tokens where it redacts sessionRedactPaths (S103)', async () => {
    let log = '';
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        log += chunk.toString();
        done();
      },
    });
    const secrets = new Set<string>();
    const imports = LoggerModule.forRoot({ pinoHttp: [{ redact: sessionRedactPaths }, stream] });
    const application = await TestApplication.on('express')
      .with({ antiCsrf: 'VIA_TOKEN', exposeAccessTokenToFrontendInCookieBasedAuth: true })
      .imports(imports)
      .configure((app) => app.useLogger(app.get(Logger)))
      .start();
    for (const mode of ['cookie', 'header'] as const) {
      const client = await application.signedIn(mode);
      for (let round = 0; round < 2; round++) {
        for (const name of ['sAccessToken', 'sRefreshToken']) secrets.add(client.cookie(name) ?? '');
        for (const secret of [client.accessToken, client.refreshToken, client.antiCsrf])
          secrets.add(secret ?? '');
        expect((await client.get('/me')).status).toBe(200);
        expect((await client.refresh()).status).toBe(200);
      }
      await client.signOut();
    }
    await application.close();
    secrets.delete('');
    expect(secrets.size).toBeGreaterThan(5);
    expect(log).toContain('"url":"/me"');
    expect(log).toContain('[Redacted]');
    expect([...secrets].filter((secret) => log.includes(secret))).toEqual([]);
  });
});

describe.each(ADAPTERS)('the log of a served core on %s', (adapter) => {
  it('tells why the store failed, and nothing that its driver put on the error (S103)', async () => {
    const written = jest.spyOn(NestLogger.prototype, 'error').mockImplementation(() => undefined);
    const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
      if (name !== 'insertSession') return call();
      const row = { detail: `Failing row contains (${CANARY})`, parameters: [CANARY], where: CANARY };
      throw Object.assign(new Error('null value in column "note"'), { code: '23502' }, row);
    });
    await withServedCore({ adapter, coreOptions: { store } }, async (core) => {
      const body = { userId: 'ada', enableAntiCsrf: false, userDataInJWT: {}, userDataInDatabase: {} };
      expect((await core.post('/recipe/session', body)).status).toBe(503);
    });
    const log = inspect(written.mock.calls, { depth: 20, showHidden: true });
    expect(log).toContain('The session store failed at insertSession: null value in column');
    expect(log).not.toContain(CANARY);
    written.mockRestore();
  });
});

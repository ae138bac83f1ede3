import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { settingsFrom } from '../../../sample/03-core-server/settings.js';
import { startCoreServer } from '../../../sample/03-core-server/start.js';

const KEY = 'a-key-of-more-than-20-characters';

describe('the settings of the sample core server', () => {
  it('listen on the loopback, at the port of a SuperTokens Core, in memory, without keys', () => {
    expect(settingsFrom({})).toEqual({
      host: '127.0.0.1',
      port: 3567,
      apiKeys: undefined,
      hostNames: undefined,
      keySecret: undefined,
      store: { kind: 'memory' },
    });
  });

  it('come from the environment', () => {
    expect(
      settingsFrom({
        HOST: '::1',
        PORT: '0',
        API_KEYS: ' one, two,',
        HOST_NAMES: 'core.internal',
        KEY_SECRET: 'secret',
        SQLITE_FILE: 'x.db',
      }),
    ).toEqual({
      host: '::1',
      port: 0,
      apiKeys: ['one', 'two'],
      hostNames: ['core.internal'],
      keySecret: 'secret',
      store: { kind: 'sqlite', file: 'x.db' },
    });
    expect(settingsFrom({ PG_URL: 'postgres://x' }).store).toEqual({
      kind: 'postgresql',
      url: 'postgres://x',
    });
  });

  it.each(['0.0.0.0', '::', '192.168.1.5', 'core.example.com', '127.0.0.1.example.com'])(
    'refuse to listen on %s without keys (S098)',
    (HOST) => {
      expect(() => settingsFrom({ HOST })).toThrow('Set API_KEYS');
      expect(settingsFrom({ HOST, API_KEYS: KEY }).host).toBe(HOST);
    },
  );

  it.each([{ PORT: 'x' }, { PORT: '70000' }, { SQLITE_FILE: 'x', PG_URL: 'y' }])('refuse %j', (env) => {
    expect(() => settingsFrom(env)).toThrow(/PORT is no port|not both/);
  });
});

describe('the sample core server', () => {
  it('keeps sessions in a file, so that a restart ends none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'core-server-'));
    const settings = settingsFrom({ PORT: '0', API_KEYS: KEY, SQLITE_FILE: join(folder, 'sessions.db') });
    const headers = { 'api-key': KEY };
    const first = await startCoreServer(settings);
    const created = await fetch(`${first.uri}/recipe/session`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({
        userId: 'u',
        enableAntiCsrf: false,
        userDataInJWT: {},
        userDataInDatabase: { kept: true },
      }),
    });
    const { session } = (await created.json()) as { session: { handle: string } };
    await first.close();

    const second = await startCoreServer(settings);
    const response = await fetch(`${second.uri}/recipe/session?sessionHandle=${session.handle}`, { headers });
    expect(await response.json()).toMatchObject({ status: 'OK', userDataInDatabase: { kept: true } });
    expect((await fetch(`${second.uri}/recipe/session/user?userId=u`)).status).toBe(401);
    await second.close();
    await rm(folder, { recursive: true });
  });

  it.each([
    ['seals the keys in its file with KEY_SECRET', randomBytes(32).toString('base64url'), true],
    ['leaves them plain without it', undefined, false],
  ])('%s', async (_title, KEY_SECRET, isSealed) => {
    const folder = await mkdtemp(join(tmpdir(), 'core-server-'));
    const SQLITE_FILE = join(folder, 'sessions.db');
    const core = await startCoreServer(settingsFrom({ PORT: '0', SQLITE_FILE, KEY_SECRET }));
    await fetch(`${core.uri}/.well-known/jwks.json`);
    await core.close();
    // The driver may leave the last writes in a file beside it.
    const files = (await readdir(folder)).map((name) => readFile(join(folder, name), 'latin1'));
    expect((await Promise.all(files)).join('').includes('sealed1.')).toBe(isSealed);
    await rm(folder, { recursive: true });
  });
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { CoreBadInputError } from '../../lib/errors.js';
import {
  embeddedCore,
  remoteCore,
  sqliteStore,
  type StandaloneSessionOptions,
} from 'nest-sessions/standalone';
import type { CoreProvider } from '../../lib/core/core-provider.js';
import { APP_INFO, signIn } from '../support/shell.js';
import { parsed, shopOnFile } from '../support/shop-file.js';

/** The place from which the modules of the tests take their default export. */
const shared = globalThis as { configurationUnderTest?: unknown };
const place = shopOnFile();
let config: string;

beforeEach(() => {
  config = join(place.folder, 'sessions.config.mjs');
  writeFileSync(config, 'export default () => globalThis.configurationUnderTest;\n');
});

function optionsOf(
  core: CoreProvider,
  more: Partial<StandaloneSessionOptions> = {},
): StandaloneSessionOptions {
  return {
    appInfo: APP_INFO,
    core,
    ...more,
  };
}

const es256 = () => ({ store: sqliteStore(place.file), signingAlgorithm: 'ES256' as const });

/** Makes cores that list no sessions of everybody. */
function withoutSearch({ problems, create }: CoreProvider): CoreProvider {
  const searchSessions = async (): Promise<never> => {
    throw new CoreBadInputError('This core finds sessions by user only');
  };
  return { problems, create: (context) => Object.assign(create(context), { searchSessions }) };
}

function refuse(error: Error): never {
  throw error;
}

/** Makes no core. */
function failing(error: Error): CoreProvider {
  return { problems: [], create: () => refuse(error) };
}

/** Makes cores that count as many sessions as they are asked for, and more behind them. */
function crowded({ problems, create }: CoreProvider): CoreProvider {
  const next = { createdAtMs: 0, tenantId: 'public', sessionHandle: 'x' };
  const countSessions = async ({ limit }: { limit: number }) => ({ count: limit, next });
  return { problems, create: (context) => Object.assign(create(context), { countSessions }) };
}

describe('the configuration of an application', () => {
  it.each([
    ['its options', () => optionsOf(embeddedCore(es256()))],
    ['those of its core', es256],
    ['its core', () => embeddedCore(es256())],
  ])('is %s', async (_, exported) => {
    const { handle } = await signIn(place.shop, { userId: 'ada' });
    shared.configurationUnderTest = exported();
    const { code, stdout, stderr } = await place.run('sessions', 'list', '--config', config);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(handle);
  });

  it('is checked as at the start of the application', async () => {
    shared.configurationUnderTest = { appInfo: { appName: 'Shop' }, claim: [] };
    const { code, stderr } = await place.run('stats', '--config', config);
    expect(code).toBe(2);
    expect(stderr).toMatch(/claim: there is no such option; did you mean claims\?[^]*apiDomain/);
  });

  it('says which key signs, and rotates the keys: the new one signs once instances have read it', async () => {
    shared.configurationUnderTest = optionsOf(embeddedCore(es256()));
    place.clock.advanceSeconds(7200);
    const { code, stdout } = await place.run('keys', 'rotate', '--config', config, '--json');
    expect(code).toBe(0);
    const { kid } = parsed(stdout) as { kid: string };
    const states = async (): Promise<unknown> => {
      shared.configurationUnderTest = optionsOf(embeddedCore(es256()));
      const listed = await place.run('keys', 'list', '--config', config, '--json');
      return (parsed(listed.stdout)['keys'] as { kid: string; state: string }[])
        .filter((key) => key.kid.startsWith('d-'))
        .map((key) => [key.kid === kid, key.state]);
    };
    expect(await states()).toEqual([
      [true, 'signs next'],
      [false, 'signs'],
    ]);
    place.clock.advanceSeconds(61);
    expect(await states()).toEqual([
      [true, 'signs'],
      [false, 'verifies'],
    ]);
  });

  it('is told that ended sessions work on where no feed tells the instances', async () => {
    const { handle } = await signIn(place.shop, { userId: 'ada' });
    shared.configurationUnderTest = optionsOf(embeddedCore(es256()));
    expect((await place.run('sessions', 'end', handle, '--config', config)).stdout).toContain(
      'the option revocationFeed is off',
    );
  });

  it('may have a core that finds sessions by user only, as a SuperTokens Core', async () => {
    const { handle } = await signIn(place.shop, { userId: 'ada' });
    shared.configurationUnderTest = optionsOf(withoutSearch(embeddedCore(es256())));
    expect((await place.run('sessions', 'list', '--user', 'ada', '--config', config)).stdout).toContain(
      handle,
    );
    const { code, stderr } = await place.run('sessions', 'list', '--config', config);
    expect(code).toBe(2);
    expect(stderr).toContain('name a user by --user');
  });

  it.each([
    ['its function', 2, (error: Error) => () => refuse(error)],
    ['its core', 3, (error: Error) => () => optionsOf(failing(error))],
  ])('says in one sentence without secrets that %s throws', async (_, expected, make) => {
    const error = Object.assign(new Error('\u001b[2J no way to postgres://ada:s3cret@db/shop'), {
      row: 'gold',
    });
    const throwing = join(place.folder, 'throwing.config.mjs');
    writeFileSync(throwing, 'export default () => globalThis.configurationUnderTest();\n');
    shared.configurationUnderTest = make(error);
    const { code, stdout, stderr } = await place.run('stats', '--config', throwing);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(/^nest-sessions: .*\\u\{1b\}\[2J no way to postgres:\/\/…@db\/shop\n/);
    expect(stderr).not.toMatch(/s3cret|gold|configuration\.spec/);
  });

  it('may have more sessions than are counted: the question says what is known', async () => {
    await signIn(place.shop, { userId: 'ada', tenantId: 't1' });
    place.clock.advanceSeconds(7200);
    for (let count = 0; count < 21; count++) await signIn(place.shop, { userId: 'ada', tenantId: 't1' });
    place.clock.advanceSeconds(60);
    const end = async (...options: string[]): Promise<string> => {
      shared.configurationUnderTest = optionsOf(crowded(embeddedCore(es256())));
      return (await place.run('sessions', 'end', ...options, '--config', config)).stderr;
    };
    expect(await end('--tenant', 't1')).toContain('would end more than 1,000,000 sessions of the tenant t1');
    expect(await end('--all', '--created-before', '30s')).toMatch(
      /would end more than 20 sessions of everybody, created before/,
    );
    expect(await end('--all', '--created-before', '1h')).toMatch(
      /would end 1 session of everybody, created before/,
    );
  });

  it('warns of sessions in memory, which are not those of the application', async () => {
    shared.configurationUnderTest = optionsOf(embeddedCore());
    const { code, stderr } = await place.run('sessions', 'list', '--config', config);
    expect(code).toBe(1);
    expect(stderr).toContain('these sessions are in the memory of this process');
  });

  it('starts nothing: no key is made, no expired session is swept', async () => {
    const file = join(place.folder, 'empty.db');
    const store = sqliteStore(file);
    await store.findStaticKeys();
    shared.configurationUnderTest = optionsOf(embeddedCore({ store }));
    await place.run('stats', '--config', config);
    const after = sqliteStore(file);
    expect(await after.findDynamicKeys(0)).toEqual([]);
    await after.close();
  });

  it('ends with 3 where the core does not respond, without its API key', async () => {
    shared.configurationUnderTest = optionsOf(
      remoteCore({ connectionURI: 'http://127.0.0.1:1', apiKey: 'a-secret-key-of-the-core' }),
    );
    const { code, stderr } = await place.run('sessions', 'list', '--user', 'ada', '--config', config);
    expect(code).toBe(3);
    expect(stderr).not.toContain('a-secret-key');
  });
});

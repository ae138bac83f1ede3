import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreUnavailableError, StoreFullError } from '../../lib/errors.js';
import { redisPort, type RedisClient } from '../../lib/stores/redis/redis-client.js';
import { RedisConnection } from '../../lib/stores/redis/redis-connection.js';
import { RedisLayout } from '../../lib/stores/redis/redis-layout.js';
import { RedisStore, redisStore } from '../../lib/stores/redis/redis.store.js';
import { StoreSetupError, type SessionStore } from '../../lib/stores/session-store.js';
import type { RedisStoreOptions } from '../../lib/stores/store-options.js';
import { create, CREATION, refreshed, verify } from '../support/core-calls.js';
import { embeddedCoreOn, seedSigningKeys } from '../support/embedded.js';
import { clientKinds, closeClients, ioRedis, nodeRedis } from '../support/redis-clients.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { KEY, NOW, ROW } from '../support/session-row.js';

const redis = await startRedis();
const kinds = await clientKinds();
const { connect: connectNode } = await nodeRedis();
afterEach(closeClients);
afterAll(() => redis.stop());

const DEFAULTS = { commandTimeoutMs: 5000, waitForDisk: false, waitTimeoutMs: 1000 };
const CHANGE = { sessionData: '{"n":1}' };
const LIMIT = { max: 2, whenExceeded: 'end-oldest' } as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => error,
  );

async function storeOn(server: RedisServer, options: RedisStoreOptions = {}): Promise<SessionStore> {
  return redisStore(await connectNode(server.url), options);
}

/** A client whose server says what a test wants. */
function scriptedClient(reply: (command: readonly string[]) => unknown): RedisClient {
  return Object.assign(
    { isOpen: true, connect: async () => {}, on: () => {} },
    { sendCommand: async (command: readonly string[]): Promise<unknown> => reply(command) },
  );
}

const INFO =
  'redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\ncluster_enabled:0\r\nconnected_slaves:0\r\n';

describe('a Redis store refuses at the start', () => {
  it.each([
    ['6.2.14', 'Redis 6.2.14 is too old'],
    ['5.0.7', 'Redis 5.0.7 is too old'],
  ])('a server of version %s', async (version, message) => {
    const client = scriptedClient(() => INFO.replace('7.0.15', version));
    const failure = await failureOf(redisStore(client).findSession(KEY));
    expect(failure).toBeInstanceOf(StoreSetupError);
    expect(failure).toMatchObject({ message: expect.stringContaining(message) });
  });

  it.each(['allkeys-lru', 'volatile-lru', 'allkeys-random', 'volatile-ttl'])(
    'one that evicts keys: %s, and the application with it',
    async (policy) => {
      const client = scriptedClient(() => INFO.replace('noeviction', policy));
      const { core } = embeddedCoreOn(redisStore(client));
      const failure = await failureOf(core.start());
      expect(failure).toBeInstanceOf(StoreSetupError);
      expect(failure).toMatchObject({ message: expect.stringMatching(`${policy}.*noeviction`) });
      await core.close();
    },
  );

  it('one that does not say what it is', async () => {
    const failure = await failureOf(redisStore(scriptedClient(() => '# nothing')).findSession(KEY));
    expect(failure).toBeInstanceOf(StoreSetupError);
  });

  it('to wait for a disk where the server cannot', async () => {
    const failure = await failureOf(
      redisStore(
        scriptedClient(() => INFO),
        { waitForDisk: true },
      ).findSession(KEY),
    );
    expect(failure).toMatchObject({ name: 'StoreSetupError', message: expect.stringContaining('7.2') });
  });

  it.each([null, undefined, {}, 'redis://localhost', { sendCommand() {} }, { query() {}, connect() {} }])(
    'something else than a client: %j',
    (client) => {
      expect(() => Reflect.apply(redisStore, undefined, [client])).toThrow(TypeError);
    },
  );

  it('options that there are not, or that no key can have', () => {
    const client = scriptedClient(() => INFO);
    expect(() => redisStore(client, Object({ prefix: 'x' }))).toThrow(/prefix: there is no such option/);
    expect(() => redisStore(client, { keyPrefix: '{one}' })).toThrow(/keyPrefix/);
    expect(() => redisStore(client, { keyPrefix: '' })).toThrow(/keyPrefix/);
    expect(() => redisStore(client, { waitForReplicas: -1 })).toThrow(/waitForReplicas/);
  });
});

describe('a Redis that returns nonsense', () => {
  const NONSENSE: unknown[] = [
    7,
    '',
    'x',
    '1\x002',
    true,
    {},
    [],
    [1],
    [1, 7],
    [1, 'x'],
    [[], []],
    new Map(),
  ];

  it.each(NONSENSE.map((nonsense) => [nonsense]))(
    'makes no session of %j, and is an outage to the engine',
    async (nonsense) => {
      const client = scriptedClient(([name]) => (name === 'INFO' ? INFO : nonsense));
      const store = redisStore(client);
      const { core } = embeddedCoreOn(store);
      const calls = [
        async () => store.findSession(KEY),
        async () => store.update(KEY, {}, CHANGE),
        async () => store.insertSession(ROW),
        async () => store.insertSessionWithinLimit(ROW, { ...LIMIT, userIds: [ROW.userId], nowMs: NOW }),
        async () => store.deleteSessionsOfUsers({ userIds: [ROW.userId], tenantId: undefined, nowMs: NOW }),
        async () => store.deleteExpiredSessions(NOW, 10),
      ];
      for (const call of calls) {
        expect(Object.prototype.toString.call(await failureOf(call()))).toBe('[object Error]');
      }
      expect(await failureOf(create(core))).toBeInstanceOf(CoreUnavailableError);
      await core.close();
    },
  );
});

redis.describeKilled('a Redis server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redis.another();
  });

  it.each(['allkeys-lru', 'volatile-ttl'])('with the policy %s is refused', async (policy) => {
    const evicting = await redis.another('--maxmemory', '50mb', '--maxmemory-policy', policy);
    const store = await storeOn(evicting);
    expect(await failureOf(store.findSession(KEY))).toBeInstanceOf(StoreSetupError);
    evicting.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    expect(await store.findSession(KEY)).toBeUndefined();
    await store.close();
  });

  it('that asks for a password ends the start, and the password is nowhere in the message', async () => {
    const guarded = await redis.another('--requirepass', 'correct-horse');
    const { core } = embeddedCoreOn(await storeOn({ ...guarded, url: guarded.url }));
    const failure = await failureOf(core.start());
    expect(failure).toBeInstanceOf(StoreSetupError);
    expect(JSON.stringify(failure)).not.toContain('correct-horse');
    await core.close();
  });

  it('is described by its place alone', async () => {
    const { connect: connectIo } = await ioRedis();
    const url = 'redis://somebody:correct-horse@127.0.0.1:1/0';
    const client = await connectIo(url.replace(':1/', `:${server.port}/`));
    expect(redisStore(client).description).toBe(`Redis at 127.0.0.1:${server.port}`);
    const { createClient } = await import('redis');
    expect(redisStore(createClient({ url })).description).toBe('Redis at 127.0.0.1:1');
  });

  it.each(kinds)('that has forgotten all scripts gets them again, by $name', async ({ connect: open }) => {
    const store = redisStore(await open(server.url), { keyPrefix: redis.freshPrefix() });
    await store.insertSession(ROW);
    server.command('SCRIPT', 'FLUSH');
    expect(await store.findSession(KEY)).toEqual(ROW);
    server.command('SCRIPT', 'FLUSH');
    expect(await store.update(KEY, {}, CHANGE)).toEqual({ ...ROW, ...CHANGE });
    await store.close();
  });

  it.each(kinds)(
    'that has become a replica shows nothing old: calls wait until there is a primary, by $name (S046)',
    async ({ connect: open }) => {
      const [primary, demoted] = [await redis.another(), await redis.another()];
      let whenRefused = (): void => {};
      const client = await open(demoted.url);
      const retry = { attempts: 3, random: () => 0, sleep: async () => whenRefused() };
      const connection = new RedisConnection(redisPort(client), DEFAULTS, retry);
      const store = new RedisStore(connection, new RedisLayout(redis.freshPrefix(), false));
      await store.insertSession(ROW);
      demoted.command('REPLICAOF', '127.0.0.1', `${primary.port}`);
      expect(await failureOf(store.findSession(KEY))).toMatchObject({
        message: expect.stringMatching(/READONLY|ReadOnly/),
      });
      whenRefused = () => demoted.command('REPLICAOF', 'NO', 'ONE');
      await store.insertSession({ ...ROW, sessionHandle: 'while-demoted' });
      await store.close();
    },
  );

  it('that is full refuses new sessions, and goes on with those that it has (S091)', async () => {
    const small = await redis.another('--maxmemory', '3mb');
    const store = await storeOn(small);
    await store.insertSession(ROW);
    const large = { ...ROW, sessionData: JSON.stringify({ text: 'x'.repeat(50_000) }) };
    let failure: unknown;
    for (let n = 2; failure === undefined && n < 200; n++) {
      failure = await store
        .insertSession({ ...large, sessionHandle: `handle-${n}` })
        .catch((error: unknown) => error);
    }
    expect(failure).toBeInstanceOf(StoreFullError);
    expect(await store.update(KEY, {}, CHANGE)).toEqual({ ...ROW, ...CHANGE });
    expect(await store.findSession(KEY)).toEqual({ ...ROW, ...CHANGE });
    expect(await store.deleteSessions([KEY])).toEqual([KEY.sessionHandle]);
    await store.close();
  });

  it('that is silent fails the call in time, and works on afterwards (S096)', async () => {
    const frozen = await redis.another();
    const client = await connectNode(frozen.url);
    const [patient, impatient] = [redisStore(client), redisStore(client, { commandTimeoutMs: 50 })];
    await patient.insertSession(ROW);
    frozen.freeze();
    expect(await failureOf(impatient.findSession(KEY))).toMatchObject({
      message: 'Redis has not responded within 50 ms',
    });
    frozen.thaw();
    expect(await patient.findSession(KEY)).toEqual(ROW);
    await patient.close();
  });

  it('that comes back empty has no sessions, and the engine works on it (S096)', async () => {
    const crashing = await redis.another();
    const store = await storeOn(crashing);
    await seedSigningKeys(store);
    const { core } = embeddedCoreOn(store);
    const { accessToken } = await create(core);
    await crashing.kill();
    const impatient = embeddedCoreOn(await storeOn(crashing, { commandTimeoutMs: 50 }));
    expect(await failureOf(create(impatient.core))).toBeInstanceOf(CoreUnavailableError);
    await crashing.restart();
    await seedSigningKeys(store);
    expect(await verify(core, accessToken.token, { checkDatabase: true })).toMatchObject({
      status: 'UNAUTHORISED',
    });
    const { refreshToken } = await create(core);
    await refreshed(core, refreshToken.token);
    await core.close();
  });

  describe('whose response is lost', () => {
    const METHODS: [name: string, call: (store: SessionStore) => Promise<unknown>, after: unknown][] = [
      ['an insert', (store) => store.insertSession(ROW), ROW],
      ['an update', (store) => store.update(KEY, {}, CHANGE), { ...ROW, ...CHANGE }],
      ['a removal', (store) => store.deleteSessions([KEY]), undefined],
    ];

    it.each(
      METHODS.flatMap(([name, call, after]) =>
        kinds.map((kind) => ({ name, call, after, kind, by: kind.name })),
      ),
    )(
      'leaves the row as it is after $name or as it was before, by $by (S096)',
      async ({ name, call, after, kind }) => {
        const path = await losingPath(server.port);
        const keyPrefix = redis.freshPrefix();
        const direct = await storeOn(server, { keyPrefix });
        const store = redisStore(await kind.connect(path.url), { keyPrefix, commandTimeoutMs: 2000 });
        await store.findStaticKeys();
        await loadScripts(direct);
        if (name !== 'an insert') await direct.insertSession(ROW);
        path.loseNextResponse();
        await call(store).catch(() => undefined);
        expect(path.lost).toBe(1);
        expect(await direct.findSession(KEY)).toEqual(after);
        expect(await store.findSession(KEY)).toEqual(after);
        await Promise.all([store.close(), direct.close()]);
        await path.close();
      },
    );
  });

  it('spares the younger sessions of a user whose older ones end', async () => {
    for (const clusterKeys of [false, true]) {
      const store = await storeOn(server, { keyPrefix: redis.freshPrefix(), clusterKeys });
      await store.insertSession(ROW);
      await store.insertSession({ ...ROW, sessionHandle: 'younger', createdAtMs: NOW + 1 });
      const users = { userIds: [ROW.userId], tenantId: undefined, nowMs: NOW };
      expect(await store.deleteSessionsOfUsers({ ...users, createdBeforeMs: NOW + 1 })).toEqual([
        KEY.sessionHandle,
      ]);
      expect(await store.findSessionHandlesOfUsers(users)).toEqual(['younger']);
      await store.close();
    }
  });

  describe('and the lives of keys', () => {
    const ttlOf = (prefix: string): number =>
      Number(server.command('PTTL', `${prefix}s:${KEY.sessionHandle}`));

    it('removes a row a day after its end, by its own clock, whatever the clock of the engine says', async () => {
      const keyPrefix = redis.freshPrefix();
      const store = await storeOn(server, { keyPrefix });
      // By the clock of the server, which is the real one, these times have long passed.
      await store.insertSession({ ...ROW, expiresAtMs: NOW + HOUR_MS });
      expect(ttlOf(keyPrefix)).toBeGreaterThan(HOUR_MS + DAY_MS - 60_000);
      expect(ttlOf(keyPrefix)).toBeLessThanOrEqual(HOUR_MS + DAY_MS);
      await store.update(KEY, {}, { expiresAtMs: NOW + 5 * HOUR_MS, rotatedAtMs: NOW + HOUR_MS });
      expect(ttlOf(keyPrefix)).toBeGreaterThan(4 * HOUR_MS + DAY_MS - 60_000);
      await store.update(KEY, {}, CHANGE);
      expect(ttlOf(keyPrefix)).toBeGreaterThan(4 * HOUR_MS + DAY_MS - 60_000);
      await store.close();
    });

    it('keeps an expired row for a day, for the engine to judge', async () => {
      const keyPrefix = redis.freshPrefix();
      const store = await storeOn(server, { keyPrefix });
      await store.insertSession({ ...ROW, expiresAtMs: 1 });
      expect(ttlOf(keyPrefix)).toBeGreaterThan(DAY_MS - 60_000);
      await store.close();
    });

    it('leaves nothing of rows that the server has removed, once swept or listed', async () => {
      const keyPrefix = redis.freshPrefix();
      const store = await storeOn(server, { keyPrefix });
      const of = { userIds: ['user-1'], tenantId: undefined, nowMs: NOW };
      for (const handle of ['a', 'b']) {
        await store.insertSession({ ...ROW, sessionHandle: handle });
        server.command('DEL', `${keyPrefix}s:${handle}`);
        await (handle === 'a' ? store.deleteExpiredSessions(NOW, 10) : store.findSessionHandlesOfUsers(of));
        expect(server.command('EXISTS', `${keyPrefix}users`)).toBe('0');
      }
      await store.close();
    });
  });

  it.each([false, true])(
    'is asked once for each step of a session of the engine, with clusterKeys: %p',
    async (clusterKeys) => {
      const commands: string[] = [];
      const client = (await connectNode(server.url)) as unknown as {
        sendCommand(command: readonly string[]): Promise<unknown>;
      };
      const send = client.sendCommand.bind(client);
      client.sendCommand = async (command) => {
        commands.push(command[0] ?? '');
        return send(command);
      };
      const store = redisStore(client as unknown as RedisClient, {
        keyPrefix: redis.freshPrefix(),
        clusterKeys,
      });
      await seedSigningKeys(store);
      const { core } = embeddedCoreOn(store);
      await core.start();
      await create(core); // the server learns the script
      const commandsOf = async <T>(work: Promise<T>): Promise<[T, string[]]> => {
        commands.length = 0;
        return [await work, [...commands]];
      };
      const [{ session, refreshToken }, ofCreate] = await commandsOf(create(core));
      const once = ['EVALSHA'];
      expect(ofCreate).toEqual(once);
      const [next, ofRefresh] = await commandsOf(refreshed(core, refreshToken.token));
      expect(ofRefresh).toEqual(once);
      const [, ofPromotion] = await commandsOf(refreshed(core, next.refreshToken.token));
      expect(ofPromotion).toEqual(once);
      await core.createSessionWithinLimit(CREATION, LIMIT);
      const [, ofLimit] = await commandsOf(core.createSessionWithinLimit(CREATION, LIMIT));
      expect(ofLimit).toEqual(once);
      await core.revokeSessions(['no-such-handle']);
      const [, ofRevoke] = await commandsOf(core.revokeSessions([session.handle]));
      expect(ofRevoke).toEqual(once);
      const ofUser = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: false };
      await core.getSessionHandlesOfUser(ofUser);
      const [, ofEnd] = await commandsOf(core.revokeSessionsOfUser(ofUser));
      expect(ofEnd).toEqual(once);
      await core.close();
    },
  );
});

/** Makes every script known to the server, so that a call is one command. */
async function loadScripts(store: SessionStore): Promise<void> {
  const other = { ...ROW, sessionHandle: 'other' };
  await store.insertSession(other);
  await store.update(other, {}, CHANGE);
  await store.deleteSessions([other]);
}

/** A way to a server on which responses can be lost. */
async function losingPath(port: number) {
  let isLosing = false;
  const path = { url: '', lost: 0, loseNextResponse: () => (isLosing = true), close: async () => {} };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        target.destroy();
      });
    }
    client.pipe(target);
    target.on('data', (response) => {
      if (!isLosing) return client.write(response);
      isLosing = false;
      path.lost++;
      return client.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  path.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  path.close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return path;
}

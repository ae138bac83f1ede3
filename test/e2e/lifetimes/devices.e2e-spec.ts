import { describe, expect, it } from '@jest/globals';
import {
  SessionConfigError,
  type SessionDevice,
  type SessionModuleOptions,
  type SessionService,
} from 'nest-sessions';
import { parseSessionHandle } from '../../../lib/core/embedded/session-handle.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { seededMemoryStore } from '../../support/embedded.js';
import type { SessionClient } from '../../support/session-client.js';
import {
  ADAPTERS,
  sessionModule,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';
import { FIREFOX } from '../../support/user-agents.js';
import { watchedStore } from '../../support/watched-store.js';

type DeviceOptions = NonNullable<SessionModuleOptions['devices']>;

const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';
/** How a device gets into the store. */
const WRITES = ['update sessionData'];

/** Signs in from a device. @returns the session's handle */
async function signInFrom(client: SessionClient, userAgent: string, data?: object): Promise<string> {
  const response = await client.post('/login', { userId: 'user-1', data }, { 'user-agent': userAgent });
  return (response.body as { sessionHandle: string }).sessionHandle;
}

/** Some turns of the event loop, in which something that must not happen would happen. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Until something has happened in the background. */
async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

async function deviceOf(sessions: SessionService, handle: string): Promise<SessionDevice | undefined> {
  return (await sessions.getSessionInformation(handle))?.device;
}

describe.each(ADAPTERS)('the device of a session on %s', (adapter) => {
  const starter = (devices: DeviceOptions): ApplicationStarter =>
    TestApplication.on(adapter).with({ devices });

  it.each<[string, DeviceOptions, Partial<SessionDevice>]>([
    ['by default', {}, { ip: '127.0.0.0/24', userAgent: 'Firefox on Windows' }],
    ['in full', { ip: 'full', userAgent: 'full' }, { ip: '127.0.0.1', userAgent: FIREFOX }],
    ['not at all', { ip: 'off', userAgent: 'off' }, {}],
    [
      'by a keyed hash',
      { ip: 'hashed', hashKey: 'a secret of the shop' },
      { ip: expect.stringMatching(/^[\w-]{22}$/) as unknown as string, userAgent: 'Firefox on Windows' },
    ],
  ])('is kept as exactly as it may be: %s (S106)', async (_, devices, kept) => {
    const { client, sessions } = await starter(devices).start();
    const handle = await signInFrom(client(), FIREFOX, { cart: 3 });
    const information = await sessions.getSessionInformation(handle);
    expect(information?.device).toEqual({ ...kept, lastSeen: TEST_START_MS });
    expect(information?.sessionDataInDatabase).toEqual({ cart: 3 });
  });

  it('is not kept unless it is asked for (S106)', async () => {
    const watched = await watchedStore();
    const { client, sessions } = await TestApplication.on(adapter).store(watched.store).start();
    const visitor = client();
    const handle = await signInFrom(visitor, FIREFOX);
    await visitor.get('/me');
    await settled();
    expect(await sessions.getSessionInformation(handle)).not.toHaveProperty('device');
    expect(
      (await watched.store.findSession({ tenantId: 'public', sessionHandle: handle }))?.sessionData,
    ).toBe('{}');
    expect(watched.calls.filter((name) => WRITES.includes(name))).toEqual([]);
  });

  it('is written once in an interval at most, however many requests there are (S106)', async () => {
    const watched = await watchedStore();
    const { client, clock, sessions } = await starter({ lastSeenIntervalSec: 300 })
      .store(watched.store)
      .start();
    const visitor = client('header');
    const handle = await signInFrom(visitor, FIREFOX);
    const writes = (): number => watched.calls.filter((name) => WRITES.includes(name)).length;
    for (let second = 0; second < 300; second += 5) {
      await visitor.get('/me', { 'user-agent': IPHONE });
      clock.advanceSeconds(5);
    }
    await settled();
    expect(writes()).toBe(0);
    expect(await deviceOf(sessions, handle)).toMatchObject({ lastSeen: TEST_START_MS });
    await Promise.all(Array.from({ length: 20 }, () => visitor.get('/me', { 'user-agent': IPHONE })));
    await until(async () => (await deviceOf(sessions, handle))?.userAgent === 'Safari on iOS');
    expect(writes()).toBe(1);
    expect(await deviceOf(sessions, handle)).toEqual({
      ip: '127.0.0.0/24',
      userAgent: 'Safari on iOS',
      lastSeen: TEST_START_MS + 300_000,
    });
    for (let minute = 0; minute < 60; minute++) {
      clock.advanceSeconds(60);
      await visitor.refresh({ 'user-agent': IPHONE });
      await visitor.get('/me', { 'user-agent': IPHONE });
    }
    await until(() => writes() >= 1 + 12);
    await settled();
    expect(writes()).toBe(1 + 12);
  });

  it('delays and fails no request when it cannot be written, and is written later (S106 S096)', async () => {
    const store = await seededMemoryStore();
    let isHanging = false;
    const attempts: string[] = [];
    const release: (() => void)[] = [];
    const trouble = interceptedStore(store, async (name, call) => {
      if (!WRITES.includes(name)) return call();
      attempts.push(name);
      if (!isHanging) throw new Error('connection terminated unexpectedly');
      await new Promise<void>((resolve) => release.push(resolve));
      return call();
    });
    const { client, clock, sessions } = await starter({}).store(trouble).start();
    const visitor = client();
    const handle = await signInFrom(visitor, FIREFOX);
    clock.advanceSeconds(301);
    expect((await visitor.get('/me')).status).toBe(200);
    await until(() => attempts.length > 0);
    await settled();
    isHanging = true;
    attempts.length = 0;
    clock.advanceSeconds(301);
    expect((await visitor.get('/me')).status).toBe(200);
    expect((await visitor.get('/me')).status).toBe(200);
    await until(() => release.length > 0);
    expect(attempts).toHaveLength(1);
    for (const resolve of release) resolve();
    await until(async () => (await deviceOf(sessions, handle))?.lastSeen === clock.now());
  });

  it('is gone with the session, and never brings one back (S106, S046)', async () => {
    const store = await seededMemoryStore();
    const { client, clock, sessions } = await starter({}).store(store).start();
    const visitor = client('header');
    const handle = await signInFrom(visitor, FIREFOX);
    clock.advanceSeconds(301);
    await sessions.revokeSession(handle);
    expect((await visitor.get('/me')).status).toBe(200); // the access token alone; the store is not asked
    await settled();
    expect(store.size).toBe(0);
  });

  it('stays while the application writes its data, and out of its sight', async () => {
    const store = await seededMemoryStore();
    const { client, sessions } = await starter({}).store(store).start();
    const handle = await signInFrom(client(), FIREFOX, { cart: 3 });
    const device = { ip: '127.0.0.0/24', userAgent: 'Firefox on Windows', lastSeen: TEST_START_MS };
    await sessions.mergeSessionDataInDatabase(handle, { theme: 'dark' });
    expect(await sessions.getSessionInformation(handle)).toMatchObject({
      device,
      sessionDataInDatabase: { cart: 3, theme: 'dark' },
    });
    expect(await sessions.updateSessionDataInDatabase(handle, { only: 1 })).toBe(true);
    const information = await sessions.getSessionInformation(handle);
    expect(information?.device).toEqual(device);
    expect(information?.sessionDataInDatabase).toEqual({ only: 1 });
    const forged = { 'nest-sessions.device': { lastSeen: 1 } };
    for (const write of [
      () => sessions.mergeSessionDataInDatabase(handle, forged),
      () => sessions.updateSessionDataInDatabase(handle, forged),
      () =>
        sessions.createNewSessionWithoutRequestResponse({
          userId: 'user-1',
          sessionDataInDatabase: forged,
        }),
    ]) {
      await expect(write()).rejects.toThrow(TypeError);
    }
    expect(await sessions.updateSessionDataInDatabase('nobody-s', { only: 1 })).toBe(false);
    const key = parseSessionHandle(handle);
    const row = key && (await store.findSession(key));
    expect(JSON.parse(row?.sessionData ?? '')).toEqual({ only: 1, 'nest-sessions.device': device });
  });

  it('loses none of the keys that the application writes at the same time (S089)', async () => {
    const { client, clock, sessions } = await starter({ lastSeenIntervalSec: 10 }).start();
    const visitor = client('header');
    const handle = await signInFrom(visitor, FIREFOX);
    for (let round = 0; round < 50; round++) {
      clock.advanceSeconds(11);
      await Promise.all([
        visitor.get('/me'),
        sessions.mergeSessionDataInDatabase(handle, { [`k${round}`]: round }),
      ]);
    }
    await until(async () => (await deviceOf(sessions, handle))?.lastSeen === clock.now());
    const information = await sessions.getSessionInformation(handle);
    expect(Object.keys(information?.sessionDataInDatabase ?? {})).toHaveLength(50);
  });

  it('is shown to the user (S052 S106)', async () => {
    const { client } = await starter({}).with({ userSessionRoutes: true }).start();
    const [laptop, phone] = [client(), client()];
    await signInFrom(laptop, FIREFOX);
    await signInFrom(phone, IPHONE);
    const { sessions: listed } = (await laptop.get('/auth/sessions')).body as {
      sessions: { device: SessionDevice }[];
    };
    expect(listed.map(({ device }) => device.userAgent)).toEqual(['Firefox on Windows', 'Safari on iOS']);
  });
});

describe('the options of devices', () => {
  it.each<[unknown, string]>([
    [{ ip: 'hashed' }, 'devices.hashKey'],
    [{ hashKey: 'too short' }, 'devices.hashKey'],
    [{ ip: 'country' }, 'devices.ip'],
    [{ lastSeenIntervalSec: 1 }, 'devices.lastSeenIntervalSec'],
    [{ agent: 'off' }, 'devices.agent'],
    [true, 'devices'],
  ])('are refused when they make no sense, without showing a secret: %j', async (devices, path) => {
    const options = { devices } as Partial<SessionModuleOptions>;
    const error = await TestApplication.on('express')
      .modules(await sessionModule({ options }))
      .run(async () => {})
      .catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(SessionConfigError);
    expect((error as SessionConfigError).problems.map((problem) => problem.path)).toEqual([path]);
    expect((error as Error).message).not.toContain('too short');
  });
});

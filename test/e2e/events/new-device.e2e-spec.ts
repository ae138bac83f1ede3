import { describe, expect, it } from '@jest/globals';
import { embeddedCore, type SessionEvent, type SessionModuleOptions } from 'nest-sessions';
import type { OnRefresh, RefreshToDecide } from 'nest-sessions/core';
import { seededMemoryStore, TEST_START_MS } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { FIREFOX } from '../../support/user-agents.js';
import { watchedStore } from '../../support/watched-store.js';

const LATER_FIREFOX = FIREFOX.replaceAll('140.0', '141.0');
const CURL = 'curl/8.5.0';
const NETWORK = '127.0.0.0/24';
const INTERVAL_SEC = 300;
const WRITE = 'update sessionData';

const from = (userAgent: string) => ({ 'user-agent': userAgent });

/** Until what happens in the background has happened. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Some turns of the event loop, in which something that must not happen would happen. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const MODES = ['cookie', 'header'] as const;
const CASES = ADAPTERS.flatMap((adapter) => MODES.map((mode) => [adapter, mode] as const));

describe.each(CASES)('the event of a new device, on %s by %s', (adapter, mode) => {
  const start = async (options: Partial<SessionModuleOptions> = {}) => {
    const watched = await watchedStore();
    const application = await TestApplication.on(adapter)
      .store(watched.store)
      .with({ devices: { lastSeenIntervalSec: INTERVAL_SEC }, ...options })
      .start();
    const { client, clock } = application;
    const visitor = client(mode);
    await visitor.post('/login', { userId: 'user-1' }, from(FIREFOX));
    const ofDevices = (): SessionEvent[] =>
      application.events.filter(({ type }) => type === 'session.new-device');
    const writes = (): number => watched.calls.filter((name) => name === WRITE).length;
    return { visitor, clock, ofDevices, writes };
  };

  it('tells of a refresh from another browser, at once and once (S104, S106)', async () => {
    const { visitor, clock, ofDevices, writes } = await start();
    clock.advanceSeconds(1);
    expect((await visitor.refresh(from(CURL))).status).toBe(200);
    await until(() => ofDevices().length > 0);
    expect(ofDevices()).toEqual([
      {
        type: 'session.new-device',
        timeMs: TEST_START_MS + 1000,
        sessionHandle: expect.any(String),
        userId: 'user-1',
        recipeUserId: 'user-1',
        tenantId: 'public',
        before: { ip: NETWORK, userAgent: 'Firefox on Windows', lastSeen: TEST_START_MS },
        now: { ip: NETWORK, userAgent: 'Unknown client', lastSeen: TEST_START_MS + 1000 },
      },
    ]);
    for (let n = 0; n < 3; n++) expect((await visitor.refresh(from(CURL))).status).toBe(200);
    await settled();
    expect(ofDevices()).toHaveLength(1);
    expect(writes()).toBe(1); // a refresh from the known device writes nothing before the interval is over
    expect((await visitor.refresh(from(FIREFOX))).status).toBe(200);
    await until(() => ofDevices().length > 1);
  });

  it('tells of a use, when that is noted (S106)', async () => {
    const { visitor, clock, ofDevices } = await start();
    await visitor.get('/me', from(CURL));
    await settled();
    expect(ofDevices()).toEqual([]);
    clock.advanceSeconds(INTERVAL_SEC);
    await Promise.all(Array.from({ length: 10 }, () => visitor.get('/me', from(CURL))));
    await until(() => ofDevices().length > 0);
    await settled();
    expect(ofDevices()).toHaveLength(1);
  });

  it.each<[string, NonNullable<SessionModuleOptions['devices']>, string]>([
    ['a later version of the browser', { userAgent: 'full' }, LATER_FIREFOX],
    ['another user agent, where none is kept', { userAgent: 'off' }, CURL],
    ['another one, where no devices are kept', false, CURL],
  ])('does not tell of %s', async (_, devices, userAgent) => {
    const { visitor, clock, ofDevices } = await start({ devices });
    clock.advanceSeconds(INTERVAL_SEC);
    expect((await visitor.refresh(from(userAgent))).status).toBe(200);
    await settled();
    expect(ofDevices()).toEqual([]);
  });

  it('does not hide the change from the hook of the next refresh', async () => {
    const asked: RefreshToDecide['device'][] = [];
    const onRefresh: OnRefresh = ({ device }) => void asked.push(device);
    const { visitor, clock, ofDevices } = await start({ onRefresh });
    clock.advanceSeconds(INTERVAL_SEC);
    await visitor.get('/me', from(CURL));
    await until(() => ofDevices().length === 1);
    clock.advanceSeconds(INTERVAL_SEC);
    await visitor.get('/me', from(CURL));
    await settled();
    expect((await visitor.refresh(from(CURL))).status).toBe(200);
    await settled();
    expect((await visitor.refresh(from(CURL))).status).toBe(200);
    const families = asked.map(({ before, now }) => [before?.userAgent, now?.userAgent]);
    expect(families).toEqual([
      ['Firefox on Windows', 'Unknown client'],
      ['Unknown client', 'Unknown client'],
    ]);
    expect(ofDevices()).toHaveLength(1);
  });
});

describe('the event of a new device in several instances of an embedded core', () => {
  it('is emitted by the one whose note counts', async () => {
    const memory = await seededMemoryStore();
    // All of them read before one of them writes.
    const waiting: (() => void)[] = [];
    let isHeld = false;
    const store = interceptedStore(memory, async (name, call) => {
      if (isHeld && name === WRITE) await new Promise<void>((resolve) => waiting.push(resolve));
      return call();
    });
    const start = async () =>
      TestApplication.on('express')
        .with({ core: embeddedCore({ store }), devices: {} })
        .start();
    const instances = [await start(), await start(), await start()] as const;
    const visitor = instances[0].client('header');
    await visitor.post('/login', { userId: 'user-1' }, from(FIREFOX));
    isHeld = true;
    for (const { client } of instances) {
      const other = client('header');
      other.adoptTokens(visitor);
      expect((await other.refresh(from(CURL))).status).toBe(200);
    }
    await until(() => waiting.length === 3);
    isHeld = false;
    for (const resolve of waiting) resolve();
    await settled();
    const told = instances.flatMap(({ events }) =>
      events.filter(({ type }) => type === 'session.new-device'),
    );
    expect(told).toHaveLength(1);
  });
});

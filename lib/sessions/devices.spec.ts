import { describe, expect, it, jest } from '@jest/globals';
import type { DeviceSettings } from '../options/feature-options.js';
import { withRequest, type UserContext } from '../util/user-context.js';
import { TestClock } from '../testing/test-clock.js';
import { IncomingRequest } from '../http/incoming-request.js';
import { addressToKeep, DEVICE_KEY, Devices, userAgentToKeep, type DeviceUse } from './devices.js';

const SETTINGS: DeviceSettings = {
  ip: 'cut',
  userAgent: 'family',
  lastSeenIntervalSec: 300,
  hashKey: undefined,
};

/** The context of a request from an address, as the framework tells it. */
function from(ip: string | undefined): UserContext {
  const source = { headers: {}, ...(ip === undefined ? {} : { ip }) };
  return withRequest({}, new IncomingRequest(source));
}

const use = (sessionHandle: string): DeviceUse => ({ sessionHandle, isRefresh: false });

describe('noting the use of sessions', () => {
  const clock = new TestClock(1_760_000_000_000);
  const make = (rememberedSessions: number, writesAtOnce = 1000): Devices =>
    new Devices(SETTINGS, clock, false, { rememberedSessions, writesAtOnce });

  /** @returns how many writes so many sessions in use cause */
  async function usesOf(devices: Devices, sessions: number): Promise<number> {
    let writes = 0;
    for (let n = 0; n < sessions; n++) {
      devices.noteUse(use(`s-${n}`), from('192.0.2.7'), async () => writes++);
    }
    await new Promise((resolve) => setImmediate(resolve));
    return writes;
  }

  it('is bounded, however many sessions are in use (S106 S102)', async () => {
    const devices = make(10);
    expect(await usesOf(devices, 1000)).toBe(10);
    clock.advanceSeconds(299);
    expect(await usesOf(devices, 1000)).toBe(0);
    clock.advanceSeconds(1);
    expect(await usesOf(devices, 1000)).toBe(10);
  });

  it('takes the same few steps for one more session when the bound is reached (S102)', async () => {
    const devices = make(1000);
    const spies = (['get', 'set', 'delete', 'keys', 'values', 'entries', 'forEach'] as const).map((name) =>
      jest.spyOn(Map.prototype, name),
    );
    const copied = jest.spyOn(Array.prototype, 'slice');
    try {
      const steps = (sessionHandle: string): number => {
        for (const spy of spies) spy.mockClear();
        devices.remember(sessionHandle);
        return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
      };
      for (let n = 0; n < 2000; n++) expect(steps(`flood-${n}`)).toBeLessThanOrEqual(8);
      clock.advanceSeconds(300); // all of them may be forgotten at once
      copied.mockClear();
      let elements = 0;
      for (let n = 0; n < 5000; n++) expect(steps(`later-${n}`)).toBeLessThanOrEqual(8);
      for (const { value } of copied.mock.results) elements += (value as unknown[]).length;
      expect(elements).toBeLessThan(2000);
    } finally {
      for (const spy of [...spies, copied]) spy.mockRestore();
    }
  });

  it('forgets no more than it has to, over many intervals', async () => {
    const devices = make(10);
    for (let interval = 0; interval < 50; interval++) {
      expect(await usesOf(devices, 10)).toBe(10);
      expect(await usesOf(devices, 10)).toBe(0);
      clock.advanceSeconds(300);
    }
    const { notes } = devices as unknown as { notes: unknown[] };
    expect(notes.length).toBeLessThan(40);
  });

  it('does not pile up writes that hang (S106)', async () => {
    const devices = make(1000, 3);
    const release: (() => void)[] = [];
    const write = (): Promise<void> => new Promise((resolve) => release.push(resolve));
    for (let n = 0; n < 10; n++) devices.noteUse(use(`s-${n}`), from('192.0.2.7'), write);
    expect(release).toHaveLength(3);
    for (const resolve of release) resolve();
    await new Promise((resolve) => setImmediate(resolve));
    devices.noteUse(use('s-9'), from('192.0.2.7'), write);
    expect(release).toHaveLength(4);
  });

  it.each([
    ['cut', []],
    ['off', ['s-1']],
  ] as const)('leaves a use of unknown address out where that is %s (S106)', (ip, noted) => {
    const devices = new Devices({ ...SETTINGS, ip }, clock);
    const written: string[] = [];
    devices.noteUse(use('s-1'), from(undefined), async () => written.push('s-1'));
    expect(written).toEqual(noted);
  });

  it('does nothing where the option is off', () => {
    const devices = new Devices(undefined, clock);
    devices.noteUse(use('s-1'), {}, () => {
      throw new Error('written');
    });
    expect(devices.dataOfNewSession({ cart: 3 }, {})).toEqual({ cart: 3 });
  });
});

describe('a device that differs from the one before', () => {
  const clock = new TestClock(1_760_000_000_000);
  const HASHED: DeviceSettings = { ...SETTINGS, ip: 'hashed', hashKey: 'a secret of the shop' };
  const FULL: DeviceSettings = { ...SETTINGS, ip: 'full', userAgent: 'full' };

  function contextOf([ip, userAgent]: readonly [string, string?]): UserContext {
    const headers = userAgent === undefined ? {} : { 'user-agent': userAgent };
    const source = { headers, ip };
    return withRequest({}, new IncomingRequest(source));
  }

  /** @returns whether a refresh from there differs from a sign-in from here */
  function differs(
    settings: DeviceSettings,
    signIn: readonly [string, string?],
    refresh: readonly [string, string?],
    signInSettings = settings,
  ): boolean {
    const stored = new Devices(signInSettings, clock).dataOfNewSession({}, contextOf(signIn));
    let isOther = false;
    new Devices(settings, clock).noteUse(
      { sessionHandle: 's-1', isRefresh: true },
      contextOf(refresh),
      async (change) => (isOther = change(stored)?.difference !== undefined),
    );
    return isOther;
  }

  it.each<[string, DeviceSettings, readonly [string, string?], readonly [string, string?]]>([
    ['another network', SETTINGS, ['192.0.2.7'], ['198.51.100.7']],
    ['another one of IPv6', FULL, ['2001:db8:1::7'], ['2001:db8:2::7']],
    ['IPv6 after IPv4', SETTINGS, ['192.0.2.7'], ['2001:db8::7']],
    ['another hash', HASHED, ['192.0.2.7'], ['192.0.2.8']],
    ['another browser', FULL, ['192.0.2.7', 'curl/8.5.0'], ['192.0.2.7', 'okhttp/4.12.0']],
    ['no user agent any more', SETTINGS, ['192.0.2.7', 'curl/8.5.0'], ['192.0.2.7']],
  ])('is one with %s (S106)', (_, settings, signIn, refresh) => {
    expect(differs(settings, signIn, refresh)).toBe(true);
  });

  it.each<
    [
      string,
      DeviceSettings,
      readonly [string, string?],
      readonly [string, string?],
      DeviceSettings | undefined,
    ]
  >([
    ['another address of the network', FULL, ['192.0.2.7'], ['192.0.2.8'], undefined],
    ['another one of IPv6', FULL, ['2001:db8:1::7'], ['2001:db8:1:2::7'], undefined],
    ['another version', FULL, ['192.0.2.7', 'okhttp/4.12.0'], ['192.0.2.7', 'okhttp/5.0.0'], undefined],
    ['a user agent where none was known', SETTINGS, ['192.0.2.7'], ['192.0.2.7', 'curl/8.5.0'], undefined],
    [
      'what is not kept',
      { ...SETTINGS, ip: 'off', userAgent: 'off' },
      ['192.0.2.7', 'a/1'],
      ['::1'],
      undefined,
    ],
    ['what is kept less exactly', SETTINGS, ['192.0.2.7', 'okhttp/4'], ['192.0.2.7', 'okhttp/4'], FULL],
    ['what is kept more exactly', FULL, ['192.0.2.7', 'okhttp/4'], ['192.0.2.7', 'okhttp/4'], SETTINGS],
    ['what is hashed now', HASHED, ['192.0.2.7'], ['192.0.2.7'], SETTINGS],
  ])('is not one with %s (S106)', (_, settings, signIn, refresh, signInSettings) => {
    expect(differs(settings, signIn, refresh, signInSettings)).toBe(false);
  });
});

describe('the device in the session data', () => {
  const stored = { cart: 3, [DEVICE_KEY]: { ip: '192.0.2.0/24', lastSeen: 1 } };
  const on = new Devices(SETTINGS, new TestClock());
  const off = new Devices(undefined, new TestClock());

  it('is taken apart from what the application sees, also after the option was switched off', () => {
    expect(on.split(stored)).toEqual({ data: { cart: 3 }, device: { ip: '192.0.2.0/24', lastSeen: 1 } });
    expect(off.split(stored)).toEqual({ data: { cart: 3 }, device: undefined });
  });

  it.each([['text'], [{ ip: '192.0.2.0/24' }], [{ lastSeen: 'now' }], [null]])(
    'is as good as absent when it is %j',
    (device) => {
      expect(on.split({ [DEVICE_KEY]: device }).device).toBeUndefined();
    },
  );
});

describe('an address that is kept', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['127.0.0.1', '127.0.0.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:db8::5', '2001:db8::/48'],
    ['::1', '::/48'],
    ['fe80::1:2', 'fe80::/48'],
    ['1:2:3:4:5:6:7::', '1:2:3::/48'],
  ])('is cut: %s (S106)', (ip, kept) => {
    expect(addressToKeep(ip, SETTINGS)).toBe(kept);
  });

  it('is a hash that only the key makes: the same for the same address, another one otherwise (S106)', () => {
    const hashed = (ip: string, hashKey: string) => addressToKeep(ip, { ...SETTINGS, ip: 'hashed', hashKey });
    const hash = hashed('192.0.2.77', 'a secret of the shop');
    expect(hash).toMatch(/^[\w-]{22}$/);
    expect(hashed('192.0.2.77', 'a secret of the shop')).toBe(hash);
    expect(hashed('192.0.2.78', 'a secret of the shop')).not.toBe(hash);
    expect(hashed('192.0.2.77', 'another secret of it')).not.toBe(hash);
  });

  it('is as it came, or not there', () => {
    expect(addressToKeep('192.0.2.77', { ...SETTINGS, ip: 'full' })).toBe('192.0.2.77');
    expect(addressToKeep('192.0.2.77', { ...SETTINGS, ip: 'off' })).toBeUndefined();
    expect(addressToKeep(undefined, SETTINGS)).toBeUndefined();
  });
});

describe('a user agent that is kept', () => {
  const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)';
  const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';

  it.each([
    [`${WINDOWS} ${WEBKIT} Chrome/141.0.0.0 Safari/537.36`, 'Chrome on Windows'],
    [`${WINDOWS} ${WEBKIT} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0`, 'Edge on Windows'],
    [`${WINDOWS} ${WEBKIT} Chrome/141.0.0.0 Safari/537.36 OPR/121.0.0.0`, 'Opera on Windows'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0', 'Firefox on Linux'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
      'Safari on macOS',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0 Mobile/15E148 Safari/604.1',
      'Chrome on iOS',
    ],
    [
      `Mozilla/5.0 (Linux; Android 14; SM-S911B) ${WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
      'Samsung Internet on Android',
    ],
    ['okhttp/4.12.0', 'Android app'],
    ['Shop/7 CFNetwork/1568 Darwin/24.0.0', 'iOS app'],
    ['curl/8.5.0', 'Unknown client'],
    ['', 'Unknown client'],
    ['\u0000'.repeat(200), 'Unknown client'],
  ])('is its family alone: %j (S106)', (userAgent, family) => {
    expect(userAgentToKeep(userAgent, SETTINGS)).toBe(family);
  });

  it('is as it came, or not there', () => {
    expect(userAgentToKeep('curl/8.5.0', { ...SETTINGS, userAgent: 'full' })).toBe('curl/8.5.0');
    expect(userAgentToKeep('curl/8.5.0', { ...SETTINGS, userAgent: 'off' })).toBeUndefined();
    expect(userAgentToKeep(undefined, SETTINGS)).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import type { DeviceSettings } from '../options/feature-options.js';
import { withRequest, type UserContext } from '../util/user-context.js';
import { TestClock } from '../testing/test-clock.js';
import { IncomingRequest } from '../http/incoming-request.js';
import { DEVICE_KEY, Devices } from './devices.js';

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

describe('noting the use of sessions', () => {
  const clock = new TestClock(1_760_000_000_000);
  const make = (rememberedSessions: number, writesAtOnce = 1000): Devices =>
    new Devices(SETTINGS, clock, { rememberedSessions, writesAtOnce });

  /** @returns how many writes so many sessions in use cause */
  async function usesOf(devices: Devices, sessions: number): Promise<number> {
    let writes = 0;
    for (let n = 0; n < sessions; n++) {
      devices.noteUse(`s-${n}`, from('192.0.2.7'), async () => writes++);
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

  it('does not pile up writes that hang (S106)', async () => {
    const devices = make(1000, 3);
    const release: (() => void)[] = [];
    const write = (): Promise<void> => new Promise((resolve) => release.push(resolve));
    for (let n = 0; n < 10; n++) devices.noteUse(`s-${n}`, from('192.0.2.7'), write);
    expect(release).toHaveLength(3);
    for (const resolve of release) resolve();
    await new Promise((resolve) => setImmediate(resolve));
    devices.noteUse('s-9', from('192.0.2.7'), write);
    expect(release).toHaveLength(4);
  });

  it.each([
    ['cut', []],
    ['off', ['s-1']],
  ] as const)('leaves a use of unknown address out where that is %s (S106)', (ip, noted) => {
    const devices = new Devices({ ...SETTINGS, ip }, clock);
    const written: string[] = [];
    devices.noteUse('s-1', from(undefined), async () => written.push('s-1'));
    expect(written).toEqual(noted);
  });

  it('does nothing where the option is off', () => {
    const devices = new Devices(undefined, clock);
    devices.noteUse('s-1', {}, () => {
      throw new Error('written');
    });
    expect(devices.dataOfNewSession({ cart: 3 }, {})).toEqual({ cart: 3 });
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

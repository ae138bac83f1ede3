import { createHmac } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import type { DeviceSettings, SessionDevice } from '../options/feature-options.js';
import { toEventSource } from '../events/session-event.js';
import { clientAddress, ipv6Network, isPeerAddress } from '../util/client-address.js';
import type { Clock } from '../util/clock.js';
import { isJsonObject, type JsonObject } from '../util/json.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';

/** The name of the device in the session data. */
export const DEVICE_KEY = 'nest-sessions.device';

/** The name of the device of the last refresh in that of later uses, where the option `onRefresh` asks for it. */
const BEFORE_KEY = 'before';

/** More than one, so that the notes become fewer although each call adds one. */
const FORGOTTEN_AT_ONCE = 2;

/** Limits of the work in the background. */
export interface DeviceBounds {
  /** Number of sessions whose last use is remembered, so that it is not written again too soon; others are not noted. */
  readonly rememberedSessions: number;
  /** Number of parallel writes; a use beyond it is not noted, and the next use tries again. */
  readonly writesAtOnce: number;
}

const BOUNDS: DeviceBounds = { rememberedSessions: 100_000, writesAtOnce: 32 };

/** A use of a session. */
export interface DeviceUse {
  readonly sessionHandle: string;
  /** Whether it is a refresh, which is compared with the device before it even if no note is due. */
  readonly isRefresh: boolean;
}

/** A change of the device that is kept, as it is made to the data of a session. */
export interface DeviceChange {
  readonly data: JsonObject;
  /** The kept device and the present one, if they differ in browser, system or network. */
  readonly difference?: DeviceDifference;
}

/** Two devices that used one session, as precisely as they are kept. */
export interface DeviceDifference {
  readonly before: SessionDevice;
  readonly now: SessionDevice;
}

/**
 * Keeps the device in the session data, hidden from the application. It writes at most once per interval and session, and
 * for a limited number of sessions. A use that cannot be noted is dropped.
 */
export class Devices {
  /** The time at which each session was noted. */
  private readonly notedAtMs = new Map<string, number>();
  /** The same, oldest first, from `forgotten` on; a session that was noted again since is in it twice. */
  private notes: { readonly sessionHandle: string; readonly atMs: number }[] = [];
  private forgotten = 0;
  private writesUnderWay = 0;

  constructor(
    private readonly settings: DeviceSettings | undefined,
    private readonly clock: Clock,
    /** Whether the device of the last refresh is kept beside that of later uses. */
    private readonly keepsRefreshing: boolean = false,
    private readonly bounds: DeviceBounds = BOUNDS,
  ) {}

  get isOn(): boolean {
    return this.settings !== undefined;
  }

  /** Returns the data of a new session, with the device that signs in. @throws {TypeError} the reserved key is in it */
  dataOfNewSession(given: JsonObject, userContext: UserContext): JsonObject {
    this.assertFree(given);
    return this.isOn ? { ...given, [DEVICE_KEY]: this.readDevice(userContext) } : given;
  }

  /** Returns the data that replaces the present data, with the device of the latter. @throws {TypeError} as above */
  dataToReplace(present: JsonObject, given: JsonObject): JsonObject {
    this.assertFree(given);
    const device = present[DEVICE_KEY];
    return device === undefined ? given : { ...given, [DEVICE_KEY]: device };
  }

  /** Returns the device of the last refresh, or of the sign-in, from the data of a session; undefined if none is kept. */
  lastRefreshing(stored: JsonObject): SessionDevice | undefined {
    const { device } = this.split(stored);
    return device && (readDevice(jsonObject(jsonObject(stored[DEVICE_KEY])[BEFORE_KEY])) ?? device);
  }

  /** Returns the device that sends a request, as it would be kept. */
  present(userContext: UserContext): SessionDevice | undefined {
    return readDevice(this.readDevice(userContext));
  }

  /** @throws {TypeError} the reserved key is in it */
  assertFree(given: JsonObject): void {
    if (this.isOn && Object.hasOwn(given, DEVICE_KEY)) {
      throw new TypeError(
        `The session data cannot carry "${DEVICE_KEY}": that name belongs to the option devices`,
      );
    }
  }

  /** Splits the stored data into the application's data and the device. */
  split(stored: JsonObject): { data: JsonObject; device: SessionDevice | undefined } {
    if (!Object.hasOwn(stored, DEVICE_KEY)) return { data: stored, device: undefined };
    const { [DEVICE_KEY]: device, ...data } = stored;
    return { data, device: this.isOn && isJsonObject(device) ? readDevice(device) : undefined };
  }

  /** Call it after the creation of a session, whose data already holds the device. */
  remember(sessionHandle: string): void {
    if (this.isOn) this.noteIfDue(sessionHandle);
  }

  /**
   * Notes a use in the background, if the interval is over or it is a refresh from another device. A failure is not reported: the next use after the interval tries
   * again. A use from an unknown address is not noted, because it would replace the known address; nor is the handshake of a
   * WebSocket, where the peer may be the client or a proxy.
   */
  noteUse(
    { sessionHandle, isRefresh }: DeviceUse,
    userContext: UserContext,
    write: (change: (stored: JsonObject) => DeviceChange | undefined) => Promise<unknown>,
  ): void {
    if (!this.isOn || this.writesUnderWay >= this.bounds.writesAtOnce) return;
    if (!this.knowsAddress(userContext)) return;
    const isDue = this.noteIfDue(sessionHandle);
    if (!isDue && !isRefresh) return;
    const present = this.readDevice(userContext);
    this.writesUnderWay++;
    void write((stored) => this.changeOf(stored, present, { isRefresh, isDue }))
      .catch(() => undefined)
      .finally(() => this.writesUnderWay--);
  }

  /** @returns undefined if the data can stay as it is */
  private changeOf(
    stored: JsonObject,
    present: JsonObject,
    { isRefresh, isDue }: { isRefresh: boolean; isDue: boolean },
  ): DeviceChange | undefined {
    const kept = jsonObject(stored[DEVICE_KEY]);
    const before = readDevice(kept);
    const now = readDevice(present);
    const isOther = before !== undefined && now !== undefined && this.differ(before, now);
    const lastRefreshing = kept[BEFORE_KEY];
    if (!isDue && !isOther && lastRefreshing === undefined) return undefined;
    // A thief could otherwise make its device the known one by a request, before it refreshes.
    const stays =
      isRefresh || !this.keepsRefreshing ? undefined : (lastRefreshing ?? (isOther ? kept : undefined));
    const device = stays === undefined ? present : { ...present, [BEFORE_KEY]: stays };
    const data = { ...stored, [DEVICE_KEY]: device };
    return isOther ? { data, difference: { before, now } } : { data };
  }

  /** Compares browsers, systems and networks, however exactly they are kept; hashes of addresses can only be equal or not. */
  private differ(before: SessionDevice, now: SessionDevice): boolean {
    const { ip, userAgent } = this.settings ?? {};
    return (
      (userAgent !== 'off' && isOtherText(before.userAgent, now.userAgent, userAgentToCompare)) ||
      (ip !== 'off' && !isHashedAnew(before, now) && isOtherText(before.ip, now.ip, addressToCompare))
    );
  }

  private knowsAddress(userContext: UserContext): boolean {
    if (this.settings?.ip === 'off') return true;
    const request = getRequestFromUserContext(userContext);
    return request !== undefined && clientAddress(request) !== undefined && !isPeerAddress(request);
  }

  private readDevice(userContext: UserContext): JsonObject {
    const lastSeen = this.clock.now();
    if (this.settings === undefined) return { lastSeen };
    const source = toEventSource(userContext);
    const ip = addressToKeep(source.ip, this.settings);
    const userAgent = userAgentToKeep(source.userAgent, this.settings);
    return {
      ...(ip === undefined ? {} : { ip }),
      ...(userAgent === undefined ? {} : { userAgent }),
      lastSeen,
    };
  }

  /** @returns whether the session was due; if so, it counts as noted now */
  private noteIfDue(sessionHandle: string): boolean {
    const now = this.clock.now();
    const notBeforeMs = now - (this.settings?.lastSeenIntervalSec ?? 0) * 1000;
    const last = this.notedAtMs.get(sessionHandle);
    if (last !== undefined && last > notBeforeMs) return false;
    this.notedAtMs.delete(sessionHandle);
    for (let n = 0; n < FORGOTTEN_AT_ONCE; n++) this.forgetOldest(notBeforeMs);
    if (this.notedAtMs.size >= this.bounds.rememberedSessions) return false;
    this.notedAtMs.set(sessionHandle, now);
    this.notes.push({ sessionHandle, atMs: now });
    return true;
  }

  /** Looks at one note, so that no call waits for many. */
  private forgetOldest(untilMs: number): void {
    const oldest = this.notes[this.forgotten];
    if (oldest === undefined || oldest.atMs > untilMs) return;
    if (this.notedAtMs.get(oldest.sessionHandle) === oldest.atMs) this.notedAtMs.delete(oldest.sessionHandle);
    this.forgotten += 1;
    if (this.forgotten * 2 < this.notes.length) return;
    this.notes = this.notes.slice(this.forgotten);
    this.forgotten = 0;
  }
}

/** Reads the stored device, which an older version or another program may have written. */
function readDevice({ ip, userAgent, lastSeen }: JsonObject): SessionDevice | undefined {
  if (typeof lastSeen !== 'number') return undefined;
  return {
    ...(typeof ip === 'string' ? { ip } : {}),
    ...(typeof userAgent === 'string' ? { userAgent } : {}),
    lastSeen,
  };
}

function jsonObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/**
 * Returns whether one text replaces another that was known. A client that leaves it out is another one; one whose text was not
 * known before is not.
 */
function isOtherText(
  before: string | undefined,
  now: string | undefined,
  toCompare: (text: string) => string,
): boolean {
  if (before === undefined) return false;
  return now === undefined || toCompare(before) !== toCompare(now);
}

/** A whole user agent, as with `userAgent: 'full'`, changes with each version of a browser. */
function userAgentToCompare(userAgent: string): string {
  return userAgent.includes('/') ? userAgentFamily(userAgent) : userAgent;
}

/** Returns whether one address is kept as a hash and the other is not, as after a change of the option. */
function isHashedAnew(before: SessionDevice, now: SessionDevice): boolean {
  if (before.ip === undefined || now.ip === undefined) return false;
  return /[.:]/.test(before.ip) !== /[.:]/.test(now.ip);
}

function addressToCompare(ip: string): string {
  return isIP(ip) === 0 ? ip : networkPrefix(ip);
}

const HASH_LENGTH = 22; // 132 bits

/** Returns the part of an address that is kept; undefined if none is. */
export function addressToKeep(
  ip: string | undefined,
  { ip: precision, hashKey }: DeviceSettings,
): string | undefined {
  if (ip === undefined || precision === 'off') return undefined;
  if (precision === 'full') return ip;
  if (precision === 'cut') return networkPrefix(ip);
  return hashKey === undefined ? undefined : keyedHash(ip, hashKey);
}

/** Returns the part of a user agent that is kept; undefined if none is. */
export function userAgentToKeep(
  userAgent: string | undefined,
  { userAgent: precision }: DeviceSettings,
): string | undefined {
  if (userAgent === undefined || precision === 'off') return undefined;
  return precision === 'full' ? userAgent : userAgentFamily(userAgent);
}

/** `192.0.2.0/24`, `2001:db8:1::/48`: names a town rather than a household. */
function networkPrefix(ip: string): string {
  if (isIPv4(ip)) return `${ip.split('.').slice(0, 3).join('.')}.0/24`;
  return ipv6Network(ip, 48);
}

/** The key prevents that the address is found by trying all addresses. */
function keyedHash(ip: string, hashKey: string): string {
  const key = `nest-sessions device ${hashKey}`;
  return createHmac('sha256', key).update(ip).digest('base64url').slice(0, HASH_LENGTH);
}

/** The order matters, because most browsers also name those that they descend from. */
const BROWSERS: readonly [name: string, pattern: RegExp][] = [
  ['Edge', /\bEdg(e|A|iOS)?\//],
  ['Opera', /\b(OPR|Opera)\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|CriOS|HeadlessChrome)\//],
  ['Safari', /\bVersion\/.*\bSafari\//],
  ['Android app', /\bokhttp\//],
  ['iOS app', /\bCFNetwork\//],
];

const SYSTEMS: readonly [name: string, pattern: RegExp][] = [
  ['Windows', /\bWindows\b/],
  ['iPadOS', /\biPad\b/],
  ['iOS', /\b(iPhone|iPod)\b/],
  ['Android', /\bAndroid\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMac(intosh| OS X)\b/],
  ['Linux', /\bLinux\b/],
];

/** `Firefox on Windows`: enough to recognise a device of one's own, too little to recognise a person by. */
function userAgentFamily(userAgent: string): string {
  const browser = firstMatch(BROWSERS, userAgent) ?? 'Unknown client';
  const system = firstMatch(SYSTEMS, userAgent);
  return system === undefined ? browser : `${browser} on ${system}`;
}

function firstMatch(kinds: readonly [string, RegExp][], userAgent: string): string | undefined {
  return kinds.find(([, pattern]) => pattern.test(userAgent))?.[0];
}

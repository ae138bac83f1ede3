import type { DeviceSettings } from '../options/feature-options.js';
import { toEventSource } from '../events/session-events.js';
import { clientAddress, isPeerAddress } from '../util/client-address.js';
import type { Clock } from '../util/clock.js';
import { isJsonObject, type JsonObject } from '../util/json.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import { addressToKeep, userAgentToKeep } from './device-details.js';

/** Where the session data keeps the device. */
export const DEVICE_KEY = 'nest-sessions.device';

/** How much is done at most. */
export interface DeviceBounds {
  /** Sessions whose last use is remembered, so that it is not written again too soon; others are not noted. */
  readonly rememberedSessions: number;
  /** Writes that may be under way at once; what comes on top is left for the next use. */
  readonly writesAtOnce: number;
}

const BOUNDS: DeviceBounds = { rememberedSessions: 100_000, writesAtOnce: 32 };

/**
 * From where a session is used, as exactly as the option `devices` wants it.
 *
 * @publicApi
 */
export interface SessionDevice {
  /** Address, network or keyed hash; absent where it is not known or not kept. */
  readonly ip?: string;
  /** Browser and system, or the header as it came; absent where it is not known or not kept. */
  readonly userAgent?: string;
  /** When the session was last used, milliseconds since the epoch; up to `lastSeenIntervalSec` too early. */
  readonly lastSeen: number;
}

/**
 * Keeps the device in the session data, out of the application's sight. How often that is written is bounded: once in
 * an interval for each session, and for so many sessions at most. A use that cannot be noted is forgotten.
 */
export class Devices {
  /** When each session was noted, oldest first. */
  private readonly notedAtMs = new Map<string, number>();
  private writesUnderWay = 0;

  constructor(
    private readonly settings: DeviceSettings | undefined,
    private readonly clock: Clock,
    private readonly bounds: DeviceBounds = BOUNDS,
  ) {}

  get isOn(): boolean {
    return this.settings !== undefined;
  }

  /** The data of a new session, with the device that signs in. @throws {TypeError} the reserved key is in it */
  dataOfNewSession(given: JsonObject, userContext: UserContext): JsonObject {
    this.assertFree(given);
    return this.isOn ? { ...given, [DEVICE_KEY]: this.readDevice(userContext) } : given;
  }

  /** Data that replaces the present one, with the device that this one knows. @throws {TypeError} as above */
  dataToReplace(present: JsonObject, given: JsonObject): JsonObject {
    this.assertFree(given);
    const device = present[DEVICE_KEY];
    return device === undefined ? given : { ...given, [DEVICE_KEY]: device };
  }

  /** @throws {TypeError} the reserved key is in it */
  assertFree(given: JsonObject): void {
    if (this.isOn && Object.hasOwn(given, DEVICE_KEY)) {
      throw new TypeError(
        `The session data cannot carry "${DEVICE_KEY}": that name belongs to the option devices`,
      );
    }
  }

  /** What is stored, taken apart into what the application sees as data and the device. */
  split(stored: JsonObject): { data: JsonObject; device: SessionDevice | undefined } {
    if (!Object.hasOwn(stored, DEVICE_KEY)) return { data: stored, device: undefined };
    const { [DEVICE_KEY]: device, ...data } = stored;
    return { data, device: this.isOn && isJsonObject(device) ? readDevice(device) : undefined };
  }

  /** To be called when a session has been made: its device stands in its data. */
  remember(sessionHandle: string): void {
    if (this.isOn) this.noteIfDue(sessionHandle);
  }

  /**
   * Notes a use in the background, if it is time to. Nobody waits for it, and nobody is told when it fails: the next use
   * after the interval tries again. A use of unknown address is not noted, for it would replace the one that is known; nor is
   * the handshake of a WebSocket, where nobody knows whether the other end is the client or a proxy.
   */
  noteUse(
    sessionHandle: string,
    userContext: UserContext,
    write: (update: JsonObject) => Promise<unknown>,
  ): void {
    if (!this.isOn || this.writesUnderWay >= this.bounds.writesAtOnce) return;
    if (!this.knowsAddress(userContext) || !this.noteIfDue(sessionHandle)) return;
    this.writesUnderWay++;
    void write({ [DEVICE_KEY]: this.readDevice(userContext) })
      .catch(() => undefined)
      .finally(() => this.writesUnderWay--);
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
    if (this.notedAtMs.size >= this.bounds.rememberedSessions) this.forgetUntil(notBeforeMs);
    if (this.notedAtMs.size >= this.bounds.rememberedSessions) return false;
    this.notedAtMs.set(sessionHandle, now);
    return true;
  }

  private forgetUntil(timeMs: number): void {
    for (const [sessionHandle, notedAtMs] of this.notedAtMs) {
      if (notedAtMs > timeMs) return;
      this.notedAtMs.delete(sessionHandle);
    }
  }
}

/** What an older version or another hand wrote is taken as far as it makes sense. */
function readDevice({ ip, userAgent, lastSeen }: JsonObject): SessionDevice | undefined {
  if (typeof lastSeen !== 'number') return undefined;
  return {
    ...(typeof ip === 'string' ? { ip } : {}),
    ...(typeof userAgent === 'string' ? { userAgent } : {}),
    lastSeen,
  };
}

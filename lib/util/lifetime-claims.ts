import { ownMember, type JsonObject } from './json.js';

/**
 * Payload names of the limits of one session. They are part of the access token and of the stored session, so that each core
 * copies them at each refresh.
 */
export const LIFETIME_CLAIMS = {
  /** The time at which the user last proved their identity, seconds since the epoch (`auth_time` of OpenID Connect Core 1.0, section 2). */
  authTime: 'auth_time',
  /** The absolute end of the session, seconds since the epoch. */
  expiry: 'session_expiry',
  /** Seconds without a refresh after which the session ends, if that is earlier than the core's own limit. */
  idle: 'session_idle',
} as const;

/** All of {@link LIFETIME_CLAIMS}. */
export const LIFETIME_CLAIM_NAMES: readonly string[] = Object.freeze(Object.values(LIFETIME_CLAIMS));

/**
 * The value of {@link LIFETIME_CLAIMS.authTime} in a session whose user has to prove again who they are. Other programs that compute
 * the age of the proof find it too old, as they would not if the name were absent.
 */
export const NEVER_AUTHENTICATED = 0;

/** Returns whether the user of a session has to prove again who they are. */
export function mustAuthenticate(payload: JsonObject): boolean {
  return ownMember(payload, LIFETIME_CLAIMS.authTime) === NEVER_AUTHENTICATED;
}

/** Returns the time at which the user last proved their identity, milliseconds since the epoch; undefined if not recorded. */
export function authenticatedAtMs(payload: JsonObject): number | undefined {
  return readMilliseconds(payload, LIFETIME_CLAIMS.authTime);
}

/** Returns the absolute end of the session, milliseconds since the epoch; undefined if there is none. */
export function endOfSessionMs(payload: JsonObject): number | undefined {
  return readMilliseconds(payload, LIFETIME_CLAIMS.expiry);
}

/** Returns the longest time without a refresh, milliseconds; undefined if the core's own limit applies. */
export function idleLimitMs(payload: JsonObject): number | undefined {
  return readMilliseconds(payload, LIFETIME_CLAIMS.idle);
}

/** Returns the end of a session that is used now and not again. Limits can only shorten the core's validity. */
export function sessionExpiryMs(payload: JsonObject, nowMs: number, validityMs: number): number {
  const idleEndMs = nowMs + Math.min(validityMs, idleLimitMs(payload) ?? validityMs);
  return Math.min(idleEndMs, endOfSessionMs(payload) ?? idleEndMs);
}

/**
 * Returns the expiry of an access token that is issued now. It is never later than the end of the session, and at most half
 * of the idle limit away, because an active client must refresh in time.
 */
export function accessTokenExpiryMs(payload: JsonObject, nowMs: number, validityMs: number): number {
  const idleMs = idleLimitMs(payload);
  return sessionExpiryMs(
    payload,
    nowMs,
    idleMs === undefined ? validityMs : Math.min(validityMs, idleMs / 2),
  );
}

function readMilliseconds(payload: JsonObject, name: string): number | undefined {
  const seconds = ownMember(payload, name);
  if (typeof seconds !== 'number' || seconds <= 0 || !Number.isSafeInteger(seconds * 1000)) return undefined;
  return seconds * 1000;
}

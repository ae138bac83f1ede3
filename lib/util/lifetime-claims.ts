import type { JsonObject } from './json.js';

/**
 * Payload names that carry the limits of one session. They travel in the access token and are stored with the session,
 * so that any core hands them on at every refresh.
 */
export const LIFETIME_CLAIMS = {
  /** When the user last proved who they are, seconds since the epoch (`auth_time` of OpenID Connect Core 1.0, section 2). */
  authTime: 'auth_time',
  /** When the session ends however much it is used, seconds since the epoch. */
  expiry: 'session_expiry',
  /** Seconds without a refresh after which the session ends, where that is sooner than the core's own validity. */
  idle: 'session_idle',
} as const;

/** All of {@link LIFETIME_CLAIMS}. */
export const LIFETIME_CLAIM_NAMES: readonly string[] = Object.freeze(Object.values(LIFETIME_CLAIMS));

/** When the user last proved who they are, milliseconds since the epoch; undefined where the payload does not say. */
export function authenticatedAtMs(payload: JsonObject): number | undefined {
  return readMilliseconds(payload, LIFETIME_CLAIMS.authTime);
}

/** The absolute end of the session, milliseconds since the epoch; undefined where there is none. */
export function endOfSessionMs(payload: JsonObject): number | undefined {
  return readMilliseconds(payload, LIFETIME_CLAIMS.expiry);
}

/** How long the session may go without a refresh, milliseconds; undefined where the core's own validity holds. */
export function idleLimitMs(payload: JsonObject): number | undefined {
  return readMilliseconds(payload, LIFETIME_CLAIMS.idle);
}

/** When a session that is used now ends unless it is used again. Limits only shorten what the core grants. */
export function sessionExpiryMs(payload: JsonObject, nowMs: number, validityMs: number): number {
  const idleEndMs = nowMs + Math.min(validityMs, idleLimitMs(payload) ?? validityMs);
  return Math.min(idleEndMs, endOfSessionMs(payload) ?? idleEndMs);
}

/**
 * When an access token that is made now expires. It outlives neither end of its session; half of the idle limit at
 * most, because a client in use shows that by refreshing, and has to do so in time.
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
  const seconds = Object.hasOwn(payload, name) ? payload[name] : undefined;
  if (typeof seconds !== 'number' || seconds <= 0 || !Number.isSafeInteger(seconds * 1000)) return undefined;
  return seconds * 1000;
}

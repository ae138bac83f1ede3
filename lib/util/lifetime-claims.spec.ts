import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from './json.js';
import { accessTokenExpiryMs, endOfSessionMs, sessionExpiryMs } from './lifetime-claims.js';

const NOW = 1_760_000_000_000;
const NOW_SEC = NOW / 1000;
const HOUR_MS = 3_600_000;

describe('the limits in a payload', () => {
  it.each<[string, JsonObject, session: number, accessToken: number]>([
    ['none', {}, 100 * HOUR_MS, HOUR_MS],
    ['an end far away', { session_expiry: NOW_SEC + 1_000_000 }, 100 * HOUR_MS, HOUR_MS],
    ['an end near', { session_expiry: NOW_SEC + 7200 }, 2 * HOUR_MS, HOUR_MS],
    ['an end at hand', { session_expiry: NOW_SEC + 60 }, 60_000, 60_000],
    ['an end that is over', { session_expiry: NOW_SEC - 1 }, -1000, -1000],
    ['a long idle limit', { session_idle: 36_000 }, 10 * HOUR_MS, HOUR_MS],
    ['a short idle limit', { session_idle: 600 }, 600_000, 300_000],
    ['an idle limit beyond what the core grants', { session_idle: 1_000_000 }, 100 * HOUR_MS, HOUR_MS],
    ['both', { session_idle: 600, session_expiry: NOW_SEC + 200 }, 200_000, 200_000],
  ])('end a session and its access token: %s', (_, payload, session, accessToken) => {
    expect(sessionExpiryMs(payload, NOW, 100 * HOUR_MS) - NOW).toBe(session);
    expect(accessTokenExpiryMs(payload, NOW, HOUR_MS) - NOW).toBe(accessToken);
  });

  it.each([['soon'], [null], [0], [-1], [Number.MAX_SAFE_INTEGER], [[1]], [{}], [true]])(
    'are none when they are no number of seconds: %j',
    (session_expiry) => {
      expect(endOfSessionMs({ session_expiry })).toBeUndefined();
    },
  );

  it('are not inherited from anywhere', () => {
    expect(endOfSessionMs(Object.create({ session_expiry: 1 }) as JsonObject)).toBeUndefined();
  });
});

import type { SessionConfig } from '../../lib/options/session-config.js';
import { Clock } from '../../lib/util/clock.js';

/** The moment at which {@link StoppedClock} stands. */
export const WIRE_TEST_TIME_MS = Date.parse('2026-01-01T00:00:00Z');

/** A clock that stands still. */
export class StoppedClock extends Clock {
  override now(): number {
    return WIRE_TEST_TIME_MS;
  }
}

/** A resolved configuration of an https API with cookie defaults, for tests of what goes over the wire. */
export function wireConfig(changes: Partial<SessionConfig> = {}): SessionConfig {
  return {
    appInfo: {
      appName: 'Shop',
      apiDomain: 'https://api.shop.io',
      apiBasePath: '/auth',
      apiGatewayPath: '',
      websiteBasePath: '/auth',
      apiSite: 'shop.io',
      websiteOrigin: () => 'https://shop.io',
      websiteSite: () => 'shop.io',
    },
    cookieDomain: undefined,
    olderCookieDomain: undefined,
    cookieSecure: true,
    cookiePartitioned: false,
    allowedOrigins: undefined,
    accessTokenIssuers: undefined,
    accessTokenAudience: undefined,
    accessTokenPath: '/',
    refreshTokenPath: '/auth/session/refresh',
    useDynamicAccessTokenSigningKey: true,
    jwksRefreshIntervalSec: 14_400,
    sessionExpiredStatusCode: 401,
    invalidClaimStatusCode: 403,
    exposeAccessTokenToFrontendInCookieBasedAuth: false,
    antiCsrf: 'default',
    antiCsrfMode: () => 'NONE',
    cookieSameSite: () => 'lax',
    getTokenTransferMethod: () => 'any',
    getCookieNameForTokenType: (_req, tokenType) =>
      tokenType === 'access' ? 'sAccessToken' : 'sRefreshToken',
    getResponseHeaderNameForTokenType: (_req, tokenType) =>
      tokenType === 'access' ? 'st-access-token' : 'st-refresh-token',
    ...changes,
  };
}

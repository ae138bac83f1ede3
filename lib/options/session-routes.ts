/**
 * The module's routes: HTTP method, path below the base path, and the function of `ApiInterface` that serves it. Cookie
 * paths, the discovery document, the router and the overrides all read this table. A route without an API function
 * belongs to an option: `deviceBound.dbsc`, `revocationFeed.apiKeys`, `backChannelLogout`, or `userSessionRoutes`.
 */
export const SESSION_ROUTES = {
  refresh: { method: 'post', path: '/session/refresh', apiFunction: 'refreshPOST' },
  registerDevice: {
    method: 'post',
    path: '/session/device/register',
    apiFunction: undefined,
    part: 'deviceRoutes',
  },
  renewDevice: {
    method: 'post',
    path: '/session/device/refresh',
    apiFunction: undefined,
    part: 'deviceRoutes',
  },
  signOut: { method: 'post', path: '/signout', apiFunction: 'signOutPOST' },
  jwks: { method: 'get', path: '/jwt/jwks.json', apiFunction: 'getJWKSGET' },
  openIdDiscovery: {
    method: 'get',
    path: '/.well-known/openid-configuration',
    apiFunction: 'getOpenIdDiscoveryConfigurationGET',
  },
  revocations: {
    method: 'post',
    path: '/session/revocations',
    apiFunction: undefined,
    part: 'servedRevocations',
  },
  backChannelLogout: {
    method: 'post',
    path: '/session/backchannel-logout',
    apiFunction: undefined,
    part: 'backChannelLogout',
  },
  listSessions: { method: 'get', path: '/sessions', apiFunction: undefined, part: 'userSessions' },
  revokeSession: { method: 'post', path: '/sessions/revoke', apiFunction: undefined, part: 'userSessions' },
  revokeOtherSessions: {
    method: 'post',
    path: '/sessions/revoke-others',
    apiFunction: undefined,
    part: 'userSessions',
  },
} as const;

export type SessionRouteName = keyof typeof SESSION_ROUTES;

/** The functions of `ApiInterface` that serve routes. */
export type RouteFunction = NonNullable<(typeof SESSION_ROUTES)[SessionRouteName]['apiFunction']>;

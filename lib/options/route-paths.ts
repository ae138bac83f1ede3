/** Where the module's routes lie below the base path; cookies, the issuer's documents and the router agree on it. */
export const ROUTE_PATHS = {
  refresh: '/session/refresh',
  signOut: '/signout',
  jwks: '/jwt/jwks.json',
  openIdDiscovery: '/.well-known/openid-configuration',
  listSessions: '/sessions',
  revokeSession: '/sessions/revoke',
  revokeOtherSessions: '/sessions/revoke-others',
} as const;

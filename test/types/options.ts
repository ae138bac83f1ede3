// Compile-only: every option exists and takes only the documented types. `Required` makes a new option fail here until
// it has its two lines.
import { z } from 'zod';
import {
  BooleanClaim,
  embeddedCore,
  memoryStore,
  SessionRecipe,
  type AppInfoOptions,
  type EmbeddedCoreOptions,
  type SessionErrorHandlers,
  type SessionModuleOptions,
  type UserRoleSource,
  allowInsecureConnection,
  type RemoteCoreOptions,
} from 'nest-sessions';
import type { SessionCoreModuleOptions } from 'nest-sessions/core';

const claim = new BooleanClaim({ key: 'claim', fetchValue: () => true, defaultMaxAgeInSeconds: 60 });

const appInfo: Required<AppInfoOptions> = {
  appName: 'Shop',
  apiDomain: 'http://localhost',
  websiteDomain: 'http://localhost',
  origin: ({ request }) => request?.getHeaderValue('origin') ?? 'http://localhost',
  apiBasePath: '/auth',
  websiteBasePath: '/auth',
  apiGatewayPath: '/gateway',
};

const userRoles: Required<UserRoleSource> = {
  getRolesForUser: ({ userId, tenantId, userContext }) => [userId, tenantId, typeof userContext['x']],
  getPermissionsForRole: async ({ role }) => [role],
};

const errorHandlers: Required<SessionErrorHandlers> = {
  onUnauthorised: (message, request, response, userContext) =>
    response.sendJSONResponse([message, request.getMethod(), userContext]),
  onTryRefreshToken: async (_message, _request, response) => response.setStatusCode(401),
  onClearDuplicateSessionCookies: (message) => void message.toUpperCase(),
  onDuplicateSessionCookies: (message) => void message.toUpperCase(),
  onTokenTheftDetected: (sessionHandle, userId, recipeUserId) =>
    void [sessionHandle, userId, recipeUserId].map((text) => text.toUpperCase()),
  onInvalidClaim: (failed) => void failed.map(({ id }) => id.toUpperCase()),
};

export const right: Required<SessionModuleOptions> = {
  appInfo,
  core: embeddedCore(),
  revocationFeed: { pollMs: 500, whenStale: 'refuse', maxSessions: 10_000, accessTokenValiditySec: 600 },
  audit: { keepForSec: 86_400, keepEndedForSec: 604_800 },
  backChannelLogout: {
    providers: [
      {
        issuer: 'https://id.example.com',
        clientId: ['shop', 'shop-admin'],
        jwksUri: 'https://id.example.com/jwks',
        algorithms: ['RS256', 'ES256'],
      },
    ],
    maxAgeSec: 120,
    clockToleranceSec: 5,
    jwksTimeoutMs: 2000,
  },
  claims: [claim],
  globalClaimValidators: [claim.validators.isTrue(60, 'id')],
  onRefresh: async ({ session, device, deviceBound, skipped, userContext }) => {
    const isOther = device.before?.userAgent !== device.now?.userAgent;
    if (isOther && deviceBound === undefined && skipped.length === 0) return 'step-up';
    return session.getUserId() === userContext['x'] ? 'end' : undefined;
  },
  onRefreshTimeoutMs: 500,
  recipe: SessionRecipe,
  override: { functions: (original) => ({ ...original }), apis: (original) => ({ ...original }) },
  errorHandlers,
  userRoles,
  lifetime: { absoluteSec: 86_400, idleSec: 3600 },
  maxSessionsPerUser: { max: 5, whenExceeded: 'end-oldest' },
  devices: { ip: 'hashed', userAgent: 'family', lastSeenIntervalSec: 300, hashKey: 'a secret of the shop' },
  userSessionRoutes: { freshWithinSec: 600 },
  deviceBound: {
    dbsc: { cookieLifeSec: 300, algorithms: ['ES256', 'RS256'], whenSkipped: 'accept' },
    dpop: {
      algorithms: ['EdDSA'],
      maxAgeSec: 30,
      clockToleranceSec: 0,
      nonce: 'refresh',
      replay: { add: (key, untilMs) => key.length + untilMs > 0 },
    },
    secret: ['a text of more than thirty-two characters', 'and the one before it, which is as long'],
  },
  telemetry: false,
  rateLimit: { limiter: () => ({ allowed: true }), whenUnavailable: 'refuse', timeoutMs: 500 },
  clockToleranceSec: 5,
  socketRenewalGraceSec: 60,
  unguardedRules: 'warn',
  logStartup: 'warnings',
  requestProperty: 'session',
  schemas: {
    accessTokenPayload: z.object({ plan: z.string() }),
    sessionDataInDatabase: z.object({}),
    showMessages: true,
  },
  maxCachedTokens: 100,
  maxCachedTokenBytes: 1_000_000,
  cookieDomain: '.example.com',
  olderCookieDomain: '',
  olderCookieNamePrefixes: true,
  olderAccessTokenPath: '/api',
  olderApiBasePath: '/old/auth',
  cookieSecure: true,
  cookieSameSite: 'strict',
  cookiePartitioned: false,
  olderCookiePartitioned: true,
  cookieNamePrefixes: true,
  accessTokenPath: '/api',
  antiCsrf: 'NONE',
  allowedOrigins: ['https://example.com'],
  crossSiteRequests: 'refuse',
  accessTokenIssuers: ['https://api.example.com/auth'],
  accessTokenAudience: 'shop',
  getTokenTransferMethod: ({ req, forCreateNewSession }) =>
    forCreateNewSession && req.getMethod() === 'post' ? 'header' : 'any',
  getCookieNameForTokenType: (_req, tokenType) => (tokenType === 'access' ? 'a' : 'r'),
  getResponseHeaderNameForTokenType: (req, tokenType) => `${req.getMethod()}-${tokenType}`,
  exposeAccessTokenToFrontendInCookieBasedAuth: false,
  useDynamicAccessTokenSigningKey: true,
  jwksRefreshIntervalSec: 60,
  sessionExpiredStatusCode: 440,
  invalidClaimStatusCode: 403,
  showClaimValues: true,
};

export const wrong: Required<SessionModuleOptions> = {
  // @ts-expect-error 'error' or 'warn'
  unguardedRules: false,
  // @ts-expect-error one of three values
  logStartup: 'all',
  requestProperty: 'session',
  // @ts-expect-error an object
  appInfo: 'http://localhost',
  // @ts-expect-error made by embeddedCore()
  core: 'http://localhost:3567',
  // @ts-expect-error claims, not their validators
  claims: [claim.validators.isTrue()],
  // @ts-expect-error validators, not their claims
  globalClaimValidators: [claim],
  // @ts-expect-error a class that extends SessionRecipe
  recipe: Date,
  // @ts-expect-error a function of the original
  override: { functions: {} },
  // @ts-expect-error there is no such handler
  errorHandlers: { onForbidden: () => {} },
  // @ts-expect-error a list of names
  userRoles: { getRolesForUser: () => 'admin' },
  // @ts-expect-error seconds, by name
  lifetime: 86_400,
  // @ts-expect-error it must be said what becomes of one more
  maxSessionsPerUser: { max: 5 },
  // @ts-expect-error there is no such precision
  devices: { ip: 'country' },
  // @ts-expect-error seconds, by name
  userSessionRoutes: 600,
  // @ts-expect-error true or false
  telemetry: 'auto',
  // @ts-expect-error a refusal says for how long
  rateLimit: { limiter: () => ({ allowed: false }) },
  // @ts-expect-error a number of seconds
  clockToleranceSec: '5',
  // @ts-expect-error a number
  maxCachedTokens: true,
  // @ts-expect-error a number of bytes
  maxCachedTokenBytes: '16MB',
  // @ts-expect-error a text
  cookieDomain: ['.example.com'],
  // @ts-expect-error a text, '' for none
  olderCookieDomain: null,
  // @ts-expect-error true or false
  cookieSecure: 'auto',
  // @ts-expect-error in lower case
  cookieSameSite: 'Strict',
  // @ts-expect-error true or false
  cookiePartitioned: 1,
  // @ts-expect-error true or false
  cookieNamePrefixes: '__Host-',
  // @ts-expect-error a path
  accessTokenPath: new URL('http://localhost/api'),
  // @ts-expect-error one of the three modes
  antiCsrf: false,
  // @ts-expect-error a list
  allowedOrigins: 'https://example.com',
  // @ts-expect-error a list
  accessTokenIssuers: 'https://api.example.com/auth',
  // @ts-expect-error one text
  accessTokenAudience: ['shop'],
  // @ts-expect-error cookie, header or any
  getTokenTransferMethod: () => 'both',
  // @ts-expect-error must return a name
  getCookieNameForTokenType: () => undefined,
  // @ts-expect-error must return a name
  getResponseHeaderNameForTokenType: async () => 'x-token',
  // @ts-expect-error true or false
  exposeAccessTokenToFrontendInCookieBasedAuth: 'yes',
  // @ts-expect-error true or false
  useDynamicAccessTokenSigningKey: 'static',
  // @ts-expect-error a number of seconds
  jwksRefreshIntervalSec: '4h',
  // @ts-expect-error a number
  sessionExpiredStatusCode: '401',
  // @ts-expect-error a number
  invalidClaimStatusCode: '403',
  // @ts-expect-error a boolean
  showClaimValues: 'yes',
};

export const rightCore: Required<EmbeddedCoreOptions> = {
  store: memoryStore({ maxSessions: 10 }),
  accessTokenValiditySec: 60,
  accessTokenValidityJitter: 0.1,
  refreshTokenValiditySec: 3600,
  refreshTokenRotationGracePeriodSec: 10,
  accessTokenDynamicSigningKeyUpdateIntervalSec: 3600,
  expirySweepIntervalSec: 60,
  signingAlgorithm: 'ES256',
  signingKeyReloadIntervalSec: 30,
  keyEncryption: {
    secret: ['a text', new Uint8Array(32)],
    wrap: async (dataKey, { kind, id }) => Buffer.concat([Buffer.from(kind + id), dataKey]),
    unwrap: (wrapped) => wrapped,
    mode: 'unseal',
    coreIsGone: true,
  },
  startWithoutStore: false,
  accountLinking: { getPrimaryUserId: async (id) => id, getLinkedRecipeUserIds: async (id) => [id] },
};

export const wrongCore: Required<EmbeddedCoreOptions> = {
  // @ts-expect-error a store
  store: 'sessions.db',
  // @ts-expect-error a number of seconds
  accessTokenValiditySec: '1h',
  // @ts-expect-error a number from 0 to 1
  accessTokenValidityJitter: '5%',
  // @ts-expect-error a number of seconds
  refreshTokenValiditySec: '100d',
  // @ts-expect-error a number of seconds
  refreshTokenRotationGracePeriodSec: true,
  // @ts-expect-error a number of seconds
  accessTokenDynamicSigningKeyUpdateIntervalSec: null,
  // @ts-expect-error a number of seconds
  expirySweepIntervalSec: '12h',
  // @ts-expect-error one of two
  signingAlgorithm: 'HS256',
  // @ts-expect-error a number of seconds
  signingKeyReloadIntervalSec: '1m',
  keyEncryption: {
    // @ts-expect-error a text, a buffer or a list of these
    secret: 5,
    // @ts-expect-error a function that returns bytes
    wrap: () => 'text',
    // @ts-expect-error one of three modes
    mode: 'off',
  },
  // @ts-expect-error a boolean
  startWithoutStore: 1,
  // @ts-expect-error an object of two functions
  accountLinking: () => 'primary',
};

export const rightRemoteCore: Required<RemoteCoreOptions> = {
  connectionURI: 'https://core.example.com',
  apiKey: 'key',
  networkInterceptor: (request) => request,
  requestTimeoutMs: 1000,
  maxResponseBytes: 65_536,
  disableCoreCallCache: true,
  newestCdiVersion: '5.4',
  [allowInsecureConnection]: false,
};

export const wrongRemoteCore: Required<RemoteCoreOptions> = {
  // @ts-expect-error a text
  connectionURI: ['https://core.example.com'],
  // @ts-expect-error a text
  apiKey: 7,
  // @ts-expect-error a function
  networkInterceptor: {},
  // @ts-expect-error a number of milliseconds
  requestTimeoutMs: '1s',
  // @ts-expect-error a number of bytes
  maxResponseBytes: '64k',
  // @ts-expect-error a boolean
  disableCoreCallCache: 'yes',
  // @ts-expect-error a boolean
  [allowInsecureConnection]: 'yes',
};

export const wrongServedCore: SessionCoreModuleOptions = {
  // @ts-expect-error a core
  core: 'embedded',
  // @ts-expect-error a list
  apiKeys: 'key',
  // @ts-expect-error a path
  basePath: 7,
  // @ts-expect-error a list
  versions: '5.4',
};

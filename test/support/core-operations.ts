import type { CoreClient } from '../../lib/core/core-client.js';
import type { UserContext } from '../../lib/util/user-context.js';

/** One way to use a core. */
export interface CoreOperation {
  readonly name: keyof CoreClient;
  /** The path of the call on the wire, below base path and without the tenant. */
  readonly path: string;
  /** Whether it may reach a core twice. */
  readonly isRepeatable: boolean;
  readonly run: (core: CoreClient, userContext?: UserContext) => Promise<unknown>;
}

const HANDLE = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';
/** Secrets that must show up in no message. */
export const SECRETS = {
  apiKey: 'secret-api-key',
  access: 'secret.access.token',
  refresh: 'secret-refresh-token',
};
const ALL = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: true };

/** Every method of `CoreClient` that makes a call of the CDI. */
export const CORE_OPERATIONS: readonly CoreOperation[] = [
  {
    name: 'createSession',
    path: '/recipe/session',
    isRepeatable: false,
    run: (core, context = {}) =>
      core.createSession(
        {
          tenantId: 'public',
          recipeUserId: 'user-1',
          userDataInJWT: { role: 'admin' },
          userDataInDatabase: { cart: 3 },
          useDynamicSigningKey: true,
          enableAntiCsrf: false,
        },
        context,
      ),
  },
  {
    name: 'verifySession',
    path: '/recipe/session/verify',
    isRepeatable: true,
    run: (core, context = {}) =>
      core.verifySession(
        {
          accessToken: SECRETS.access,
          antiCsrfToken: undefined,
          doAntiCsrfCheck: false,
          enableAntiCsrf: false,
          checkDatabase: true,
        },
        context,
      ),
  },
  {
    name: 'refreshSession',
    path: '/recipe/session/refresh',
    isRepeatable: true,
    run: (core, context = {}) =>
      core.refreshSession(
        {
          refreshToken: SECRETS.refresh,
          antiCsrfToken: undefined,
          enableAntiCsrf: false,
          useDynamicSigningKey: true,
        },
        context,
      ),
  },
  {
    name: 'regenerateAccessToken',
    path: '/recipe/session/regenerate',
    isRepeatable: true,
    run: (core, context = {}) =>
      core.regenerateAccessToken({ accessToken: SECRETS.access, userDataInJWT: { role: 'user' } }, context),
  },
  {
    name: 'getSessionInformation',
    path: '/recipe/session',
    isRepeatable: true,
    run: (core, context = {}) => core.getSessionInformation(HANDLE, context),
  },
  {
    name: 'getSessionHandlesOfUser',
    path: '/recipe/session/user',
    isRepeatable: true,
    run: (core, context = {}) => core.getSessionHandlesOfUser(ALL, context),
  },
  {
    name: 'revokeSessions',
    path: '/recipe/session/remove',
    isRepeatable: true,
    run: (core, context = {}) => core.revokeSessions([HANDLE], context),
  },
  {
    name: 'revokeSessionsOfUser',
    path: '/recipe/session/remove',
    isRepeatable: true,
    run: (core, context = {}) => core.revokeSessionsOfUser(ALL, context),
  },
  {
    name: 'updateSessionData',
    path: '/recipe/session/data',
    isRepeatable: true,
    run: (core, context = {}) => core.updateSessionData(HANDLE, { cart: 4 }, context),
  },
  {
    name: 'mergeSessionData',
    path: '/recipe/session',
    isRepeatable: true,
    run: (core, context = {}) => core.mergeSessionData(HANDLE, { cart: 4 }, context),
  },
  {
    name: 'updateAccessTokenPayload',
    path: '/recipe/jwt/data',
    isRepeatable: true,
    run: (core, context = {}) => core.updateAccessTokenPayload(HANDLE, { role: 'user' }, context),
  },
  {
    name: 'getPrimaryUserId',
    path: '/user/id',
    isRepeatable: true,
    run: (core, context = {}) => core.getPrimaryUserId('user-1', context),
  },
  {
    name: 'createJwt',
    path: '/recipe/jwt',
    isRepeatable: true,
    run: (core, context = {}) =>
      core.createJwt(
        {
          payload: { a: 1 },
          validity: 60,
          useStaticSigningKey: true,
          algorithm: 'RS256',
          jwksDomain: 'http://localhost:3000',
        },
        context,
      ),
  },
  {
    name: 'getJwks',
    path: '/.well-known/jwks.json',
    isRepeatable: true,
    run: (core, context = {}) => core.getJwks(context),
  },
];

/** The operation of that name. */
export function operation(name: keyof CoreClient): CoreOperation['run'] {
  const found = CORE_OPERATIONS.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`There is no operation ${name}`);
  return found.run;
}

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  embeddedCore,
  getRequestFromUserContext,
  PrimitiveClaim,
  type RecipeInterface,
  type SessionClaimValidator,
  type SessionContainer,
  type SessionModuleOptions,
  type SessionService,
  type UserContext,
} from 'nest-sessions';
import type { CoreClient, CoreProvider } from 'nest-sessions/core';
import { seededMemoryStore } from '../support/embedded.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';

/** The functions that were called, each with its context. */
let calls: { readonly name: string; readonly userContext: unknown }[] = [];
const note = (name: string, userContext: unknown): void => void calls.push({ name, userContext });

let values = 0;
const claim = new PrimitiveClaim<string>({
  key: 'claim',
  fetchValue: (_userId, _recipeUserId, _tenantId, _payload, userContext) => {
    note('claim', userContext);
    return `value ${++values}`;
  },
});

const validator: SessionClaimValidator = {
  id: 'validator',
  claim,
  shouldRefetch: (_payload, userContext) => {
    note('shouldRefetch', userContext);
    return true;
  },
  validate: (_payload, userContext) => {
    note('validate', userContext);
    return { isValid: true };
  },
};

/** The recipe with each function noting its context first. */
function noting(original: RecipeInterface): RecipeInterface {
  type Function = (input: { userContext: UserContext }) => unknown;
  const functions = Object.entries(original) as [string, Function][];
  return Object.fromEntries(
    functions.map(([name, run]) => [
      name,
      (input: { userContext: UserContext }) => {
        note(name, input.userContext);
        return run(input);
      },
    ]),
  ) as unknown as RecipeInterface;
}

/** A core that notes the context of each call, too: it is the last argument, or comes before the reason of a revocation. */
async function notingCore(): Promise<CoreProvider> {
  const provider = embeddedCore({ store: await seededMemoryStore() });
  const create: CoreProvider['create'] = (context) =>
    new Proxy<CoreClient>(provider.create(context), {
      get(core, name): unknown {
        const member: unknown = Reflect.get(core, name, core);
        if (typeof member !== 'function') return member;
        return (...input: unknown[]): unknown => {
          const place = String(name).startsWith('revokeSessions') ? 1 : -1;
          if (input.length > 0) note(`core.${String(name)}`, input.at(place));
          return Reflect.apply(member, core, input);
        };
      },
    });
  return { ...provider, create };
}

let application: StandaloneApplication;
let sessions: SessionService;
let session: SessionContainer;
let handle: string;

beforeAll(async () => {
  const options: Partial<SessionModuleOptions> = {
    core: await notingCore(),
    claims: [claim],
    globalClaimValidators: [validator],
    userRoles: { getRolesForUser: () => [] },
    override: { functions: noting },
  };
  application = await TestApplication.withoutServer().with(options).start();
  ({ sessions } = application);
});

beforeEach(async () => {
  session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
  handle = session.getHandle();
  calls = [];
});

afterAll(() => application.close());

type Call = (userContext: UserContext) => Promise<unknown>;

describe('the user context', () => {
  it.each<[string, Call, string[]]>([
    [
      'createNewSessionWithoutRequestResponse',
      (userContext) => sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', userContext }),
      [
        'core.getPrimaryUserId',
        'getOpenIdDiscoveryConfiguration',
        'claim',
        'createNewSession',
        'core.createSession',
      ],
    ],
    [
      'getSessionWithoutRequestResponse',
      (userContext) =>
        sessions.getSessionWithoutRequestResponse({
          accessToken: session.getAccessToken(),
          checkDatabase: true,
          userContext,
        }),
      [
        'getSession',
        'core.verifySession',
        'getGlobalClaimValidators',
        'validateClaims',
        'shouldRefetch',
        'claim',
        'validate',
        'getSessionInformation',
        'core.getSessionInformation',
        'regenerateAccessToken',
        'core.regenerateAccessToken',
      ],
    ],
    [
      'refreshSessionWithoutRequestResponse',
      (userContext) => {
        const { refreshToken = '' } = session.getAllSessionTokensDangerously();
        return sessions.refreshSessionWithoutRequestResponse({ refreshToken, userContext });
      },
      ['refreshSession', 'core.refreshSession'],
    ],
    [
      'revokeSession',
      (userContext) => sessions.revokeSession(handle, userContext),
      ['revokeSession', 'core.revokeSessions'],
    ],
    [
      'revokeMultipleSessions',
      (userContext) => sessions.revokeMultipleSessions([handle], userContext),
      ['revokeMultipleSessions', 'core.revokeSessions'],
    ],
    [
      'revokeAllSessionsForUser',
      (userContext) => sessions.revokeAllSessionsForUser({ userId: 'user-1', userContext }),
      ['revokeAllSessionsForUser', 'core.revokeSessionsOfUser'],
    ],
    [
      'getAllSessionHandlesForUser',
      (userContext) => sessions.getAllSessionHandlesForUser({ userId: 'user-1', userContext }),
      ['getAllSessionHandlesForUser', 'core.getSessionHandlesOfUser'],
    ],
    [
      'getSessionInformation',
      (userContext) => sessions.getSessionInformation(handle, userContext),
      ['getSessionInformation', 'core.getSessionInformation'],
    ],
    [
      'updateSessionDataInDatabase',
      (userContext) => sessions.updateSessionDataInDatabase(handle, {}, userContext),
      ['updateSessionDataInDatabase', 'core.updateSessionData'],
    ],
    [
      'mergeSessionDataInDatabase',
      (userContext) => sessions.mergeSessionDataInDatabase(handle, {}, userContext),
      ['mergeSessionDataInDatabase', 'core.mergeSessionData'],
    ],
    [
      'mergeIntoAccessTokenPayload',
      (userContext) => sessions.mergeIntoAccessTokenPayload(handle, {}, userContext),
      ['mergeIntoAccessTokenPayload', 'core.changeAccessTokenPayload'],
    ],
    [
      'fetchAndSetClaim',
      (userContext) => sessions.fetchAndSetClaim(handle, claim, userContext),
      [
        'fetchAndSetClaim',
        'getSessionInformation',
        'core.getSessionInformation',
        'claim',
        'mergeIntoAccessTokenPayload',
        'core.changeAccessTokenPayload',
      ],
    ],
    [
      'setClaimValue',
      (userContext) => sessions.setClaimValue(handle, claim, 'x', userContext),
      ['setClaimValue', 'mergeIntoAccessTokenPayload', 'core.changeAccessTokenPayload'],
    ],
    [
      'getClaimValue',
      (userContext) => sessions.getClaimValue(handle, claim, userContext),
      ['getClaimValue', 'getSessionInformation', 'core.getSessionInformation'],
    ],
    [
      'removeClaim',
      (userContext) => sessions.removeClaim(handle, claim, userContext),
      ['removeClaim', 'mergeIntoAccessTokenPayload', 'core.changeAccessTokenPayload'],
    ],
    [
      'validateClaimsForSessionHandle',
      (userContext) =>
        sessions.validateClaimsForSessionHandle(
          handle,
          (global, _information, context) => {
            note('override', context);
            return global.slice(0, 0);
          },
          userContext,
        ),
      [
        'getSessionInformation',
        'core.getSessionInformation',
        'getGlobalClaimValidators',
        'override',
        'validateClaims',
      ],
    ],
    [
      'validateClaimsInJWTPayload',
      (userContext) => sessions.validateClaimsInJWTPayload({ userId: 'user-1', jwtPayload: {}, userContext }),
      ['getGlobalClaimValidators', 'validateClaims', 'shouldRefetch', 'claim', 'validate'],
    ],
    [
      'createJWT',
      (userContext) => sessions.createJWT({ userContext }),
      ['createJWT', 'getOpenIdDiscoveryConfiguration', 'core.createJwt'],
    ],
    ['getJWKS', (userContext) => sessions.getJWKS(userContext), ['getJWKS', 'core.getJwks']],
    [
      'getOpenIdDiscoveryConfiguration',
      (userContext) => sessions.getOpenIdDiscoveryConfiguration(userContext),
      ['getOpenIdDiscoveryConfiguration'],
    ],
    [
      'revokeSession of the session',
      (userContext) => session.revokeSession(userContext),
      ['revokeSession', 'core.revokeSessions'],
    ],
    [
      'getSessionDataFromDatabase of the session',
      (userContext) => session.getSessionDataFromDatabase(userContext),
      ['getSessionInformation', 'core.getSessionInformation'],
    ],
    [
      'mergeIntoAccessTokenPayload of the session',
      (userContext) => session.mergeIntoAccessTokenPayload({}, userContext),
      [
        'getSessionInformation',
        'core.getSessionInformation',
        'regenerateAccessToken',
        'core.regenerateAccessToken',
      ],
    ],
    [
      'assertClaims of the session',
      (userContext) => session.assertClaims([validator], userContext),
      [
        'validateClaims',
        'shouldRefetch',
        'claim',
        'validate',
        'getSessionInformation',
        'core.getSessionInformation',
        'regenerateAccessToken',
        'core.regenerateAccessToken',
      ],
    ],
    [
      'fetchAndSetClaim of the session',
      (userContext) => session.fetchAndSetClaim(claim, userContext),
      [
        'claim',
        'getSessionInformation',
        'core.getSessionInformation',
        'regenerateAccessToken',
        'core.regenerateAccessToken',
      ],
    ],
  ])('given to %s arrives as the same object everywhere below', async (_name, call, expected) => {
    const userContext: UserContext = { mine: true };
    await call(userContext);
    expect(calls.map(({ name }) => name)).toEqual(expected);
    expect(calls.filter((entry) => entry.userContext !== userContext)).toEqual([]);
    expect(userContext['mine']).toBe(true);
  });

  it('is a fresh one for each call without', async () => {
    await sessions.getSessionInformation(handle);
    await sessions.getSessionInformation(handle);
    const [first, , second] = calls.map(({ userContext }) => userContext);
    expect(first).toBeInstanceOf(Object);
    expect(second).toBeInstanceOf(Object);
    expect(first).not.toBe(second);
    expect(getRequestFromUserContext(first as UserContext)).toBeUndefined();
  });

  it('holds the request wherever there is one', async () => {
    const paths: [string, string | undefined][] = [];
    const functions = (original: RecipeInterface): RecipeInterface => {
      const look = (name: string, userContext: UserContext): void =>
        void paths.push([name, getRequestFromUserContext(userContext)?.getOriginalURL()]);
      return {
        ...original,
        createNewSession: (input) => {
          look('createNewSession', input.userContext);
          return original.createNewSession(input);
        },
        getSession: (input) => {
          look('getSession', input.userContext);
          return original.getSession(input);
        },
        refreshSession: (input) => {
          look('refreshSession', input.userContext);
          return original.refreshSession(input);
        },
        regenerateAccessToken: (input) => {
          look('regenerateAccessToken', input.userContext);
          return original.regenerateAccessToken(input);
        },
        revokeSession: (input) => {
          look('revokeSession', input.userContext);
          return original.revokeSession(input);
        },
      };
    };
    const guarded = { merge: (attached: SessionContainer) => attached.mergeIntoAccessTokenPayload({ a: 1 }) };
    await TestApplication.on('fastify')
      .with({ override: { functions } })
      .handlers({ guarded })
      .run(async ({ signedIn }) => {
        const client = await signedIn('cookie');
        await client.get('/me?page=2');
        await client.refresh();
        await client.get('/run/merge');
        await client.signOut();
      });
    expect(paths).toEqual([
      ['createNewSession', '/login'],
      ['getSession', '/me?page=2'],
      ['refreshSession', '/auth/session/refresh'],
      ['getSession', '/run/merge'],
      ['regenerateAccessToken', '/run/merge'],
      ['getSession', '/auth/signout'],
      ['revokeSession', '/auth/signout'],
    ]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import {
  embeddedCore,
  PrimitiveClaim,
  RecipeDependencies,
  SessionClaim,
  SessionConfigError,
  SessionModule,
  SessionRecipe,
  UserRoleClaim,
  type ApiInterface,
  type JsonObject,
  type RecipeInterface,
  type SessionModuleOptions,
} from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { SHOP, TestApplication, type StandaloneApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';
import { BOTH_CLEARED, NOTHING, tokenTraffic } from '../support/token-traffic.js';

const USER = { userId: 'user-1' };

type OverrideFunctions = (original: RecipeInterface) => RecipeInterface;
type OverrideApis = (original: ApiInterface) => ApiInterface;

/** An application whose recipe functions are replaced. */
const withFunctions = (
  functions: OverrideFunctions,
  test: (application: StandaloneApplication) => Promise<void>,
  options: Partial<SessionModuleOptions> = {},
): Promise<void> =>
  TestApplication.withoutServer()
    .with({ ...options, override: { functions } })
    .run(test);

describe('replacing a function of the recipe', () => {
  it('adds to the payload of every new session', async () => {
    const functions: OverrideFunctions = (original) => ({
      ...original,
      createNewSession: (input) =>
        original.createNewSession({
          ...input,
          accessTokenPayload: { ...input.accessTokenPayload, signedInBy: input.recipeUserId },
        }),
    });
    await withFunctions(functions, async ({ sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse({
        ...USER,
        accessTokenPayload: { plan: 'pro' },
      });
      expect(session.getAccessTokenPayload()).toMatchObject({ plan: 'pro', signedInBy: 'user-1' });
    });
  });

  it('changes every function that builds on it (T193)', async () => {
    const functions: OverrideFunctions = (original) => ({
      ...original,
      getSessionInformation: async (input) => {
        const information = await original.getSessionInformation(input);
        return (
          information && {
            ...information,
            timeCreated: 1,
            expiry: 2,
            sessionDataInDatabase: { from: 'the override' },
            customClaimsInAccessTokenPayload: { plan: { v: 'pro', t: 0 } },
          }
        );
      },
    });
    const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => undefined });
    await withFunctions(functions, async ({ sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse(USER);
      const handle = session.getHandle();
      expect(await session.getSessionDataFromDatabase()).toEqual({ from: 'the override' });
      expect(await session.getTimeCreated()).toBe(1);
      expect(await session.getExpiry()).toBe(2);
      expect(await sessions.getClaimValue(handle, plan)).toEqual({ status: 'OK', value: 'pro' });
      expect(
        await sessions.validateClaimsForSessionHandle(handle, () => [plan.validators.hasValue('pro')]),
      ).toEqual({ status: 'OK', invalidClaims: [] });
      const refreshToken = session.getAllSessionTokensDangerously().refreshToken ?? '';
      await sessions.mergeIntoAccessTokenPayload(handle, { more: true });
      const refreshed = await sessions.refreshSessionWithoutRequestResponse({ refreshToken });
      expect(refreshed.getAccessTokenPayload()).toMatchObject({ more: true });
      expect(refreshed.getAccessTokenPayload()).not.toHaveProperty('plan'); // nobody has set that
    });
  });

  it('is asked for with everything that the original gets (T235)', async () => {
    const inputs: object[] = [];
    const functions: OverrideFunctions = (original) => ({
      ...original,
      validateClaims: async (input) => {
        inputs.push(input);
        return { invalidClaims: [{ id: 'closed on Sundays' }] };
      },
    });
    await withFunctions(functions, async ({ sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse(USER);
      const userContext = {};
      const validators = [{ id: 'always', validate: () => ({ isValid: true as const }) }];
      const error = await sessionErrorOf(session.assertClaims(validators, userContext));
      expect(error).toMatchObject({ payload: [{ id: 'closed on Sundays' }] });
      expect(inputs).toEqual([
        {
          userId: 'user-1',
          recipeUserId: 'user-1',
          accessTokenPayload: session.getAccessTokenPayload(),
          claimValidators: validators,
          userContext,
        },
      ]);
    });
  });

  it('can be done in layers: each calls the one below, and siblings through the outermost', async () => {
    const log: string[] = [];
    const layer =
      (name: string): OverrideFunctions =>
      (original) => ({
        ...original,
        async revokeSession(input) {
          log.push(`${name}.revokeSession`);
          return original.revokeSession(input);
        },
        async revokeMultipleSessions(input) {
          log.push(`${name}.revokeMultipleSessions`);
          return original.revokeMultipleSessions(input);
        },
      });
    const functions: OverrideFunctions = (original) => {
      const inner = layer('inner')(original);
      const outer = layer('outer')(inner);
      return {
        ...outer,
        // `this` is what the application ends up with, so this one goes through all layers again.
        async revokeAllSessionsForUser(input) {
          const handles = await this.getAllSessionHandlesForUser({
            ...input,
            fetchSessionsForAllLinkedAccounts: true,
            fetchAcrossAllTenants: true,
          });
          return this.revokeMultipleSessions({ sessionHandles: handles, userContext: input.userContext });
        },
      };
    };
    await withFunctions(functions, async ({ sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse(USER);
      expect(await sessions.revokeAllSessionsForUser(USER)).toEqual([session.getHandle()]);
      expect(await sessions.revokeSession(session.getHandle())).toBe(false);
      expect(log).toEqual([
        'outer.revokeMultipleSessions',
        'inner.revokeMultipleSessions',
        'outer.revokeSession',
        'inner.revokeSession',
      ]);
    });
  });

  it('keeps the original of whatever is left out or undefined', async () => {
    const functions = (() => ({ getJWKS: undefined })) as unknown as OverrideFunctions;
    await withFunctions(functions, async ({ sessions }) => {
      expect((await sessions.createNewSessionWithoutRequestResponse(USER)).getUserId()).toBe('user-1');
      expect((await sessions.getJWKS()).keys).toHaveLength(2);
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['with a misspelt name', { revokeSesion: () => true }, /there is no function revokeSesion; there are/],
    ['without a result', undefined, /must return an object of functions/],
    ['with an instance of a class', new Map(), /must return a plain object/],
    ['with something that is no function', { getJWKS: 7, getJWKSGET: 7 }, /must be a function|no function/],
  ])('%s is an error at start-up', async (_case, returned, message) => {
    for (const part of ['functions', 'apis']) {
      const override = { [part]: () => returned } as unknown as NonNullable<SessionModuleOptions['override']>;
      const start = TestApplication.withoutServer()
        .with({ override })
        .run(async () => {});
      await expect(start).rejects.toThrow(SessionConfigError);
      await expect(start).rejects.toThrow(message);
    }
  });
});

@Injectable()
class AuditLog {
  readonly lines: string[] = [];
}

@Module({ providers: [AuditLog], exports: [AuditLog] })
class AuditModule {}

/** Nest makes it, so its constructor can ask for what the module can see. */
@Injectable()
class AuditedRecipe extends SessionRecipe {
  constructor(
    dependencies: RecipeDependencies,
    private readonly audit: AuditLog,
  ) {
    super(dependencies);
  }

  override async revokeMultipleSessions(
    input: Parameters<RecipeInterface['revokeMultipleSessions']>[0],
  ): Promise<string[]> {
    const revoked = await super.revokeMultipleSessions(input);
    this.audit.lines.push(`ended ${revoked.length}`);
    return revoked;
  }

  override async revokeSession(input: Parameters<RecipeInterface['revokeSession']>[0]): Promise<boolean> {
    const { sessionHandle, userContext } = input;
    const revoked = await this.recipe.revokeMultipleSessions({
      sessionHandles: [sessionHandle],
      userContext,
    });
    return revoked.length === 1;
  }
}

describe('replacing the recipe by a class of your own', () => {
  const moduleWith = async (options: Partial<SessionModuleOptions> = {}) =>
    SessionModule.forRootAsync({
      imports: [AuditModule],
      useFactory: async () => ({
        appInfo: SHOP,
        core: embeddedCore({ store: await seededMemoryStore() }),
        recipe: AuditedRecipe,
        ...options,
      }),
    });

  it('gives it the services of the application', async () => {
    const { sessions, get } = await TestApplication.withoutServer()
      .modules(await moduleWith())
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse(USER);
    expect(await sessions.revokeSession(session.getHandle())).toBe(true);
    await session.revokeSession();
    expect(get(AuditLog).lines).toEqual(['ended 1', 'ended 0']);
  });

  it('leaves override.functions the outer layer, which the class calls, too', async () => {
    const seen: string[] = [];
    const functions: OverrideFunctions = (original) => ({
      ...original,
      revokeMultipleSessions: async (input) => {
        seen.push(...input.sessionHandles);
        return original.revokeMultipleSessions(input);
      },
    });
    const imports = [await moduleWith({ override: { functions } })];
    const { sessions, get } = await TestApplication.withoutServer()
      .modules(...imports)
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse(USER);
    await sessions.revokeSession(session.getHandle());
    expect(seen).toEqual([session.getHandle()]);
    expect(get(AuditLog).lines).toEqual(['ended 1']);
  });
});

describe('replacing what stands behind a route', () => {
  const withApis = (
    apis: OverrideApis,
    test: (application: TestApplication) => Promise<void>,
    options: Partial<SessionModuleOptions> = {},
  ): Promise<void> =>
    TestApplication.on('express')
      .with({ ...options, override: { apis } })
      .run(test);

  it('does something more with each refresh', async () => {
    const refreshed: string[] = [];
    const apis: OverrideApis = (original) => ({
      ...original,
      refreshPOST: async (input) => {
        const session = await original.refreshPOST?.(input);
        if (session === undefined) throw new Error('The route is there');
        refreshed.push(session.getHandle());
        return session;
      },
    });
    await withApis(apis, async ({ signedIn }) => {
      const client = await signedIn('cookie');
      expect((await client.refresh()).status).toBe(200);
      expect(refreshed).toEqual([client.front.up['sessionHandle']]);
    });
  });

  it('lets the application say no to a sign-out', async () => {
    const apis: OverrideApis = (original) => ({
      ...original,
      signOutPOST: async () => ({ status: 'GENERAL_ERROR', message: 'finish your order first' }),
    });
    await withApis(apis, async ({ signedIn }) => {
      const client = await signedIn('cookie');
      const response = await client.signOut();
      expect([response.status, response.body]).toEqual([
        200,
        { status: 'GENERAL_ERROR', message: 'finish your order first' },
      ]);
      expect(tokenTraffic(response)).toEqual(NOTHING);
      expect((await client.get('/me')).status).toBe(200);
    });
  });

  it('switches the route off where the function is left out or undefined', async () => {
    const apis: OverrideApis = ({ getJWKSGET: _leftOut, ...original }) => ({
      ...original,
      signOutPOST: undefined,
    });
    await withApis(apis, async ({ signedIn, send }) => {
      const client = await signedIn('cookie');
      expect((await client.signOut()).status).toBe(404);
      expect((await send({ path: '/auth/jwt/jwks.json' })).status).toBe(404);
      expect((await send({ path: '/auth/.well-known/openid-configuration' })).status).toBe(200);
      expect((await client.refresh()).status).toBe(200);
    });
  });

  it('never switches the guard off', async () => {
    const apis = (() => ({})) as unknown as OverrideApis;
    await withApis(apis, async ({ signedIn, client }) => {
      expect((await client('cookie').get('/me')).status).toBe(401);
      expect((await (await signedIn('cookie')).get('/me')).status).toBe(200);
    });
  });
});

describe('replacing the response to an error', () => {
  it('sends what the application likes; what has to be cleared has been cleared (T241, T242)', async () => {
    const errorHandlers: SessionModuleOptions['errorHandlers'] = {
      onUnauthorised: (message, request, response) => {
        response.setStatusCode(418);
        response.sendJSONResponse({ message, path: request.getOriginalURL() });
      },
      onTokenTheftDetected: async (sessionHandle, userId, _recipeUserId, _request, response) => {
        response.sendJSONResponse({ sessionHandle, userId });
      },
    };
    const { signedIn, send } = await TestApplication.on('fastify').with({ errorHandlers }).start();
    const stranger = await send({ path: '/me?a=1' });
    expect([stranger.status, stranger.body]).toEqual([418, { message: expect.any(String), path: '/me?a=1' }]);
    const owner = await signedIn('cookie');
    const thief = owner.copy();
    await owner.refresh();
    await owner.get('/me');
    const received = await thief.refresh();
    expect(received.body).toEqual({ sessionHandle: expect.any(String), userId: 'user-1' });
    expect(tokenTraffic(received)).toEqual(BOTH_CLEARED);
  });

  it('hands what it throws itself to the application (T243)', async () => {
    const errorHandlers: SessionModuleOptions['errorHandlers'] = {
      onUnauthorised: () => {
        throw new Error('the response is broken');
      },
    };
    const { send } = await TestApplication.on('express').with({ errorHandlers }).start();
    const response = await send({ path: '/me' });
    expect(response.status).toBe(500);
    expect(response.text).not.toContain('the response is broken');
  });
});

/** A claim that keeps a bare number, without the time of fetching. */
class CounterClaim extends SessionClaim<number> {
  constructor(private readonly next: () => number) {
    super('counter');
  }

  override fetchValue(): number {
    return this.next();
  }

  override addToPayload_internal(payload: JsonObject, value: number): JsonObject {
    return { ...payload, [this.key]: value };
  }

  override removeFromPayloadByMerge_internal(payload: JsonObject): JsonObject {
    return { ...payload, [this.key]: null };
  }

  override removeFromPayload(payload: JsonObject): JsonObject {
    const { [this.key]: _removed, ...rest } = payload;
    return rest;
  }

  override getValueFromPayload(payload: JsonObject): number | undefined {
    const value = payload[this.key];
    return typeof value === 'number' ? value : undefined;
  }
}

@Injectable()
class Directory {
  rolesOf(userId: string): string[] {
    return userId === 'user-1' ? ['admin'] : [];
  }
}

@Module({ providers: [Directory], exports: [Directory] })
class DirectoryModule {}

describe('replacing where a claim comes from', () => {
  it('gives roles from a service of the application', async () => {
    const module = SessionModule.forRootAsync({
      imports: [DirectoryModule],
      inject: [Directory],
      useFactory: async (directory: Directory) => ({
        appInfo: SHOP,
        core: embeddedCore({ store: await seededMemoryStore() }),
        claims: [UserRoleClaim],
        userRoles: { getRolesForUser: ({ userId }) => directory.rolesOf(userId) },
      }),
    });
    const { sessions } = await TestApplication.withoutServer().modules(module).start();
    const session = await sessions.createNewSessionWithoutRequestResponse(USER);
    expect(await session.getClaimValue(UserRoleClaim)).toEqual(['admin']);
  });

  it('works with a claim class of your own', async () => {
    let count = 0;
    const counter = new CounterClaim(() => ++count);
    const { sessions } = await TestApplication.withoutServer()
      .with({ claims: [counter] })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse(USER);
    expect(session.getAccessTokenPayload()).toMatchObject({ counter: 1 });
    await session.fetchAndSetClaim(counter);
    expect(await session.getClaimValue(counter)).toBe(2);
    await session.removeClaim(counter);
    expect(await session.getClaimValue(counter)).toBeUndefined();
    expect(session.getAccessTokenPayload()).not.toHaveProperty('counter');
  });
});

import type { ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  RecipeDependencies,
  SessionGuard,
  SessionRecipe,
  UnauthorisedError,
  type SessionClaimValidator,
  type SessionContainer,
  type SessionModuleOptions,
} from 'nest-sessions';
import { Inject, Injectable } from '@nestjs/common';
import { findGuardedCall } from '../../lib/rules/guarded-calls.js';
import { SESSION_RUNTIME, SHARED_SESSIONS } from '../../lib/session.constants.js';
import { SignatureVerifier } from '../../lib/tokens/signature-verifier.js';
import { DemoController } from '../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

/** A request as the guard sees it, without a server. */
function contextWith(accessToken: string, headers: Record<string, string> = {}): ExecutionContext {
  const request = {
    method: 'GET',
    url: '/',
    headers: { authorization: `Bearer ${accessToken}`, ...headers },
  };
  const response = { getHeader: () => undefined, setHeader: () => {}, removeHeader: () => {}, end: () => {} };
  return new ExecutionContextHost([request, response], DemoController, DemoController.prototype.me);
}

async function accessTokenOf({ sessions }: TestApplication): Promise<string> {
  const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
  return session.getAccessToken();
}

const withOptions = (
  options: Partial<SessionModuleOptions>,
  test: (application: TestApplication) => Promise<void>,
): Promise<void> => TestApplication.on('express').with(options).run(test);

describe('a guard that has nothing to wait for', () => {
  it('returns without a promise, for a known token and for a new one whose key is at hand', async () => {
    await withOptions({}, async (application) => {
      const guard = application.app.get(SessionGuard);
      const token = await accessTokenOf(application);
      expect(await guard.canActivate(contextWith(token))).toBe(true);
      expect(guard.canActivate(contextWith(token))).toBe(true);
      expect(guard.canActivate(contextWith(await accessTokenOf(application)))).toBe(true);
    });
  });

  it('passes a caller without a token at once, where a session is optional', async () => {
    await withOptions({}, async (application) => {
      const [request, response] = contextWith('').getArgs<[object, object]>();
      const withoutToken = new ExecutionContextHost(
        [{ ...request, headers: {} }, response],
        DemoController,
        DemoController.prototype.optional,
      );
      expect(application.app.get(SessionGuard).canActivate(withoutToken)).toBe(true);
    });
  });

  it('refuses by a promise, never by throwing', async () => {
    await withOptions({}, async (application) => {
      const guard = application.app.get(SessionGuard);
      const token = await accessTokenOf(application);
      const forged = `${token.slice(0, -6)}AAAAAA`;
      await expect(guard.canActivate(contextWith(forged))).rejects.toMatchObject({
        type: 'TRY_REFRESH_TOKEN',
      });
      await expect(guard.canActivate(contextWith('junk'))).rejects.toMatchObject({ type: 'UNAUTHORISED' });
      application.clock.advanceSeconds(3600);
      await expect(guard.canActivate(contextWith(token))).rejects.toMatchObject({
        type: 'TRY_REFRESH_TOKEN',
      });
    });
  });

  it('refuses with the status of its own module, where modules differ, and leaves the errors of others as they are', async () => {
    const broken = new Error('broken part');
    const getSession = (): never => {
      throw broken;
    };
    const override: SessionModuleOptions['override'] = { functions: (o) => ({ ...o, getSession }) };
    await withOptions({ sessionExpiredStatusCode: 419, override }, async (first) => {
      await withOptions({ sessionExpiredStatusCode: 440 }, async (second) => {
        const refusal = second.app.get(SessionGuard).canActivate(contextWith('junk'));
        await expect(refusal).rejects.toMatchObject({ type: 'UNAUTHORISED', status: 440 });
        const failure = first.app.get(SessionGuard).canActivate(contextWith(await accessTokenOf(second)));
        await expect(failure).rejects.toBe(broken);
        expect(broken).not.toHaveProperty('status');
      });
    });
  });

  it('refuses a token whose session was revoked where the route asks for the database (S012)', async () => {
    await withOptions({}, async (application) => {
      const client = await application.signedIn('header');
      expect((await client.get('/checked')).status).toBe(200);
      await application.sessions.revokeAllSessionsForUser({ userId: 'user-1' });
      expect((await client.get('/checked')).status).toBe(401);
    });
  });
});

describe('a guard outside of plain HTTP', () => {
  /** A guard of the application that lets another credential count. */
  class OwnGuard extends SessionGuard {
    pass(context: ExecutionContext): true {
      return this.passWithoutSession(context);
    }
  }

  it('keeps the session of a GraphQL field for that field alone', async () => {
    await withOptions({}, async (application) => {
      const [req, res] = contextWith(await accessTokenOf(application)).getArgs<[object, object]>();
      const shared = { req, res };
      const field = (handler: Function): ExecutionContextHost => {
        const context = new ExecutionContextHost([{}, {}, shared, {}], DemoController, handler);
        context.setType('graphql');
        return context;
      };
      expect(await application.app.get(SessionGuard).canActivate(field(DemoController.prototype.me))).toBe(
        true,
      );
      expect(findGuardedCall(field(DemoController.prototype.me))?.session?.getUserId()).toBe('user-1');
      expect(findGuardedCall(field(DemoController.prototype.optional))).toBeUndefined();
    });
  });

  it('passes a call by another credential whose request takes no members', async () => {
    await withOptions({}, async (application) => {
      const [request, response] = contextWith('').getArgs<[object, object]>();
      const args = [Object.freeze(request), response];
      const context = new ExecutionContextHost(args, DemoController, DemoController.prototype.me);
      const { app } = application;
      const guard = new OwnGuard(app.get(SESSION_RUNTIME), app.get(SHARED_SESSIONS));
      expect(guard.pass(context)).toBe(true);
    });
  });
});

describe('a replaced getSession that lends a session to a request without a token', () => {
  it.each<[allowed: 'any' | 'header' | 'cookie', sentBy: 'header' | 'cookie']>([
    ['any', 'header'],
    ['header', 'header'],
    ['cookie', 'cookie'],
  ])('writes tokens as the application allows them: %s', async (allowed, sentBy) => {
    let lent: string | undefined;
    const application = await TestApplication.on('express')
      .with({
        getTokenTransferMethod: () => allowed,
        override: {
          functions: (original) => ({
            ...original,
            getSession: async (input) =>
              original.getSession({ ...input, accessToken: input.accessToken ?? lent }),
          }),
        },
      })
      .handlers({
        guarded: { merge: async (session) => session.mergeIntoAccessTokenPayload({ plan: 'pro' }) },
      })
      .start();
    lent = await accessTokenOf(application);
    const response = await application.http.send({ method: 'POST', path: '/run/merge' });
    expect(response.status).toBe(200);
    expect(response.header('st-access-token') !== undefined).toBe(sentBy === 'header');
    expect(response.setCookie('sAccessToken') !== undefined).toBe(sentBy === 'cookie');
  });
});

describe('a function that replaces another is asked at each request, also for a known token', () => {
  /** How often it was asked in three requests. */
  async function asked(options: (note: () => void) => Partial<SessionModuleOptions>): Promise<number> {
    let times = 0;
    await withOptions(
      options(() => times++),
      async (application) => {
        const guard = application.app.get(SessionGuard);
        const token = await accessTokenOf(application);
        times = 0;
        for (let request = 0; request < 3; request++) {
          expect(await guard.canActivate(contextWith(token))).toBe(true);
        }
      },
    );
    return times;
  }

  const validator: SessionClaimValidator = { id: 'counted', validate: () => ({ isValid: true }) };

  it.each<[what: string, options: (note: () => void) => Partial<SessionModuleOptions>]>([
    [
      'getSession',
      (note) => ({
        override: { functions: (o) => ({ ...o, getSession: async (i) => (note(), o.getSession(i)) }) },
      }),
    ],
    [
      'getGlobalClaimValidators',
      (note) => ({
        override: {
          functions: (o) => ({
            ...o,
            getGlobalClaimValidators: (i) => (note(), o.getGlobalClaimValidators(i)),
          }),
        },
      }),
    ],
    [
      'validateClaims',
      (note) => ({
        override: {
          functions: (o) => ({ ...o, validateClaims: async (i) => (note(), o.validateClaims(i)) }),
        },
      }),
    ],
    [
      'verifySession of the API',
      (note) => ({
        override: { apis: (o) => ({ ...o, verifySession: async (i) => (note(), o.verifySession(i)) }) },
      }),
    ],
    [
      'a global claim validator',
      (note) => ({
        globalClaimValidators: [
          { ...validator, validate: (payload, context) => (note(), validator.validate(payload, context)) },
        ],
      }),
    ],
    ['getTokenTransferMethod', (note) => ({ getTokenTransferMethod: () => (note(), 'any') })],
  ])('%s', async (_, options) => {
    expect(await asked(options)).toBe(3);
  });

  it('getTokenTransferMethod, which is told that no session is being created', async () => {
    const told: boolean[] = [];
    const getTokenTransferMethod: SessionModuleOptions['getTokenTransferMethod'] = (input) => {
      told.push(input.forCreateNewSession);
      return 'any';
    };
    await withOptions({ getTokenTransferMethod }, async (application) => {
      const token = await accessTokenOf(application);
      told.length = 0;
      expect(await application.app.get(SessionGuard).canActivate(contextWith(token))).toBe(true);
      expect(told).toEqual([false]);
    });
  });

  it('getSession of a class that extends the recipe', async () => {
    let times = 0;
    @Injectable()
    class CountingRecipe extends SessionRecipe {
      constructor(@Inject(RecipeDependencies) dependencies: RecipeDependencies) {
        super(dependencies);
      }

      override async getSession(
        input: Parameters<SessionRecipe['getSession']>[0],
      ): Promise<SessionContainer | undefined> {
        times++;
        return super.getSession(input);
      }
    }
    await withOptions({ recipe: CountingRecipe }, async (application) => {
      const guard = application.app.get(SessionGuard);
      const token = await accessTokenOf(application);
      for (let request = 0; request < 3; request++) await guard.canActivate(contextWith(token));
      expect(times).toBe(3);
    });
  });

  it('does not take what is still to come for a session', async () => {
    // Not a Promise of this process, as libraries of the application may have their own.
    // oxlint-disable-next-line unicorn/no-thenable -- that is what must not be taken for a session
    const later: unknown = Object.defineProperty({}, 'then', {
      value: (_: unknown, reject: (error: Error) => void) => reject(new UnauthorisedError('no')),
    });
    const apis: NonNullable<NonNullable<SessionModuleOptions['override']>['apis']> = (original) => ({
      ...original,
      verifySession: () => later as never,
    });
    await withOptions({ override: { apis } }, async (application) => {
      const token = await accessTokenOf(application);
      const outcome = application.app.get(SessionGuard).canActivate(contextWith(token));
      await expect(outcome).rejects.toMatchObject({ type: 'UNAUTHORISED' });
    });
  });

  it('leaves the functions that are not replaced as fast as before', async () => {
    const functions = {
      override: { functions: (original: object) => ({ ...original }) },
    } as Partial<SessionModuleOptions>;
    await withOptions(functions, async (application) => {
      const guard = application.app.get(SessionGuard);
      const token = await accessTokenOf(application);
      await guard.canActivate(contextWith(token));
      expect(guard.canActivate(contextWith(token))).toBe(true);
    });
  });
});

describe.each(ADAPTERS)('a session that was found at once on %s', (adapter) => {
  it('is the one that the handler gets', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const client = await signedIn('header', 'user-7');
    for (let request = 0; request < 2; request++) {
      expect((await client.get('/me')).body).toMatchObject({ userId: 'user-7' });
    }
  });

  it('never crosses over to another request that runs at the same time', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const clients = await Promise.all(['a', 'b', 'c', 'd'].map((user) => signedIn('header', user)));
    const users = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => (await clients[n % 4]?.get('/me'))?.body),
    );
    expect(users.map((response) => (response as { userId: string }).userId)).toEqual(
      Array.from({ length: 40 }, (_, n) => 'abcd'[n % 4]),
    );
  });
});

describe('the signature of a token that nothing remembers', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** How often signatures are checked meanwhile, by the verifier and by the embedded core. */
  async function checksIn(work: () => Promise<unknown>): Promise<number> {
    const byVerifier = jest.spyOn(SignatureVerifier.prototype, 'verify');
    const byCore = jest.spyOn(globalThis.crypto.subtle, 'verify'); // jose, which the core works with
    await work();
    return byVerifier.mock.calls.length + byCore.mock.calls.length;
  }

  const replaced: Partial<SessionModuleOptions> = {
    override: { functions: (o) => ({ ...o, getSession: async (input) => o.getSession(input) }) },
  };

  it.each<[what: string, path: string, options: Partial<SessionModuleOptions>]>([
    ['without a memory', '/me', { maxCachedTokens: 0 }],
    ['without a memory, where the route asks for the database', '/checked', { maxCachedTokens: 0 }],
    ['without a memory, with a replaced getSession', '/me', { maxCachedTokens: 0, ...replaced }],
    ['with a memory', '/me', {}],
  ])('is checked by us and by the core at the first use after a refresh: %s', async (_, path, options) => {
    await withOptions(options, async ({ signedIn }) => {
      const client = await signedIn('header');
      await client.refresh();
      let status: number | undefined;
      expect(await checksIn(async () => ({ status } = await client.get(path)))).toBe(2);
      expect(status).toBe(200);
    });
  });

  it('is checked once where the token alone decides', async () => {
    await withOptions({ maxCachedTokens: 0 }, async ({ signedIn }) => {
      const client = await signedIn('header');
      expect(await checksIn(() => client.get('/me'))).toBe(1);
    });
  });

  it('is still what decides at the first use after a refresh', async () => {
    await withOptions({ maxCachedTokens: 0 }, async (application) => {
      const client = await application.signedIn('header');
      await client.refresh();
      const forged = `${client.accessToken?.slice(0, -6) ?? ''}AAAAAA`;
      const guard = application.app.get(SessionGuard);
      await expect(guard.canActivate(contextWith(forged))).rejects.toMatchObject({
        type: 'TRY_REFRESH_TOKEN',
      });
    });
  });
});

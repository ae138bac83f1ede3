import { describe, expect, it } from '@jest/globals';
import {
  TokenTheftDetectedError,
  TryRefreshTokenError,
  UnauthorisedError,
  type ApiInterface,
  type RecipeInterface,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { Call } from '../support/demo.controller.js';
import { ADAPTERS, type Adapter, TestApplication } from '../support/test-application.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import {
  BOTH_CLEARED,
  COOKIES_CLEARED,
  COOKIES_SET,
  refused,
  signedOut,
  HEADERS_SET,
  NOTHING,
  tokenTraffic,
  outcomeOf,
} from '../support/token-traffic.js';
import { watchedStore } from '../support/watched-store.js';

const REFRESH = '/auth/session/refresh';

describe.each(ADAPTERS)('refreshing with two generations of cookies on %s', (adapter) => {
  /** Cookies that a browser holds after `cookieDomain` changed. */
  const both = 'sAccessToken=a; sAccessToken=b; sRefreshToken=c; sRefreshToken=d';

  it('is refused where no older domain is known, and the remedy is told to the server only (T150, S061)', async () => {
    const warnings = new ProcessWarnings();
    try {
      await TestApplication.on(adapter).run(async ({ send, clock }) => {
        const responses = [];
        for (let n = 0; n < 3; n++)
          responses.push(await send({ method: 'POST', path: REFRESH, headers: { cookie: both } }));
        for (const response of responses) {
          expect([response.status, response.body]).toEqual([400, { message: 'duplicate session cookies' }]);
          expect(tokenTraffic(response)).toEqual(NOTHING);
        }
        expect(warnings.take()).toEqual([expect.stringContaining('set olderCookieDomain')]);
        clock.advanceSeconds(60);
        await send({ method: 'POST', path: REFRESH, headers: { cookie: both } });
        expect(warnings.take()).toHaveLength(1);
      });
    } finally {
      warnings.restore();
    }
  });

  it.each([
    ['.shop.io', 'T151', '.shop.io', {}],
    ['', 'T153', undefined, { cookieDomain: '.shop.io' }],
  ])(
    'removes those of olderCookieDomain "%s" and asks for a retry (%s)',
    async (olderCookieDomain, _facts, domain, present) => {
      const { send } = await TestApplication.on(adapter)
        .with({ olderCookieDomain, ...present })
        .start();
      const response = await send({ method: 'POST', path: REFRESH, headers: { cookie: both } });
      expect(response.status).toBe(200);
      expect(response.body).toEqual({
        message: 'The session cookies of the older configuration have been cleared, please retry',
      });
      expect(tokenTraffic(response)).toEqual({ ...COOKIES_CLEARED, frontToken: 'absent' });
      for (const name of ['sAccessToken', 'sRefreshToken'])
        expect(response.setCookie(name)?.domain).toBe(domain);
    },
  );

  it('ends with one set of cookies: after the old ones are gone the next refresh works (S061)', async () => {
    const { signedIn } = await TestApplication.on(adapter).with({ olderCookieDomain: '.shop.io' }).start();
    const client = await signedIn('cookie');
    const current = `sRefreshToken=${client.cookie('sRefreshToken')}`;
    const first = await client.copy().refresh({ cookie: `sRefreshToken=older; ${current}` });
    expect([first.status, first.header('front-token')]).toEqual([200, undefined]);
    expect(tokenTraffic(await client.refresh({ cookie: current }))).toEqual(COOKIES_SET);
  });

  it('removes the access cookie alone where only that came twice (T152, T238, Q19)', async () => {
    const { send } = await TestApplication.on(adapter).with({ olderCookieDomain: '.shop.io' }).start();
    const headers = { cookie: 'sAccessToken=a; sAccessToken=b; sRefreshToken=c' };
    const response = await send({ method: 'POST', path: REFRESH, headers });
    expect(response.status).toBe(200);
    expect(tokenTraffic(response)).toEqual({ ...NOTHING, accessCookie: 'deleted' });
  });

  it('does not look at cookies where only headers are allowed (T154)', async () => {
    const asked: boolean[] = [];
    const getTokenTransferMethod: SessionModuleOptions['getTokenTransferMethod'] = (input) => {
      asked.push(input.forCreateNewSession);
      return 'header';
    };
    const { signedIn } = await TestApplication.on(adapter).with({ getTokenTransferMethod }).start();
    const client = await signedIn('header');
    asked.length = 0;
    expect(tokenTraffic(await client.refresh({ cookie: both }))).toEqual({
      ...HEADERS_SET,
      accessCookie: 'deleted',
      refreshCookie: 'deleted',
    });
    expect(new Set(asked)).toEqual(new Set([false]));
  });
});

describe.each(ADAPTERS)('refreshing with VIA_CUSTOM_HEADER on %s', (adapter) => {
  it('needs a rid header when the token comes by cookie (T143, T144)', async () => {
    const { store, calls } = await watchedStore();
    const { signedIn } = await TestApplication.on(adapter)
      .store(store)
      .with({ antiCsrf: 'VIA_CUSTOM_HEADER' })
      .start();
    const client = await signedIn('cookie');
    calls.length = 0;
    expect(outcomeOf(await client.copy().refresh({ rid: undefined }))).toEqual(signedOut());
    expect(calls).toEqual([]);
    expect(tokenTraffic(await client.refresh({ rid: '' }))).toEqual(COOKIES_SET);
  });

  it('takes the cookie of very old SDKs away with the tokens where the rid header is missing (R7, R9)', async () => {
    const { signedIn, send } = await TestApplication.on(adapter)
      .with({ antiCsrf: 'VIA_CUSTOM_HEADER' })
      .start();
    const client = await signedIn('cookie');
    const cookie = `sRefreshToken=${client.cookie('sRefreshToken')}; sIdRefreshToken=x`;
    const response = await send({ method: 'POST', path: REFRESH, headers: { cookie } });
    expect(outcomeOf(response)).toEqual(signedOut());
    expect(response.setCookie('sIdRefreshToken')?.value).toBe('');
  });

  it('tells the application which check failed', async () => {
    const { signedIn } = await TestApplication.on(adapter)
      .with({
        antiCsrf: 'VIA_CUSTOM_HEADER',
        errorHandlers: {
          onUnauthorised: (message, _request, response) => response.sendJSONResponse({ said: message }),
        },
      })
      .start();
    const received = await (await signedIn('cookie')).refresh({ rid: undefined });
    expect(received.body).toEqual({ said: 'anti-csrf check failed: the rid header is missing' });
  });
});

describe.each(ADAPTERS)('a refresh that fails beside the cookie of very old SDKs on %s', (adapter) => {
  class ShopClosedError extends Error {
    readonly type = 'UNAUTHORISED';
  }

  it.each<[string, () => Error, what: string, isTaken: boolean]>([
    ['a failure that asks for another try', () => new TryRefreshTokenError('later'), 'later', false],
    [
      'a refusal that leaves the tokens',
      () => new UnauthorisedError('not now', { clearTokens: false }),
      'not now',
      false,
    ],
    ['a refusal that clears them', () => new UnauthorisedError('over'), 'over', true],
    ['a theft', () => new TokenTheftDetectedError('handle', 'user-1'), 'Token theft detected', true],
    [
      'an error of the application, whatever it is like',
      () => new ShopClosedError('closed'),
      'closed',
      false,
    ],
  ])('takes it only where it takes the tokens: %s (R9)', async (_what, failure, message, isTaken) => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      refreshSession: async () => Promise.reject(failure()),
    });
    const refreshing = async ({ sessions, req, res }: Call): Promise<object> =>
      sessions.refreshSession(req, res).then(
        () => ({}),
        (error: unknown) => ({ message: (error as Error).message }),
      );
    const { send } = await TestApplication.on(adapter)
      .with({ override: { functions } })
      .handlers({ open: { refreshing } })
      .start();
    const headers = { cookie: 'sRefreshToken=a.b.V2; sIdRefreshToken=x' };
    const response = await send({ method: 'POST', path: '/open/refreshing', headers });
    expect(response.body).toEqual({ message });
    expect(response.setCookie('sIdRefreshToken')?.value).toBe(isTaken ? '' : undefined);
  });
});

describe.each(ADAPTERS)('refreshing with overrides on %s', (adapter) => {
  async function withApis(
    override: (original: ApiInterface) => Partial<ApiInterface>,
    test: (application: TestApplication) => Promise<void>,
  ): Promise<void> {
    const apis = (original: ApiInterface): ApiInterface => ({ ...original, ...override(original) });
    const options: Partial<SessionModuleOptions> = { antiCsrf: 'VIA_TOKEN', override: { apis } };
    await TestApplication.on(adapter).with(options).run(test);
  }

  it('takes everything away again when the session is revoked afterwards (T155)', async () => {
    await withApis(
      (original) => ({
        refreshPOST: async (input) => {
          const session = await original.refreshPOST?.(input);
          await session?.revokeSession();
          return session!;
        },
      }),
      async ({ signedIn }) => {
        const response = await (await signedIn('cookie')).refresh();
        expect([response.status, response.text]).toEqual([200, '{}']);
        expect(tokenTraffic(response)).toEqual(COOKIES_CLEARED);
      },
    );
  });

  it('clears the new tokens when the override then throws UNAUTHORISED (T156)', async () => {
    await withApis(
      (original) => ({
        refreshPOST: async (input) => {
          await original.refreshPOST?.(input);
          throw new UnauthorisedError('not any more');
        },
      }),
      async ({ signedIn }) =>
        expect(outcomeOf(await (await signedIn('cookie')).refresh())).toEqual(signedOut()),
    );
  });

  it('keeps the new tokens when the override only responds with 401 by itself (T157)', async () => {
    await withApis(
      (original) => ({
        refreshPOST: async (input) => {
          const session = await original.refreshPOST?.(input);
          input.options.exchange.response.setStatusCode(401);
          input.options.exchange.response.sendJSONResponse({ message: 'locked' });
          return session!;
        },
      }),
      async ({ signedIn }) => {
        const response = await (await signedIn('cookie')).refresh();
        expect([response.status, response.text]).toEqual([401, '{"message":"locked"}']);
        expect(tokenTraffic(response)).toEqual({ ...COOKIES_SET, antiCsrf: 'set' });
      },
    );
  });

  it.each(['undefined', 'left out'])('has no route when refreshPOST is %s (T158)', async (how) => {
    await withApis(
      () => ({}),
      async ({ signedIn }) => expect((await (await signedIn('cookie')).refresh()).status).toBe(200),
    );
    const apis = ({ refreshPOST: _refreshPOST, ...rest }: ApiInterface): ApiInterface =>
      how === 'undefined' ? { ...rest, refreshPOST: undefined } : rest;
    const { signedIn } = await TestApplication.on(adapter).with({ override: { apis } }).start();
    const client = await signedIn('cookie');
    const response = await client.refresh();
    expect(response.status).toBe(404);
    expect(tokenTraffic(response)).toEqual(NOTHING);
    expect((await client.signOut()).status).toBe(200);
  });

  it('understands a session error without payload from an overridden refreshSession (Q6)', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      refreshSession: async () => {
        throw new TryRefreshTokenError('later');
      },
    });
    const { signedIn } = await TestApplication.on(adapter).with({ override: { functions } }).start();
    expect(outcomeOf(await (await signedIn('cookie')).refresh())).toEqual(refused('try refresh token'));
  });

  it('leaves the session alone when the application handles the theft itself (T146)', async () => {
    await withOwnTheftHandler(adapter, async ({ testSessions, clientOf, events }) => {
      const stolen = await testSessions.stolenSession();
      const response = await clientOf(stolen).refresh();
      expect([response.status, response.text]).toEqual([418, '{"stolen":"user-1"}']);
      expect(tokenTraffic(response)).toEqual(BOTH_CLEARED);
      expect(events.map((event) => event.type)).not.toContain('session.revoked');
      expect((await clientOf(stolen.thief).refresh()).status).toBe(200);
    });
  });
});

async function withOwnTheftHandler(
  adapter: Adapter,
  test: (application: TestApplication) => Promise<void>,
): Promise<void> {
  const options: Partial<SessionModuleOptions> = {
    errorHandlers: {
      onTokenTheftDetected: (_sessionHandle, userId, _recipeUserId, _request, response) => {
        response.setStatusCode(418);
        response.sendJSONResponse({ stolen: userId });
      },
    },
  };
  await TestApplication.on(adapter).with(options).run(test);
}

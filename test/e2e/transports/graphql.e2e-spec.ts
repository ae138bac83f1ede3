import type { IncomingMessage } from 'node:http';
import { describe, expect, it, jest } from '@jest/globals';
import { Catch, UseFilters, UseGuards, type ExceptionFilter } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { GraphQLModule, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { PublicAccess, SessionError, SessionEvents, SessionGuard, type AnySessionError } from 'nest-sessions';
import { SignatureVerifier } from '../../../lib/tokens/signature-verifier.js';
import type { ClientResponse } from '../../support/http-client.js';
import { type TestApplication } from '../../support/test-application.js';
import { NOTHING, tokenTraffic } from '../../support/token-traffic.js';
import { watchedStore } from '../../support/watched-store.js';
import { Account, AccountResolver, ask, DRIVERS, read, GraphqlApplication } from './graphql-application.js';

/** Apollo's driver responds with 200 to everything that was executed unless it is told otherwise; Mercurius needs no telling. */
const WITH_STATUS = { preserveHttpStatusForExecutionErrors: false };

async function promotions({ app, events }: TestApplication): Promise<number> {
  await app.get(SessionEvents).delivered();
  return events.filter(({ type }) => type === 'session.promoted').length;
}

/** Leaves in `calls` what a request asked of the store. */
async function callsOf(calls: string[], send: () => Promise<ClientResponse>): Promise<ClientResponse> {
  calls.length = 0;
  return send();
}

describe.each(DRIVERS)('a session in GraphQL: $name', (driver) => {
  it.each(['cookie', 'header'] as const)('is verified and injected, by %s (S081)', async (mode) => {
    const { signedIn } = await GraphqlApplication.via(driver).start();
    const response = await ask(await signedIn(mode, 'ada'), '{ me }');
    expect([response.status, response.body]).toEqual([200, { data: { me: 'ada' } }]);
  });

  it('belongs to the fields that ask for one: the guard throws, and the others get their values (S081)', async () => {
    const { client } = await GraphqlApplication.via(driver).start();
    const { data, errors } = read(await ask(client(), '{ maybeMe open optional }'));
    expect(data).toEqual({ maybeMe: null, open: 'session: none', optional: 'session: none' });
    expect(errors).toMatchObject([
      { message: 'unauthorised', path: ['maybeMe'], extensions: { code: 'UNAUTHORISED' } },
    ]);
  });

  it('never reaches a public field or an unguarded one that runs beside a guarded one (S081, S084)', async () => {
    const { signedIn } = await GraphqlApplication.via(driver).start();
    const client = await signedIn('cookie', 'ada');
    const { data, errors } = read(await ask(client, '{ open maybeMe unguarded optional }'));
    expect(data).toEqual({
      open: 'session: none',
      maybeMe: 'ada',
      unguarded: null,
      optional: 'session: ada',
    });
    expect(errors).toMatchObject([{ path: ['unguarded'], message: 'Internal server error' }]);
  });

  it('asks the client to refresh, with the status that a browser client acts on (S081)', async () => {
    const { signedIn, clock } = await GraphqlApplication.via(driver).graphql(WITH_STATUS).start();
    const client = await signedIn();
    clock.advanceSeconds(3601);
    const expired = await ask(client, '{ me }');
    expect(expired.status).toBe(401);
    expect(read(expired).errors).toMatchObject([
      { message: 'try refresh token', extensions: { code: 'TRY_REFRESH_TOKEN' } },
    ]);
    expect(tokenTraffic(expired)).toEqual(NOTHING);
    await client.refresh();
    expect((await ask(client, '{ me }')).status).toBe(200);
  });

  it('is promoted once for all fields of an operation, and its new token reaches the client (S081)', async () => {
    const { store, calls } = await watchedStore();
    const application = await GraphqlApplication.via(driver).store(store).start();
    const client = await application.signedIn('header', 'ada');
    await client.refresh();
    const refreshed = client.accessToken;
    const response = await callsOf(calls, () => ask(client, '{ me maybeMe handle optional again: me }'));
    expect(read(response)).toMatchObject({ data: { me: 'ada', again: 'ada', optional: 'session: ada' } });
    expect(calls).toEqual(['update refreshTokenHash2']);
    expect(await promotions(application)).toBe(1);
    expect(client.accessToken).not.toBe(refreshed);
    expect(tokenTraffic(await ask(client, '{ me }'))).toEqual(NOTHING);
  });

  it('is verified once for all operations of a batch (S081)', async () => {
    const { store, calls } = await watchedStore();
    const { signedIn } = await GraphqlApplication.via(driver).store(store).start();
    const client = await signedIn('header', 'ada');
    await client.refresh();
    const refreshed = client.accessToken;
    const response = await callsOf(calls, () => ask(client, '{ me }', '{ claimed }', '{ handle open }'));
    expect(response.body).toMatchObject([
      { data: { me: 'ada' } },
      { errors: [{ extensions: { code: 'INVALID_CLAIMS' } }] },
      { data: { open: 'session: none' } },
    ]);
    expect(calls).toEqual(['update refreshTokenHash2']);
    expect(client.accessToken).not.toBe(refreshed);
  });

  it('tells which claims failed, field by field (S081)', async () => {
    const { signedIn } = await GraphqlApplication.via(driver).start();
    const { data, errors } = read(await ask(await signedIn(), '{ claimed open }'));
    expect(data).toEqual({ claimed: null, open: 'session: none' });
    expect(errors).toMatchObject([
      {
        message: 'invalid claim',
        extensions: {
          code: 'INVALID_CLAIMS',
          claimValidationErrors: [{ id: 'plan', reason: 'no plan' }],
        },
      },
    ]);
  });

  it('can be created and changed by mutations: tokens are written to the response of the operation', async () => {
    const { client } = await GraphqlApplication.via(driver).start();
    const visitor = client();
    await ask(visitor, 'mutation { signIn }');
    expect(read(await ask(visitor, '{ me }'))).toEqual({ data: { me: 'user-9' } });
    await ask(visitor, 'mutation { rename }');
    expect(visitor.front.up['name']).toBe('Ada');
  });

  it('keeps what each mutation of an operation changes, also where one asks the core first', async () => {
    const { signedIn } = await GraphqlApplication.via(driver).start();
    const client = await signedIn('header', 'ada');
    await ask(client, 'mutation { rename relocate again: rename }');
    expect(client.front.up).toMatchObject({ name: 'Ada', city: 'London' });
  });

  it('is asked for at the core where a field wants that; an ended one takes the tokens from the client (S081)', async () => {
    const { signedIn, sessions } = await GraphqlApplication.via(driver).graphql(WITH_STATUS).start();
    const client = await signedIn('cookie', 'ada');
    expect(read(await ask(client, '{ checked }'))).toEqual({ data: { checked: 'ada' } });
    await sessions.revokeAllSessionsForUser({ userId: 'ada' });
    const response = await ask(client, '{ checked }');
    expect([response.status, response.header('front-token')]).toEqual([401, 'remove']);
    expect(response.setCookie('sAccessToken')?.value).toBe('');
    expect(read(response).errors).toMatchObject([{ extensions: { code: 'UNAUTHORISED' } }]);
  });

  it('costs one look into the store however many fields want one at the same time (S102)', async () => {
    const { store, calls } = await watchedStore();
    const { signedIn } = await GraphqlApplication.via(driver).store(store).start();
    const client = await signedIn('header', 'ada');
    const fields = Array.from({ length: 100 }, (_, n) => `f${n}: checked`).join(' ');
    const response = await callsOf(calls, async () => ask(client, `{ ${fields} }`));
    expect(read(response)).toMatchObject({ data: { f0: 'ada', f99: 'ada' } });
    expect(calls.filter((name) => name.startsWith('findSession'))).toHaveLength(1);
  });

  it('costs one check of a signature however many fields come with the same forged token (S102)', async () => {
    const application = await GraphqlApplication.via(driver).start();
    const client = await application.signedIn('header', 'ada');
    const authorization = `Bearer ${client.accessToken?.slice(0, -6) ?? ''}AAAAAA`;
    const query = `{ ${Array.from({ length: 100 }, (_, n) => `f${n}: maybeMe`).join(' ')} }`;
    const checks = jest.spyOn(SignatureVerifier.prototype, 'verify');
    const response = await application.send({
      method: 'POST',
      path: '/graphql',
      headers: { authorization },
      body: { query },
    });
    const count = checks.mock.calls.length;
    checks.mockRestore();
    const { data, errors } = read(response);
    expect(data).toMatchObject({ f0: null, f99: null });
    expect(errors).toHaveLength(100);
    expect(count).toBe(1);
  });

  it('is not "not signed in" when the store is gone (S078)', async () => {
    const { store, failing } = await watchedStore();
    const { signedIn } = await GraphqlApplication.via(driver).store(store).graphql(WITH_STATUS).start();
    const client = await signedIn();
    failing.add('findSession');
    const response = await ask(client, '{ checked }');
    expect([response.status, response.header('retry-after')]).toEqual([503, '1']);
    expect(read(response).errors).toMatchObject([
      { message: 'service unavailable', extensions: { code: 'SERVICE_UNAVAILABLE' } },
    ]);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });

  it('says when the application limits its attempts (S101)', async () => {
    const limiter = async () => ({ allowed: false, retryAfterSec: 12.5 }) as const;
    const options = { rateLimit: { limiter } };
    const { signedIn, clock } = await GraphqlApplication.via(driver)
      .with(options)
      .graphql(WITH_STATUS)
      .start();
    const client = await signedIn();
    clock.advanceSeconds(3601);
    const response = await ask(client, '{ me }');
    expect([response.status, response.header('retry-after')]).toEqual([429, '13']);
    expect(read(response).errors).toMatchObject([
      { message: 'too many requests', extensions: { code: 'TOO_MANY_REQUESTS' } },
    ]);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });

  it("speaks of errors as the application's errorHandlers do, and never of their reason (S085)", async () => {
    const options = {
      errorHandlers: {
        onUnauthorised: (
          _message: string,
          _request: unknown,
          response: { sendJSONResponse(body: unknown): void },
        ) => response.sendJSONResponse({ message: 'Bitte anmelden', hint: '/login' }),
      },
    };
    const { client } = await GraphqlApplication.via(driver).with(options).start();
    const received = await ask(client(), '{ maybeMe }');
    expect(read(received).errors).toMatchObject([
      { message: 'Bitte anmelden', extensions: { code: 'UNAUTHORISED', hint: '/login' } },
    ]);
    expect(received.text).not.toContain('access token');
  });
});

describe.each([
  ['guards', ['guards']],
  ['guards and filters', ['guards', 'filters']],
] as const)('a field of an object, with the enhancers: %s', (_title, enhancers) => {
  describe.each(DRIVERS)('$name', (driver) => {
    const starter = GraphqlApplication.via(driver)
      .resolvers(AccountResolver)
      .graphql({ ...WITH_STATUS, fieldResolverEnhancers: [...enhancers] });

    it('gets the session', async () => {
      const { signedIn } = await starter.start();
      const response = await ask(await signedIn('header', 'ada'), '{ account { name secret } }');
      expect(response.body).toEqual({ data: { account: { name: 'Ada', secret: 'secret of ada' } } });
    });

    it('is refused as a query is: the client is told what to do, and no more (S081, S085)', async () => {
      const { signedIn, client, clock } = await starter.start();
      const expired = await signedIn();
      clock.advanceSeconds(3601);
      for (const [asking, code, message] of [
        [expired, 'TRY_REFRESH_TOKEN', 'try refresh token'],
        [client(), 'UNAUTHORISED', 'unauthorised'],
      ] as const) {
        const response = await ask(asking, '{ account { name secret } }');
        const { data, errors } = read(response);
        expect(data).toEqual({ account: { name: 'Ada', secret: null } });
        expect(errors).toMatchObject([{ message, path: ['account', 'secret'], extensions: { code } }]);
        expect(tokenTraffic(response)).toEqual(NOTHING);
      }
    });

    it('takes the tokens of an ended session from the client (S081)', async () => {
      const { signedIn, sessions } = await starter.start();
      const client = await signedIn('cookie', 'ada');
      await sessions.revokeAllSessionsForUser({ userId: 'ada' });
      const response = await ask(client, '{ account { checkedSecret } }');
      expect(response.header('front-token')).toBe('remove');
      expect(response.setCookie('sAccessToken')?.value).toBe('');
    });
  });
});

@Catch(SessionError)
class OwnFilter implements ExceptionFilter<AnySessionError> {
  catch({ type }: AnySessionError): never {
    throw new Error(`mine: ${type}`);
  }
}

@Resolver(() => Account)
@UseGuards(SessionGuard)
@UseFilters(OwnFilter)
class FilteredResolver {
  @Query(() => Account)
  @PublicAccess()
  account(): Account {
    return { name: 'Ada' };
  }

  @Query(() => String, { nullable: true })
  top(): string {
    return 'never';
  }

  @ResolveField(() => String, { nullable: true })
  secret(): string {
    return 'never';
  }
}

describe("an application's own filter", () => {
  it.each(DRIVERS)(
    'sees what the guard refuses, in a field of an object as in a query: $name',
    async (driver) => {
      const graphql: Partial<ApolloDriverConfig> = { fieldResolverEnhancers: ['guards', 'filters'] };
      const { client } = await GraphqlApplication.via(driver)
        .resolvers(FilteredResolver)
        .graphql(graphql)
        .start();
      for (const query of ['{ top }', '{ account { secret } }']) {
        expect(read(await ask(client(), query)).errors).toMatchObject([{ message: 'mine: UNAUTHORISED' }]);
      }
    },
  );

  it('sees it also where the options of the GraphQL module come from a factory', async () => {
    const module = GraphQLModule.forRootAsync<ApolloDriverConfig>({
      driver: ApolloDriver,
      useFactory: () => ({ autoSchemaFile: true, fieldResolverEnhancers: ['guards', 'filters'] }),
    });
    const { client } = await GraphqlApplication.via(DRIVERS[0])
      .module(module)
      .resolvers(FilteredResolver)
      .start();
    const { errors } = read(await ask(client(), '{ account { secret } }'));
    expect(errors).toMatchObject([{ message: 'mine: UNAUTHORISED' }]);
  });

  it('is not run for a field of an object without the enhancer: the client is told all the same', async () => {
    const graphql: Partial<ApolloDriverConfig> = { fieldResolverEnhancers: ['guards'] };
    const starter = GraphqlApplication.via(DRIVERS[0]).resolvers(FilteredResolver).graphql(graphql);
    const { client } = await starter.start();
    const { errors } = read(await ask(client(), '{ account { secret } }'));
    expect(errors).toMatchObject([{ message: 'unauthorised', extensions: { code: 'UNAUTHORISED' } }]);
  });
});

describe.each(DRIVERS)('a GraphQL context that requests share: $name', (driver) => {
  /** As drivers make it of `context: { loaders }`, or of a function that returns what it made before. */
  function sharedContext(): { context: (req: { res?: unknown }, reply: unknown) => object } {
    let shared: object | undefined;
    // Apollo on Express hands on an object of both.
    return { context: (req, reply) => (shared ??= 'res' in req ? { ...req } : { req, reply }) };
  }

  it('takes nobody for the user who came first (S081)', async () => {
    const { client, signedIn } = await GraphqlApplication.via(driver).graphql(sharedContext()).start();
    const [ada, eve] = [await signedIn('header', 'ada'), await signedIn('header', 'eve')];
    expect(read(await ask(ada, '{ maybeMe }'))).toEqual({ data: { maybeMe: 'ada' } });
    for (const other of [eve, client()]) {
      const { data, errors } = read(await ask(other, '{ maybeMe open }'));
      expect(data).toEqual({ maybeMe: null, open: 'session: none' });
      expect(errors).toMatchObject([{ message: 'Internal server error' }]);
    }
  });
});

/** Ways in which applications add something to a request. */
const VIEWS: readonly [name: string, viewOf: (req: object) => object][] = [
  ['Object.create', (req) => Object.create(req) as object],
  ['a proxy', (req) => new Proxy(req, {})],
  [
    'a proxy that binds methods',
    (req) =>
      new Proxy(req, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      }),
  ],
];

describe.each(DRIVERS)('a GraphQL context whose req is a view of the request: $name', (driver) => {
  describe.each(VIEWS)('%s', (_name, viewOf) => {
    /** Apollo on Express hands on an object of both. */
    const contextOf = (req: object, reply: unknown): object =>
      'req' in req && 'res' in req
        ? { req: viewOf(req.req as object), res: req.res }
        : { req: viewOf(req), reply };

    it('knows its user, and gives the tokens to the client', async () => {
      const { signedIn, client } = await GraphqlApplication.via(driver)
        .graphql({ context: contextOf })
        .start();
      const ada = await signedIn('cookie', 'ada');
      expect(read(await ask(ada, '{ me optional }'))).toEqual({
        data: { me: 'ada', optional: 'session: ada' },
      });
      expect(read(await ask(client(), '{ maybeMe }')).errors).toMatchObject([{ message: 'unauthorised' }]);
      await ask(ada, 'mutation { rename }');
      expect(ada.front.up['name']).toBe('Ada');
    });

    it('takes nobody for the user who came first where requests share it (S081)', async () => {
      let first: object | undefined;
      const context = (req: object, reply: unknown): object => {
        const own = contextOf(req, reply) as { req: object };
        first ??= own.req;
        return { ...own, req: first };
      };
      const { signedIn, client } = await GraphqlApplication.via(driver).graphql({ context }).start();
      const ada = await signedIn('header', 'ada');
      expect(read(await ask(ada, '{ maybeMe }'))).toEqual({ data: { maybeMe: 'ada' } });
      const { data, errors } = read(await ask(client(), '{ maybeMe open }'));
      expect(data).toEqual({ maybeMe: null, open: 'session: none' });
      expect(errors).toMatchObject([{ message: 'Internal server error' }]);
    });
  });
});

describe('a GraphQL context that an application makes by hand', () => {
  it('may hold its own view of the request', async () => {
    const context = ({ req: { method, url, headers }, res }: { req: IncomingMessage; res: unknown }) => ({
      req: { method, url, headers },
      res,
    });
    const { signedIn } = await GraphqlApplication.via(DRIVERS[0]).graphql({ context }).start();
    expect(read(await ask(await signedIn('cookie', 'ada'), '{ me }'))).toEqual({ data: { me: 'ada' } });
  });
});

describe('a GraphQL context that lacks something', () => {
  it('is refused: the remedy is in the log, and the client gets nothing of it (S078)', async () => {
    const logger = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
    const graphql = { context: undefined };
    // Apollo on Fastify passes on no reply by default.
    const { signedIn } = await GraphqlApplication.via(DRIVERS[1]).graphql(graphql).logger(logger).start();
    const { errors } = read(await ask(await signedIn(), '{ me }'));
    expect(errors?.map(({ message }) => message)).toEqual(['Internal server error']);
    expect(logger.error).toHaveBeenCalledWith(
      expect.stringContaining('set context: (req, reply) => ({ req, reply })'),
      expect.anything(),
      'SessionModule',
    );
  });
});

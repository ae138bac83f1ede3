import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { describe, expect, it } from '@jest/globals';
import { GraphQLModule } from '@nestjs/graphql';
import type { Client } from 'graphql-ws';
import { SessionSockets } from 'nest-sessions';
import type { SessionClient } from '../../support/session-client.js';
import { SHOP, type TestApplication } from '../../support/test-application.js';
import { DRIVERS, GraphqlApplication, type GraphqlStarter } from './graphql-application.js';
import {
  browserOn,
  openSubscriber,
  scriptWith,
  type Subscriber,
  type SubscriberOptions,
} from './graphql-subscriber.js';

async function withSubscriptions(
  starter: GraphqlStarter,
  test: (application: TestApplication, connect: (options: SubscriberOptions) => Subscriber) => Promise<void>,
): Promise<void> {
  const clients: Client[] = [];
  await starter.run(async (application) => {
    try {
      await test(application, (options) => openSubscriber(application.port, options, clients));
    } finally {
      for (const client of clients) await client.dispose();
    }
  });
}

const FIRST = { data: { ticks: 1 } };

describe.each(DRIVERS)('a subscription in GraphQL: $name', (driver) => {
  const subscriptions = (test: Parameters<typeof withSubscriptions>[1]) =>
    withSubscriptions(GraphqlApplication.via(driver), test);

  it('is open to a browser on our website by its cookie (S081, S082)', async () => {
    await subscriptions(async ({ signedIn }, connect) => {
      const live = connect(browserOn(SHOP.websiteDomain, await signedIn('cookie')));
      expect(await live.first('subscription { ticks }')).toEqual(FIRST);
    });
  });

  it('is open to a script that sends its token with the connection (S081, S082)', async () => {
    await subscriptions(async ({ signedIn }, connect) => {
      const live = connect(scriptWith(await signedIn('header')));
      expect(await live.first('subscription { ticks }')).toEqual(FIRST);
    });
  });

  it.each([
    ['a page of another origin', (client: SessionClient) => browserOn('https://evil.io', client)],
    ['a connection without a token', () => ({ headers: { origin: SHOP.websiteDomain } })],
  ])('is closed to %s (S081, S082)', async (_case, options) => {
    await subscriptions(async ({ signedIn }, connect) => {
      const live = connect(options(await signedIn('cookie')));
      const { errors } = await live.first('subscription { ticks }');
      expect(errors).toMatchObject([{ message: 'unauthorised', extensions: { code: 'UNAUTHORISED' } }]);
    });
  });

  it('asks the client to refresh when the access token of the connection has expired (S081, S082)', async () => {
    await subscriptions(async ({ signedIn, clock }, connect) => {
      const live = connect(scriptWith(await signedIn('header')));
      expect(await live.first('subscription { ticks }')).toEqual(FIRST);
      clock.advanceSeconds(3601);
      const { errors } = await live.first('subscription { ticks }');
      expect(errors).toMatchObject([{ extensions: { code: 'TRY_REFRESH_TOKEN' } }]);
    });
  });

  it('ends with the session: its connection is closed (S054, S081)', async () => {
    await subscriptions(async ({ signedIn, sessions }, connect) => {
      const live = connect(browserOn(SHOP.websiteDomain, await signedIn('cookie', 'ada')));
      const other = connect(browserOn(SHOP.websiteDomain, await signedIn('cookie', 'bob')));
      await Promise.all([live.first('subscription { ticks }'), other.first('subscription { ticks }')]);
      await sessions.revokeAllSessionsForUser({ userId: 'ada' });
      // Mercurius hands out no socket to close with a code
      expect(await live.closed).toBe(driver.driver === 'mercurius' ? 1006 : 4401);
      expect(await other.first('subscription { ticks }')).toEqual(FIRST);
    });
  });
});

describe('a GraphQL connection that is admitted before its first operation', () => {
  const driver = DRIVERS[0];
  const admitting = GraphQLModule.forRootAsync<ApolloDriverConfig>({
    driver: ApolloDriver,
    inject: [SessionSockets],
    useFactory: (sockets: SessionSockets) => ({
      autoSchemaFile: true,
      graphiql: false,
      subscriptions: {
        'graphql-ws': { onConnect: async (context: object) => (await sockets.admit(context)) !== undefined },
      },
    }),
  });

  it('is closed with the reason when it has no session (S082)', async () => {
    await withSubscriptions(
      GraphqlApplication.via(driver).module(admitting),
      async ({ signedIn }, connect) => {
        const live = connect(browserOn(SHOP.websiteDomain, await signedIn('cookie')));
        expect(await live.first('subscription { ticks }')).toEqual(FIRST);
        const refused = connect({ headers: { origin: SHOP.websiteDomain } });
        void refused.first('subscription { ticks }');
        expect(await refused.closed).toBe(4401);
      },
    );
  });
});

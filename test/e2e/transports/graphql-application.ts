import { UseGuards, type DynamicModule, type Type } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Context,
  Field,
  GraphQLModule,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { jest } from '@jest/globals';
import type { MercuriusDriverConfig } from '@nestjs/mercurius';
import {
  OptionalSession,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
  VerifySession,
} from 'nest-sessions';
import type { ClientResponse } from '../../support/http-client.js';
import type { SessionClient } from '../../support/session-client.js';
import { ApplicationStarter, TestApplication, type Adapter } from '../../support/test-application.js';

// Mercurius serves its page of GraphiQL by a package that jest cannot load on every version of Node; no test asks for it.
jest.doMock('@fastify/static', () => ({}));
const { MercuriusDriver } = await import('@nestjs/mercurius');

/** The drivers of GraphQL that Nest has, on the adapters that each can do. */
export const DRIVERS = [
  { name: 'Apollo on Express', driver: 'apollo', adapter: 'express' },
  { name: 'Apollo on Fastify', driver: 'apollo', adapter: 'fastify' },
  { name: 'Mercurius on Fastify', driver: 'mercurius', adapter: 'fastify' },
] as const satisfies readonly { name: string; driver: string; adapter: Adapter }[];

export type Driver = (typeof DRIVERS)[number];

/** Messages until the connection is closed. */
async function* ticks(): AsyncGenerator<{ ticks: number }> {
  yield { ticks: 1 };
  await new Promise(() => undefined); // what ends it is the end of the connection
}

const denied = { id: 'plan', validate: () => ({ isValid: false, reason: 'no plan' }) };

/** One field for each way of asking for a session. */
@Resolver()
@UseGuards(SessionGuard)
export class DemoResolver {
  constructor(private readonly sessions: SessionService) {}

  @Query(() => String)
  me(@Session('userId') userId: string): string {
    return userId;
  }

  @Query(() => String, { nullable: true })
  maybeMe(@Session() session: SessionContainer): string {
    return session.getUserId();
  }

  @Query(() => String)
  handle(@Session() session: SessionContainer): string {
    return session.getHandle();
  }

  @Query(() => String)
  @PublicAccess()
  open(@Session() session?: SessionContainer): string {
    return `session: ${session === undefined ? 'none' : session.getUserId()}`;
  }

  @Query(() => String)
  @OptionalSession()
  optional(@Session() session?: SessionContainer): string {
    return `session: ${session === undefined ? 'none' : session.getUserId()}`;
  }

  @Query(() => String, { nullable: true })
  @RequireClaims(denied)
  claimed(): string {
    return 'never';
  }

  @Query(() => String)
  @VerifySession({ checkDatabase: true })
  checked(@Session('userId') userId: string): string {
    return userId;
  }

  @Mutation(() => String)
  async rename(@Session() session: SessionContainer): Promise<string> {
    await session.mergeIntoAccessTokenPayload({ name: 'Ada' });
    return 'Ada';
  }

  @Mutation(() => String)
  @VerifySession({ checkDatabase: true })
  async relocate(@Session() session: SessionContainer): Promise<string> {
    await session.mergeIntoAccessTokenPayload({ city: 'London' });
    return 'London';
  }

  @Mutation(() => String)
  @PublicAccess()
  async signIn(@Context() context: { req: unknown; res?: unknown; reply?: unknown }): Promise<string> {
    const res = context.reply ?? context.res ?? (context.req as { res?: unknown }).res;
    const session = await this.sessions.createNewSession(context.req, res, { userId: 'user-9' });
    return session.getHandle();
  }

  @Subscription(() => Number)
  ticks(@Session() session: SessionContainer): AsyncGenerator<{ ticks: number }> {
    session.getHandle();
    return ticks();
  }
}

/** A field without the guard in an application whose other fields have it. */
@Resolver()
export class UnguardedResolver {
  @Query(() => String, { nullable: true })
  unguarded(@Session() session: SessionContainer): string {
    return session.getUserId();
  }
}

@ObjectType()
export class Account {
  @Field(() => String)
  name!: string;
}

/** Fields below a query, which Nest guards only where `fieldResolverEnhancers` says so. */
@Resolver(() => Account)
export class AccountResolver {
  @Query(() => Account)
  account(): Account {
    return { name: 'Ada' };
  }

  @ResolveField(() => String, { nullable: true })
  @UseGuards(SessionGuard)
  secret(@Session('userId') userId: string): string {
    return `secret of ${userId}`;
  }

  @ResolveField(() => String, { nullable: true })
  @UseGuards(SessionGuard)
  @VerifySession({ checkDatabase: true })
  checkedSecret(@Session('userId') userId: string): string {
    return `secret of ${userId}`;
  }
}

/** The module of a driver as docs/guides/graphql.md sets it up. */
export function graphqlModule(driver: Driver, options: Partial<ApolloDriverConfig> = {}): DynamicModule {
  if (driver.driver === 'mercurius') {
    return GraphQLModule.forRoot<MercuriusDriverConfig>({
      driver: MercuriusDriver,
      autoSchemaFile: true,
      subscription: true,
      allowBatchedQueries: true,
      ...(options as object), // those that both drivers know
    });
  }
  return GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    graphiql: false,
    csrfPrevention: false,
    allowBatchedHttpRequests: true,
    subscriptions: { 'graphql-ws': true },
    ...(driver.adapter === 'fastify' ? { context: (req: unknown, reply: unknown) => ({ req, reply }) } : {}),
    ...options,
  });
}

/** An application with a GraphQL server. */
export class GraphqlApplication extends TestApplication {
  /** Starts applications on a driver. */
  static via(driver: Driver): GraphqlStarter {
    return new GraphqlStarter(driver);
  }
}

export class GraphqlStarter extends ApplicationStarter {
  private server: DynamicModule | undefined;
  private resolverClasses: Type[] = [DemoResolver, UnguardedResolver];

  constructor(private readonly driver: Driver) {
    super(driver.adapter);
  }

  /** Sets options of the module that {@link graphqlModule} makes. */
  graphql(options: Partial<ApolloDriverConfig>): this {
    return this.module(graphqlModule(this.driver, options));
  }

  /** Sets the module in place of the one that {@link graphqlModule} makes. */
  module(module: DynamicModule): this {
    const starter = this.change({});
    starter.server = module;
    return starter;
  }

  /** Sets the resolvers; the default is one for each way of asking for a session, and one without the guard. */
  resolvers(...resolvers: Type[]): this {
    const starter = this.change({});
    starter.resolverClasses = resolvers;
    return starter;
  }

  protected override prepare(): this {
    const server = this.server ?? graphqlModule(this.driver);
    return this.imports(server).providers(...this.resolverClasses);
  }
}

/** A GraphQL response as clients read it. */
export interface GraphqlResponse {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly { message: string; extensions?: Readonly<Record<string, unknown>> }[];
}

/** Sends operations by HTTP; several as one batch. */
export async function ask(client: SessionClient, ...queries: string[]): Promise<ClientResponse> {
  const bodies = queries.map((query) => ({ query }));
  return client.post('/graphql', bodies.length === 1 ? bodies[0] : bodies);
}

export function read(response: ClientResponse): GraphqlResponse {
  return response.body as GraphqlResponse;
}

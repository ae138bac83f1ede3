import {
  Injectable,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Field, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Observable } from 'rxjs';
import {
  PublicAccess,
  Session,
  SessionContainer,
  SessionGuard,
  sessionOf,
  SessionSockets,
} from 'nest-sessions';
import { ask, DRIVERS, GraphqlApplication } from '../e2e/transports/graphql-application.js';
import { browser, LIVE, LiveApplication } from '../e2e/transports/live-application.js';

/** The sessions that the guard after ours and the interceptor saw, by the name of the handler. */
const seen: string[] = [];
beforeEach(() => {
  seen.length = 0;
});

function note(part: string, context: ExecutionContext): void {
  seen.push(`${part} of ${context.getHandler().name}: ${sessionOf(context)?.getUserId() ?? 'nobody'}`);
}

@Injectable()
class NotingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    note('guard', context);
    return true;
  }
}

@Injectable()
class NotingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    note('interceptor', context);
    return next.handle();
  }
}

/** Code first: the schema is made of classes. */
@ObjectType()
class Profile {
  @Field(() => String) userId!: string;
  @Field(() => String) tenantId!: string;
}

@Resolver()
@UseGuards(SessionGuard, NotingGuard)
@UseInterceptors(NotingInterceptor)
class ProfileResolver {
  @Query(() => Profile)
  profile(@Session() session: SessionContainer): Profile {
    return { userId: session.getUserId(), tenantId: session.getTenantId() };
  }

  @Query(() => String)
  @PublicAccess()
  news(): string {
    return 'news';
  }
}

describe.each(DRIVERS)('sessionOf in code-first GraphQL: $name', (driver) => {
  it('finds the session of each field by its context, and none for a public field beside it', async () => {
    const { signedIn } = await GraphqlApplication.via(driver).resolvers(ProfileResolver).start();
    const { body } = await ask(await signedIn('cookie', 'ada'), '{ profile { userId tenantId } news }');
    expect(body).toEqual({ data: { profile: { userId: 'ada', tenantId: 'public' }, news: 'news' } });
    expect(seen.toSorted()).toEqual([
      'guard of news: nobody',
      'guard of profile: ada',
      'interceptor of news: nobody',
      'interceptor of profile: ada',
    ]);
  });
});

@WebSocketGateway({ path: '/live' })
@UseGuards(SessionGuard, NotingGuard)
@UseInterceptors(NotingInterceptor)
class NotingGateway {
  constructor(private readonly sockets: SessionSockets) {}

  async handleConnection(client: object, request: object): Promise<void> {
    await this.sockets.admit(client, request);
  }

  @SubscribeMessage('whoami')
  whoami(@Session('userId') userId: string) {
    return { event: 'whoami', data: userId };
  }

  @SubscribeMessage('open')
  @PublicAccess()
  open() {
    return { event: 'open', data: 'open' };
  }
}

describe.each(LIVE)('sessionOf in a gateway: $platform on $adapter', (live) => {
  it('finds the session of each message by its context', async () => {
    const { signedIn, connect } = await LiveApplication.via(live).gateway(NotingGateway).start();
    const client = await connect(browser(await signedIn('cookie', 'ada')));
    expect(await client.ask('whoami')).toBe('ada');
    expect(await client.ask('open')).toBe('open');
    expect(seen).toEqual([
      'guard of whoami: ada',
      'interceptor of whoami: ada',
      'guard of open: nobody',
      'interceptor of open: nobody',
    ]);
  });
});

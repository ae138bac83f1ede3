import {
  Controller,
  Get,
  Injectable,
  Module,
  ParseIntPipe,
  Query,
  Scope,
  UseGuards,
  UsePipes,
  ValidationPipe,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Args, Query as GraphqlQuery, Resolver } from '@nestjs/graphql';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { IsString } from 'class-validator';
import { describe, expect, it } from '@jest/globals';
import { PrimitiveClaim, Session, SessionContainer, SessionGuard, SessionSockets } from 'nest-sessions';
import { DemoController } from '../../support/demo.controller.js';
import { ADAPTERS, TestApplication, type ApplicationStarter } from '../../support/test-application.js';
import { ask, DRIVERS, GraphqlApplication, read } from '../transports/graphql-application.js';
import { bearer, LIVE, LiveApplication } from '../transports/live-application.js';

const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro' });

class Filter {
  @IsString() name!: string;
}

class Base {
  @Get('session') session(@Session() session: SessionContainer) { return { userId: session.getUserId() }; } // prettier-ignore
  @Get('parts') parts(@Session('userId') userId: string, @Session(plan) value: string) { return { userId, value }; } // prettier-ignore
  @Get('payload') payload(@Session('accessTokenPayload') payload: object) { return payload; } // prettier-ignore
}

@Controller('plain')
@UseGuards(SessionGuard)
class PlainController extends Base {
  @Get('query') query(@Query() filter: Filter) { return { isFilter: filter instanceof Filter }; } // prettier-ignore
}

/** A controller with pipes on its class or on its handlers. */
function pipedController(path: string, pipe: PipeTransform | Type<PipeTransform>, scope?: Scope): Type[] {
  @Controller({ path: `class-${path}`, ...(scope === undefined ? {} : { scope }) })
  @UseGuards(SessionGuard)
  @UsePipes(pipe)
  class OnClass extends Base {}

  @Controller({ path: `handler-${path}`, ...(scope === undefined ? {} : { scope }) })
  @UseGuards(SessionGuard)
  class OnHandlers {
    @Get('session') @UsePipes(pipe) session(@Session() session: SessionContainer) { return { userId: session.getUserId() }; } // prettier-ignore
    @Get('parts') @UsePipes(pipe) parts(@Session('userId') userId: string, @Session(plan) value: string) { return { userId, value }; } // prettier-ignore
    @Get('payload') @UsePipes(pipe) payload(@Session('accessTokenPayload') payload: object) { return payload; } // prettier-ignore
  }
  return [OnClass, OnHandlers];
}

/** A pipe that Nest makes anew for each request. */
@Injectable({ scope: Scope.REQUEST })
class RequestScopedPipe extends ParseIntPipe {}

const PIPES: [string, () => PipeTransform][] = [
  [
    'ValidationPipe that validates custom decorators',
    () => new ValidationPipe({ validateCustomDecorators: true }),
  ],
  [
    'ValidationPipe that transforms',
    () => new ValidationPipe({ validateCustomDecorators: true, transform: true }),
  ],
  [
    'ValidationPipe that forbids what is not declared',
    () =>
      new ValidationPipe({
        validateCustomDecorators: true,
        transform: true,
        whitelist: true,
        forbidNonWhitelisted: true,
        forbidUnknownValues: true,
      }),
  ],
  ['ParseIntPipe', () => new ParseIntPipe()],
];

type Bind = (starter: ApplicationStarter, pipe: () => PipeTransform) => ApplicationStarter;

function pipeModule(pipe: () => PipeTransform, scope?: Scope): Type {
  @Module({
    providers: [{ provide: APP_PIPE, useFactory: pipe, ...(scope === undefined ? {} : { scope }) }],
  })
  class PipeModule {}
  return PipeModule;
}

const GLOBAL: Record<string, Bind> = {
  'by useGlobalPipes': (starter, pipe) => starter.configure((app) => app.useGlobalPipes(pipe())),
  'as APP_PIPE': (starter, pipe) => starter.providers({ provide: APP_PIPE, useFactory: pipe }),
  'as APP_PIPE of another module': (starter, pipe) => starter.imports(pipeModule(pipe)),
  'as a request-scoped APP_PIPE': (starter, pipe) =>
    starter.providers({ provide: APP_PIPE, useFactory: pipe, scope: Scope.REQUEST }),
  'as a request-scoped APP_PIPE of another module': (starter, pipe) =>
    starter.imports(pipeModule(pipe, Scope.REQUEST)),
};

/** The arguments that the handlers below a path got. */
async function injected({ sessions, send }: TestApplication, path: string): Promise<unknown[]> {
  const session = await sessions.createNewSessionWithoutRequestResponse({
    userId: 'ada',
    accessTokenPayload: { plan: 'pro' },
  });
  const headers = { authorization: `Bearer ${session.getAccessToken()}` };
  const get = async (name: string) => (await send({ path: `/${path}/${name}`, headers })).body;
  return Promise.all([get('session'), get('parts'), get('payload')]);
}

const WHAT_THE_GUARD_FOUND = [
  { userId: 'ada' },
  { userId: 'ada', value: 'pro' },
  expect.objectContaining({ sub: 'ada' }),
];

describe.each(ADAPTERS)('@Session() on %s', (adapter) => {
  const starter = TestApplication.on(adapter)
    .with({ claims: [plan] })
    .controllers(DemoController, PlainController);

  describe.each(PIPES)('beside a %s', (_name, pipe) => {
    it.each(Object.entries(GLOBAL))('injects what the guard found: %s', async (_how, bind) => {
      expect(await injected(await bind(starter, pipe).start(), 'plain')).toEqual(WHAT_THE_GUARD_FOUND);
    });

    it('injects what the guard found: on classes and handlers, request-scoped ones too', async () => {
      const application = await starter
        .controllers(
          DemoController,
          ...pipedController('one', pipe()),
          ...pipedController('scoped', pipe(), Scope.REQUEST),
        )
        .start();
      for (const path of ['class-one', 'handler-one', 'class-scoped', 'handler-scoped'])
        expect([path, await injected(application, path)]).toEqual([path, WHAT_THE_GUARD_FOUND]);
    });
  });

  it('injects the session beside pipes that Nest makes', async () => {
    const application = await starter
      .controllers(
        DemoController,
        ...pipedController('made', ParseIntPipe),
        ...pipedController('scoped', RequestScopedPipe),
      )
      .start();
    for (const path of ['class-made', 'handler-made', 'class-scoped', 'handler-scoped'])
      expect([path, await injected(application, path)]).toEqual([path, WHAT_THE_GUARD_FOUND]);
  });

  it('leaves other parameters to the pipes', async () => {
    const { signedIn } = await starter
      .configure((app) =>
        app.useGlobalPipes(new ValidationPipe({ validateCustomDecorators: true, transform: true })),
      )
      .start();
    const ada = await signedIn('header', 'ada');
    expect((await ada.get('/plain/query?name=x')).body).toEqual({ isFilter: true });
    expect((await ada.get('/plain/query')).status).toBe(400);
  });
});

@Resolver()
@UseGuards(SessionGuard)
@UsePipes(ParseIntPipe)
class PipedResolver {
  @GraphqlQuery(() => String)
  whose(@Session() session: SessionContainer, @Session('userId') userId: string): string {
    return [session.getUserId(), userId].join();
  }

  @GraphqlQuery(() => Number)
  twice(@Args('value', { type: () => String }) value: number): number {
    return 2 * value;
  }
}

describe.each(DRIVERS)('@Session() in resolvers, by $name', (driver) => {
  it.each(Object.entries(GLOBAL).slice(2))(
    'is left alone by pipes of the class and %s',
    async (_how, bind) => {
      const application = await bind(
        GraphqlApplication.via(driver).resolvers(PipedResolver),
        () => new ParseIntPipe(),
      ).start();
      const client = application.clientOf(
        await application.testSessions.createTestSession({ userId: 'ada' }),
      );
      const { data } = read(await ask(client, '{ whose twice(value: "21") }'));
      expect(data).toEqual({ whose: 'ada,ada', twice: 42 });
    },
  );
});

@WebSocketGateway({ path: '/live' })
@UseGuards(SessionGuard)
@UsePipes(ParseIntPipe)
class PipedGateway {
  constructor(private readonly sockets: SessionSockets) {}

  async handleConnection(client: object, request: object): Promise<void> {
    await this.sockets.admit(client, request);
  }

  @SubscribeMessage('whose')
  whose(@Session() session: SessionContainer, @MessageBody() value: number) {
    return { event: 'whose', data: [session.getUserId(), value] };
  }
}

describe.each(LIVE)('@Session() in gateways, by $platform on $adapter', (live) => {
  it('is left alone by pipes of the class', async () => {
    const { connect, signedIn } = await LiveApplication.via(live).gateway(PipedGateway).start();
    const socket = await connect(bearer(await signedIn('header', 'ada')));
    expect(await socket.ask('whose', '21')).toEqual(['ada', 21]);
  });
});

import {
  Controller,
  Get,
  ParseIntPipe,
  Query,
  UseGuards,
  UsePipes,
  ValidationPipe,
  type PipeTransform,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { IsString } from 'class-validator';
import { describe, expect, it } from '@jest/globals';
import { PrimitiveClaim, Session, SessionContainer, SessionGuard } from 'nest-sessions';
import { DemoController } from '../../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

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

@Controller('validated')
@UseGuards(SessionGuard)
@UsePipes(new ValidationPipe({ validateCustomDecorators: true, transform: true, whitelist: true }))
class ValidatedController {
  @Get('session') session(@Session() session: SessionContainer) { return { userId: session.getUserId() }; } // prettier-ignore
}

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

describe.each(ADAPTERS)('@Session() on %s', (adapter) => {
  const starter = TestApplication.on(adapter)
    .with({ claims: [plan] })
    .controllers(DemoController, PlainController, ValidatedController);

  describe.each(PIPES)('beside a global %s', (_name, pipe) => {
    it.each([
      ['by useGlobalPipes', () => starter.configure((app) => app.useGlobalPipes(pipe()))],
      ['as APP_PIPE', () => starter.providers({ provide: APP_PIPE, useFactory: pipe })],
    ] as const)('injects what the guard found: %s', async (_how, bound) => {
      const application = await bound().start();
      const session = await application.sessions.createNewSessionWithoutRequestResponse({
        userId: 'ada',
        accessTokenPayload: { plan: 'pro' },
      });
      const headers = { authorization: `Bearer ${session.getAccessToken()}` };
      const get = async (path: string) => (await application.send({ path, headers })).body;
      expect(await get('/plain/session')).toEqual({ userId: 'ada' });
      expect(await get('/plain/parts')).toEqual({ userId: 'ada', value: 'pro' });
      expect(await get('/plain/payload')).toMatchObject({ sub: 'ada' });
    });
  });

  it('injects the session beside a ValidationPipe of the class', async () => {
    const { signedIn } = await starter.start();
    expect((await (await signedIn('header', 'ada')).get('/validated/session')).body).toEqual({
      userId: 'ada',
    });
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

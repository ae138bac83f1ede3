import { Controller, Get, UseGuards, type Type } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { describe, expect, it, jest } from '@jest/globals';
import {
  OptionalSession,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  VerifySession,
  type SessionClaimValidator,
} from 'nest-sessions';
import { DemoController } from '../../support/demo.controller.js';
import { ADAPTERS, TestApplication, type Adapter } from '../../support/test-application.js';

const denied = (id: string): SessionClaimValidator => ({ id, validate: () => ({ isValid: false }) });

type Wrapper = (_target: object, name: string | symbol, descriptor: PropertyDescriptor) => PropertyDescriptor;

/** As decorators of tracing, caching and transactions do it: another function in the place of the method. */
const wrapped: Wrapper = (_target, _name, descriptor) => {
  const original = descriptor.value as (...args: unknown[]) => unknown;
  return {
    ...descriptor,
    value(this: unknown, ...args: unknown[]) {
      return original.apply(this, args);
    },
  };
};

/** The same, with the metadata of the method. */
const wrappedWithMetadata: Wrapper = (target, name, descriptor) => {
  const wrapper = wrapped(target, name, descriptor);
  for (const key of Reflect.getMetadataKeys(descriptor.value as object))
    Reflect.defineMetadata(
      key,
      Reflect.getMetadata(key, descriptor.value as object),
      wrapper.value as object,
    );
  return wrapper;
};

@Controller('wrapped')
@UseGuards(SessionGuard)
class WrappedController {
  @Get('above') @wrapped @RequireClaims(denied('inner')) above() {} // prettier-ignore
  @Get('below') @RequireClaims(denied('outer')) @wrapped below() {} // prettier-ignore
  @Get('between') @RequireClaims(denied('outer')) @wrapped @RequireClaims(denied('inner')) between() {} // prettier-ignore
  @Get('copied') @RequireClaims(denied('outer')) @wrappedWithMetadata @RequireClaims(denied('inner')) copied() {} // prettier-ignore
  @Get('twice') @wrapped @wrapped @RequireClaims(denied('inner')) twice() {} // prettier-ignore
  @Get('public') @wrapped @PublicAccess() public() { return {}; } // prettier-ignore
  @Get('optional') @wrapped @OptionalSession() optional() { return {}; } // prettier-ignore
  @Get('checked') @wrapped @VerifySession({ checkDatabase: true }) checked() { return {}; } // prettier-ignore
}

const secret = Symbol('secret');

@UseGuards(SessionGuard)
abstract class Base {
  @Get('inherited') @wrapped @RequireClaims(denied('base')) inherited() {} // prettier-ignore
  @Get('overridden') @RequireClaims(denied('base')) overridden() {} // prettier-ignore
  @Get('stricter') @RequireClaims(denied('base')) stricter() {} // prettier-ignore
  @Get('symbol') @wrapped @RequireClaims(denied('base')) [secret]() {} // prettier-ignore
  @Get('opened') @RequireClaims(denied('base')) opened() { return {}; } // prettier-ignore
  @Get('was-public') @PublicAccess() wasPublic() { return {}; } // prettier-ignore
  @Get('stays-public') @PublicAccess() staysPublic() { return {}; } // prettier-ignore
}

@Controller('sub')
class SubController extends Base {
  @Get('overridden') override overridden() {} // prettier-ignore
  @Get('stricter') @RequireClaims(denied('sub')) override stricter() {} // prettier-ignore
  @Get('opened') @PublicAccess() override opened() { return {}; } // prettier-ignore
  @Get('was-public') override wasPublic() { return {}; } // prettier-ignore
}

@PublicAccess()
@UseGuards(SessionGuard)
abstract class PublicBase {
  @Get('closed') @VerifySession() closed() {} // prettier-ignore
  @Get('open') open() { return {}; } // prettier-ignore
}

@Controller('public-sub')
class PublicSubController extends PublicBase {
  @Get('closed') override closed() {} // prettier-ignore
  @Get('open') override open() { return {}; } // prettier-ignore
}

/** A mixin that extends a class that it is given. */
function WithReport<T extends Type>(Parent: T) {
  class Report extends Parent {
    @Get('report') @wrapped @RequireClaims(denied('mixin')) report() {} // prettier-ignore
  }
  return Report;
}

@Controller('mixed')
@UseGuards(SessionGuard)
class MixedController extends WithReport(Object) {}

/** A mixin that copies methods, as the TypeScript handbook has it. */
class Copied {
  @Get('copied') @wrapped @RequireClaims(denied('copied')) copied() {} // prettier-ignore
}
@Controller('copying')
@UseGuards(SessionGuard)
class CopyingController {}
Object.defineProperty(
  CopyingController.prototype,
  'copied',
  Object.getOwnPropertyDescriptor(Copied.prototype, 'copied') ?? {},
);

@Controller('bound')
@UseGuards(SessionGuard)
class BoundController {
  constructor() {
    const own = this as unknown as Record<string, unknown>;
    own['bound'] = this.bound.bind(this);
    const original = this.replaced.bind(this);
    own['replaced'] = () => original();
  }

  @Get('bound') @RequireClaims(denied('bound')) bound() {} // prettier-ignore
  @Get('replaced') @RequireClaims(denied('replaced')) replaced() {} // prettier-ignore
}

const CONTROLLERS = [
  DemoController,
  WrappedController,
  SubController,
  PublicSubController,
  MixedController,
  CopyingController,
  BoundController,
];

/** Starts an application with a signed-in client, and returns what it gets: the status, or the ids of failed validators. */
async function start(adapter: Adapter, ...controllers: Type[]) {
  const { signedIn, client, sessions } = await TestApplication.on(adapter)
    .controllers(...controllers)
    .start();
  const user = await signedIn('header');
  const get = async (path: string, as = user): Promise<number | string[]> => {
    const { status, body } = await as.get(path);
    return status === 403
      ? (body as { claimValidationErrors: { id: string }[] }).claimValidationErrors.map(({ id }) => id)
      : status;
  };
  return { get, stranger: client('header'), sessions, user };
}

describe.each(ADAPTERS)('rules of a handler on %s', (adapter) => {
  it('hold where another decorator puts a function in its place (S077)', async () => {
    const { get, stranger, sessions } = await start(adapter, ...CONTROLLERS);
    expect(await get('/wrapped/above')).toEqual(['inner']);
    expect(await get('/wrapped/below')).toEqual(['outer']);
    expect(await get('/wrapped/between')).toEqual(['inner', 'outer']);
    expect(await get('/wrapped/copied')).toEqual(['inner', 'outer']);
    expect(await get('/wrapped/twice')).toEqual(['inner']);
    expect(await get('/wrapped/public', stranger)).toBe(200);
    expect(await get('/wrapped/optional', stranger)).toBe(200);
    await sessions.revokeAllSessionsForUser({ userId: 'user-1' });
    expect(await get('/wrapped/checked')).toBe(401);
  });

  it('hold for subclasses: an override keeps what restricts it, and is not public because of what it replaces (S077)', async () => {
    const { get, stranger } = await start(adapter, ...CONTROLLERS);
    expect(await get('/sub/inherited')).toEqual(['base']);
    expect(await get('/sub/overridden')).toEqual(['base']);
    expect(await get('/sub/stricter')).toEqual(['base', 'sub']);
    expect(await get('/sub/opened', stranger)).toBe(200);
    expect(await get('/sub/was-public', stranger)).toBe(401);
    expect(await get('/sub/stays-public', stranger)).toBe(200);
    expect(await get('/public-sub/closed', stranger)).toBe(401);
    expect(await get('/public-sub/open', stranger)).toBe(200);
  });

  it('hold for mixins that extend and that copy, and for methods that an instance binds or replaces (S077)', async () => {
    const { get } = await start(adapter, ...CONTROLLERS);
    expect(await get('/mixed/report')).toEqual(['mixin']);
    expect(await get('/copying/copied')).toEqual(['copied']);
    expect(await get('/bound/bound')).toEqual(['bound']);
    expect(await get('/bound/replaced')).toEqual(['replaced']);
  });
});

describe('rules of a method whose name is a symbol', () => {
  it('hold where a library calls it, as Nest routes no such methods (S077)', async () => {
    const { app, sessions } = await TestApplication.on('express').start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
    const headers = { authorization: `Bearer ${session.getAccessToken()}` };
    const response = { getHeader: () => undefined, setHeader: () => undefined, end: () => undefined };
    const args = [
      { method: 'GET', url: '/', headers },
      { ...response, removeHeader: () => undefined },
    ];
    const context = new ExecutionContextHost(args, SubController, SubController.prototype[secret]);
    await expect(app.get(SessionGuard).canActivate(context)).rejects.toMatchObject({
      payload: [{ id: 'base' }],
    });
  });
});

describe('@Session() on a handler that no guard runs for', () => {
  @Controller('unguarded')
  class UnguardedController {
    @Get() handler(@Session() session: SessionContainer) { return session.getUserId(); } // prettier-ignore
  }

  it.each(ADAPTERS)('fails, and the remedy is in the log only, on %s', async (adapter) => {
    const logger = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
    const { send } = await TestApplication.on(adapter)
      .controllers(UnguardedController)
      .logger(logger)
      .start();
    const response = await send({ path: '/unguarded' });
    expect([response.status, response.body]).toEqual([
      500,
      { statusCode: 500, message: 'Internal server error' },
    ]);
    expect(logger.error.mock.calls.flat().join('\n')).toContain(
      '@Session() on UnguardedController.handler: no SessionGuard ran for this route',
    );
  });
});

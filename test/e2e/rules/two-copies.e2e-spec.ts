import { Controller, Get, UseGuards } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import * as ours from 'nest-sessions';
import { DemoController } from '../../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

const COPIES = Symbol.for('nest-sessions:copies');
const formats = (globalThis as unknown as Record<symbol, number[]>)[COPIES] ?? [];

/** As two workspaces bring it: the same package, loaded a second time. */
const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
jest.resetModules();
const second = await import('nest-sessions');

const ourCore = await import('nest-sessions/core');
jest.resetModules();
const secondCore = await import('nest-sessions/core');

type Class = abstract new (...args: never[]) => object;

function isRecognised(kind: unknown): kind is Class {
  if (typeof kind !== 'function') return false;
  const prototype: unknown = kind.prototype;
  return (
    prototype instanceof Error ||
    prototype instanceof ours.SessionClaim ||
    [ours.SessionClaim, ours.SessionContainer].includes(kind as never)
  );
}

const exported = new Map<string, unknown>(Object.entries(ours));
const kindOf = (name: string) => exported.get(name) as new () => Error;

describe('two copies of the package in one process', () => {
  it('are two, and the process is warned once', () => {
    expect(second.UnauthorisedError).not.toBe(ours.UnauthorisedError);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('loaded twice'), {
      code: 'NEST_SESSIONS_TWO_COPIES',
    });
  });

  it('know the errors of each other by instanceof', () => {
    const errors = [
      ['UnauthorisedError', new second.UnauthorisedError('no')],
      ['TryRefreshTokenError', new second.TryRefreshTokenError('no')],
      ['TokenTheftDetectedError', new second.TokenTheftDetectedError('handle', 'ada')],
      ['InvalidClaimsError', new second.InvalidClaimsError([])],
      ['ClearDuplicateSessionCookiesError', new second.ClearDuplicateSessionCookiesError('twice')],
      ['CoreUnavailableError', new second.CoreUnavailableError('gone')],
      ['StoreFullError', new second.StoreFullError('full')],
      ['CoreResponseError', new second.CoreResponseError('odd')],
      ['CoreBadInputError', new second.CoreBadInputError('long')],
      ['DuplicateSessionCookiesError', new second.DuplicateSessionCookiesError()],
      ['RateLimitedError', new second.RateLimitedError(1)],
      ['TooManySessionsError', new second.TooManySessionsError('ada', 'public', 1)],
      ['SessionConfigError', new second.SessionConfigError([])],
    ] as const;
    for (const [name, error] of errors) {
      expect(error).toBeInstanceOf(kindOf(name));
      const others = errors.filter(
        ([each]) => each !== name && !(name === 'StoreFullError' && each === 'CoreUnavailableError'),
      );
      expect(others.filter(([each]) => error instanceof kindOf(each))).toEqual([]);
    }
    expect(errors.filter(([, error]) => error instanceof ours.SessionError)).toHaveLength(5);
    expect(errors.filter(([, error]) => error instanceof ours.CoreError)).toHaveLength(4);
    expect(new second.BooleanClaim({ key: 'a', fetchValue: () => true })).toBeInstanceOf(ours.SessionClaim);
  });

  it('know each kind of error, claim and session of each other, whichever door it comes from', () => {
    const classes = [
      [ours, second],
      [ourCore, secondCore],
    ].flatMap(([mine = {}, theirs = {}]) =>
      Object.entries(mine).flatMap(([name, kind]) =>
        isRecognised(kind) ? [[name, kind, new Map(Object.entries(theirs)).get(name)] as const] : [],
      ),
    );
    expect(classes.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'StoreSetupError',
        'CoreAttemptError',
        'PrimitiveArrayClaim',
        'SessionContainer',
      ]),
    );
    const unknown = classes.filter(([, kind, other]) => {
      const made: unknown = Object.create((other as { prototype: object }).prototype);
      return !(made instanceof kind) || {} instanceof kind;
    });
    expect(unknown.map(([name]) => name)).toEqual([]);
    for (const claim of [second.UserRoleClaim, second.PermissionClaim]) {
      expect([ours.UserRoleClaim, ours.PermissionClaim]).not.toContain(claim);
      expect(claim).toBeInstanceOf(ours.PrimitiveArrayClaim);
      expect(claim).not.toBeInstanceOf(ours.BooleanClaim);
    }
    expect(second.AuthenticationTimeClaim).toBeInstanceOf(ours.AuthenticationTimeClaim.constructor);
  });

  it.each([
    ['UserRoleClaim', second.UserRoleClaim, undefined],
    ['PermissionClaim', second.PermissionClaim, undefined],
    ['PermissionClaim', second.PermissionClaim, { getRolesForUser: () => [] }],
  ] as const)('refuse to start with %s of the other and no source of it', async (_name, claim, userRoles) => {
    const options = { claims: [claim], ...(userRoles === undefined ? {} : { userRoles }) };
    await expect(TestApplication.on('express').with(options).start()).rejects.toThrow(/userRoles/);
  });

  it('refuse to start where they do not share one form of state', async () => {
    formats.push(99);
    try {
      await expect(TestApplication.on('express').start()).rejects.toThrow(
        /two versions of nest-sessions are loaded that do not understand each other \(formats 1 and 99\)/,
      );
    } finally {
      formats.pop();
    }
  });
});

describe.each(ADAPTERS)('decorators, guard and errors of another copy on %s', (adapter) => {
  const denied = { id: 'denied', validate: () => ({ isValid: false }) };
  const plan = new second.PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro' });

  @Controller('mixed')
  @UseGuards(ours.SessionGuard)
  class MixedController {
    @Get('claims') @second.RequireClaims(denied) claims() {} // prettier-ignore
    @Get('both') @ours.RequireClaims({ ...denied, id: 'ours' }) @second.RequireClaims(denied) both() {} // prettier-ignore
    @Get('checked') @second.VerifySession({ checkDatabase: true }) checked() { return {}; } // prettier-ignore
    @Get('public') @second.PublicAccess() public() { return {}; } // prettier-ignore
    @Get('session') session(@second.Session() session: ours.SessionContainer) { return { userId: session.getUserId() }; } // prettier-ignore
    @Get('claim') claim(@second.Session(plan) value: string, @ours.Session(plan) same: string) { return [value, same]; } // prettier-ignore
    @Get('admin') @second.RequireClaims(second.UserRoleClaim.validators.includes('admin')) admin() { return {}; } // prettier-ignore
    @Get('editor') @ours.RequireClaims(ours.UserRoleClaim.validators.includes('editor')) editor() { return {}; } // prettier-ignore
    @Get('writer') @ours.RequireClaims(second.PermissionClaim.validators.includes('write')) writer() { return {}; } // prettier-ignore
    @Get('roles') roles(@second.Session(ours.UserRoleClaim) roles: string[], @ours.Session(second.PermissionClaim) permissions: string[]) { return [roles, permissions]; } // prettier-ignore
    @Get('throws') throws() { throw new second.UnauthorisedError('ended', { clearTokens: false }); } // prettier-ignore
  }

  @Controller('second')
  @UseGuards(second.SessionGuard)
  class SecondController {
    @Get('claims') @ours.RequireClaims(denied) claims() {} // prettier-ignore
    @Get('session') session(@ours.Session('userId') userId: string) { return { userId }; } // prettier-ignore
  }

  const userRoles = {
    getRolesForUser: () => ['admin'],
    getPermissionsForRole: ({ role }: { role: string }) => (role === 'admin' ? ['write'] : []),
  };
  const start = async () =>
    TestApplication.on(adapter)
      .with({ claims: [plan, second.UserRoleClaim, ours.PermissionClaim], userRoles })
      .controllers(DemoController, MixedController, SecondController)
      .start();

  it('are in force, and share the session of the request (S077)', async () => {
    const { signedIn, sessions, send } = await start();
    const user = await signedIn('header', 'ada');
    const get = async (path: string) => {
      const { status, body } = await user.get(path);
      return [status, body];
    };
    const refused = (...ids: string[]) => [
      403,
      { message: 'invalid claim', claimValidationErrors: ids.map((id) => ({ id })) },
    ];
    expect(await get('/mixed/claims')).toEqual(refused('denied'));
    expect(await get('/mixed/both')).toEqual(refused('denied', 'ours'));
    expect(await get('/mixed/session')).toEqual([200, { userId: 'ada' }]);
    expect(await get('/mixed/claim')).toEqual([200, ['pro', 'pro']]);
    expect(await get('/mixed/throws')).toEqual([401, { message: 'unauthorised' }]);
    expect(await get('/mixed/admin')).toEqual([200, {}]);
    expect(await get('/mixed/writer')).toEqual([200, {}]);
    expect((await get('/mixed/editor'))[0]).toBe(403);
    expect(await get('/mixed/roles')).toEqual([200, [['admin'], ['write']]]);
    expect(await get('/second/claims')).toEqual(refused('denied'));
    expect(await get('/second/session')).toEqual([200, { userId: 'ada' }]);
    expect((await send({ path: '/mixed/public' })).status).toBe(200);
    expect((await send({ path: '/second/session' })).status).toBe(401);
    await sessions.revokeAllSessionsForUser({ userId: 'ada' });
    expect((await user.get('/mixed/checked')).status).toBe(401);
  });
});

import { Controller, Get, UseGuards, Version, VERSION_NEUTRAL, VersioningType } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  OptionalSession,
  PrimitiveClaim,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  VerifySession,
  type SessionClaimValidator,
  type VerifySessionOptions,
} from 'nest-sessions';
import { DemoController } from '../support/demo.controller.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';

const failing = (id: string): SessionClaimValidator => ({ id, validate: () => ({ isValid: false }) });
const who = (session: SessionContainer | undefined): object => ({ user: session?.getUserId() ?? null });
const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro' });

/** The body of a 403: the validators, and nothing of what they saw. */
const rejection = (ids: readonly string[]): object => ({
  message: 'invalid claim',
  claimValidationErrors: ids.map((id) => ({ id })),
});

@Controller('plain')
@UseGuards(SessionGuard)
class PlainController {
  @Get('closed') closed(@Session() session: SessionContainer) { return who(session); } // prettier-ignore
  @Get('open') @PublicAccess() open(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
  @Get('optional') @OptionalSession() optional(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
  @Get('claims') @RequireClaims(failing('handler')) claims() {} // prettier-ignore
}

@Controller('public')
@UseGuards(SessionGuard)
@PublicAccess()
class PublicController {
  @Get('open') open(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
  @Get('closed') @VerifySession() closed(@Session() session: SessionContainer) { return who(session); } // prettier-ignore
  @Get('optional') @OptionalSession() optional(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
  @Get('claims') @RequireClaims(failing('handler')) claims() {} // prettier-ignore
}

@Controller('optional')
@UseGuards(SessionGuard)
@OptionalSession()
class OptionalController {
  @Get('optional') @VerifySession({ checkDatabase: true }) optional(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
  @Get('closed') @VerifySession({ sessionRequired: true }) closed(@Session() session: SessionContainer) { return who(session); } // prettier-ignore
  @Get('open') @PublicAccess() open(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
  @Get('claims') @RequireClaims(failing('handler')) claims() {} // prettier-ignore
}

@Controller('demanding')
@UseGuards(SessionGuard)
@RequireClaims(failing('class'))
class DemandingController {
  @Get('claims') claims() {} // prettier-ignore
  @Get('more-claims') @RequireClaims(failing('handler'), failing('second')) moreClaims() {} // prettier-ignore
  @Get('optional-claims') @OptionalSession() optionalClaims() {} // prettier-ignore
  @Get('open') @PublicAccess() open(@Session() session?: SessionContainer) { return who(session); } // prettier-ignore
}

/** Inherits the guard, the routes and the rules. */
@Controller('inherited')
class InheritingController extends DemandingController {}

/** Says more: what the parent demands still holds. */
@Controller('inherited-more')
@VerifySession({ checkDatabase: true })
@RequireClaims(failing('child'))
class DemandingMoreController extends DemandingController {}

/** Asks for a session although its parent is public. */
@Controller('inherited-closed')
@VerifySession()
class ClosedAgainController extends PublicController {}

@Controller('versioned')
@UseGuards(SessionGuard)
class VersionedController {
  @Get() @Version('1') @PublicAccess() first(): string { return 'first'; } // prettier-ignore
  @Get() @Version('2') second(): string { return 'second'; } // prettier-ignore
}

@Controller('unguarded')
class UnguardedController {
  @Get('session') session(@Session() session: SessionContainer) { return who(session); } // prettier-ignore
  @Get('nothing') nothing(): string { return 'nothing'; } // prettier-ignore
}

@Controller('forms')
@UseGuards(SessionGuard)
@OptionalSession()
class FormsController {
  @Get()
  forms(
    @Session() session: SessionContainer | undefined,
    @Session('userId') userId: string | undefined,
    @Session('sessionHandle') sessionHandle: string | undefined,
    @Session('tenantId') tenantId: string | undefined,
    @Session('recipeUserId') recipeUserId: string | undefined,
    @Session('accessTokenPayload') payload: object | undefined,
    @Session(plan) value: string | undefined,
  ): object {
    const all = { session, userId, sessionHandle, tenantId, recipeUserId, payload, value };
    return {
      kinds: Object.fromEntries(Object.entries(all).map(([name, each]) => [name, typeof each])),
      userId,
      tenantId,
      value,
      isSame: session?.getAccessTokenPayload() === payload && session?.getHandle() === sessionHandle,
    };
  }
}

const controllers = [
  DemoController,
  PlainController,
  PublicController,
  OptionalController,
  DemandingController,
  InheritingController,
  DemandingMoreController,
  ClosedAgainController,
  VersionedController,
  UnguardedController,
  FormsController,
];

describe.each(ADAPTERS)('the guard and its decorators on %s', (adapter) => {
  let application: TestApplication;
  let client: SessionClient;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .controllers(...controllers)
      .configure((app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: VERSION_NEUTRAL }))
      .with({ claims: [plan] })
      .start();
    client = await application.signedIn('cookie');
  });

  afterAll(() => application.close());

  /** Without a session, and with one. */
  it.each([
    ['plain/closed', 401, 'user-1'],
    ['plain/open', null, null],
    ['plain/optional', null, 'user-1'],
    ['plain/claims', 401, ['handler']],
    ['public/open', null, null],
    ['public/closed', 401, 'user-1'],
    ['public/optional', null, 'user-1'],
    ['public/claims', 401, ['handler']],
    ['optional/optional', null, 'user-1'],
    ['optional/closed', 401, 'user-1'],
    ['optional/open', null, null],
    ['optional/claims', 401, ['handler']],
    ['demanding/claims', 401, ['class']],
    ['demanding/more-claims', 401, ['class', 'handler', 'second']],
    ['demanding/optional-claims', 401, ['class']],
    ['demanding/open', null, null],
    ['inherited/claims', 401, ['class']],
    ['inherited/more-claims', 401, ['class', 'handler', 'second']],
    ['inherited/open', null, null],
    ['inherited-more/claims', 401, ['class', 'child']],
    ['inherited-more/more-claims', 401, ['class', 'child', 'handler', 'second']],
    ['inherited-more/open', null, null],
    ['inherited-closed/open', 401, 'user-1'],
    ['inherited-closed/optional', null, 'user-1'],
  ] as const)(
    '/%s: handler, class and parents count (S077, S079, S084)',
    async (path, without, withSession) => {
      const anonymous = await application.send({ path: `/${path}` });
      expect(anonymous.text).toBe(without === 401 ? '{"message":"unauthorised"}' : '{"user":null}');
      const response = await client.get(`/${path}`);
      expect(response.body).toEqual(
        Array.isArray(withSession) ? rejection(withSession) : { user: withSession },
      );
      expect(tokenTraffic(response)).toEqual(NOTHING);
    },
  );

  it('keeps versions of one path apart (S077)', async () => {
    expect((await application.send({ path: '/v1/versioned' })).text).toBe('first');
    expect((await application.send({ path: '/v2/versioned' })).status).toBe(401);
    expect((await client.get('/v2/versioned')).text).toBe('second');
  });

  it('injects the container, its properties and claims (S084)', async () => {
    expect((await client.get('/forms')).body).toEqual({
      kinds: {
        session: 'object', userId: 'string', sessionHandle: 'string', tenantId: 'string',
        recipeUserId: 'string', payload: 'object', value: 'string',
      }, // prettier-ignore
      userId: 'user-1',
      tenantId: 'public',
      value: 'pro',
      isSame: true,
    });
    const { kinds } = (await application.send({ path: '/forms' })).body as { kinds: object };
    expect(new Set(Object.values(kinds))).toEqual(new Set(['undefined']));
  });

  it('fails a handler that asks for a session where no guard ran (S078)', async () => {
    expect((await client.get('/unguarded/session')).status).toBe(500);
    expect((await client.get('/unguarded/nothing')).text).toBe('nothing');
  });
});

describe('decorators that cannot work', () => {
  const handler = { value: function handler() {} };
  const apply = (decorator: MethodDecorator): void => void decorator({}, 'handler', { ...handler });

  it.each([
    [
      'an unknown option',
      () => VerifySession({ checkDatabse: true } as VerifySessionOptions),
      /"checkDatabse"/,
    ],
    [
      'an option of the wrong type',
      () => VerifySession({ checkDatabase: 'yes' } as never),
      /must be a boolean/,
    ],
    [
      'something that is no validator',
      () => RequireClaims({} as SessionClaimValidator),
      /takes claim validators/,
    ],
    ['an unknown property', () => Session('userID' as 'userId'), /"userID"/],
    [
      'a public route with claims',
      () => {
        apply(RequireClaims(failing('a')));
        apply(PublicAccess());
      },
      /@PublicAccess on handler/,
    ],
  ])('%s fails when the class is defined (S077)', (_case, define, message) => {
    expect(define).toThrow(TypeError);
    expect(define).toThrow(message);
  });
});

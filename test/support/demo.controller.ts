import { All, Options, Body, Controller, Inject, Param, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  OptionalSession,
  PublicAccess,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
  VerifySession,
} from 'nest-sessions';
import type { LoginInput } from './session-client.js';

/** The arguments of a handler that a test brings along. */
export interface Call {
  readonly sessions: SessionService;
  readonly req: unknown;
  readonly res: unknown;
  readonly body: unknown;
}

export type OpenHandler = (call: Call) => unknown;
export type GuardedHandler = (session: SessionContainer, call: Call) => unknown;

/** Handlers by name: `open` ones at `/open/<name>` without a guard, `guarded` ones at `/run/<name>`. */
export interface Handlers {
  readonly open?: Readonly<Record<string, OpenHandler>>;
  readonly guarded?: Readonly<Record<string, GuardedHandler>>;
}

export const HANDLERS = Symbol('test handlers');

/** The response of the routes: whose session it is. */
export function describeSession(session: SessionContainer | undefined): object {
  if (session === undefined) return { session: null };
  return {
    userId: session.getUserId(),
    recipeUserId: session.getRecipeUserId(),
    tenantId: session.getTenantId(),
    sessionHandle: session.getHandle(),
    payload: session.getAccessTokenPayload(),
  };
}

/** The application of the e2e suites: one route for each way of asking for a session. */
@Controller()
@UseGuards(SessionGuard)
export class DemoController {
  constructor(
    private readonly sessions: SessionService,
    @Inject(HANDLERS) private readonly handlers: Handlers,
  ) {}

  @Post('login')
  @PublicAccess()
  async login(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() body: LoginInput & { userId: string },
  ): Promise<object> {
    const { userId, tenantId, payload, data } = body;
    const session = await this.sessions.createNewSession(req, res, {
      userId,
      ...(tenantId === undefined ? {} : { tenantId }),
      accessTokenPayload: payload as object,
      sessionDataInDatabase: data as object,
    });
    return { sessionHandle: session.getHandle() };
  }

  @All('me')
  me(@Session() session: SessionContainer | undefined): object {
    return describeSession(session);
  }

  @Options('preflight')
  preflight(@Session() session: SessionContainer | undefined): object {
    return describeSession(session);
  }

  @All('optional')
  @OptionalSession()
  optional(@Session() session?: SessionContainer): object {
    return describeSession(session);
  }

  @All('public')
  @PublicAccess()
  public(@Session() session?: SessionContainer): object {
    return describeSession(session);
  }

  @All('checked')
  @VerifySession({ checkDatabase: true })
  checked(@Session() session: SessionContainer): object {
    return describeSession(session);
  }

  @All('checked-optional')
  @VerifySession({ checkDatabase: true, sessionRequired: false })
  checkedOptional(@Session() session?: SessionContainer): object {
    return describeSession(session);
  }

  @All('with-anti-csrf')
  @VerifySession({ antiCsrfCheck: true })
  withAntiCsrf(@Session() session: SessionContainer): object {
    return describeSession(session);
  }

  @All('without-anti-csrf')
  @VerifySession({ antiCsrfCheck: false })
  withoutAntiCsrf(@Session() session: SessionContainer): object {
    return describeSession(session);
  }

  @All('run/:name')
  async run(
    @Param('name') name: string,
    @Session() session: SessionContainer,
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() body: unknown,
  ): Promise<unknown> {
    return (
      (await this.handlers.guarded?.[name]?.(session, { sessions: this.sessions, req, res, body })) ?? {}
    );
  }

  @All('open/:name')
  @PublicAccess()
  async open(
    @Param('name') name: string,
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() body: unknown,
  ): Promise<unknown> {
    return (await this.handlers.open?.[name]?.({ sessions: this.sessions, req, res, body })) ?? {};
  }
}

import { Body, Controller, Get, HttpCode, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  BooleanClaim,
  embeddedCore,
  postgresStore,
  PrimitiveClaim,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  SessionModule,
  SessionService,
  VerifySession,
} from 'nest-sessions';
import type { PostgresPool } from 'nest-sessions/core';

/** The application under test, as a user would have it: sessions in PostgreSQL, a claim from the billing service. */

export type Plan = 'free' | 'pro';

/** The calls of the application to other services: the store of its sessions, and billing. */
export const outside = { calls: [] as string[] };

export const PlanClaim = new PrimitiveClaim<Plan>({
  key: 'plan',
  fetchValue: () => {
    outside.calls.push('billing');
    return 'free';
  },
});

export const VerifiedClaim = new BooleanClaim({ key: 'verified', fetchValue: () => true });

class Pool implements PostgresPool {
  query = async (): Promise<never> => this.refuse();
  connect = async (): Promise<never> => this.refuse();

  private refuse(): never {
    outside.calls.push('database');
    throw new Error('There is no database in a test');
  }
}

@Controller()
@UseGuards(SessionGuard)
export class ShopController {
  constructor(private readonly sessions: SessionService) {}

  @Post('login')
  @PublicAccess()
  async login(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() { userId }: { userId: string },
  ): Promise<object> {
    const session = await this.sessions.createNewSession(req, res, { userId });
    return { sessionHandle: session.getHandle() };
  }

  @Get('me')
  me(@Session() session: SessionContainer): object {
    return {
      userId: session.getUserId(),
      tenantId: session.getTenantId(),
      sessionHandle: session.getHandle(),
      payload: session.getAccessTokenPayload(),
    };
  }

  @Post('orders')
  @HttpCode(200)
  order(@Session('userId') userId: string, @Body() body: unknown): object {
    return { userId, body };
  }

  @Get('pro')
  @RequireClaims(PlanClaim.validators.hasValue('pro'))
  pro(): string {
    return 'for paying customers';
  }

  @Get('checked')
  @VerifySession({ checkDatabase: true })
  checked(@Session('userId') userId: string): string {
    return userId;
  }
}

@Module({ providers: [Pool], exports: [Pool] })
class DatabaseModule {}

/** The options are made by a factory that has dependencies, as in most applications. */
@Module({
  imports: [
    SessionModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [Pool],
      useFactory: (pool: Pool) => ({
        appInfo: {
          appName: 'Shop',
          apiDomain: 'https://api.shop.io',
          websiteDomain: 'https://shop.io',
        },
        core: embeddedCore({ store: postgresStore(pool) }),
        antiCsrf: 'VIA_TOKEN',
        claims: [PlanClaim, VerifiedClaim],
        allowedOrigins: ['https://shop.io'],
      }),
    }),
  ],
  controllers: [ShopController],
})
export class ShopModule {}

import { Module, type DynamicModule } from '@nestjs/common';
import type { SessionModuleOptions } from '../session.options.js';
import { SessionModule } from '../session.module.js';
import type { SessionModuleExtras } from '../session.module.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_MODULE_OPTIONS } from '../session.constants.js';
import { Clock } from '../util/clock.js';
import { refuseProduction } from './refuse-production.js';
import { TestClock } from './test-clock.js';
import { NO_ROLES, resolveForTests, createTestCore, type SessionTestingOptions } from './testing-options.js';

/**
 * Options of `SessionTestingModule.forRoot`: those of `SessionModule`, none of which is required, and the clock.
 *
 * @publicApi
 */
export type SessionTestingModuleOptions = Partial<SessionModuleOptions> &
  SessionModuleExtras &
  SessionTestingOptions;

const APP_INFO = {
  appName: 'Test',
  apiDomain: 'http://localhost:3000',
  websiteDomain: 'http://localhost:3000',
};

/**
 * Replaces `SessionModule` in a test without the application's own module: one controller or guard with sessions in
 * memory, on a clock that the test moves.
 *
 * @example
 * const module = await Test.createTestingModule({
 *   imports: [SessionTestingModule.forRoot({ claims: [PlanClaim] })],
 *   controllers: [OrdersController],
 * }).compile();
 * @publicApi
 */
@Module({})
export class SessionTestingModule {
  /** @throws {Error} `NODE_ENV` is `production` */
  static forRoot({ clock, core, ...options }: SessionTestingModuleOptions = {}): DynamicModule {
    refuseProduction('SessionTestingModule');
    const provider = createTestCore(core === undefined ? {} : { core });
    const module = SessionModule.forRoot({ appInfo: APP_INFO, ...options });
    return {
      ...module,
      // Providers of a dynamic module win over those of its class.
      providers: [
        ...(module.providers ?? []),
        { provide: Clock, useValue: clock ?? new TestClock() },
        {
          provide: RESOLVED_SESSION_OPTIONS,
          inject: [SESSION_MODULE_OPTIONS],
          useFactory: (given: SessionModuleOptions) =>
            resolveForTests(given, {
              core: provider,
              // The default core has no roles. One that the test has chosen may have them.
              userRoles: given.userRoles ?? (core === undefined ? NO_ROLES : undefined),
            }),
        },
      ],
    };
  }
}

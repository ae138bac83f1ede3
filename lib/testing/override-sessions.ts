import { CoreClient } from '../core/core-client.js';
import { SessionEvents } from '../events/session-events.js';
import { WIRE_OPTIONS } from '../options/wire-options.js';
import type { ResolvedSessionOptions, SessionModuleOptions } from '../session.options.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_MODULE_OPTIONS } from '../session.constants.js';
import { Clock } from '../util/clock.js';
import { refuseProduction } from './refuse-production.js';
import { TestClock } from './test-clock.js';
import {
  resolveForTests,
  replacementRoles,
  createTestCore,
  type SessionTestingOptions,
} from './testing-options.js';

/**
 * The methods of the builder of `Test.createTestingModule` (`@nestjs/testing`) that are used.
 *
 * @publicApi
 */
export interface ProviderOverrides {
  overrideProvider(token: unknown): {
    useFactory(options: { factory: (...args: never[]) => unknown; inject?: unknown[] }): unknown;
    useValue(value: unknown): unknown;
  };
}

/** The address of the core of a `SessionCoreModule`; there is no connection to it. */
const NO_SESSION_MODULE = {
  apiDomain: 'http://localhost:3567',
  jwksRefreshIntervalSec: WIRE_OPTIONS.jwksRefreshIntervalSec.fallback,
};

/**
 * Puts the sessions of an application under test into memory and on a clock that the test moves. The core that
 * `SessionModule.forRoot` or `forRootAsync` configures is not created: no connection to its database or service is opened,
 * and its options need not be valid. All other options apply unchanged.
 *
 * @returns the same builder
 * @throws {Error} `NODE_ENV` is `production`
 *
 * @example
 * const module = await overrideSessions(Test.createTestingModule({ imports: [AppModule] })).compile();
 * @publicApi
 */
export function overrideSessions<Builder extends ProviderOverrides>(
  builder: Builder,
  options: SessionTestingOptions = {},
): Builder {
  refuseProduction('overrideSessions');
  builder.overrideProvider(Clock).useValue(options.clock ?? new TestClock());
  builder.overrideProvider(RESOLVED_SESSION_OPTIONS).useFactory({
    inject: [SESSION_MODULE_OPTIONS],
    factory: (given: SessionModuleOptions) => {
      const core = createTestCore(options, given.core);
      const userRoles = options.userRoles ?? given.userRoles ?? replacementRoles(given.core, core);
      return resolveForTests(given, { core, userRoles });
    },
  });
  // A SessionCoreModule has a core too, but no resolved options of a SessionModule.
  builder.overrideProvider(CoreClient).useFactory({
    inject: [Clock, SessionEvents, { token: RESOLVED_SESSION_OPTIONS, optional: true }],
    factory: (clock: Clock, events: SessionEvents, resolved?: ResolvedSessionOptions): CoreClient => {
      const core = resolved?.core ?? createTestCore(options);
      const { apiDomain, jwksRefreshIntervalSec } = resolved
        ? { apiDomain: resolved.config.appInfo.apiDomain, ...resolved.config }
        : NO_SESSION_MODULE;
      return core.create({
        clock,
        events,
        apiDomain,
        jwksRefreshIntervalSec,
      });
    },
  });
  return builder;
}

import type { NEST_OPTIONS, SessionModuleOptions } from '../session.options.js';
import type { Clock } from '../util/clock.js';
import type { SessionLogger } from '../util/session-logger.js';

/**
 * The options of `createSessions`: those of `SessionModule.forRoot`, without the few that have no meaning outside of Nest.
 * A class in `recipe` is made with `new` and gets `RecipeDependencies` alone.
 *
 * @publicApi
 */
export interface StandaloneSessionOptions extends Omit<SessionModuleOptions, (typeof NEST_OPTIONS)[number]> {
  /**
   * Gets trouble with the core (`error`), what was probably not meant (`warn`, at the start) and refused requests (`debug`, if
   * there is such a method).
   * @defaultValue errors and warnings on the console
   */
  logger?: SessionLogger | undefined;
  /**
   * The source of the time, for tests.
   * @defaultValue the system's clock
   */
  clock?: Clock | undefined;
}

import type { ConfigProblem } from '../errors.js';
import { integerOption, OptionReader } from './option-reader.js';

/**
 * How long a session may last. Both limits only shorten what the core grants (`refreshTokenValiditySec` of
 * `embeddedCore`, `refresh_token_validity` of a SuperTokens Core).
 *
 * @publicApi
 */
export interface SessionLifetime {
  /**
   * Seconds from signing in to the end of the session, however much it is used. Enforced at every verification, without
   * asking the core, and at every refresh. Default: none; 60 to 3,153,600,000 (100 years).
   */
  absoluteSec?: number;
  /**
   * Seconds after the last refresh at which an unused session ends. Access tokens live half as long at most, so that a
   * client in use refreshes in time. Enforced by the embedded core and by a served one; a SuperTokens Core knows its
   * own validity only, there the refresh cookie alone is shortened. Default: what the core grants; 60 to 3,153,600,000.
   */
  idleSec?: number;
}

const DAY_SEC = 24 * 60 * 60;

/**
 * The limits that NIST recommends for the sessions of each authenticator assurance level: SP 800-63B-4 (July 2025),
 * sections 2.1.3, 2.2.3 and 2.3.3. Revision 3 asked for 12 hours and 30 minutes at AAL2.
 *
 * @example SessionModule.forRoot({ appInfo, lifetime: NIST_LIFETIMES.AAL2 })
 * @publicApi
 */
export const NIST_LIFETIMES: {
  /** 30 days. */
  readonly AAL1: Readonly<SessionLifetime>;
  /** 24 hours, 1 hour without use. */
  readonly AAL2: Readonly<SessionLifetime>;
  /** 12 hours, 15 minutes without use. */
  readonly AAL3: Readonly<SessionLifetime>;
} = Object.freeze({
  AAL1: Object.freeze({ absoluteSec: 30 * DAY_SEC }),
  AAL2: Object.freeze({ absoluteSec: DAY_SEC, idleSec: 60 * 60 }),
  AAL3: Object.freeze({ absoluteSec: DAY_SEC / 2, idleSec: 15 * 60 }),
});

const LIMIT_NAMES: Readonly<Record<keyof SessionLifetime, true>> = { absoluteSec: true, idleSec: true };
const limitOption = integerOption(60, 36_500 * DAY_SEC);

/**
 * Reads a lifetime and reports what is wrong with it.
 *
 * @param prefix put before the names in the problems' paths
 */
export function readLifetime(value: object, problems: ConfigProblem[], prefix: string): SessionLifetime {
  const reader = new OptionReader(value as Readonly<Record<string, unknown>>, problems, prefix);
  reader.rejectUnknown(Object.keys(LIMIT_NAMES));
  const absoluteSec = reader.optional('absoluteSec', limitOption);
  const idleSec = reader.optional('idleSec', limitOption);
  return Object.freeze({
    ...(absoluteSec === undefined ? {} : { absoluteSec }),
    ...(idleSec === undefined ? {} : { idleSec }),
  });
}

import type { ConfigProblem } from './config-error.js';
import { backChannelLogout } from './back-channel-logout-options.js';
import { deviceBound } from './device-bound-options.js';
import { oneOf, secret, wholeNumber } from './option-checks.js';
import {
  group,
  isOptionsObject,
  option,
  readOptions,
  required,
  type Check,
  type OptionsOf,
  type Resolved,
} from './option-table.js';

const DAY_SEC = 24 * 60 * 60;
const lifetimeSec = wholeNumber(60, 36_500 * DAY_SEC);
const upToADaySec = wholeNumber(10, DAY_SEC);

/** The options in `lifetime`. */
export const LIFETIME_OPTIONS = {
  /**
   * Seconds from signing in to the end of the session, however much it is used; 60 to 3,153,600,000 (100 years). Enforced at
   * every verification, without a call to the core, and at every refresh.
   * @defaultValue none
   */
  absoluteSec: option(lifetimeSec),
  /**
   * Seconds after the last refresh at which an unused session ends; 60 to 3,153,600,000. Access tokens live at most half as
   * long, so that a client in use refreshes in time. Enforced by the embedded core and by a served one; a SuperTokens Core
   * knows only its own validity, so there only the refresh cookie is shortened.
   * @defaultValue the validity that the core grants
   */
  idleSec: option(lifetimeSec),
};

/**
 * How long a session may last. Both limits only shorten what the core grants (`refreshTokenValiditySec` of
 * `embeddedCore`, `refresh_token_validity` of a SuperTokens Core).
 *
 * @publicApi
 */
export interface SessionLifetime extends OptionsOf<typeof LIFETIME_OPTIONS> {}

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

/** The options in `maxSessionsPerUser`. */
export const LIMIT_OPTIONS = {
  /** Live sessions of one user in one tenant, counted over all login methods of the user; 1 to 10,000. */
  max: required(wholeNumber(1, 10_000), 'how many sessions a user may have'),
  /**
   * The outcome of a sign-in beyond `max`. `refuse`: it fails with `TooManySessionsError`, to which the response is 409.
   * `end-oldest`: the sessions that began first are ended to make room.
   */
  whenExceeded: required(oneOf('refuse', 'end-oldest'), "'refuse' or 'end-oldest'"),
};

/**
 * How many sessions a user may have at once.
 *
 * @publicApi
 */
export interface SessionLimit extends OptionsOf<typeof LIMIT_OPTIONS> {}

const hashKey: Check<string> = (value) => {
  if (typeof value === 'string' && value.length >= 16) return value;
  throw new Error('a text of at least 16 characters is expected');
};

/** The options in `devices`. */
export const DEVICE_OPTIONS = {
  /**
   * The client's address. `off`: not kept. `cut`: only the network, /24 of IPv4 and /48 of IPv6. `hashed`: a keyed hash, which
   * only allows to compare addresses; needs `hashKey`. `full`: unchanged.
   * @defaultValue `cut`
   */
  ip: option(oneOf('off', 'cut', 'hashed', 'full'), 'cut'),
  /**
   * The client's user agent. `off`: not kept. `family`: browser and system, `Firefox on Windows`. `full`: up to 256 characters.
   * @defaultValue `family`
   */
  userAgent: option(oneOf('off', 'family', 'full'), 'family'),
  /**
   * Seconds after a noted use of a session before the next one is noted; 10 to 86,400.
   * @defaultValue 300
   */
  lastSeenIntervalSec: option(upToADaySec, 300),
  /**
   * Secret of the application for `ip: 'hashed'`, at least 16 characters; the same in every instance.
   * @defaultValue none; required for `ip: 'hashed'`
   */
  hashKey: option(secret(hashKey)),
};

/**
 * The facts that are kept of the devices that sessions are used from.
 *
 * @publicApi
 */
export interface DeviceOptions extends OptionsOf<typeof DEVICE_OPTIONS> {}

export type DeviceSettings = Resolved<typeof DEVICE_OPTIONS>;

/**
 * The device that uses a session, as precisely as the option `devices` asks for.
 *
 * @publicApi
 */
export interface SessionDevice {
  /** Address, network or keyed hash; absent if it is unknown or not kept. */
  readonly ip?: string;
  /** Browser and system, or the header as it came; absent if it is unknown or not kept. */
  readonly userAgent?: string;
  /** When the session was last used, milliseconds since the epoch; up to `lastSeenIntervalSec` too early. */
  readonly lastSeen: number;
}

/** The options in `userSessionRoutes`. */
export const USER_SESSION_ROUTE_OPTIONS = {
  /**
   * Seconds since the last authentication within which other sessions may be ended; 10 to 86,400.
   * @defaultValue 600
   */
  freshWithinSec: option(upToADaySec, 600),
};

/**
 * The routes for users to look after their own sessions.
 *
 * @publicApi
 */
export interface UserSessionRoutesOptions extends OptionsOf<typeof USER_SESSION_ROUTE_OPTIONS> {}

const devices: Check<false | DeviceOptions, DeviceSettings | undefined> = (value, place) => {
  if (value === false) return undefined;
  const settings = group(DEVICE_OPTIONS, 'false or an object')(value, place);
  if (settings?.ip === 'hashed' && Reflect.get(value as object, 'hashKey') === undefined) {
    const message = "is missing: without a secret a table of all addresses undoes ip 'hashed'";
    place.problems.push({ path: `${place.path}.hashKey`, message });
  }
  return settings;
};

const userSessionRoutes: Check<
  boolean | UserSessionRoutesOptions,
  Resolved<typeof USER_SESSION_ROUTE_OPTIONS> | undefined
> = (value, place) =>
  value === false
    ? undefined
    : group(USER_SESSION_ROUTE_OPTIONS, 'true, false or an object')(value === true ? {} : value, place);

const lifetime: Check<SessionLifetime> = (value, { path, problems }) => {
  if (!isOptionsObject(value)) throw new Error('an object of limits is expected');
  return readLifetime(value, problems, `${path}.`);
};

/** The options about lifetimes, devices, and the sessions of one user. */
export const FEATURE_OPTIONS = {
  /**
   * Limits of every session, which `createNewSession` can change for one: an absolute end and an idle limit, see
   * `NIST_LIFETIMES`. Sessions then also carry the time of authentication. `{}` sets no limit and allows `createNewSession` to.
   * @defaultValue none: the validity that the core grants
   */
  lifetime: option(lifetime),
  /**
   * How many live sessions a user may have in a tenant, and the outcome of one more.
   * @defaultValue no limit
   */
  maxSessionsPerUser: option<SessionLimit, Resolved<typeof LIMIT_OPTIONS> | undefined>(
    group(LIMIT_OPTIONS, 'an object with max and whenExceeded'),
  ),
  /**
   * Whether, and how exactly, sessions know the device that uses them: address, user agent, and when they were last seen.
   * Kept in the session data, where the application does not see it, and deleted with the session; read it as `device` of
   * `getSessionInformation`. `{}` takes the defaults.
   * @defaultValue false: no facts are kept
   */
  devices: option(devices),
  /**
   * Routes by which users list their own sessions and end them: `GET <base>/sessions`, `POST <base>/sessions/revoke` and
   * `POST <base>/sessions/revoke-others`. `true` takes the defaults.
   * @defaultValue false: there are none
   */
  userSessionRoutes: option(userSessionRoutes),
  /**
   * Binds sessions to the device that signed in, so that copied tokens are soon or at once worth nothing: `dbsc` for browsers, `dpop`
   * for other clients. Clients that know neither notice nothing.
   * @defaultValue false: tokens work for anyone who has them
   */
  deviceBound: option(deviceBound),
  /**
   * Lets OpenID providers end the sessions of users who sign out there, at `POST <base>/session/backchannel-logout` (OpenID Connect Back-Channel
   * Logout 1.0). A sign-in says with `createNewSession({ provider })` where it comes from; such a session has an absolute end, 100
   * days after the sign-in unless `lifetime` sets another. See docs/guides/provider-logout.md.
   * @defaultValue false: there is no such route
   */
  backChannelLogout: option(backChannelLogout),
};

/**
 * The options of the module about lifetimes, devices, and the sessions of one user.
 *
 * @publicApi
 */
export interface SessionFeatureOptions extends OptionsOf<typeof FEATURE_OPTIONS> {}

/** The same after reading; undefined is off. */
export type SessionFeatures = Resolved<typeof FEATURE_OPTIONS>;

/**
 * Reads a lifetime and reports what is wrong with it.
 *
 * @param prefix stands before the names in the paths of problems
 * @returns the limits that are set; a limit that is not set has no property
 */
export function readLifetime(value: object, problems: ConfigProblem[], prefix: string): SessionLifetime {
  const read = readOptions(LIFETIME_OPTIONS, value as Readonly<Record<string, unknown>>, problems, prefix);
  return Object.freeze(Object.fromEntries(Object.entries(read).filter(([, limit]) => limit !== undefined)));
}

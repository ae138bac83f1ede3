import type { ConfigProblem } from '../errors.js';
import {
  integerOption,
  isOptionsObject,
  oneOfOption,
  OptionReader,
  type ParseOption,
} from './option-reader.js';

/**
 * How many sessions a user may have at once.
 *
 * @publicApi
 */
export interface SessionLimit {
  /** Live sessions of one user in one tenant, all of his login methods together. 1 to 10,000. */
  max: number;
  /**
   * What becomes of a sign-in beyond it. `refuse`: it fails with `TooManySessionsError`, answered with 409. `end-oldest`:
   * the sessions that began first are ended to make room.
   */
  whenExceeded: 'refuse' | 'end-oldest';
}

/**
 * What is kept of the devices that sessions are used from.
 *
 * @publicApi
 */
export interface DeviceOptions {
  /**
   * The client's address. `off`: not kept. `cut`: the network only, /24 of IPv4 and /48 of IPv6. `hashed`: a keyed hash, by
   * which addresses can be compared and nothing else; needs `hashKey`. `full`: as it is. Default `cut`.
   */
  ip?: 'off' | 'cut' | 'hashed' | 'full';
  /** The client's user agent. `off`: not kept. `family`: browser and system, `Firefox on Windows`. `full`: up to 256 characters. Default `family`. */
  userAgent?: 'off' | 'family' | 'full';
  /** Seconds for which a session's use is not noted again. Default 300; 10 to 86,400. */
  lastSeenIntervalSec?: number;
  /** Secret of the application for `ip: 'hashed'`, at least 16 characters; the same in every instance. */
  hashKey?: string;
}

/**
 * The routes for users to look after their own sessions.
 *
 * @publicApi
 */
export interface UserSessionRoutesOptions {
  /** Seconds since the last authentication within which other sessions may be ended. Default 600; 10 to 86,400. */
  freshWithinSec?: number;
}

/**
 * The options of the module about lifetimes, devices, and a user's sessions together.
 *
 * @publicApi
 */
export interface SessionFeatureOptions {
  /**
   * Limits of every session, which `createNewSession` can change for one: an absolute end and an idle limit, see
   * `NIST_LIFETIMES`. Sessions then also carry the time of authentication. Default: none, what the core grants holds; `{}`
   * sets none and allows `createNewSession` to.
   */
  lifetime?: SessionLifetime;
  /** How many live sessions a user may have in a tenant, and what becomes of one more. Default: no limit. */
  maxSessionsPerUser?: SessionLimit;
  /**
   * Whether, and how exactly, sessions know the device that uses them: address, user agent, and when they were last seen.
   * Kept in the session data, out of the application's sight, and gone with the session; read it as `device` of
   * `getSessionInformation`. Default false: nothing is kept. `{}` takes the defaults.
   */
  devices?: false | DeviceOptions;
  /**
   * Routes by which users list their own sessions and end them: `GET <base>/sessions`, `POST <base>/sessions/revoke` and
   * `POST <base>/sessions/revoke-others`. Default false: there are none. `true` takes the defaults.
   */
  userSessionRoutes?: boolean | UserSessionRoutesOptions;
}

/** The same with nothing left open; undefined is off. */
export interface SessionFeatures {
  readonly lifetime: SessionLifetime | undefined;
  readonly maxSessionsPerUser: Readonly<SessionLimit> | undefined;
  readonly devices: DeviceSettings | undefined;
  readonly userSessionRoutes: Readonly<Required<UserSessionRoutesOptions>> | undefined;
}

export type DeviceSettings = Readonly<Required<Omit<DeviceOptions, 'hashKey'>>> & {
  /** Set where `ip` is `hashed`. */
  readonly hashKey: string | undefined;
};

/** For the list of known options. */
export const SESSION_FEATURE_OPTION_NAMES: Readonly<Record<keyof SessionFeatureOptions, true>> = {
  lifetime: true,
  maxSessionsPerUser: true,
  devices: true,
  userSessionRoutes: true,
};

const LIMIT_NAMES: Readonly<Record<keyof SessionLimit, true>> = { max: true, whenExceeded: true };
const DEVICE_NAMES: Readonly<Record<keyof DeviceOptions, true>> = {
  ip: true,
  userAgent: true,
  lastSeenIntervalSec: true,
  hashKey: true,
};
const ROUTES_NAMES: Readonly<Record<keyof UserSessionRoutesOptions, true>> = { freshWithinSec: true };
const UP_TO_A_DAY = integerOption(10, 86_400);

/** Checks these options and fills in the defaults; what is wrong goes into `problems`. */
export function readSessionFeatures(reader: OptionReader, problems: ConfigProblem[]): SessionFeatures {
  const lifetime = reader.optional('lifetime', optionsObject('an object of limits'));
  const limit = reader.optional('maxSessionsPerUser', optionsObject('an object with max and whenExceeded'));
  const devices = reader.optional('devices', switchable(false, 'false or an object'));
  const routes = reader.optional('userSessionRoutes', switchable(true, 'true, false or an object'));
  return {
    lifetime: lifetime && readLifetime(lifetime, problems, 'lifetime.'),
    maxSessionsPerUser: limit && readLimit(limit, problems),
    devices: devices && readDevices(devices, problems),
    userSessionRoutes: routes && readRoutes(routes, problems),
  };
}

function readLimit(source: OptionsObject, problems: ConfigProblem[]): SessionLimit | undefined {
  const reader = new OptionReader(source, problems, 'maxSessionsPerUser.');
  reader.rejectUnknown(Object.keys(LIMIT_NAMES));
  const max = reader.required('max', integerOption(1, 10_000), 'how many sessions a user may have');
  const whenExceeded = reader.required(
    'whenExceeded',
    oneOfOption<SessionLimit['whenExceeded']>(['refuse', 'end-oldest']),
    "'refuse' or 'end-oldest'",
  );
  return max === undefined || whenExceeded === undefined ? undefined : { max, whenExceeded };
}

function readDevices(source: OptionsObject, problems: ConfigProblem[]): DeviceSettings {
  const reader = new OptionReader(source, problems, 'devices.');
  reader.rejectUnknown(Object.keys(DEVICE_NAMES));
  const ip =
    reader.optional('ip', oneOfOption<DeviceSettings['ip']>(['off', 'cut', 'hashed', 'full'])) ?? 'cut';
  const { hashKey } = source;
  const isSecret = typeof hashKey === 'string' && hashKey.length >= 16;
  // Not by the reader, which shows wrong values.
  if (hashKey !== undefined && !isSecret)
    reader.report('hashKey', 'a text of at least 16 characters is expected');
  if (hashKey === undefined && ip === 'hashed') {
    reader.report('hashKey', "is missing: without a secret a table of all addresses undoes ip 'hashed'");
  }
  return {
    ip,
    userAgent:
      reader.optional('userAgent', oneOfOption<DeviceSettings['userAgent']>(['off', 'family', 'full'])) ??
      'family',
    lastSeenIntervalSec: reader.optional('lastSeenIntervalSec', UP_TO_A_DAY) ?? 300,
    hashKey: isSecret ? hashKey : undefined,
  };
}

function readRoutes(source: OptionsObject, problems: ConfigProblem[]): Required<UserSessionRoutesOptions> {
  const reader = new OptionReader(source, problems, 'userSessionRoutes.');
  reader.rejectUnknown(Object.keys(ROUTES_NAMES));
  return { freshWithinSec: reader.optional('freshWithinSec', UP_TO_A_DAY) ?? 600 };
}

type OptionsObject = Readonly<Record<string, unknown>>;

function optionsObject(expected: string): ParseOption<OptionsObject> {
  return (value) => {
    if (!isOptionsObject(value)) throw new Error(`${expected} is expected`);
    return value;
  };
}

/** An object, or a switch: undefined is off, and on is an empty object. */
function switchable(takesTrue: boolean, expected: string): ParseOption<OptionsObject | undefined> {
  return (value) => {
    if (value === false) return undefined;
    return value === true && takesTrue ? {} : optionsObject(expected)(value);
  };
}

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

const LIFETIME_NAMES: Readonly<Record<keyof SessionLifetime, true>> = { absoluteSec: true, idleSec: true };
const limitOption = integerOption(60, 36_500 * DAY_SEC);

/**
 * Reads a lifetime and reports what is wrong with it.
 *
 * @param prefix put before the names in the problems' paths
 */
export function readLifetime(value: object, problems: ConfigProblem[], prefix: string): SessionLifetime {
  const reader = new OptionReader(value as Readonly<Record<string, unknown>>, problems, prefix);
  reader.rejectUnknown(Object.keys(LIFETIME_NAMES));
  const absoluteSec = reader.optional('absoluteSec', limitOption);
  const idleSec = reader.optional('idleSec', limitOption);
  return Object.freeze({
    ...(absoluteSec === undefined ? {} : { absoluteSec }),
    ...(idleSec === undefined ? {} : { idleSec }),
  });
}

import { listOf, objectWith, oneOf, secret, wholeNumber } from './option-checks.js';
import {
  group,
  option,
  type Check,
  type OptionsOf,
  type OptionTable,
  type Resolved,
} from './option-table.js';
import type { ReplayStore } from './replay-store.js';

const MIN_SECRET_LENGTH = 32;

/** One secret, or several of which the first signs. */
const secrets: Check<string | readonly string[], readonly string[]> = (value) => {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length > 0 && all.every((each) => typeof each === 'string' && each.length >= MIN_SECRET_LENGTH))
    return all as readonly string[];
  throw new Error(
    `a text of at least ${MIN_SECRET_LENGTH} characters is expected, or an array of such texts`,
  );
};

function algorithms<const Name extends string>(...accepted: readonly Name[]): Check<readonly Name[]> {
  const isAccepted = (name: unknown): boolean => accepted.some((each) => each === name);
  return listOf<Name>(isAccepted, `an array of some of ${accepted.join(', ')} is expected`);
}

/** Accepts `true` for the defaults, `false` for none, or an object. */
function switchable<Table extends OptionTable>(
  table: Table,
): Check<boolean | OptionsOf<Table>, Resolved<Table> | undefined> {
  const read = group(table, 'true, false or an object');
  return (value, place) => (value === false ? undefined : read(value === true ? {} : value, place));
}

/** The options in `deviceBound.dbsc`. */
export const DBSC_OPTIONS = {
  /**
   * Seconds for which a browser may go on without a new proof of its key: the longest time for which a copy of all cookies is
   * of use. 3 to 3600; under four minutes only for tests, because browsers renew it two minutes early, and sign six times in nine minutes.
   * @defaultValue 600
   */
  cookieLifeSec: option(wholeNumber(3, 3600), 600),
  /**
   * The algorithms that browsers may choose from. The public key becomes part of the access token; a key for `RS256` takes
   * about 500 characters there, one for `ES256` 170.
   * @defaultValue `['ES256']`
   */
  algorithms: option(algorithms('ES256', 'RS256'), ['ES256']),
  /**
   * Decides about requests that come without the bound cookie and say that the browser could not renew it (header
   * `Secure-Session-Skipped`), as after an outage. `refuse`: a guarded request is 401 and a refresh 503, after which the client
   * tries again. `accept`: both pass; a thief can send that header as well.
   * @defaultValue `refuse`
   */
  whenSkipped: option(oneOf('refuse', 'accept'), 'refuse'),
};

/** The options in `deviceBound.dpop`. */
export const DPOP_OPTIONS = {
  /**
   * The algorithms of proofs.
   * @defaultValue `['ES256', 'EdDSA']`
   */
  algorithms: option(algorithms('ES256', 'EdDSA'), ['ES256', 'EdDSA']),
  /**
   * Seconds after its `iat` until which a proof is accepted; 5 to 600.
   * @defaultValue 60
   */
  maxAgeSec: option(wholeNumber(5, 600), 60),
  /**
   * Seconds by which the `iat` of a proof may lie in the future, because clocks of clients differ; 0 to 60.
   * @defaultValue 5
   */
  clockToleranceSec: option(wholeNumber(0, 60), 5),
  /**
   * Which requests need a nonce of the server in their proof: `refresh` those that sign in or refresh, `always` all of them. A
   * client without a good one gets it with the refusal, and repeats.
   * @defaultValue `never`
   */
  nonce: option(oneOf('never', 'refresh', 'always'), 'never'),
  /**
   * The place that keeps used proofs, so that none works twice.
   * @defaultValue the server of `redisStore`, if that is the store; otherwise the memory of each process
   */
  replay: option(objectWith<ReplayStore>(['add'], 'a ReplayStore')),
};

/** The options in `deviceBound`. */
export const DEVICE_BOUND_OPTIONS = {
  /**
   * Binds sessions by cookie to a key of the browser, with Device Bound Session Credentials; browsers without them notice
   * nothing. `true` takes the defaults.
   * @defaultValue false
   */
  dbsc: option(switchable(DBSC_OPTIONS)),
  /**
   * Binds sessions by header to a key of the client that signs in with a proof of possession (DPoP, RFC 9449); other clients notice
   * nothing. `true` takes the defaults.
   * @defaultValue false
   */
  dpop: option(switchable(DPOP_OPTIONS)),
  /**
   * Authenticates bound cookies, challenges and nonces; at least 32 characters, the same in every instance. An array replaces a
   * secret step by step: the first signs, all are accepted.
   * @defaultValue derived from a key in the store of `embeddedCore`; required with `remoteCore`
   */
  secret: option(secret(secrets)),
};

/**
 * How sessions are bound to the device that uses them.
 *
 * @publicApi
 */
export interface DeviceBoundOptions extends OptionsOf<typeof DEVICE_BOUND_OPTIONS> {}

/**
 * How browsers bind sessions, see `DeviceBoundOptions`.
 *
 * @publicApi
 */
export interface DbscOptions extends OptionsOf<typeof DBSC_OPTIONS> {}

/**
 * How clients by header bind sessions, see `DeviceBoundOptions`.
 *
 * @publicApi
 */
export interface DpopOptions extends OptionsOf<typeof DPOP_OPTIONS> {}

export type DbscSettings = Resolved<typeof DBSC_OPTIONS>;
export type DpopSettings = Resolved<typeof DPOP_OPTIONS>;
/** The option after reading; undefined is off. */
export type DeviceBoundSettings = Resolved<typeof DEVICE_BOUND_OPTIONS>;

const read = group(DEVICE_BOUND_OPTIONS, 'false or an object');

/** Accepts `false`, or an object that switches something on. */
export const deviceBound: Check<false | DeviceBoundOptions, DeviceBoundSettings | undefined> = (
  value,
  place,
) => {
  if (value === false) return undefined;
  const settings = read(value, place);
  const isEmpty = typeof value === 'object' && value !== null && !('dbsc' in value) && !('dpop' in value);
  if (isEmpty) throw new Error('dbsc or dpop is expected: nothing is switched on');
  return settings?.dbsc === undefined && settings?.dpop === undefined ? undefined : settings;
};

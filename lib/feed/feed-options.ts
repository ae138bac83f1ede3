import { objectWith, oneOf, secret, wholeNumber } from '../options/option-checks.js';
import { group, option, type Check, type OptionsOf, type Resolved } from '../options/option-table.js';
import { isAcceptableApiKey } from '../util/api-key.js';
import type { RevocationFeed } from './revocation-feed.js';

/** Accepts API keys. */
const verifierKeys: Check<readonly string[]> = (value) => {
  const isKey = (key: unknown): boolean => typeof key === 'string' && isAcceptableApiKey(key);
  if (Array.isArray(value) && value.length > 0 && value.every(isKey)) return value as string[];
  throw new Error(
    'an array of keys is expected, each of at least 20 letters, digits, "=" and "-"; left out, there is no route',
  );
};

/** The options in `revocationFeed`. */
export const REVOCATION_FEED_OPTIONS = {
  /**
   * The channel. A store and a `SessionCoreModule` have one of their own; with another core, which has none, the instances tell
   * each other through the one given here.
   * @defaultValue that of the core
   */
  feed: option(objectWith<RevocationFeed>(['publish', 'read', 'subscribe'], 'a RevocationFeed')),
  /**
   * How often the feed is read without an announcement, milliseconds; 50 to 60,000. It is also the proof that the channel
   * works: after twice this time without one, the state is `stale`.
   * @defaultValue 1000
   */
  pollMs: option(wholeNumber(50, 60_000), 1000),
  /**
   * The fate of a session that would be accepted while the feed is `stale`. `check-store`: the core is asked about it, as with
   * `checkDatabase`. `accept`: it is accepted, as without a feed. `refuse`: the response is 503.
   * @defaultValue `check-store`
   */
  whenStale: option(oneOf('check-store', 'accept', 'refuse'), 'check-store'),
  /**
   * Number of ended sessions that are kept one by one, about 150 bytes each; 1000 to 10,000,000. The same number of records about
   * users and tenants is kept besides. Beyond either the core is asked about each session once.
   * @defaultValue 200,000
   */
  maxSessions: option(wholeNumber(1000, 10_000_000), 200_000),
  /**
   * The longest life of an access token, for records that are written here instead of by the store: with a remote core. Seconds; 1
   * to 86,400,000.
   * @defaultValue 3600 (an hour, the default of a SuperTokens Core)
   */
  accessTokenValiditySec: option(wholeNumber(1, 86_400_000), 3600),
  /**
   * Serves the feed to verifiers in other processes (`nest-sessions/verify`), at `POST <base>/session/revocations`. They send one of
   * these keys as `api-key`; each has at least 20 letters, digits, `=` and `-`.
   * @defaultValue none: there is no such route
   */
  apiKeys: option(secret(verifierKeys)),
};

/**
 * The option `revocationFeed` of the module.
 *
 * @publicApi
 */
export interface RevocationFeedOptions extends OptionsOf<typeof REVOCATION_FEED_OPTIONS> {}

/** The option after reading. */
export type RevocationFeedConfig = Resolved<typeof REVOCATION_FEED_OPTIONS>;

const feedGroup = group(REVOCATION_FEED_OPTIONS, 'true, false or an object');

/** Accepts `true` for the defaults, `false` for none, or an object. */
const revocationFeed: Check<boolean | RevocationFeedOptions, RevocationFeedConfig | undefined> = (
  value,
  place,
) => {
  if (value === false) return undefined;
  return feedGroup(value === true ? {} : value, place);
};

/** The options about how instances learn of ended sessions. */
export const FEED_OPTIONS = {
  /**
   * Lets each instance learn at once which sessions have ended in the others, so that their access tokens are refused without
   * a read per request. `true`: with the defaults. Use the same value in all instances. See docs/guides/scaling.md.
   * @defaultValue false
   */
  revocationFeed: option<boolean | RevocationFeedOptions, RevocationFeedConfig | undefined>(revocationFeed),
};

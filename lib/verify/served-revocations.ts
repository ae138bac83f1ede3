import { SessionConfigError, type ConfigProblem } from '../options/config-error.js';
import { REVOCATION_FEED_OPTIONS, type RevocationFeedConfig } from '../feed/feed-options.js';
import { oneOf, secret, text } from '../options/option-checks.js';
import { isComplete, option, readOptions, required, type OptionsOf } from '../options/option-table.js';
import { FollowedRevocations, type RevocationSource } from './followed-revocations.js';
import { givenOptions } from './verifier-options.js';
import { webAddress } from './web-address.js';
import { WebFeed } from './web-feed.js';

const { pollMs, maxSessions } = REVOCATION_FEED_OPTIONS;

/** The options of `servedRevocations`. */
export const SERVED_REVOCATIONS_OPTIONS = {
  /**
   * Address of the feed. Of a Nest application with `revocationFeed.apiKeys`: `https://api.example.com/auth/session/revocations`. Of
   * a core behind `SessionCoreModule`: `http://core.internal:3567/nest-sessions/revocations`.
   */
  url: required(webAddress, 'give the address of the feed, https://api.example.com/auth/session/revocations'),
  /**
   * One of the API keys of that server.
   * @defaultValue none: a served core without keys
   */
  apiKey: option(secret(text((key) => key))),
  /**
   * How often the feed is read without an announcement, milliseconds; 50 to 60,000. After twice this time without a response it is
   * stale.
   * @defaultValue 1000
   */
  pollMs,
  /**
   * The fate of a session that would be accepted while the feed is stale. `check-store`: its server is asked about the session.
   * `accept`: it is accepted, as without a feed. `refuse`: 503.
   * @defaultValue `check-store`
   */
  whenStale: option(oneOf('check-store', 'accept', 'refuse'), 'check-store'),
  /**
   * Number of ended sessions that are kept one by one; 1000 to 10,000,000. Beyond it the server is asked about each session once.
   * @defaultValue 200,000
   */
  maxSessions,
};

/**
 * The options of `servedRevocations`.
 *
 * @publicApi
 */
export interface ServedRevocationsOptions extends OptionsOf<typeof SERVED_REVOCATIONS_OPTIONS> {}

const FUNCTION = 'servedRevocations';

/**
 * Makes a verifier learn at once which sessions have ended, from a Nest application or from a core that `SessionCoreModule` serves. It
 * needs a process that goes on between requests.
 *
 * @throws {SessionConfigError} options are wrong; lists every problem
 * @example
 * const feed = servedRevocations({ url: 'https://api.example.com/auth/session/revocations', apiKey });
 * const verifier = createSessionVerifier({ apiDomain: 'https://api.example.com', feed });
 * @publicApi
 */
export function servedRevocations(options: ServedRevocationsOptions): RevocationSource {
  const given = givenOptions(options, FUNCTION, '{ url }');
  const problems: ConfigProblem[] = [];
  const read = readOptions(SERVED_REVOCATIONS_OPTIONS, given, problems);
  if (problems.length > 0 || !isComplete(SERVED_REVOCATIONS_OPTIONS, read))
    throw new SessionConfigError(problems, FUNCTION);
  const { url, apiKey, ...rest } = read;
  const { accessTokenValiditySec } = REVOCATION_FEED_OPTIONS;
  const unused = {
    feed: undefined,
    apiKeys: undefined,
    accessTokenValiditySec: accessTokenValiditySec.fallback,
  };
  const config: RevocationFeedConfig = { ...rest, ...unused };
  return {
    follow: (parts) =>
      new FollowedRevocations(new WebFeed({ url, apiKey }, parts.fetch, parts.clock), config, parts),
  };
}

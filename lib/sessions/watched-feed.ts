import type { CoreClient } from '../core/core-client.js';
import { SessionConfigError } from '../options/config-error.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import type { RevocationFeedConfig } from '../feed/feed-options.js';
import { RevocationWatch } from '../feed/revocation-watch.js';
import type { Clock } from '../util/clock.js';
import { ServedRevocations } from './served-revocations.js';
import type { SessionReports } from './session-reports.js';

/** Makes the part that serves the feed to verifiers in other processes. @returns undefined without `revocationFeed.apiKeys` */
export function serveFeed(
  config: RevocationFeedConfig | undefined,
  core: CoreClient,
  clock: Clock,
): ServedRevocations | undefined {
  const feed = config?.feed ?? core.revocationFeed;
  if (config?.apiKeys === undefined || feed === undefined) return undefined;
  return new ServedRevocations(feed, config.apiKeys, core, clock);
}

const NO_FEED =
  'is missing: the core or its store has no feed of its own. Give one that all instances share, or leave revocationFeed out';

interface WatchSurroundings {
  readonly clock: Clock;
  readonly events: SessionEventHub;
  /** Told about each record that is new here. */
  readonly served: ServedRevocations | undefined;
}

/**
 * Makes the watch over the feed of the option, or over that of the core.
 *
 * @returns undefined without the option
 * @throws {SessionConfigError} there is no feed
 */
export function watchFeed(
  config: RevocationFeedConfig | undefined,
  core: CoreClient,
  reports: SessionReports,
  { clock, events, served }: WatchSurroundings,
): RevocationWatch | undefined {
  const feed = config?.feed ?? (config && core.revocationFeed);
  if (config === undefined) return undefined;
  if (feed === undefined) throw new SessionConfigError([{ path: 'revocationFeed.feed', message: NO_FEED }]);
  return new RevocationWatch({
    feed,
    config,
    isPublisher: config.feed !== undefined,
    clock,
    events,
    onEnded: (sessionHandles) => {
      reports.gone(sessionHandles);
      served?.announceOwn();
    },
    onDoubt: (scope) => reports.unknownEndedIn(scope),
    onCutOffs: (scope) => {
      reports.connections.add(scope);
      served?.announceOwn();
    },
    settle: async () => reports.connections.run(core),
  });
}

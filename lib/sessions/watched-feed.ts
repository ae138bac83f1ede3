import type { CoreClient } from '../core/core-client.js';
import type { SessionEvents } from '../events/session-events.js';
import type { RevocationFeedConfig } from '../feed/feed-options.js';
import { RevocationWatch } from '../feed/revocation-watch.js';
import type { Clock } from '../util/clock.js';
import type { SessionReports } from './session-reports.js';

/**
 * Makes the watch over the feed of the option, or over that of the core.
 *
 * @returns undefined without the option, or where there is no feed
 */
export function watchFeed(
  config: RevocationFeedConfig | undefined,
  core: CoreClient,
  reports: SessionReports,
  { clock, events }: { readonly clock: Clock; readonly events: SessionEvents },
): RevocationWatch | undefined {
  const feed = config?.feed ?? (config && core.revocationFeed);
  if (config === undefined || feed === undefined) return undefined;
  return new RevocationWatch({
    feed,
    config,
    isPublisher: config.feed !== undefined,
    clock,
    events,
    onEnded: (sessionHandles) => reports.gone(sessionHandles),
    onDoubt: () => reports.forgetTokens(),
    onCutOff: async ({ tenantId }) => reports.checkConnections(tenantId, core),
  });
}

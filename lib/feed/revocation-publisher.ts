import type { Clock } from '../util/clock.js';
import { tenantIdOfHandle } from '../util/tenant-id.js';
import type { RevocationFeedConfig } from './feed-options.js';
import {
  cutOffRevocation,
  revocationNote,
  sessionRevocation,
  type RevocationDetails,
  type RevocationFeed,
} from './revocation-feed.js';

export interface RevocationPublisherParts {
  readonly feed: RevocationFeed;
  readonly config: Omit<RevocationFeedConfig, 'feed'>;
  /** True if revocations of this process are recorded here, because the core has another feed or none. */
  readonly isPublisher: boolean;
  readonly clock: Clock;
}

/** Writes the records of sessions that this process ends, where the core does not. */
export abstract class RevocationPublisher {
  /** The longest life of an access token that is known, milliseconds. */
  private tokenLifeMs: number;

  constructor(private readonly publishing: RevocationPublisherParts) {
    this.tokenLifeMs = publishing.config.accessTokenValiditySec * 1000;
  }

  /** Records ended sessions, unless the core has done so with their removal. @throws they are not recorded */
  async publishSessions(sessionHandles: readonly string[], details: RevocationDetails): Promise<void> {
    if (!this.publishing.isPublisher || sessionHandles.length === 0) return;
    const note = this.note(details);
    await this.publishing.feed.publish(
      sessionHandles.map((sessionHandle) =>
        sessionRevocation({ sessionHandle, tenantId: tenantIdOfHandle(sessionHandle) }, note),
      ),
    );
  }

  /** As {@link publishSessions}, for all sessions of a user. */
  async publishUser(
    { userId, tenantId }: { readonly userId: string; readonly tenantId: string | undefined },
    details: RevocationDetails,
  ): Promise<void> {
    if (this.publishing.isPublisher)
      await this.publishing.feed.publish([{ kind: 'user', id: userId, tenantId, ...this.note(details) }]);
  }

  /** As {@link publishSessions}, for all sessions of a tenant or of everybody. */
  async publishCutOff(tenantId: string | undefined, details: RevocationDetails): Promise<void> {
    if (this.publishing.isPublisher)
      await this.publishing.feed.publish([cutOffRevocation(tenantId, this.note(details))]);
  }

  /** A record that ends before the last token of its session would let that token be accepted again. */
  protected noteLife(lifeMs: number): void {
    if (!(lifeMs > this.tokenLifeMs) || !this.publishing.isPublisher) return;
    this.tokenLifeMs = lifeMs;
    process.emitWarning(
      `The core issues access tokens that live ${Math.ceil(lifeMs / 1000)} s, longer than revocationFeed.accessTokenValiditySec: ` +
        'set that option, because an instance that has not seen such a token lets records of ended sessions end too early',
      { type: 'NestSessionsWarning' },
    );
  }

  private note(details: RevocationDetails) {
    return revocationNote(details, this.publishing.clock.now(), this.tokenLifeMs);
  }
}

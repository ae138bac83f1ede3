import type { Clock } from '../util/clock.js';
import { warnProcess } from '../util/process-warning.js';
import { tenantIdOfHandle } from '../util/tenant-id.js';
import type { RevocationFeedConfig } from './feed-options.js';
import {
  cutOffRevocation,
  revocationNote,
  sessionRevocation,
  type Revocation,
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

  /**
   * Refuses ended sessions in this process from now on, and records them unless the core has done so with their removal.
   *
   * @throws they are not recorded
   */
  async publishSessions(sessionHandles: readonly string[], details: RevocationDetails): Promise<void> {
    if (sessionHandles.length === 0) return;
    const note = this.note(details);
    const records = sessionHandles.map((sessionHandle) =>
      sessionRevocation({ sessionHandle, tenantId: tenantIdOfHandle(sessionHandle) }, note),
    );
    this.admit(records);
    if (this.publishing.isPublisher) await this.publishing.feed.publish(records);
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
    const record = cutOffRevocation(tenantId, this.note(details));
    this.admit([record]);
    if (this.publishing.isPublisher) await this.publishing.feed.publish([record]);
  }

  /** Takes records into what this process knows. */
  protected abstract admit(records: readonly Revocation[]): void;

  /** A record that ends before the last token of its session would let that token be accepted again. */
  protected noteLife(lifeMs: number): void {
    if (!(lifeMs > this.tokenLifeMs)) return;
    this.tokenLifeMs = lifeMs;
    if (!this.publishing.isPublisher) return;
    warnProcess(
      `The core issues access tokens that live ${Math.ceil(lifeMs / 1000)} s, longer than revocationFeed.accessTokenValiditySec: ` +
        'set that option, because an instance that has not seen such a token lets records of ended sessions end too early',
      { type: 'NestSessionsWarning' },
    );
  }

  private note(details: RevocationDetails) {
    return revocationNote(details, this.publishing.clock.now(), this.tokenLifeMs);
  }
}

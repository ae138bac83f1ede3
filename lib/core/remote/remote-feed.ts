import {
  LongPollFeed,
  MAX_PAGE_BYTES,
  parseRevocationsResponse,
  type RevocationsResponse,
  type RevocationsQuestion,
} from '../../feed/long-poll-feed.js';
import { NoRevocationFeedError } from '../../feed/revocation-feed.js';
import { revocationsRequest } from './cdi-requests.js';
import { isUnknownPath } from './core-call-errors.js';
import { CoreConnection } from './core-connection.js';
import type { RemoteCoreConfig } from './remote-core-config.js';

/**
 * The feed of a core that this library serves (`SessionCoreModule`); a SuperTokens Core has none. The core itself records what ends.
 */
export class RemoteFeed extends LongPollFeed {
  private readonly connection: CoreConnection;

  constructor(
    private readonly config: RemoteCoreConfig,
    context: ConstructorParameters<typeof CoreConnection>[1],
  ) {
    super();
    this.connection = new CoreConnection({ ...config, maxResponseBytes: MAX_PAGE_BYTES }, context);
  }

  override get description(): string {
    return `the core at ${this.config.hosts.map(({ origin }) => origin).join(', ')}`;
  }

  /** Ends the calls under way. */
  close(): void {
    this.connection.close();
  }

  protected override async ask(question: RevocationsQuestion): Promise<RevocationsResponse> {
    try {
      const request = revocationsRequest(question);
      return await this.connection.call(request, parseRevocationsResponse, {}, { isFresh: true });
    } catch (error) {
      throw isUnknownPath(error) ? new NoRevocationFeedError(this.description) : error;
    }
  }
}

import { CoreResponseError } from '../../errors.js';
import {
  NoRevocationFeedError,
  RevocationFeed,
  type Revocation,
  type RevocationPage,
} from '../../feed/revocation-feed.js';
import type { JsonObject } from '../../util/json.js';
import { pause } from '../../util/repeat.js';
import { CoreAttemptError } from './core-call-errors.js';
import { CoreConnection } from './core-connection.js';
import type { RemoteCoreConfig } from './remote-core-config.js';
import { revocationsRequest } from './cdi-requests.js';

/** How long the core is asked to wait for something to tell, milliseconds; below the timeout of a call. */
const WAIT_MS = 5000;
/** The length of the longest page, in bytes: some hundred thousand records. */
const MAX_PAGE_BYTES = 67_108_864;
const PAUSE_AFTER_FAILURE_MS = 1000;
/** The shortest time between two questions, because a core behind a balancer may be another one each time. */
const MIN_PAUSE_MS = 50;

interface Answer extends RevocationPage {
  readonly seen: string;
}

/**
 * The feed of a core that this library serves (`SessionCoreModule`): a read, and beside it a call that the core answers when there is
 * something to read. A SuperTokens Core has none. The core itself records what ends.
 */
export class RemoteFeed extends RevocationFeed {
  private seen: string | undefined;
  private position: string | undefined;
  private isAnswered = false;

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

  override get isPushing(): boolean {
    return this.isAnswered;
  }

  override async publish(_records: readonly Revocation[]): Promise<void> {
    throw new TypeError('A served core records by itself what ends');
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    const answer = await this.ask({ after, waitMs: 0 });
    this.seen = answer.seen;
    this.position = answer.position;
    return answer;
  }

  override subscribe(wake: () => void): () => Promise<void> {
    const stopping = new AbortController();
    void this.listen(wake, stopping.signal);
    return async () => stopping.abort(); // the call under way ends with the connection
  }

  private async listen(wake: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { seen, position } = this;
      let pauseMs = PAUSE_AFTER_FAILURE_MS;
      if (seen !== undefined) {
        try {
          const answer = await this.ask({ after: position, seen, waitMs: WAIT_MS });
          this.isAnswered = true;
          if (answer.seen !== seen && !signal.aborted) wake();
          pauseMs = MIN_PAUSE_MS;
        } catch {
          this.isAnswered = false; // the watch reads at an interval
        }
      }
      await pause(pauseMs, signal);
    }
  }

  /** @throws {NoRevocationFeedError} the core has none */
  private async ask(question: { after: string | undefined; seen?: string; waitMs: number }): Promise<Answer> {
    try {
      return await this.connection.call(revocationsRequest(question), parseAnswer, {}, { isFresh: true });
    } catch (error) {
      const isUnknown =
        error instanceof CoreResponseError &&
        error.cause instanceof CoreAttemptError &&
        error.cause.status === 404;
      throw isUnknown ? new NoRevocationFeedError(this.description) : error;
    }
  }
}

function parseAnswer(answer: JsonObject): Answer {
  const { records, position, seen } = answer;
  if (!Array.isArray(records) || typeof position !== 'string' || typeof seen !== 'string')
    throw new TypeError('records, position and seen are expected');
  return { records, position, seen };
}

import {
  NoRevocationFeedError,
  RevocationFeed,
  type Revocation,
  type RevocationPage,
} from '../../feed/revocation-feed.js';
import type { JsonObject } from '../../util/json.js';
import { pause } from '../../util/repeat.js';
import { isUnknownPath } from './core-call-errors.js';
import { CoreConnection } from './core-connection.js';
import type { RemoteCoreConfig } from './remote-core-config.js';
import { revocationsRequest, type RevocationsQuestion } from './cdi-requests.js';

/** How long the core is asked to wait for something to tell, milliseconds; below the timeout of a call. */
const WAIT_MS = 5000;
/** The length of the longest page, in bytes: that of a Redis cluster with many nodes has some hundred thousand records. */
const MAX_PAGE_BYTES = 67_108_864;
const PAUSE_AFTER_FAILURE_MS = 1000;
/** The shortest time between two questions, because a core behind a balancer may be another one each time. */
const MIN_PAUSE_MS = 50;

interface Answer extends RevocationPage {
  readonly seen: string;
  /** Whether the core is told at once what other processes write to its store. */
  readonly isPushing: boolean;
}

/**
 * The feed of a core that this library serves (`SessionCoreModule`): a read, and beside it a call that the core answers when there is
 * something to read. A SuperTokens Core has none. The core itself records what ends.
 */
export class RemoteFeed extends RevocationFeed {
  /** The answer to the last read. */
  private last: Answer | undefined;
  private noteRead: () => void = () => {};
  private readonly firstRead = new Promise<void>((resolve) => {
    this.noteRead = resolve;
  });
  /** Whether the call that waits is answered. */
  private isAnswered = false;
  /** Whether the core's own feed announces. */
  private isPushedTo = false;

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
    return this.isAnswered && this.isPushedTo;
  }

  override async publish(_records: readonly Revocation[]): Promise<void> {
    throw new TypeError('A served core records by itself what ends');
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    const answer = await this.ask({ after, seen: undefined, waitMs: 0 });
    this.last = answer;
    this.noteRead();
    return answer;
  }

  override subscribe(wake: () => void): () => Promise<void> {
    const stopping = new AbortController();
    void this.listen(wake, stopping.signal);
    return async () => stopping.abort(); // the call under way ends with the connection
  }

  /** Waits for the first read, because only then is there something to wait behind. */
  private async listen(wake: () => void, signal: AbortSignal): Promise<void> {
    await this.firstRead;
    while (!signal.aborted) {
      const { seen, position } = this.last ?? {};
      let pauseMs = PAUSE_AFTER_FAILURE_MS;
      try {
        const answer = await this.ask({ after: position, seen, waitMs: WAIT_MS });
        this.isAnswered = true;
        if (answer.seen !== seen && !signal.aborted) wake();
        pauseMs = MIN_PAUSE_MS;
      } catch {
        this.isAnswered = false; // the watch reads at an interval
      }
      await pause(pauseMs, signal);
    }
  }

  /** @throws {NoRevocationFeedError} the core has none */
  private async ask(question: RevocationsQuestion): Promise<Answer> {
    try {
      const request = revocationsRequest(question);
      const answer = await this.connection.call(request, parseAnswer, {}, { isFresh: true });
      this.isPushedTo = answer.isPushing;
      return answer;
    } catch (error) {
      throw isUnknownPath(error) ? new NoRevocationFeedError(this.description) : error;
    }
  }
}

function parseAnswer(answer: JsonObject): Answer {
  const { records, position, mayHaveMore, seen, isPushing } = answer;
  if (!Array.isArray(records) || typeof position !== 'string' || typeof seen !== 'string')
    throw new TypeError('records, position and seen are expected');
  return { records, position, mayHaveMore: mayHaveMore === true, seen, isPushing: isPushing === true };
}

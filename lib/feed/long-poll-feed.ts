import type { JsonObject } from '../util/json.js';
import { pause } from '../util/repeat.js';
import { RevocationFeed, type Revocation, type RevocationPage } from './revocation-feed.js';

/** How long the other side is asked to wait for something to tell, milliseconds; below the timeout of a call. */
const WAIT_MS = 5000;
const PAUSE_AFTER_FAILURE_MS = 1000;
/** The shortest time between two questions, because a core behind a balancer may be another one each time. */
const MIN_PAUSE_MS = 50;
/** The length of the longest page, in bytes: some hundred thousand records of a Redis cluster, or 500 sessions with much data. */
export const MAX_PAGE_BYTES = 67_108_864;

/** The question of a reader; `seen` and `waitMs`: wait for another announcement than that one. */
export interface RevocationsQuestion {
  readonly after: string | undefined;
  readonly seen: string | undefined;
  readonly waitMs: number;
}

/** The response to it. */
export interface RevocationsResponse extends RevocationPage {
  readonly seen: string;
  /** Whether the core is told at once what other processes write to its store. */
  readonly isPushing: boolean;
}

/** A feed that another process serves: a read, and beside it a call that gets its response when there is something to read. */
export abstract class LongPollFeed extends RevocationFeed {
  /** The response to the last read. */
  private last: RevocationsResponse | undefined;
  private noteRead: () => void = () => {};
  private readonly firstRead = new Promise<void>((resolve) => {
    this.noteRead = resolve;
  });
  /** Whether the other side responds to the call that waits. */
  private isResponding = false;
  /** Whether the other side's own feed announces. */
  private isPushedTo = false;

  /** Asks the other side. @throws {NoRevocationFeedError} it has no feed */
  protected abstract ask(question: RevocationsQuestion): Promise<RevocationsResponse>;

  override get isPushing(): boolean {
    return this.isResponding && this.isPushedTo;
  }

  override async publish(_records: readonly Revocation[]): Promise<void> {
    throw new TypeError('A served core records by itself what ends');
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    const response = await this.askOnce({ after, seen: undefined, waitMs: 0 });
    this.last = response;
    this.noteRead();
    return response;
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
        const response = await this.askOnce({ after: position, seen, waitMs: WAIT_MS });
        this.isResponding = true;
        if (response.seen !== seen && !signal.aborted) wake();
        pauseMs = MIN_PAUSE_MS;
      } catch {
        this.isResponding = false; // the watch reads at an interval
      }
      await pause(pauseMs, signal);
    }
  }

  private async askOnce(question: RevocationsQuestion): Promise<RevocationsResponse> {
    const response = await this.ask(question);
    this.isPushedTo = response.isPushing;
    return response;
  }
}

/** Reads the response of a served feed. @throws {TypeError} it is none */
export function parseRevocationsResponse(response: JsonObject): RevocationsResponse {
  const { records, position, mayHaveMore, seen, isPushing } = response;
  if (!Array.isArray(records) || typeof position !== 'string' || typeof seen !== 'string')
    throw new TypeError('records, position and seen are expected');
  return { records, position, mayHaveMore: mayHaveMore === true, seen, isPushing: isPushing === true };
}

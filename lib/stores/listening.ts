import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { pause, shortenPause } from '../util/repeat.js';
import { withTimeout } from '../util/with-timeout.js';

/** The longest wait for a connection, and for a word on it; a frozen server gives neither. */
const TIMEOUT_MS = 2000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** The pause where the connection stands but brings no notification, because a pooler is in between. */
const DEAF_PAUSE_MS = 60_000;
/** The pause between two proofs that the connection still brings notifications: it may be cut without either end noticing. */
const PROOF_PAUSE_MS = 10_000;
const JITTER = 0.5;
const WORD = 'proof ';

/** A connection that listens. */
export interface ListeningConnection {
  /** Resolves when it listens. */
  readonly ready: Promise<unknown>;
  /** Ends it, also one that is not ready. */
  close(): unknown;
}

/** The ways to a channel on which a server announces changes. */
export interface ListeningParts {
  /**
   * Begins to open a connection that listens.
   *
   * @param onMessage called with the content of each announcement
   * @param onLost called when the connection is lost
   */
  open(onMessage: (content: string) => void, onLost: () => void): ListeningConnection;
  /** Announces a word by another connection. */
  announce(word: string): Promise<void>;
  /** Called for each announcement, and when announcements may have been missed. */
  wake(): void;
}

/** `failed`: there was no connection. `deaf`: it brought no notification. `lost`: it worked until then. */
type Outcome = 'failed' | 'lost' | 'deaf';

/** Returns the longest pause before the next connection, milliseconds; `failures` counts from the last one that worked. */
export function reconnectPauseMs(outcome: Outcome, failures: number): number {
  return outcome === 'deaf' ? DEAF_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
}

/** One subscription, with one connection at a time. It proves by words of its own that it hears, and opens another one when it does not. */
export class Listening {
  isHeard = false;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private readonly words = new Map<string, () => void>();
  /** Gives the connection up. */
  private lose: () => void = () => {};

  constructor(private readonly parts: ListeningParts) {
    this.running = this.keepConnected();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.lose();
    await this.running;
  }

  private async keepConnected(): Promise<void> {
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      const outcome = await this.listenOnce();
      if (signal.aborted) return;
      failures = outcome === 'lost' ? 1 : failures + 1;
      await pause(shortenPause(reconnectPauseMs(outcome, failures), JITTER), signal);
    }
  }

  /** @returns when the connection has ended */
  private async listenOnce(): Promise<Outcome> {
    const lost = new AbortController();
    this.lose = () => {
      lost.abort();
      for (const resolve of this.words.values()) resolve();
    };
    let outcome: Outcome = 'failed';
    let connection: ListeningConnection | undefined;
    try {
      connection = this.parts.open((content) => this.take(content), this.lose);
      await withTimeout(Promise.race([connection.ready, aborted(lost.signal)]), TIMEOUT_MS, 'No connection');
      if (!lost.signal.aborted) outcome = 'deaf';
      while (await this.hears(lost.signal)) {
        outcome = 'lost';
        this.noteHeard();
        await pause(shortenPause(PROOF_PAUSE_MS, JITTER), lost.signal);
      }
    } catch {
      // The next attempt comes after a pause; meanwhile the feed is read at an interval.
    }
    this.noteLost();
    void close(connection).catch(() => undefined); // a silent server may never respond
    return outcome;
  }

  private noteHeard(): void {
    if (this.isHeard) return;
    this.isHeard = true;
    this.parts.wake(); // what came before this connection listened
  }

  private noteLost(): void {
    if (!this.isHeard) return;
    this.isHeard = false;
    this.parts.wake();
  }

  /** Sends a word by another connection, because behind some poolers one listens and no notification ever comes. */
  private async hears(lost: AbortSignal): Promise<boolean> {
    if (lost.aborted) return false;
    const word = `${WORD}${randomUUID()}`;
    const heard = new Promise<void>((resolve) => this.words.set(word, resolve));
    try {
      await withTimeout(Promise.all([this.parts.announce(word), heard]), TIMEOUT_MS, 'Nothing is heard');
      return !lost.aborted;
    } catch {
      return false;
    } finally {
      this.words.delete(word);
    }
  }

  /** Words of other instances are no news. */
  private take(content: string): void {
    this.words.get(content)?.();
    if (!content.startsWith(WORD)) this.parts.wake();
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function close(connection: ListeningConnection | undefined): Promise<void> {
  await connection?.close();
}

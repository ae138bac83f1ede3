import { randomUUID } from 'node:crypto';
import { pause, shortenPause } from '../util/repeat.js';
import { withTimeout } from '../util/with-timeout.js';
import type { Announcements, SqlQuery, SqlRow } from './sql-client.js';

/**
 * A connection to PostgreSQL that listens: a `Client` of `pg` that has not been connected yet, or anything with these methods.
 *
 * @publicApi
 */
export interface PostgresListener {
  connect(): Promise<unknown>;
  query(query: {
    text: string;
    values: unknown[];
    query_timeout: number;
  }): Promise<{ readonly rows: unknown[] }>;
  on(event: string, listener: (event: never) => void): unknown;
  end(): Promise<unknown>;
}

/** The longest wait for the connection, and for a statement on it; a frozen server answers neither. */
const TIMEOUT_MS = 2000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** The pause where the connection stands but brings no notification, because a pooler is in between. */
const DEAF_PAUSE_MS = 60_000;
const JITTER = 0.5;

/**
 * `LISTEN` on a connection of its own, and `NOTIFY` as a statement of its own after a commit: inside a transaction it would hold
 * a lock of the whole server while data is written. A notification has no content, because what it is about is in a table.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export class PostgresAnnouncements implements Announcements {
  private listening: Listening | undefined;
  private sending: Promise<void> | undefined;
  private hasMore = false;

  /**
   * @param makeListener undefined for a store that does not listen
   * @param run runs a statement on any connection of the pool
   */
  constructor(
    private readonly makeListener: (() => PostgresListener) | undefined,
    private readonly run: (query: SqlQuery) => Promise<unknown>,
  ) {}

  get isHeard(): boolean {
    return this.listening?.isHeard === true;
  }

  /** Announcements that come while one is sent share the next. */
  announce(channel: string): void {
    this.hasMore = true;
    this.sending ??= this.send(channel).finally(() => (this.sending = undefined));
  }

  listen(channel: string, wake: () => void): () => Promise<void> {
    if (this.makeListener === undefined) return async () => {};
    const listening = new Listening(this.makeListener, channel, wake, async (token) => {
      await this.run({ text: 'SELECT pg_notify($1, $2)', values: [channel, token] });
    });
    this.listening = listening;
    return async () => listening.stop();
  }

  async query(query: SqlQuery): Promise<readonly SqlRow[] | undefined> {
    return this.listening?.query(query);
  }

  /** @returns when everything is announced */
  async settled(): Promise<void> {
    await this.sending;
  }

  private async send(channel: string): Promise<void> {
    while (this.hasMore) {
      this.hasMore = false;
      // Whoever misses it reads the table soon after.
      await this.run({ text: 'SELECT pg_notify($1, $2)', values: [channel, ''] }).catch(() => undefined);
    }
  }
}

/** One subscription, with one connection at a time. */
class Listening {
  isHeard = false;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private client: PostgresListener | undefined;
  /** Called when the connection is lost. */
  private lose: () => void = () => {};

  constructor(
    private readonly make: () => PostgresListener,
    private readonly channel: string,
    private readonly wake: () => void,
    private readonly notify: (token: string) => Promise<void>,
  ) {
    this.running = this.keepConnected();
  }

  /** Runs a statement on the connection. @returns undefined where there is none, or it has just been lost */
  async query({ text, values }: SqlQuery): Promise<readonly SqlRow[] | undefined> {
    const { client } = this;
    if (!this.isHeard || client === undefined) return undefined;
    try {
      const asked = client.query({ text, values: [...values], query_timeout: TIMEOUT_MS });
      return (await withTimeout(asked, TIMEOUT_MS, 'No answer')).rows as SqlRow[];
    } catch {
      this.lose();
      return undefined;
    }
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
      const pauseMs =
        outcome === 'deaf' ? DEAF_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
      await pause(shortenPause(pauseMs, JITTER), signal);
    }
  }

  /** @returns when the connection has failed, was lost after it was heard, or turned out to be deaf */
  private async listenOnce(): Promise<'failed' | 'lost' | 'deaf'> {
    let outcome: 'failed' | 'lost' | 'deaf' = 'failed';
    try {
      const client = this.make();
      const lost = new Promise<void>((resolve) => {
        this.lose = resolve;
        client.on('error', () => resolve());
        client.on('end', () => resolve());
      });
      this.client = client;
      await withTimeout(client.connect(), TIMEOUT_MS, 'No connection');
      await client.query({ text: `LISTEN "${this.channel}"`, values: [], query_timeout: TIMEOUT_MS });
      outcome = 'deaf';
      if (await this.hears(client)) {
        outcome = 'lost';
        this.isHeard = true;
        this.wake(); // what was written before this connection listened
        await lost;
      }
    } catch {
      // The next attempt comes after a pause; meanwhile the table is read at an interval.
    }
    const wasHeard = this.isHeard;
    this.isHeard = false;
    void this.client?.end().catch(() => undefined); // a silent server may never answer
    this.client = undefined;
    if (wasHeard) this.wake();
    return outcome;
  }

  /** Sends a word by another connection, because behind some poolers `LISTEN` succeeds and no notification ever comes. */
  private async hears(client: PostgresListener): Promise<boolean> {
    const token = randomUUID();
    let isHeard = (): void => {};
    const heard = new Promise<void>((resolve) => (isHeard = resolve));
    client.on('notification', ({ payload }: { payload?: unknown }) => {
      if (payload === token) isHeard();
      else this.wake();
    });
    await this.notify(token);
    return withTimeout(heard, TIMEOUT_MS, 'Nothing is heard').then(
      () => true,
      () => false,
    );
  }
}

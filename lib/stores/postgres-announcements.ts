import { SingleFlight } from '../util/single-flight.js';
import { Listening, type ListeningConnection } from './listening.js';
import type { Announcements, SqlQuery } from './sql-client.js';

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

/** The longest wait for a statement on the connection; a frozen server does not respond. */
const TIMEOUT_MS = 2000;

/**
 * `LISTEN` on a connection of its own, and `NOTIFY` as a statement of its own after a commit: inside a transaction it would hold
 * a lock of the whole server while data is written. A notification has no content, because what it is about is in a table.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export class PostgresAnnouncements implements Announcements {
  private listening: Listening | undefined;
  private readonly sending = new SingleFlight(async (channel: string) => this.send(channel));
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
    void this.sending.run(channel);
  }

  listen(channel: () => Promise<string>, wake: () => void): () => Promise<void> {
    const { makeListener } = this;
    if (makeListener === undefined) return async () => {};
    const listening = new Listening({
      open: (onMessage, onLost) => this.open(makeListener(), channel, { onMessage, onLost }),
      announce: async (word) => {
        await this.run({ text: 'SELECT pg_notify($1, $2)', values: [await channel(), word] });
      },
      wake,
    });
    this.listening = listening;
    return async () => listening.stop();
  }

  private open(
    client: PostgresListener,
    channel: () => Promise<string>,
    { onMessage, onLost }: { readonly onMessage: (content: string) => void; readonly onLost: () => void },
  ): ListeningConnection {
    client.on('error', onLost);
    client.on('end', onLost);
    client.on('notification', ({ payload }: { payload?: string }) => onMessage(payload ?? ''));
    const listen = async (): Promise<unknown> =>
      client.query({ text: `LISTEN "${await channel()}"`, values: [], query_timeout: TIMEOUT_MS });
    return {
      ready: client.connect().then(listen),
      close: async () => client.end(),
    };
  }

  /** @returns when everything is announced */
  async settled(): Promise<void> {
    await this.sending.settle();
  }

  private async send(channel: string): Promise<void> {
    while (this.hasMore) {
      this.hasMore = false;
      // Whoever misses it reads the table soon after.
      await this.run({ text: 'SELECT pg_notify($1, $2)', values: [channel, ''] }).catch(() => undefined);
    }
  }
}

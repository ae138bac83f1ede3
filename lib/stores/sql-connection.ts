import { setTimeout as delay } from 'node:timers/promises';
import { SingleFlight } from '../util/single-flight.js';
import { withTimeout } from '../util/with-timeout.js';
import { StoreSetupError } from './session-store.js';
import { isUpToDate, migrate, type SessionTables } from './schema.js';
import {
  drive,
  type SqlClient,
  type SqlQuery,
  type SqlRow,
  type SqlSteps,
  type SqlValue,
  type SqlDialect,
} from './sql-client.js';

/** The longest wait of a close for an opening under way, because a server may be silent. */
const CLOSE_TIMEOUT_MS = 5000;

/** A SQL store's access to its database: it opens with the first statement, and repeats statements after transient failures. */
export class SqlConnection {
  /** Waits for a close under way, because an opening beside it would be left over or closed. */
  private readonly opening = new SingleFlight(async () => this.closing.then(async () => this.open()), {
    keepsValue: true,
  });
  private closing: Promise<void> = Promise.resolve();

  constructor(
    private readonly client: SqlClient,
    private readonly tables: SessionTables,
    private readonly options: { readonly isMigrating: boolean; readonly retry: RetryPolicy },
  ) {}

  get dialect(): SqlDialect {
    return this.client.dialect;
  }

  /** Opens the database and brings the tables up to date: once, and again only after a failure. */
  async prepare(): Promise<void> {
    return this.opening.run();
  }

  /** Runs one statement. */
  async run(text: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.prepare();
    return this.retried(async () => this.client.query({ text, values }));
  }

  /** Runs one statement while no other call with the same lock runs one. */
  async exclusively(lock: string, query: SqlQuery): Promise<void> {
    await this.exclusiveSteps(lock, function* () {
      yield query;
    });
  }

  /** Runs steps in one transaction, as `SqlClient.exclusively`. */
  async exclusiveSteps<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    await this.prepare();
    return this.retried(async () => this.client.exclusively(lock, steps));
  }

  /** Closes the database if it is open or being opened; the next statement opens it again. */
  async close(): Promise<void> {
    const { current } = this.opening;
    this.opening.forget();
    const closed = this.closeAfter(this.closing, current);
    this.closing = closed.catch(() => undefined);
    return closed;
  }

  private async closeAfter(closing: Promise<void>, opening: Promise<void> | undefined): Promise<void> {
    await closing;
    // The caller of a failed opening knows of the failure.
    if (opening) await withTimeout(opening, CLOSE_TIMEOUT_MS, 'It is being opened').catch(() => undefined);
    await this.client.close();
  }

  private async open(): Promise<void> {
    await this.retried(async () => this.client.open());
    if (!this.options.isMigrating) return;
    const { dialect } = this.client;
    try {
      const runAlone = async (query: SqlQuery) => this.retried(async () => this.client.query(query));
      if (await drive(isUpToDate(dialect, this.tables), runAlone)) return;
      await this.retried(async () =>
        this.client.exclusively(this.tables.migrations.sql, () => migrate(dialect, this.tables)),
      );
    } catch (error) {
      if (!(error instanceof StoreSetupError)) throw error; // the database did not respond
      throw new StoreSetupError(
        'The tables for the sessions could not be made or completed. If this account may not, run what schemaSql() ' +
          `gives by hand and set migrate: false. The reason: ${error.message}`,
        { cause: error },
      );
    }
  }

  private async retried<T>(work: () => Promise<T>): Promise<T> {
    const { dialect } = this.client;
    try {
      return await withRetries(work, (error) => dialect.isTransient(error), this.options.retry);
    } catch (error) {
      if (!(error instanceof TypeError) && !dialect.isSetupFault(error)) throw error;
      const reason = error instanceof Error ? error.message : 'it cannot be used';
      throw new StoreSetupError(reason, { cause: error });
    }
  }
}

/** The number of attempts after transient failures, and the pauses between them. */
export interface RetryPolicy {
  /** Attempts in all. */
  readonly attempts: number;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** Returns a number from 0 to 1, so that calls that collided do not collide again. */
  readonly random: () => number;
}

/** Ten attempts within about two and a half seconds. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 10, sleep: delay, random: Math.random };

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** Repeats work that failed without an effect. @throws the last failure */
async function withRetries<T>(
  work: () => Promise<T>,
  isTransient: (error: unknown) => boolean,
  { attempts, sleep, random }: RetryPolicy,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !isTransient(error)) throw error;
      await sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * random());
    }
  }
}

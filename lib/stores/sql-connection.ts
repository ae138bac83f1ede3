import { setImmediate as nextTurn } from 'node:timers/promises';
import { DEFAULT_RETRY, rest, withRetries, type RetryPolicy } from '../util/retries.js';
import { SingleFlight } from '../util/single-flight.js';
import { withTimeout } from '../util/with-timeout.js';
import { StoreSetupError } from './session-store.js';
import { isUpToDate, migrate } from './schema.js';
import { sessionTables, type SessionTables, type TableNames } from './session-tables.js';
import { placeTables } from './table-place.js';
import {
  drive,
  type Announcements,
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
  /** Undefined where writers do not wait for each other. */
  private readonly lane: WriteLane | undefined;
  private placed: SessionTables | undefined;

  constructor(
    private readonly client: SqlClient,
    private readonly names: TableNames,
    private options: { readonly isMigrating: boolean; readonly retry: RetryPolicy },
  ) {
    const { dialect } = client;
    this.lane = dialect.hasOneWriter
      ? new WriteLane(options.retry, (error) => dialect.isTransient(error))
      : undefined;
  }

  get description(): string {
    return this.client.description ?? 'a database';
  }

  get dialect(): SqlDialect {
    return this.client.dialect;
  }

  get announcements(): Announcements | undefined {
    return this.client.announcements;
  }

  /** The tables: known once {@link prepare} has returned, because their schema may depend on what is in the database. */
  get tables(): SessionTables {
    if (this.placed === undefined)
      throw new Error('The database is not open: prepare() comes before a statement');
    return this.placed;
  }

  /**
   * Runs a statement of a feed, once, because the feed reads again anyway. It goes where the sessions are, because a connection
   * that listens may have another search path, or still reach a server that was replaced.
   */
  async readOfFeed(query: SqlQuery): Promise<readonly SqlRow[]> {
    return this.explained(async () => this.client.query(query));
  }

  /**
   * Opens the database, finds the tables and brings them up to date: once, and again only after a failure or a close. Comes before the
   * text of a statement is made.
   */
  async prepare(): Promise<void> {
    return this.opening.run();
  }

  /** Runs one statement. */
  async run(text: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const work = async (): Promise<readonly SqlRow[]> => this.client.query({ text, values });
    return isRead({ text }) ? this.retried(work) : this.written(work);
  }

  /** Runs one statement while no other call with the same lock runs one. */
  async exclusively(lock: string, query: SqlQuery): Promise<void> {
    await this.exclusiveSteps(lock, function* () {
      yield query;
    });
  }

  /** Runs steps in one transaction, as `SqlClient.exclusively`. */
  async exclusiveSteps<T>(lock: string, steps: () => SqlSteps<T>): Promise<T> {
    return this.written(async () => this.client.exclusively(lock, steps));
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
    const { dialect } = this.client;
    this.placed = await drive(placeTables(dialect, this.names), async (query) => this.readAlone(query));
    if (this.options.isMigrating) await this.migrate();
  }

  /** Leaves the tables as they are from now on, until {@link migrate}. */
  keepTables(): void {
    this.options = { ...this.options, isMigrating: false };
  }

  /** Brings the tables up to date, unless they are. */
  async migrate(): Promise<void> {
    const { dialect } = this.client;
    try {
      if (await drive(isUpToDate(dialect, this.tables), async (query) => this.readAlone(query))) return;
      // The lock is the same wherever the tables will be, and that of earlier versions.
      const lock = sessionTables(this.names).migrations.sql;
      this.placed = await this.retried(async () =>
        this.client.exclusively(lock, () => migrate(dialect, this.names)),
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

  /** Returns the statements that {@link migrate} would run; none where the tables are up to date. */
  async planMigration(): Promise<readonly string[]> {
    await this.prepare();
    const { dialect } = this.client;
    const planned: string[] = [];
    await drive(migrate(dialect, this.names), async (query) => {
      if (isRead(query)) return this.readAlone(query);
      planned.push(textWithValues(query));
      return [];
    });
    return planned;
  }

  private async readAlone(query: SqlQuery): Promise<readonly SqlRow[]> {
    return this.retried(async () => this.client.query(query));
  }

  private async written<T>(work: () => Promise<T>): Promise<T> {
    const { lane } = this;
    return lane === undefined ? this.retried(work) : this.explained(async () => lane.run(work));
  }

  private async retried<T>(work: () => Promise<T>): Promise<T> {
    const { dialect } = this.client;
    return this.explained(async () =>
      withRetries(work, (error) => dialect.isTransient(error), this.options.retry),
    );
  }

  /** @throws {StoreSetupError} in place of a failure that no repetition mends */
  private async explained<T>(work: () => Promise<T>): Promise<T> {
    const { dialect } = this.client;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TypeError) && !dialect.isSetupFault(error)) throw error;
      const reason = error instanceof Error ? error.message : 'it cannot be used';
      throw new StoreSetupError(reason, { cause: error });
    }
  }
}

function isRead({ text }: Pick<SqlQuery, 'text'>): boolean {
  return /^\s*SELECT\b/i.test(text);
}

/** Writes a statement of a migration out; its values are numbers. */
function textWithValues({ text, values }: SqlQuery): string {
  return text.replaceAll(/\$(\d+)/g, (_, position) => String(values[Number(position) - 1]));
}

/** Many short pauses, about five seconds in all: a look at whether a file is free costs some microseconds. */
export const SQLITE_RETRY: RetryPolicy = {
  ...DEFAULT_RETRY,
  attempts: 200,
  firstPauseMs: 2,
  longestPauseMs: 50,
};

/** A write that waits. */
interface WaitingWrite {
  /** The failures before it came. */
  readonly since: number;
  /** Makes an attempt, whose outcome is the caller's. @returns the failure if the write has to wait on */
  attempt(): Promise<{ readonly error: unknown } | undefined>;
  giveUp(error: unknown): void;
}

/**
 * The writes of this process to a database that has one writer at a time. While another process writes, the first one tries again
 * after pauses in which this process does other work, and those that come later wait behind it without an attempt; each for as
 * many attempts as the policy allows.
 */
class WriteLane {
  private readonly waiting: WaitingWrite[] = [];
  private failures = 0;

  constructor(
    private readonly retry: RetryPolicy,
    private readonly isTransient: (error: unknown) => boolean,
  ) {}

  /** @throws the last failure */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting.length === 0) {
      try {
        return await work();
      } catch (error) {
        if (!this.isTransient(error)) throw error;
      }
    }
    return new Promise((resolve, reject) => {
      const attempt = async (): ReturnType<WaitingWrite['attempt']> => {
        try {
          resolve(await work());
        } catch (error) {
          if (this.isTransient(error)) return { error };
          reject(error);
        }
        return undefined;
      };
      this.waiting.push({ since: this.failures, attempt, giveUp: reject });
      if (this.waiting.length === 1) void this.advance();
    });
  }

  private async advance(): Promise<void> {
    let failuresInRow = 1; // that of the write which found the lane empty
    for (let head = this.waiting[0]; head !== undefined; head = this.waiting[0]) {
      if (failuresInRow > 0) await rest(this.retry, failuresInRow);
      else await nextTurn(); // many writes in a row must leave room for other work
      const failure = await head.attempt();
      failuresInRow = failure === undefined ? 0 : failuresInRow + 1;
      if (failure === undefined) this.waiting.shift();
      else this.giveUpLate(failure.error);
    }
  }

  private giveUpLate(error: unknown): void {
    this.failures++;
    const oldest = this.failures - (this.retry.attempts - 1);
    while (this.waiting[0] !== undefined && this.waiting[0].since <= oldest)
      this.waiting.shift()?.giveUp(error);
  }
}

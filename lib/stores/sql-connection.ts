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
} from './sql-client.js';
import type { SqlDialect } from './sql-dialect.js';
import { withRetries, type RetryPolicy } from './sql-retry.js';

/** How long closing waits for an opening that is under way: a server may be silent. */
const CLOSE_PATIENCE_MS = 5000;

/** The way of a SQL store to its database: opened with the first statement, which is repeated where that may help. */
export class SqlConnection {
  private ready: Promise<void> | undefined;
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
    // Opened while it is being closed, one of the two would be left over.
    const opening = (this.ready ??= this.closing.then(async () => this.open()));
    try {
      await opening;
    } catch (error) {
      if (this.ready === opening) this.ready = undefined;
      throw error;
    }
  }

  /** Runs one statement. */
  async run(text: string, ...values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.prepare();
    return this.retried(async () => this.client.query({ text, values }));
  }

  /** Runs one statement while nobody else with the same lock does anything. */
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

  /** Closes what is open when this is called, or is being opened; the next statement opens it again. */
  async close(): Promise<void> {
    const { ready, closing } = this;
    this.ready = undefined;
    const closed = this.closeAfter(closing, ready);
    this.closing = closed.catch(() => undefined);
    return closed;
  }

  private async closeAfter(closing: Promise<void>, ready: Promise<void> | undefined): Promise<void> {
    await closing;
    // An opening that failed has left nothing to wait for, and its caller knows.
    if (ready) await withTimeout(ready, CLOSE_PATIENCE_MS, 'It is being opened').catch(() => undefined);
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
      if (!(error instanceof StoreSetupError)) throw error; // nobody answered, or not to the end
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

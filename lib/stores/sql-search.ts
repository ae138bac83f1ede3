import { CoreBadInputError } from '../errors.js';
import { anyCutOff, cutOffName, endedBefore, endedBeforeOfRow } from './cut-offs.js';
import { createSearchIndexes } from './schema.js';
import type { SessionTables } from './session-tables.js';
import { COLUMNS, OURS, toSessionKey, toSessionRow } from './sql-rows.js';
import {
  isStorableText,
  type SessionCountStep,
  type SessionPage,
  type SessionPosition,
  type SessionRow,
  type SessionSearch,
} from './session-store.js';
import { readNumber, type SqlRow } from './sql-client.js';
import { Parameters } from './sql-conditions.js';
import type { SqlConnection } from './sql-connection.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';

/** Rows that one page looks at, so that many ended ones do not hold it up. */
const MAX_LOOKED_AT = 5000;
/** Before all rows. */
const NEWEST = { createdAtMs: Number.MAX_SAFE_INTEGER, sessionHandle: '' };
const PLACE = '(created_at_time, session_handle)';
const NEWEST_FIRST = 'ORDER BY created_at_time DESC, session_handle DESC';
const KEY_AND_TIMES = 'tenant_id, session_handle, created_at_time, expires_at';

/** Lists and counts the sessions of everybody, in the order of an index that is read backwards. */
export class SqlSearch {
  private hasIndexes = false;

  constructor(private readonly connection: SqlConnection) {}

  /** Known once the connection is prepared. */
  private get tables(): SessionTables {
    return this.connection.tables;
  }

  /** One statement, and two more for a page that is short: the last one, or one among many sessions that have ended. */
  async page(search: SessionSearch): Promise<SessionPage> {
    if (!isStorableText(search.tenantId ?? '')) return { rows: [], next: undefined };
    await this.connection.prepare();
    await this.requireIndexes();
    const isOfUsers = search.userIds !== undefined; // few, so all of them are looked at
    const rows = await this.rows(search, isOfUsers ? 'none' : undefined);
    if (isOfUsers || rows.length > search.limit) return pageOf(rows, search, undefined);
    // Others may remove rows meanwhile, so what was looked at is only known by its end, which is therefore found first.
    const end = await this.endOfWindow(search);
    return pageOf(await this.rows(search, end ?? 'none'), search, end);
  }

  /** One statement, and one more for the estimate. */
  async count(search: SessionSearch): Promise<SessionCountStep> {
    if (!isStorableText(search.tenantId ?? '')) return { count: 0, next: undefined };
    await this.connection.prepare();
    await this.requireIndexes();
    const statement = new SearchStatement(this.connection, this.tables, search);
    const seen = statement.walk(KEY_AND_TIMES, statement.limit(search.limit));
    const [last] = await this.run(
      statement.with(`seen AS MATERIALIZED (${seen})`) +
        ` SELECT ${KEY_AND_TIMES}, (SELECT count(*) FROM seen WHERE ${statement.wanted()}) AS wanted,
          (SELECT count(*) FROM seen) AS looked
         FROM seen ORDER BY created_at_time, session_handle LIMIT 1`,
      statement,
    );
    if (last === undefined) return { count: 0, next: undefined };
    const isFull = readNumber(last, 'looked') >= search.limit;
    const estimate = isFull && search.after === undefined ? await this.estimate(search) : undefined;
    return {
      count: readNumber(last, 'wanted'),
      next: isFull ? toPosition(last) : undefined,
      ...(estimate !== undefined && { estimate }),
    };
  }

  /** PostgreSQL's estimate of all rows, from the last time that it looked through them. @returns undefined where there is none */
  private async estimate({ tenantId, userIds, createdSinceMs }: SessionSearch): Promise<number | undefined> {
    const isAboutAll = tenantId === undefined && userIds === undefined && createdSinceMs === undefined;
    if (!isAboutAll || this.connection.dialect.name !== 'postgres') return undefined;
    const [row] = await this.connection.run(
      'SELECT CAST(reltuples AS BIGINT) AS estimate FROM pg_class WHERE oid = to_regclass($1)',
      this.tables.sessions.sql,
    );
    const estimate = row === undefined ? 0 : readNumber(row, 'estimate');
    return estimate > 0 ? estimate : undefined;
  }

  /**
   * Reads one row more than the page has. The inner query stops where the outer one has enough, and ends after some thousand rows
   * or at a place.
   */
  private async rows(
    search: SessionSearch,
    end: SessionPosition | 'none' | undefined,
  ): Promise<SessionRow[]> {
    const statement = new SearchStatement(this.connection, this.tables, search);
    const seen =
      end === undefined
        ? statement.walk(COLUMNS, `LIMIT ${MAX_LOOKED_AT}`)
        : statement.walk(COLUMNS, '', end === 'none' ? undefined : end);
    const text = `SELECT ${COLUMNS} FROM (${seen}) AS seen WHERE ${statement.wanted()} ${statement.limit(search.limit + 1)}`;
    return Array.from(await this.run(statement.with() + text, statement), toSessionRow);
  }

  /** @returns undefined if fewer rows are left than one page looks at */
  private async endOfWindow(search: SessionSearch): Promise<SessionPosition | undefined> {
    const statement = new SearchStatement(this.connection, this.tables, search);
    const text = statement.walk(KEY_AND_TIMES, `LIMIT 1 OFFSET ${MAX_LOOKED_AT - 1}`);
    const [row] = await this.run(statement.with() + text, statement);
    return row && toPosition(row);
  }

  private async run(text: string, { values }: Parameters): Promise<readonly SqlRow[]> {
    return this.connection.run(text, ...values);
  }

  /** @throws {CoreBadInputError} an index is missing, and a search would read the whole table */
  private async requireIndexes(): Promise<void> {
    if (this.hasIndexes) return;
    const isPostgres = this.connection.dialect.name === 'postgres';
    const { creationIndex, tenantCreationIndex } = this.tables;
    for (const index of [creationIndex, tenantCreationIndex]) {
      const [found] = await this.connection.run(
        isPostgres
          ? 'SELECT 1 AS found FROM pg_index WHERE indexrelid = to_regclass($1) AND indisvalid'
          : `SELECT 1 AS found FROM sqlite_master WHERE type = 'index' AND name = $1`,
        isPostgres ? index.sql : index.name,
      );
      if (found === undefined) throw new CoreBadInputError(missingIndexes(this.tables, isPostgres));
    }
    this.hasIndexes = true;
  }
}

/** The parts of a statement about some of the sessions, and their values. */
class SearchStatement extends Parameters {
  constructor(
    private readonly connection: SqlConnection,
    private readonly tables: SessionTables,
    private readonly search: SessionSearch,
  ) {
    super();
  }

  /** Returns the common tables: `own` if users are named, so that no plan goes through the sessions of all others. */
  with(...others: readonly string[]): string {
    const { userIds } = this.search;
    const tables = userIds === undefined ? others : [this.own(userIds), ...others];
    return tables.length === 0 ? '' : `WITH ${tables.join(', ')} `;
  }

  private own(userIds: readonly string[]): string {
    const ids = this.add(JSON.stringify(userIds.filter(isStorableText)), 'TEXT');
    return `own AS MATERIALIZED (SELECT ${COLUMNS} FROM ${this.tables.sessions.sql}
      WHERE ${OURS} AND ${this.connection.dialect.inList('user_id', ids)})`;
  }

  /** Returns the query for the rows in the order of an index, from the search's place on. */
  walk(columns: string, ending: string, end?: SessionPosition): string {
    const { after = NEWEST, tenantId, userIds, createdSinceMs = 0 } = this.search;
    const cutOff = endedBefore(this.tables, this.add(cutOffName(tenantId), 'TEXT'));
    const since = `${this.connection.dialect.greatest}(${this.add(createdSinceMs, 'BIGINT')}, ${cutOff})`;
    const conditions = [`${PLACE} < ${this.place(after)}`, `created_at_time >= ${since}`];
    if (end !== undefined) conditions.push(`${PLACE} >= ${this.place(end)}`);
    if (userIds === undefined) conditions.push(OURS);
    const isByTenant = userIds === undefined && tenantId !== undefined && tenantId !== DEFAULT_TENANT_ID;
    // The second condition stands in the definition of the index.
    if (isByTenant)
      conditions.push(`tenant_id = ${this.add(tenantId, 'TEXT')} AND tenant_id <> '${DEFAULT_TENANT_ID}'`);
    const source = userIds === undefined ? this.sessionsBy(isByTenant) : 'own';
    return `SELECT ${columns} FROM ${source} WHERE ${conditions.join(' AND ')} ${NEWEST_FIRST} ${ending}`;
  }

  /** Names the index for SQLite, which would take the primary key and sort all rows, because they have the same app. */
  private sessionsBy(tenant: boolean): string {
    const { sessions, creationIndex, tenantCreationIndex } = this.tables;
    if (this.connection.dialect.name === 'postgres') return sessions.sql;
    return `${sessions.sql} INDEXED BY ${(tenant ? tenantCreationIndex : creationIndex).sql}`;
  }

  /** Returns the condition on the rows of a walk, `seen`. */
  wanted(): string {
    const { tenantId, nowMs } = this.search;
    const isLive = `expires_at >= ${this.add(nowMs, 'BIGINT')}`;
    return tenantId === undefined
      ? // Without a cut-off, and mostly there is none, no row is looked up in the other table.
        `${isLive} AND (NOT EXISTS (${anyCutOff(this.tables)})
          OR created_at_time >= ${endedBeforeOfRow(this.tables, 'seen')})`
      : `${isLive} AND tenant_id = ${this.add(tenantId, 'TEXT')}`;
  }

  limit(rows: number): string {
    return `LIMIT ${this.add(rows, 'BIGINT')}`;
  }

  private place(at: Pick<SessionPosition, 'createdAtMs' | 'sessionHandle'>): string {
    return `(${this.add(at.createdAtMs, 'BIGINT')}, ${this.add(at.sessionHandle, 'TEXT')})`;
  }
}

function pageOf(
  rows: readonly SessionRow[],
  { limit }: SessionSearch,
  end: SessionPosition | undefined,
): SessionPage {
  const last = rows.length > limit ? rows[limit - 1] : end;
  if (last === undefined) return { rows, next: undefined };
  const { tenantId, sessionHandle, createdAtMs } = last;
  return { rows: rows.slice(0, limit), next: { tenantId, sessionHandle, createdAtMs } };
}

function toPosition(row: SqlRow): SessionPosition {
  return { ...toSessionKey(row), createdAtMs: readNumber(row, 'created_at_time') };
}

function missingIndexes(tables: SessionTables, isPostgres: boolean): string {
  const statements = createSearchIndexes(tables).map((text) =>
    isPostgres ? text.replace('CREATE INDEX', 'CREATE INDEX CONCURRENTLY') : text,
  );
  return `The table of the sessions has no valid index by creation, so a search would read all of it. Make it once: ${statements.join('; ')}`;
}

import { LOOKED_AT, OVERLAP_MS, refusePosition, type AuditSearch } from '../audit/audit-trail.js';
import { readNumber, readText, type SqlDialect, type SqlQuery, type SqlRow } from './sql-client.js';
import { Parameters } from './sql-conditions.js';
import { isSnapshot, NOTHING_VISIBLE, SERVER_START, shortened } from './sql-revocations.js';

/** The table of the trail. */
export interface TrailTable {
  readonly table: string;
  readonly dialect: SqlDialect;
  run(query: SqlQuery): Promise<readonly SqlRow[]>;
}

/** Rows of one page. */
export interface RowPage {
  readonly rows: readonly SqlRow[];
  readonly next: string | undefined;
  readonly mayHaveMore: boolean;
}

/** Reads from the newest on, by number: a page is as of the moment when it is read. */
export async function readNewest(trail: TrailTable, search: AuditSearch): Promise<RowPage> {
  const parameters = new Parameters();
  const before = search.after === undefined ? undefined : numberOf(search.after, 'n');
  const from = before === undefined ? 'TRUE' : `position < ${parameters.add(before, 'BIGINT')}`;
  const found = await trail.run(pageQuery(trail, search, { from, order: 'DESC', parameters }));
  const { rows, reached, mayHaveMore } = readPage(found, search);
  return { rows, mayHaveMore, next: mayHaveMore ? `n${reached}` : undefined };
}

/** Reads from the oldest on, where one transaction writes at a time: the order of the numbers is that of the commits. */
export async function readByNumber(trail: TrailTable, search: AuditSearch): Promise<RowPage> {
  const parameters = new Parameters();
  const after = search.after === undefined ? 0 : numberOf(search.after, 'p');
  const from = `position > ${parameters.add(after, 'BIGINT')}`;
  const found = await trail.run(pageQuery(trail, search, { from, order: 'ASC', parameters }));
  const { rows, reached, mayHaveMore } = readPage(found, search);
  return { rows, mayHaveMore, next: `p${reached ?? after}` };
}

/** The position of a reader of PostgreSQL. */
interface Place {
  /** The start of the server, milliseconds since the epoch. */
  readonly server: string;
  /** The snapshot whose records are known. */
  readonly seen: string;
  /** Between two pages of one round: the snapshot whose records are known after the round; else empty. */
  readonly target: string;
  /** Between two pages of one round: the number of the last record; else 0. */
  readonly last: number;
  /** The latest time of a record that is known, milliseconds since the epoch; 0 at the beginning. */
  readonly timeMs: number;
}

/**
 * Reads what has become visible since the last round, in the order of the numbers. A number alone would not do, because a lower one may
 * be committed later; and the number is what orders the records of one session, because it is given while the session is locked.
 * A round is all that one snapshot shows and the one before did not: where it shows a record, it also shows those of the
 * same session before it.
 *
 * The numbers of transactions mean something else after a start of the server, because some may have been given again. Then reading
 * goes back by {@link OVERLAP_MS}. The snapshots of a standby do not name open transactions, so there it always does.
 */
export async function readBySnapshot(trail: TrailTable, search: AuditSearch): Promise<RowPage> {
  const place = parsePlace(search.after);
  const parameters = new Parameters();
  const [server, seen, target, last, time] = [
    parameters.add(place.server, 'TEXT'),
    parameters.add(place.seen, 'TEXT'),
    parameters.add(place.target || NOTHING_VISIBLE, 'TEXT'), // valid always: the planner reads it before the condition
    parameters.add(place.last, 'BIGINT'),
    parameters.add(place.timeMs, 'BIGINT'),
  ];
  const { table } = trail;
  const before = `now AS MATERIALIZED (
      SELECT this.server, ${server} = this.server AS is_same, pg_current_snapshot() AS current,
        CAST(CASE WHEN ${server} = this.server THEN ${seen} ELSE '${NOTHING_VISIBLE}' END AS pg_snapshot) AS seen,
        CASE WHEN ${server} = this.server AND ${last} > 0 THEN CAST(${target} AS pg_snapshot) ELSE pg_current_snapshot() END AS target
      FROM (SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE
        ${SERVER_START} END AS server) AS this),
    place AS MATERIALIZED (
      SELECT CASE
        WHEN is_same AND ${last} > 0 THEN ${last}
        WHEN is_same AND CAST(seen AS TEXT) <> '${NOTHING_VISIBLE}' THEN (SELECT MIN(p) - 1 FROM (
          SELECT position AS p FROM ${table} WHERE written_by >= pg_snapshot_xmin(now.seen)
            AND written_by < pg_snapshot_xmax(now.target) AND NOT pg_visible_in_snapshot(written_by, now.seen) OFFSET 0) AS fresh)
        WHEN ${time} > 0 THEN COALESCE((SELECT position FROM ${table} WHERE noted_at < ${time} - ${OVERLAP_MS}
          ORDER BY position DESC LIMIT 1), 0)
        ELSE 0 END AS position FROM now)`;
  const from = `position > (SELECT position FROM place) AND pg_visible_in_snapshot(written_by, (SELECT target FROM now))
    AND NOT pg_visible_in_snapshot(written_by, (SELECT seen FROM now))`;
  const facts =
    'CAST(now.target AS TEXT) AS target, CAST(now.current AS TEXT) AS current, now.server AS server';
  const query = pageQuery(trail, search, { from, order: 'ASC', parameters, before, facts });
  return nextOfRound(await trail.run(query), search, place);
}

function nextOfRound(found: readonly SqlRow[], search: AuditSearch, place: Place): RowPage {
  const { rows, reached, latestMs, mayHaveMore } = readPage(found, search);
  const now = found[0] ?? {};
  const [server, target] = [readText(now, 'server'), readText(now, 'target')];
  const seen = server === place.server ? place.seen : NOTHING_VISIBLE;
  const timeMs = Math.max(place.timeMs, latestMs ?? 0);
  const next: Place = mayHaveMore
    ? { server, seen, target, last: reached ?? 0, timeMs }
    : { server: server === 'standby' ? '' : server, seen: target, target: '', last: 0, timeMs };
  return { rows, next: formatPlace(next), mayHaveMore: mayHaveMore || target !== readText(now, 'current') };
}

interface PageParts {
  /** The condition of the rows from which the page begins. */
  readonly from: string;
  readonly order: 'ASC' | 'DESC';
  readonly parameters: Parameters;
  /** Subqueries in front. */
  readonly before?: string;
  /** Columns of the subquery `now`, which each row repeats. */
  readonly facts?: string;
}

const COLUMNS =
  'position, kind, noted_at, session_handle, tenant_id, user_id, created_at, expires_at, details';

/**
 * Looks at a bounded number of rows; conditions that have an index bound them, the others choose among them. A page that is full ends there;
 * only where it is not are the rows counted that it looked at.
 */
function pageQuery(trail: TrailTable, search: AuditSearch, parts: PageParts): SqlQuery {
  const { from, order, parameters, before, facts } = parts;
  const { sessionHandle, userIds, tenantId, kinds } = search;
  const indexed = [
    ...(sessionHandle === undefined ? [] : [`session_handle = ${parameters.add(sessionHandle, 'TEXT')}`]),
    ...(userIds === undefined ? [] : [inTexts(trail, parameters, 'user_id', userIds)]),
  ];
  const others = [
    ...(tenantId === undefined ? [] : [`tenant_id = ${parameters.add(tenantId, 'TEXT')}`]),
    ...(kinds === undefined ? [] : [inTexts(trail, parameters, 'kind', kinds)]),
  ];
  const limit = parameters.add(search.limit, 'BIGINT');
  const window = parameters.add(windowOf(search), 'BIGINT');
  const looked = (columns: string, most: string): string =>
    `(SELECT ${columns} FROM ${trail.table} WHERE ${[from, ...indexed].join(' AND ')} ORDER BY position ${order} LIMIT ${most}) AS looked`;
  const rest = `CASE WHEN (SELECT count(*) FROM page) < ${limit} THEN ${window} ELSE 0 END`;
  return {
    text: `WITH ${before === undefined ? '' : `${before}, `}page AS MATERIALIZED (
        SELECT ${COLUMNS} FROM ${looked(COLUMNS, window)} WHERE ${['1 = 1', ...others].join(' AND ')}
        ORDER BY position ${order} LIMIT ${limit})
      SELECT page.*, edge.looked_at, edge.reached, edge.latest${facts === undefined ? '' : `, ${facts}`}
      FROM (SELECT count(*) AS looked_at, ${order === 'ASC' ? 'MAX' : 'MIN'}(position) AS reached, MAX(noted_at) AS latest
        FROM ${looked('position, noted_at', rest)}) AS edge ${facts === undefined ? '' : 'CROSS JOIN now '}LEFT JOIN page ON 1 = 1
      ORDER BY page.position ${order}`,
    values: parameters.values,
  };
}

/** Reads the rows of a page, and where it ended. */
function readPage(found: readonly SqlRow[], search: AuditSearch) {
  const rows = found.filter((row) => row['position'] !== null);
  const edge = found[0] ?? {};
  const lookedAt = readNumber(edge, 'looked_at');
  const isFull = rows.length >= search.limit;
  if (lookedAt === 0 && !isFull) return { rows, reached: undefined, latestMs: undefined, mayHaveMore: false };
  return {
    rows,
    reached: isFull ? readNumber(rows.at(-1) ?? {}, 'position') : readNumber(edge, 'reached'),
    latestMs: isFull
      ? Math.max(...rows.map((row) => readNumber(row, 'noted_at')))
      : readNumber(edge, 'latest'),
    mayHaveMore: isFull || lookedAt >= windowOf(search),
  };
}

/** The number of rows that a page looks at: more than it may have where conditions without an index choose among them. */
function windowOf({ limit, kinds, tenantId }: AuditSearch): number {
  return kinds !== undefined || tenantId !== undefined ? Math.max(limit, LOOKED_AT) : limit;
}

function inTexts(
  { dialect }: TrailTable,
  parameters: Parameters,
  column: string,
  texts: readonly string[],
): string {
  return dialect.inList(column, parameters.add(JSON.stringify(texts), 'TEXT'));
}

function numberOf(after: string, mark: string): number {
  const [, own, number] = /^([np])(\d{1,15})$/.exec(after) ?? refusePosition();
  return own === mark ? Number(number) : refusePosition();
}

/** At the beginning no snapshot is known, by no server. */
const BEGINNING: Place = { server: '', seen: NOTHING_VISIBLE, target: '', last: 0, timeMs: 0 };

function parsePlace(after: string | undefined): Place {
  if (after === undefined) return BEGINNING;
  const [, server = '', seen = '', target = '', last, timeMs] =
    /^s(\d{0,15})\.([\d:,]+)\.([\d:,]*)\.(\d{1,15})\.(\d{1,15})$/.exec(after) ?? refusePosition();
  if (!isSnapshot(seen) || (target !== '' && !isSnapshot(target))) return refusePosition();
  return { server, seen, target, last: Number(last), timeMs: Number(timeMs) };
}

function formatPlace({ server, seen, target, last, timeMs }: Place): string {
  const own = server === 'standby' ? '' : server;
  return `s${own}.${shortened(seen)}.${target === '' ? '' : shortened(target)}.${last}.${timeMs}`;
}

import {
  SessionStore,
  type StoredDynamicKey,
  type StoredKeyPlace,
  type StoredStaticKey,
} from './session-store.js';
import type { SessionTables } from './session-tables.js';
import { OURS } from './sql-rows.js';
import { readNumber, readOptionalText, readText } from './sql-client.js';
import type { SqlConnection } from './sql-connection.js';

/** Name of the row of `key_value`, as a Core calls it. */
const REFRESH_TOKEN_KEY = 'refresh_token_key';
/** The prefixes of the names of keys that a Core does not know. */
const OWN_KEYS = { dynamic: 'nest_sessions_dynamic_key_', static: 'nest_sessions_static_key_' };
const ALGORITHM_NAME = /^[A-Z0-9]{1,10}$/;

/** The row of a key: its table, the left side of the condition that names it, and the column of the key's text. */
interface KeyRow {
  readonly table: string;
  readonly condition: string;
  readonly id: string | number;
  readonly value: string;
}

/** The half of a SQL store that keeps keys: the refresh-token key, rotating keys and static keys. */
export abstract class SqlKeyStore extends SessionStore {
  protected constructor(protected readonly connection: SqlConnection) {
    super();
  }

  /** Closes the database if the store opened it; a later statement opens it again. */
  override async close(): Promise<void> {
    return this.connection.close();
  }

  /** Known once the connection is prepared. */
  protected get tables(): SessionTables {
    return this.connection.tables;
  }

  /** The primary key accepts one candidate, and the second read sees it, from whichever instance it came. */
  override async getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string> {
    await this.connection.prepare();
    const known = await this.findRefreshTokenKey();
    if (known !== undefined) return known;
    await this.connection.run(
      `INSERT INTO ${this.tables.keyValue.sql} (app_id, tenant_id, name, value, created_at_time)
       VALUES ('public', 'public', $1, $2, $3) ON CONFLICT DO NOTHING`,
      REFRESH_TOKEN_KEY,
      candidate,
      nowMs,
    );
    const stored = await this.findRefreshTokenKey();
    if (stored === undefined) throw new Error('The refresh-token key is gone right after it was set');
    return stored;
  }

  override async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
    await this.connection.prepare();
    const rows = await this.connection.run(
      `SELECT created_at_time, value, NULL AS name FROM ${this.tables.dynamicKeys.sql}
         WHERE ${OURS} AND created_at_time >= $1
       UNION ALL SELECT created_at_time, value, name FROM ${this.tables.keyValue.sql}
         WHERE ${isOwnKey('dynamic')} AND created_at_time >= $1
       ORDER BY 1 DESC`,
      sinceMs,
    );
    return Array.from(rows, (row) => {
      const key = { createdAtMs: readNumber(row, 'created_at_time'), value: readText(row, 'value') };
      const name = readOptionalText(row, 'name');
      return name === undefined ? key : { ...key, algorithm: parseOwnKeyName(name).algorithm };
    });
  }

  /** Takes a lock, because no row can guard the condition that a newer key is absent. */
  override async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    await this.connection.prepare();
    const { createdAtMs, value, algorithm = 'RS256' } = key;
    const { dynamicKeys, keyValue } = this.tables;
    const values = [createdAtMs, value, unlessSinceMs];
    // The time is the key's name, so it must be free among the keys of all algorithms.
    const isNew = `NOT EXISTS (SELECT 1 FROM ${dynamicKeys.sql} WHERE ${OURS} AND created_at_time = CAST($1 AS BIGINT))
        AND NOT EXISTS (
          SELECT 1 FROM ${keyValue.sql} WHERE ${isOwnKey('dynamic')} AND created_at_time = CAST($1 AS BIGINT))`;
    const rsa = {
      text: `INSERT INTO ${dynamicKeys.sql} (app_id, created_at_time, value)
        SELECT 'public', CAST($1 AS BIGINT), CAST($2 AS TEXT) WHERE ${isNew}
        AND NOT EXISTS (SELECT 1 FROM ${dynamicKeys.sql} WHERE ${OURS} AND created_at_time >= $3)
        ON CONFLICT DO NOTHING`,
      values,
    };
    const other = {
      text: `INSERT INTO ${keyValue.sql} (app_id, tenant_id, name, value, created_at_time)
        SELECT 'public', 'public', CAST($4 AS TEXT), CAST($2 AS TEXT), CAST($1 AS BIGINT) WHERE ${isNew}
        AND NOT EXISTS (
          SELECT 1 FROM ${keyValue.sql} WHERE ${isOwnKey('dynamic', algorithm)} AND created_at_time >= $3)
        ON CONFLICT DO NOTHING`,
      values: [...values, ownKeyName('dynamic', algorithm, String(createdAtMs))],
    };
    await this.connection.exclusively(dynamicKeys.sql, algorithm === 'RS256' ? rsa : other);
  }

  override async deleteDynamicKeys(beforeMs: number): Promise<void> {
    await this.connection.prepare();
    const { dynamicKeys, keyValue } = this.tables;
    await this.connection.exclusiveSteps(dynamicKeys.sql, function* () {
      yield {
        text: `DELETE FROM ${dynamicKeys.sql} WHERE ${OURS} AND created_at_time < $1`,
        values: [beforeMs],
      };
      yield {
        text: `DELETE FROM ${keyValue.sql} WHERE ${isOwnKey('dynamic')} AND created_at_time < $1`,
        values: [beforeMs],
      };
    });
  }

  override async findStaticKeys(): Promise<StoredStaticKey[]> {
    await this.connection.prepare();
    const rows = await this.connection.run(
      `SELECT key_id, key_string, algorithm, created_at FROM ${this.tables.staticKeys.sql} WHERE ${OURS}
       UNION ALL SELECT name, value, NULL, created_at_time FROM ${this.tables.keyValue.sql}
         WHERE ${isOwnKey('static')}
       ORDER BY 4 DESC`,
    );
    return Array.from(rows, (row) => {
      const [createdAtMs, value] = [readNumber(row, 'created_at'), readText(row, 'key_string')];
      const name = readText(row, 'key_id');
      const algorithm = readOptionalText(row, 'algorithm');
      return algorithm === undefined
        ? { createdAtMs, value, ...parseOwnKeyName(name) }
        : { createdAtMs, value, kid: name, algorithm };
    });
  }

  /** Takes a lock, as `addDynamicKey`. */
  override async addStaticKey({ kid, value, algorithm, createdAtMs }: StoredStaticKey): Promise<void> {
    await this.connection.prepare();
    const { staticKeys, keyValue } = this.tables;
    const rsa = {
      text: `INSERT INTO ${staticKeys.sql} (app_id, key_id, key_string, algorithm, created_at)
        SELECT 'public', CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT)
        WHERE NOT EXISTS (SELECT 1 FROM ${staticKeys.sql} WHERE ${OURS} AND algorithm = CAST($3 AS TEXT))
        ON CONFLICT DO NOTHING`,
      values: [kid, value, algorithm, createdAtMs],
    };
    const other = {
      text: `INSERT INTO ${keyValue.sql} (app_id, tenant_id, name, value, created_at_time)
        SELECT 'public', 'public', CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT)
        WHERE NOT EXISTS (SELECT 1 FROM ${keyValue.sql} WHERE ${isOwnKey('static', algorithm)})
        ON CONFLICT DO NOTHING`,
      values: [ownKeyName('static', algorithm, kid), value, createdAtMs],
    };
    await this.connection.exclusively(staticKeys.sql, algorithm === 'RS256' ? rsa : other);
  }

  /** One statement, so that the comparison and the change are one step. */
  override async replaceKey(place: StoredKeyPlace, from: string, to: string): Promise<boolean> {
    await this.connection.prepare();
    const { table, condition, id, value } = this.rowOf(place);
    const rows = await this.connection.run(
      `UPDATE ${table} SET ${value} = $1 WHERE ${OURS} AND ${condition} = $2 AND ${value} = $3 RETURNING app_id`,
      to,
      id,
      from,
    );
    return rows.length > 0;
  }

  override async hasCoreTables(): Promise<boolean> {
    await this.connection.prepare();
    const query = this.connection.dialect.listColumns(this.tables.coreUsers);
    return (await this.connection.run(query.text, ...query.values)).length > 0;
  }

  private rowOf(place: StoredKeyPlace): KeyRow {
    const { dynamicKeys, staticKeys, keyValue } = this.tables;
    const inKeyValue = (name: string): KeyRow => ({
      table: keyValue.sql,
      condition: `tenant_id = 'public' AND name`,
      id: name,
      value: 'value',
    });
    if (place.kind === 'refresh-token') return inKeyValue(REFRESH_TOKEN_KEY);
    const { algorithm = 'RS256' } = place;
    const id = place.kind === 'dynamic' ? place.createdAtMs : place.kid;
    if (algorithm !== 'RS256') return inKeyValue(ownKeyName(place.kind, algorithm, String(id)));
    return place.kind === 'dynamic'
      ? { table: dynamicKeys.sql, condition: 'created_at_time', id, value: 'value' }
      : { table: staticKeys.sql, condition: 'key_id', id, value: 'key_string' };
  }

  private async findRefreshTokenKey(): Promise<string | undefined> {
    const [row] = await this.connection.run(
      `SELECT value FROM ${this.tables.keyValue.sql} WHERE ${OURS} AND tenant_id = 'public' AND name = $1`,
      REFRESH_TOKEN_KEY,
    );
    return row && readText(row, 'value');
  }
}

/**
 * Returns the name of a key in `key_value`. Keys for other algorithms than RS256 are there, because a SuperTokens Core reads
 * its two tables of keys as a whole, takes each key for an RSA key, and fails on any other.
 */
function ownKeyName(kind: 'dynamic' | 'static', algorithm: string, id: string): string {
  if (!ALGORITHM_NAME.test(algorithm)) throw new TypeError('This is no name of an algorithm');
  return `${OWN_KEYS[kind]}${algorithm}_${id}`;
}

/** Returns the condition that a row of `key_value` is such a key, of one algorithm or of any. */
function isOwnKey(kind: 'dynamic' | 'static', algorithm?: string): string {
  const prefix = algorithm === undefined ? OWN_KEYS[kind] : ownKeyName(kind, algorithm, '');
  return `${OURS} AND tenant_id = 'public' AND SUBSTR(name, 1, ${prefix.length}) = '${prefix}'`;
}

function parseOwnKeyName(name: string): { kid: string; algorithm: string } {
  const [, , , , algorithm = '', kid = ''] = name.split('_');
  return { kid, algorithm };
}

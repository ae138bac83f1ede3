import type { StoredDynamicKey, StoredStaticKey } from './session-store.js';
import type { SessionTables } from './schema.js';
import type { SqlConnection } from './sql-connection.js';
import { readNumber, readOptionalText, OURS, readText } from './sql-rows.js';

/** Name of the row of `key_value`, as a Core calls it. */
const REFRESH_TOKEN_KEY = 'refresh_token_key';
/** How the names of keys begin that a Core does not know. */
const OWN_KEYS = { dynamic: 'nest_sessions_dynamic_key_', static: 'nest_sessions_static_key_' };
const ALGORITHM_NAME = /^[A-Z0-9]{1,10}$/;

/** The keys of a SQL store: the one of refresh tokens, rotating ones and static ones. */
export class SqlKeys {
  constructor(
    private readonly connection: SqlConnection,
    private readonly tables: SessionTables,
  ) {}

  /** The primary key lets one candidate in; a statement after that sees it, whoever it came from. */
  async getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string> {
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

  async findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]> {
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

  /** Locked: that no newer key is there is nothing a row could guard. */
  async addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void> {
    const { createdAtMs, value, algorithm = 'RS256' } = key;
    const { dynamicKeys, keyValue } = this.tables;
    const values = [createdAtMs, value, unlessSinceMs];
    // Of any algorithm: the time is the key's name.
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

  async deleteDynamicKeys(beforeMs: number): Promise<void> {
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

  async findStaticKeys(): Promise<StoredStaticKey[]> {
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

  /** Locked, as `addDynamicKey`. */
  async addStaticKey({ kid, value, algorithm, createdAtMs }: StoredStaticKey): Promise<void> {
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

  private async findRefreshTokenKey(): Promise<string | undefined> {
    const [row] = await this.connection.run(
      `SELECT value FROM ${this.tables.keyValue.sql} WHERE ${OURS} AND tenant_id = 'public' AND name = $1`,
      REFRESH_TOKEN_KEY,
    );
    return row && readText(row, 'value');
  }
}

/**
 * Keys for other algorithms than RS256 stand in `key_value`, by a name of ours: a SuperTokens Core reads the two tables of
 * keys as a whole, takes each for an RSA key, and fails of one that is not.
 */
function ownKeyName(kind: 'dynamic' | 'static', algorithm: string, id: string): string {
  if (!ALGORITHM_NAME.test(algorithm)) throw new TypeError('This is no name of an algorithm');
  return `${OWN_KEYS[kind]}${algorithm}_${id}`;
}

/** The condition that a row of `key_value` is such a key, of one algorithm or of any. */
function isOwnKey(kind: 'dynamic' | 'static', algorithm?: string): string {
  const prefix = algorithm === undefined ? OWN_KEYS[kind] : ownKeyName(kind, algorithm, '');
  return `${OURS} AND tenant_id = 'public' AND SUBSTR(name, 1, ${prefix.length}) = '${prefix}'`;
}

function parseOwnKeyName(name: string): { kid: string; algorithm: string } {
  const [, , , , algorithm = '', kid = ''] = name.split('_');
  return { kid, algorithm };
}

import type { SharedValue, SharedValues } from '../audit/shared-values.js';
import { readText } from './sql-client.js';
import type { SqlConnection } from './sql-connection.js';
import { OURS } from './sql-rows.js';

/** The prefix of the names among those of `key_value`. The time of such a row is until when it is kept. */
const PREFIX = 'nest_sessions_value_';
/** Rows that a new one looks at, and removes if their time is over. */
const LOOKED_AT = 50;

/**
 * Shared values as rows of `key_value`, which every version of the tables has. A new one also removes those of the next names whose time is
 * over: each write reads few rows, and where names are digests every row is met again and again.
 */
export class SqlValues implements SharedValues {
  constructor(private readonly connection: SqlConnection) {}

  async read(name: string, nowMs: number): Promise<string | undefined> {
    await this.connection.prepare();
    const [row] = await this.connection.run(
      `SELECT value FROM ${this.connection.tables.keyValue.sql} WHERE ${OURS} AND tenant_id = 'public' AND name = $1 AND created_at_time > $2`,
      `${PREFIX}${name}`,
      nowMs,
    );
    return row && readText(row, 'value');
  }

  async replace(name: string, from: string | undefined, to: SharedValue, nowMs: number): Promise<boolean> {
    await this.connection.prepare();
    const table = this.connection.tables.keyValue.sql;
    const own = `${PREFIX}${name}`;
    if (from !== undefined) {
      const rows = await this.connection.run(
        `UPDATE ${table} SET value = $1, created_at_time = $2
         WHERE ${OURS} AND tenant_id = 'public' AND name = $3 AND value = $4 AND created_at_time > $5 RETURNING name`,
        to.text,
        to.untilMs,
        own,
        from,
        nowMs,
      );
      return rows.length > 0;
    }
    await this.connection.run(
      `DELETE FROM ${table} WHERE ${OURS} AND tenant_id = 'public' AND name IN (
        SELECT name FROM ${table} WHERE ${OURS} AND tenant_id = 'public' AND name > $1 ORDER BY name LIMIT ${LOOKED_AT})
        AND SUBSTR(name, 1, ${PREFIX.length}) = '${PREFIX}' AND created_at_time <= $2`,
      own,
      nowMs,
    );
    const rows = await this.connection.run(
      `INSERT INTO ${table} AS known (app_id, tenant_id, name, value, created_at_time)
       VALUES ('public', 'public', $1, $2, $3) ON CONFLICT (app_id, tenant_id, name)
       DO UPDATE SET value = excluded.value, created_at_time = excluded.created_at_time WHERE known.created_at_time <= $4
       RETURNING name`,
      own,
      to.text,
      to.untilMs,
      nowMs,
    );
    return rows.length > 0;
  }
}

import { describe, expect, it } from '@jest/globals';
import { migrate, REQUIRED_COLUMNS } from './schema.js';
import { drive, postgresDialect } from './sql-client.js';

/** The statements of a migration of a table of this size. */
async function migration(bytes: number): Promise<string[]> {
  const texts: string[] = [];
  await drive(migrate(postgresDialect, {}), async ({ text }) => {
    texts.push(text);
    if (text.includes('pg_relation_size')) return [{ bytes: String(bytes) }];
    return text.includes('pg_attribute') ? REQUIRED_COLUMNS.map((name) => ({ name })) : [];
  });
  return texts.filter((text) => text.startsWith('CREATE INDEX') && text.includes('created'));
}

describe('the indexes for lists of sessions', () => {
  it('are made when the tables are made, or are small', async () => {
    expect(await migration(0)).toHaveLength(2);
    expect(await migration(268_435_456)).toHaveLength(2);
  });

  it('are left to the operator where the table is large, because nobody could sign in meanwhile', async () => {
    expect(await migration(268_435_457)).toEqual([]);
  });
});

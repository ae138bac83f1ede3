import { afterAll, expect, it } from '@jest/globals';
import { startTwoInstances } from '../../../sample/02-postgres/start.js';
import { playStory } from '../../../sample/02-postgres/story.js';
import { startPostgres } from '../../support/postgres.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

postgres.describe('the sample with two instances on one PostgreSQL', () => {
  it('creates a session on A, refreshes it on B, revokes it on A, and B refuses it', async () => {
    const running = await startTwoInstances(0, postgres.url);
    const lines: string[] = [];
    try {
      await playStory(running.origin, (line) => lines.push(line));
    } finally {
      await running.close();
    }
    expect(lines).toEqual([
      'created on A: 201',
      'refreshed on B: 200',
      'revoked on A: 200',
      'refused on B: 401',
    ]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { settingsFor } from '../../../sample/04-graphql/settings.js';
import { startGraphql } from '../../../sample/04-graphql/start.js';
import { playStory } from '../../../sample/04-graphql/story.js';
import { ADAPTERS } from '../../support/adapters.js';

describe.each(ADAPTERS)('the sample with GraphQL on %s', (adapter) => {
  it('signs in, writes and hears notes, and is cut off when it signs out (S054, S081)', async () => {
    const settings = await settingsFor(adapter, 0);
    const app = await startGraphql(settings);
    const lines: string[] = [];
    try {
      await playStory(settings.origin, (line) => lines.push(line));
    } finally {
      await app.close();
    }
    expect(lines).toEqual([
      'notes without a session: {"status":401,"code":"UNAUTHORISED"}',
      'signed in: {"data":{"signIn":"ada"}}',
      'asked: {"data":{"greeting":"Hello, ada"}}',
      'wrote: {"data":{"addNote":{"text":"hello","author":"ada"}}}',
      'heard: {"noteAdded":{"text":"hello"}}',
      'heard: {"noteAdded":{"text":"again"}}',
      'signed out: {"data":{"signOut":true}}',
      'subscription: {"closedWith":4401}',
    ]);
  });
});

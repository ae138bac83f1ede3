import { describe, expect, it } from '@jest/globals';
import { settingsFor } from '../../../sample/04-graphql/settings.js';
import { startApi } from '../../../sample/08-other-frameworks/api.js';
import { FRAMEWORKS } from '../../../sample/08-other-frameworks/frameworks.js';
import { playStory } from '../../../sample/08-other-frameworks/story.js';

describe('the sample with other frameworks', () => {
  it.each(Object.entries(FRAMEWORKS))('plays its story with %s', async (_name, start) => {
    const { port } = await settingsFor('express', 0);
    const api = await startApi(port);
    const service = await start({ port: 0, apiDomain: api.origin });
    const lines: string[] = [];
    try {
      await playStory(api.origin, service.origin, (line) => lines.push(line));
    } finally {
      await service.close();
      await api.close();
    }
    expect(lines).toEqual([
      'GET /me: 401 {"message":"unauthorised"}',
      'ben signed in at the API, whose plan is free',
      'GET /me: 200 {"userId":"ben"}',
      expect.stringMatching(/^GET \/reports: 403 \{"message":"invalid claim","claimValidationErrors":\[/),
      'his session was refreshed through the service',
      'GET /me: 200 {"userId":"ben"}',
      'ada signed in at the API, whose plan is pro',
      'GET /reports: 200 {"reports":[]}',
    ]);
  });
});

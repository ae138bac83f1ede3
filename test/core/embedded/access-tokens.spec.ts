import { describe, expect, it } from '@jest/globals';
import { GOLDEN_ACCESS_TOKENS, GOLDEN_FACTS } from '../../fixtures/golden-access-tokens.js';
import { seededMemoryStore, TEST_START_MS } from '../../support/embedded.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { AccessTokens } from '../../../lib/core/embedded/access-tokens.js';
import { SigningKeys } from '../../../lib/core/embedded/signing-keys.js';

async function accessTokens(): Promise<AccessTokens> {
  const options = {
    algorithm: 'RS256' as const,
    updateIntervalMs: 604_800_000,
    accessTokenValidityMs: 3_600_000,
    reloadIntervalMs: 60_000,
  };
  return new AccessTokens(new SigningKeys(await seededMemoryStore(), new TestClock(TEST_START_MS), options));
}

describe('issuing access tokens', () => {
  it.each([2, 3, 4, 5] as const)(
    'makes a token of version %d byte for byte as a Core lays it out (S010)',
    async (version) => {
      const { role, ...facts } = GOLDEN_FACTS;
      const content = {
        ...facts,
        version,
        recipeUserId: version === 5 ? 'recipe-user-1' : 'user-1',
        tenantId: 't1',
        userPayload: { role },
      };
      const { token, expiry, createdTime } = await (await accessTokens()).issue(content, false);
      expect(token).toBe(GOLDEN_ACCESS_TOKENS[version]);
      expect([expiry, createdTime]).toEqual([facts.expiryMs, facts.timeCreatedMs]);
    },
  );

  it('rounds its times down to seconds, from version 3 on', async () => {
    const tokens = await accessTokens();
    const content = {
      ...GOLDEN_FACTS,
      recipeUserId: 'user-1',
      tenantId: 'public',
      userPayload: {},
      expiryMs: TEST_START_MS + 1999,
      timeCreatedMs: TEST_START_MS + 999,
    };
    expect(await tokens.issue({ ...content, version: 5 }, false)).toMatchObject({
      expiry: TEST_START_MS + 1000,
      createdTime: TEST_START_MS,
    });
    expect(await tokens.issue({ ...content, version: 2 }, false)).toMatchObject({
      expiry: TEST_START_MS + 1999,
      createdTime: TEST_START_MS + 999,
    });
  });
});

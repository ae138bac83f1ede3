import { describe, expect, it } from '@jest/globals';
import { TestClock } from 'nest-sessions/testing';
import { createSessionVerifier } from 'nest-sessions/verify';
import { SessionProofs } from '../../lib/sessions/session-proofs.js';
import { AccessTokenVerifier } from '../../lib/tokens/access-token-verifier.js';
import { safeEqual } from '../../lib/util/safe-equal.js';
import { V5_CLAIMS } from '../fixtures/made-tokens.js';
import { ODD_TOKEN_KEYS, oddTokens } from '../fixtures/odd-tokens.js';

/** Within the life of the made tokens. */
const clock = new TestClock(V5_CLAIMS.iat * 1000 + 1000);
const keys = ODD_TOKEN_KEYS.filter(({ kty }) => kty !== 'oct'); // a JWKS with symmetric keys is read without them

const published = {
  generation: 0,
  find: (kid: string | undefined) => keys.filter((key) => kid === undefined || key.kid === kid),
};

interface Verdict {
  readonly error?: string;
  readonly session?: object;
}

/** The guard's own steps for a token, below HTTP. */
function guardWith(useDynamicAccessTokenSigningKey: boolean): (token: string) => Promise<Verdict> {
  const verifier = new AccessTokenVerifier(published, clock, { clockToleranceSec: 0, maxCachedTokens: 100 });
  const config = { antiCsrf: 'NONE', useDynamicAccessTokenSigningKey } as const;
  const proofs = new SessionProofs({ verifier, config, revocations: undefined }, safeEqual);
  return async (accessToken) =>
    verdict(async () => {
      const info = await proofs.prove({ accessToken }, verifier.recall(accessToken));
      return { sessionHandle: info?.sessionHandle, payload: textOf(info?.payload), expiryMs: info?.expiryMs };
    });
}

function doorWith(useDynamicAccessTokenSigningKey: boolean): (token: string) => Promise<Verdict> {
  const door = createSessionVerifier({
    keys,
    clock,
    useDynamicAccessTokenSigningKey,
    boundSessions: 'accept',
  });
  return async (accessToken) =>
    verdict(async () => {
      const { sessionHandle, payload, expiryMs } = await door.verifyToken(accessToken);
      return { sessionHandle, payload: textOf(payload), expiryMs };
    });
}

/** A payload may be nested deeper than can be written. */
function textOf(payload: unknown): string {
  try {
    return JSON.stringify(payload);
  } catch {
    return 'too deep';
  }
}

async function verdict(work: () => Promise<object>): Promise<Verdict> {
  try {
    return { session: await work() };
  } catch (error) {
    return { error: String(error) };
  }
}

describe.each([true, false])(
  'odd tokens, at the guard and at the verifying door (rotating keys: %s)',
  (isDynamic) => {
    const tokens = oddTokens();

    it('get the same verdict, word for word, at first sight and when they come again', async () => {
      const guard = guardWith(isDynamic);
      const door = doorWith(isDynamic);
      const different: object[] = [];
      let accepted = 0;
      for (let time = 0; time < 2; time++) {
        for (const { name, token } of tokens) {
          const [expected, found] = [await guard(token), await door(token)];
          if (JSON.stringify(expected) !== JSON.stringify(found)) different.push({ name, expected, found });
          if (found.session !== undefined) accepted++;
        }
      }
      expect(different).toEqual([]);
      expect(tokens.length).toBeGreaterThanOrEqual(480);
      expect(accepted).toBeGreaterThan(isDynamic ? 50 : 5);
      expect(accepted).toBeLessThan(tokens.length);
    });
  },
);

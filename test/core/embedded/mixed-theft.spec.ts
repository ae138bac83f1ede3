import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TokenRotation } from '../../../lib/core/core.types.js';
import { fcRuns, fcTimeoutMs } from '../../fixtures/fc-runs.js';
import { create, refresh, verify } from '../../support/core-calls.js';
import { makeEmbeddedCore } from '../../support/embedded.js';

const MODES: readonly TokenRotation[] = ['at-first-use', 'at-once'];

interface Step {
  readonly party: 0 | 1;
  readonly byRefresh: TokenRotation;
  readonly byVerify: TokenRotation;
  readonly isUsed: boolean;
}

describe('a session whose callers speak CDI 5.4 and 5.6 in turns', () => {
  it(
    'never goes on for a holder and a thief of one token (S023)',
    async () => {
      const step = fc.record<Step>({
        party: fc.constantFrom(0 as const, 1 as const),
        byRefresh: fc.constantFrom(...MODES),
        byVerify: fc.constantFrom(...MODES),
        isUsed: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 2, maxLength: 14 }),
          fc.constantFrom(undefined, 0, 30),
          async (steps, grace) => {
            const options = grace === undefined ? {} : { refreshTokenRotationGracePeriodSec: grace };
            const { core, clock } = await makeEmbeddedCore(options);
            const { refreshToken } = await create(core);
            const tokens = [refreshToken.token, refreshToken.token];
            const isAlive = [true, true];
            /** A refresh, and the use of the access token that it brought. */
            const go = async ({ party, byRefresh, byVerify, isUsed }: Step): Promise<boolean> => {
              clock.advanceSeconds(61);
              const result = await refresh(core, tokens[party] ?? '', { rotation: byRefresh });
              if (result.status !== 'OK') return false;
              tokens[party] = result.refreshToken.token;
              if (!isUsed) return true;
              const used = await verify(core, result.accessToken.token, {
                checkDatabase: true,
                rotation: byVerify,
              });
              return used.status === 'OK';
            };
            for (const each of steps)
              isAlive[each.party] = (await go(each)) && (isAlive[each.party] ?? false);
            // Both go on, three times in turns, and use what they get.
            for (let round = 0; round < 3; round++)
              for (const party of [0, 1] as const)
                for (const mode of MODES)
                  isAlive[party] =
                    (await go({ party, byRefresh: mode, byVerify: 'at-first-use', isUsed: true })) &&
                    (isAlive[party] ?? false);
            expect(isAlive[0] === true && isAlive[1] === true && tokens[0] !== tokens[1]).toBe(false);
          },
        ),
        { numRuns: fcRuns(100) },
      );
    },
    fcTimeoutMs(100),
  );
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TestApplication } from '../../support/test-application.js';
import { fcRuns, fcTimeoutMs } from '../../fixtures/fc-runs.js';
import { ABSOLUTE_SEC, IDLE_SEC, moves, ObservedSession } from './observed-session.js';

describe('the limits of a session', () => {
  it(
    'hold whatever client and server do in whatever order (S036 S037 S039 S040)',
    async () => {
      const options = { lifetime: { absoluteSec: ABSOLUTE_SEC, idleSec: IDLE_SEC } };
      const runs = fc.assert(
        fc.asyncProperty(moves, async (list) => {
          await TestApplication.withoutServer()
            .with(options)
            .run(async (application) => {
              const session = await ObservedSession.begin(application);
              for (const move of list) {
                await session.make(move);
                await session.check();
              }
            });
        }),
        { numRuns: fcRuns(20) },
      );
      await expect(runs).resolves.toBeUndefined();
    },
    fcTimeoutMs(20),
  );
});

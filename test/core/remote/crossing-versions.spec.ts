import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import type { CoreClient } from '../../../lib/core/core-client.js';
import type { TokenRotation } from '../../../lib/core/core.types.js';
import { remoteCore } from '../../../lib/core/remote/http-core-client.js';
import { SessionEvents } from '../../../lib/events/session-events.js';
import { create, refreshed, verify } from '../../support/core-calls.js';
import { fcRuns, fcTimeoutMs } from '../../fixtures/fc-runs.js';
import { withServedCore, type ServedCore } from '../../support/served-core.js';

const RUNS = 30;
const GRACE_SEC = 30;

/** One move of a client that does one thing after the other, at an instance that speaks one version. */
interface Move {
  readonly version: '5.0' | '5.4' | '5.6';
  readonly rotation: TokenRotation | undefined;
  /** Responses that get lost before one arrives. */
  readonly lost: number;
  readonly usesToken: boolean;
  readonly checkDatabase: boolean;
  readonly changesPayload: boolean;
  readonly pauseSec: number;
}

const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.record({
    version: fc.constantFrom('5.0', '5.4', '5.6'),
    rotation: fc.constantFrom(undefined, 'at-first-use'),
    lost: fc.integer({ min: 0, max: 2 }),
    usesToken: fc.boolean(),
    checkDatabase: fc.boolean(),
    changesPayload: fc.boolean(),
    pauseSec: fc.integer({ min: 0, max: 86_400 }),
  }),
  { minLength: 1, maxLength: 12 },
);

function clients({ uri, clock }: ServedCore): Record<Move['version'], CoreClient> {
  const connect = (newestCdiVersion: Move['version']): CoreClient =>
    remoteCore({ connectionURI: uri, newestCdiVersion }).create({
      clock,
      events: new SessionEvents(),
      apiDomain: 'http://localhost:3000',
      jwksRefreshIntervalSec: 14_400,
    });
  return { '5.0': connect('5.0'), '5.4': connect('5.4'), '5.6': connect('5.6') };
}

/** Uses the tokens as the sessions of an application do, and returns those that the client has after it. */
async function liveOn(
  core: CoreClient,
  { clock }: ServedCore,
  held: { readonly refreshToken: string; readonly accessToken: string },
  move: Move,
): Promise<{ refreshToken: string; accessToken: string }> {
  const { rotation } = move;
  for (let attempt = 0; attempt < move.lost; attempt++) {
    await refreshed(core, held.refreshToken, { rotation });
    clock.advanceSeconds(GRACE_SEC / 3);
  }
  const result = await refreshed(core, held.refreshToken, { rotation });
  let accessToken = result.accessToken.token;
  const { handle } = result.session;
  const payload = { role: String(clock.now()) };
  if (move.changesPayload) await core.updateAccessTokenPayload(handle, payload, {});
  if (move.usesToken) {
    const verified = await verify(core, accessToken, { rotation, checkDatabase: move.checkDatabase });
    if (verified.status !== 'OK') throw new Error(`The use returned ${JSON.stringify(verified)}`);
    accessToken = verified.accessToken?.token ?? accessToken;
    const seen = verified.session.userDataInJWT['role'];
    if (move.changesPayload && move.checkDatabase && seen !== payload.role)
      throw new Error(`The changed payload was not handed out: ${JSON.stringify(seen)}`);
  }
  return { accessToken, refreshToken: result.refreshToken.token };
}

describe('a client whose requests reach instances of different versions by turns', () => {
  it(
    'stays signed in, whatever it does and whichever responses get lost, as long as it repeats in time',
    () =>
      withServedCore({}, async (served) => {
        const cores = clients(served);
        const tried = fc.asyncProperty(moves, async (all) => {
          const first = await create(cores['5.4']);
          let held = { refreshToken: first.refreshToken.token, accessToken: first.accessToken.token };
          for (const move of all) {
            held = await liveOn(cores[move.version], served, held, move);
            served.clock.advanceSeconds(move.pauseSec);
          }
        });
        await expect(fc.assert(tried, { numRuns: fcRuns(RUNS) })).resolves.toBeUndefined();
        await Promise.all(Object.values(cores).map((core) => core.close()));
      }),
    fcTimeoutMs(RUNS),
  );
});

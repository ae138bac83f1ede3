import { describe, expect, it } from '@jest/globals';
import { explore } from './explorer.js';
import { exploreFeed, replayFeed } from './feed-explorer.js';
import { FeedBasis } from './feed-world.js';
import { compareWalks } from './live-replay.js';
import { seededRandom } from './random.js';
import { scenario, SCENARIOS, type Scenario } from './scenarios.js';
import { tell } from './story.js';
import { World } from './world.js';

const SHORT = { maxStates: 1e6, maxMs: 600_000 };

describe('the explorer of schedules', () => {
  it.each(SCENARIOS)('finds no fault in short schedules of the model $name', async (each) => {
    const { fault, states } = await explore(each, { ...SHORT, maxDepth: 4 });
    expect(fault).toBeUndefined();
    expect(states).toBeGreaterThan(50);
  });

  it('finds none in short schedules of the feed', async () => {
    const { fault, states } = await exploreFeed({ ...SHORT, maxDepth: 2 });
    expect(fault).toBeUndefined();
    expect(states).toBeGreaterThan(50);
  });

  it('counts the same states each time', async () => {
    const [first, second] = [
      await explore(scenario('theft'), { ...SHORT, maxDepth: 4 }),
      await explore(scenario('theft'), { ...SHORT, maxDepth: 4 }),
    ];
    expect([second.states, second.steps]).toEqual([first.states, first.steps]);
  });

  it('sees what engines do whose operations run side by side', async () => {
    for (const each of SCENARIOS) {
      const { difference, steps } = await compareWalks(await World.of(each), 3, seededRandom(7));
      expect(difference).toBeUndefined();
      expect(steps).toBeGreaterThan(10);
    }
  });

  it('finds a fault of the client that we know of, tells it, and shows it again', async () => {
    // Without turns and without a grace period, the second tab is taken for a thief: what the grace period is for.
    const budget = { owner: 3, thief: 0, admin: 0, sweeper: 0, crashes: 0, losses: 0, time: 0 };
    const tabs = { owner: ['refresh', 'verify'], tabsTakeTurns: false } as const;
    const each: Scenario = { ...scenario('alone'), ...tabs, name: 'no-turns', budget };
    const { fault } = await explore(each, { ...SHORT, maxDepth: 12 });
    expect(fault?.violation.property).toBe('P3 the owner alone is no thief');
    const { story, violation } = await tell(await World.of(each), fault?.schedule ?? []);
    expect(violation).toEqual(fault?.violation);
    expect(story[0]).toMatch(
      /^a tab of the owner begins to refresh at instance 1\. \[refresh token 0 is current/,
    );
  });

  it('runs a schedule of the feed again: after the bound the store is asked', async () => {
    const basis = await FeedBasis.start();
    const { message, choices } = await replayFeed(basis, [
      { do: 'wait', ms: 2001 },
      { do: 'request', instance: 1, token: 'first' },
    ]);
    expect(message).toBeUndefined();
    expect(choices).toContainEqual({ do: 'go', parked: 0 });
  });
});

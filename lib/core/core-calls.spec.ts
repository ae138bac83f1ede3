import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError } from '../errors.js';
import { SessionEvents } from '../events/session-events.js';
import type { SessionEvent } from '../events/session-event.js';
import { TestClock } from '../testing/test-clock.js';
import { CoreCalls } from './core-calls.js';

const START_MS = 1_700_000_000_000;

function newOutage() {
  const clock = new TestClock(START_MS);
  const sessionEvents = new SessionEvents();
  const events: SessionEvent[] = [];
  sessionEvents.immediate.subscribe((event) => events.push(event));
  const calls = new CoreCalls({ events: sessionEvents, clock });
  const call = async (work: () => Promise<unknown>): Promise<unknown> =>
    calls.run('store.any', work).catch((error: unknown) => error);
  return {
    clock,
    events,
    call,
    succeed: async () => call(async () => 'fine'),
    fail: async () => call(async () => Promise.reject(new CoreUnavailableError('nobody is there'))),
  };
}

describe('an outage of the core', () => {
  it('is told once when it begins and once when it is over', async () => {
    const { clock, events, succeed, fail } = newOutage();
    await succeed();
    await fail();
    clock.advanceSeconds(5);
    await fail();
    await fail();
    clock.advanceSeconds(5);
    await succeed();
    await succeed();
    expect(events).toEqual([
      { type: 'core.unavailable', timeMs: START_MS, message: 'nobody is there' },
      { type: 'core.available', timeMs: START_MS + 10_000, unavailableSinceMs: START_MS, failedCalls: 3 },
    ]);
  });

  it('is told once a second at most while calls fail and succeed by turns', async () => {
    const { clock, events, succeed, fail } = newOutage();
    for (let i = 0; i < 30; i++) {
      await fail();
      await succeed();
      clock.advance(100);
    }
    expect(events.length).toBeLessThanOrEqual(6);
    expect(events[0]?.type).toBe('core.unavailable');
  });

  it('is not over because of a response to a call that began before the last failure', async () => {
    const { clock, events, call, succeed, fail } = newOutage();
    let response = (): void => undefined;
    const slow = call(async () => new Promise<void>((resolve) => (response = resolve)));
    await fail();
    clock.advanceSeconds(5);
    response();
    await slow;
    expect(events.map(({ type }) => type)).toEqual(['core.unavailable']);
    await succeed();
    expect(events.map(({ type }) => type)).toEqual(['core.unavailable', 'core.available']);
  });

  it('is not what a refusal means', async () => {
    const { events, call } = newOutage();
    await call(async () => Promise.reject(new TypeError('wrong input')));
    expect(events).toEqual([]);
  });
});

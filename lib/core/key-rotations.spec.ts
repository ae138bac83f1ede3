import { describe, expect, it } from '@jest/globals';
import { SessionEvents } from '../events/session-events.js';
import type { SessionEvent } from '../events/session-event.js';
import { TestClock } from '../testing/test-clock.js';
import { KeyRotations } from './key-rotations.js';

const START_MS = 1_760_000_000_000;

function newRotations() {
  const clock = new TestClock(START_MS);
  const sessionEvents = new SessionEvents();
  const events: SessionEvent[] = [];
  sessionEvents.immediate.subscribe((event) => events.push(event));
  return { clock, events, rotations: new KeyRotations(sessionEvents, clock) };
}

const OLD = `d-${START_MS - 5000}`;
const OLDER = `d-${START_MS - 9_000_000}`;
const NEW = `d-${START_MS + 1000}`;

describe('telling of new signing keys', () => {
  it('says nothing of keys that were there before', () => {
    const { events, rotations } = newRotations();
    rotations.note([OLD, OLDER, 's-static']);
    rotations.note([OLD, 's-static']);
    expect(events).toEqual([]);
  });

  it('tells of a new one once, whatever the order, with the one before it', () => {
    const { clock, events, rotations } = newRotations();
    rotations.note([OLD, 's-static']);
    clock.advance(2000);
    for (let i = 0; i < 3; i++) rotations.note(['s-static', OLD, NEW]);
    expect(events).toEqual([{ type: 'key.rotated', timeMs: START_MS + 2000, kid: NEW, previousKid: OLD }]);
  });

  it('tells of the first key of a store', () => {
    const { events, rotations } = newRotations();
    rotations.note([`d-${START_MS}`, 's-static']);
    expect(events).toMatchObject([{ kid: `d-${START_MS}`, previousKid: undefined }]);
  });

  it('says nothing of a set that an instance behind us shows', () => {
    const { events, rotations } = newRotations();
    rotations.note([NEW, OLD]);
    rotations.note([OLD]);
    rotations.note([NEW, OLD]);
    rotations.note([]);
    expect(events.length).toBe(1);
  });
});

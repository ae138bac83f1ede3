import { describe, expect, it } from '@jest/globals';
import { nextStep, rateLimitDelayMs, type AttemptOutcome, type NextStep } from './retry-policy.js';

const ANSWER = (status: number): AttemptOutcome => ({ kind: 'ANSWER', status });
const REFUSED: AttemptOutcome = { kind: 'NO_ANSWER', mayHaveBeenReceived: false, isStaleConnection: false };
const LOST: AttemptOutcome = { kind: 'NO_ANSWER', mayHaveBeenReceived: true, isStaleConnection: false };
const STALE: AttemptOutcome = { kind: 'NO_ANSWER', mayHaveBeenReceived: true, isStaleConnection: true };

describe('what follows an attempt at the core (S097)', () => {
  it.each<[what: string, outcome: AttemptOutcome, repeatable: NextStep, once: NextStep]>([
    ['status 200', ANSWER(200), 'TAKE', 'TAKE'],
    ['status 302', ANSWER(302), 'TAKE', 'TAKE'],
    ['status 400', ANSWER(400), 'TAKE', 'TAKE'],
    ['status 401', ANSWER(401), 'TAKE', 'TAKE'],
    ['status 500', ANSWER(500), 'TAKE', 'TAKE'],
    ['status 429', ANSWER(429), 'WAIT_AND_ASK_AGAIN', 'WAIT_AND_ASK_AGAIN'],
    ['status 502', ANSWER(502), 'ASK_NEXT_HOST', 'TAKE'],
    ['status 503', ANSWER(503), 'ASK_NEXT_HOST', 'TAKE'],
    ['status 504', ANSWER(504), 'ASK_NEXT_HOST', 'TAKE'],
    ['no connection', REFUSED, 'ASK_NEXT_HOST', 'ASK_NEXT_HOST'],
    ['a lost connection or a timeout', LOST, 'ASK_NEXT_HOST', 'TAKE'],
    ['a kept connection that was closed', STALE, 'ASK_AGAIN_ON_NEW_CONNECTION', 'TAKE'],
    ['nonsense', { kind: 'NONSENSE' }, 'TAKE', 'TAKE'],
  ])('after %s', (_what, outcome, repeatable, once) => {
    const progress = { rateLimitRepeats: 0, isOnNewConnection: false };
    expect(nextStep(outcome, { ...progress, isRepeatable: true })).toBe(repeatable);
    expect(nextStep(outcome, { ...progress, isRepeatable: false })).toBe(once);
  });

  it('is the end after five repeats of 429, and the next host after one on a new connection', () => {
    const progress = { isRepeatable: true, rateLimitRepeats: 5, isOnNewConnection: true };
    expect(nextStep(ANSWER(429), progress)).toBe('TAKE');
    expect(nextStep(STALE, progress)).toBe('ASK_NEXT_HOST');
  });

  it('waits longer each time', () => {
    expect([0, 1, 2, 3, 4].map(rateLimitDelayMs)).toEqual([10, 260, 510, 760, 1010]);
  });
});

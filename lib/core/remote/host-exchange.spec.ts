import { describe, expect, it } from '@jest/globals';
import { nextStep, rateLimitDelayMs, type AttemptOutcome, type NextStep } from './host-exchange.js';

const RESPONSE = (status: number): AttemptOutcome => ({ kind: 'RESPONSE', status });
const REFUSED: AttemptOutcome = { kind: 'NO_RESPONSE', mayHaveBeenReceived: false, isStaleConnection: false };
const LOST: AttemptOutcome = { kind: 'NO_RESPONSE', mayHaveBeenReceived: true, isStaleConnection: false };
const STALE: AttemptOutcome = { kind: 'NO_RESPONSE', mayHaveBeenReceived: true, isStaleConnection: true };

describe('what follows an attempt at the core (S097)', () => {
  it.each<[what: string, outcome: AttemptOutcome, repeatable: NextStep, once: NextStep]>([
    ['status 200', RESPONSE(200), 'TAKE', 'TAKE'],
    ['status 302', RESPONSE(302), 'TAKE', 'TAKE'],
    ['status 400', RESPONSE(400), 'TAKE', 'TAKE'],
    ['status 401', RESPONSE(401), 'TAKE', 'TAKE'],
    ['status 500', RESPONSE(500), 'TAKE', 'TAKE'],
    ['status 429', RESPONSE(429), 'WAIT_AND_RETRY', 'WAIT_AND_RETRY'],
    ['status 502', RESPONSE(502), 'TRY_NEXT_HOST', 'TAKE'],
    ['status 503', RESPONSE(503), 'TRY_NEXT_HOST', 'TAKE'],
    ['status 504', RESPONSE(504), 'TRY_NEXT_HOST', 'TAKE'],
    ['no connection', REFUSED, 'TRY_NEXT_HOST', 'TRY_NEXT_HOST'],
    ['a lost connection or a timeout', LOST, 'TRY_NEXT_HOST', 'TAKE'],
    ['a kept connection that was closed', STALE, 'RETRY_ON_NEW_CONNECTION', 'TAKE'],
    ['nonsense', { kind: 'BAD_RESPONSE' }, 'TAKE', 'TAKE'],
  ])('after %s', (_what, outcome, repeatable, once) => {
    const progress = { rateLimitRepeats: 0, isOnNewConnection: false };
    expect(nextStep(outcome, { ...progress, isRepeatable: true })).toBe(repeatable);
    expect(nextStep(outcome, { ...progress, isRepeatable: false })).toBe(once);
  });

  it('is the end after five repeats of 429, and the next host after one on a new connection', () => {
    const progress = { isRepeatable: true, rateLimitRepeats: 5, isOnNewConnection: true };
    expect(nextStep(RESPONSE(429), progress)).toBe('TAKE');
    expect(nextStep(STALE, progress)).toBe('TRY_NEXT_HOST');
  });

  it('waits longer each time', () => {
    expect([0, 1, 2, 3, 4].map(rateLimitDelayMs)).toEqual([10, 260, 510, 760, 1010]);
  });
});

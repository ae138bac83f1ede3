import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Subject } from 'rxjs';
import { SessionEvents } from '../observability/session-events.js';
import type { SessionContainer } from '../recipe/session-container.js';
import { SessionStreams } from './session-streams.js';
import { TestClock } from '../testing/test-clock.js';

function sessionUntil(expirySec: number): SessionContainer {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = {
    sub: 'ada',
    rsub: 'ada',
    sessionHandle: 'h',
    refreshTokenHash1: 'x',
    iat: 0,
    exp: expirySec,
  };
  const accessToken = `${part({ alg: 'RS256', typ: 'JWT', version: '5', kid: 'd-1' })}.${part(payload)}.signature`;
  const session = { getHandle: () => 'h', getAccessToken: () => accessToken };
  return session as Partial<SessionContainer> as SessionContainer;
}

describe('a stream that lives as long as its session', () => {
  const clock = new TestClock(0);
  const events = new SessionEvents();
  const options = { clockToleranceSec: 5, socketRenewalGraceSec: 30 };
  let source: Subject<number>;
  let seen: (number | string)[];

  function open(): { unsubscribe(): void } {
    const streams = new SessionStreams(options, clock, events);
    return source.pipe(streams.untilSessionEnds(sessionUntil(100))).subscribe({
      next: (value) => seen.push(value),
      error: () => seen.push('failed'),
      complete: () => seen.push('completed'),
    });
  }

  beforeEach(() => {
    jest.useFakeTimers();
    clock.set(0);
    source = new Subject();
    seen = [];
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('passes everything on until the access token has expired beyond the tolerance (S054)', () => {
    open();
    source.next(1);
    clock.advanceSeconds(104);
    jest.advanceTimersByTime(104_000);
    source.next(2);
    clock.advanceSeconds(1);
    jest.advanceTimersByTime(1000);
    source.next(3);
    expect(seen).toEqual([1, 2, 'completed']);
  });

  it('completes when its session is revoked or found stolen, and at no other event (S054)', () => {
    const facts = { timeMs: 0, sessionHandle: 'h', userId: 'ada', tenantId: 'public' };
    open();
    events.emit({ ...facts, type: 'session.refreshed' });
    events.emit({ ...facts, type: 'session.revoked', sessionHandle: 'other' });
    source.next(1);
    events.emit({ ...facts, type: 'session.revoked' });
    open();
    events.emit({ ...facts, type: 'session.theft-detected', recipeUserId: 'ada' });
    expect(seen).toEqual([1, 'completed', 'completed']);
  });

  it.each([
    ['completes', () => source.complete(), ['completed']],
    ['fails', () => source.error(new Error('no')), ['failed']],
  ])('leaves no timer behind when its source %s', (_case, end, expected) => {
    open();
    end();
    expect([seen, jest.getTimerCount(), source.observed]).toEqual([expected, 0, false]);
  });

  it('leaves no timer and no listener behind when nobody reads it any longer', () => {
    const reader = open();
    reader.unsubscribe();
    expect([seen, jest.getTimerCount(), source.observed]).toEqual([[], 0, false]);
  });
});

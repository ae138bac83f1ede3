import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { concat, Observable, of, Subject } from 'rxjs';
import type { CoreClient } from '../core/core-client.js';
import { CoreUnavailableError } from '../errors.js';
import { SessionEvents } from '../events/session-events.js';
import type { SessionContainer } from '../sessions/session-container.js';
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
  const session = {
    getHandle: () => 'h',
    getUserId: () => 'ada',
    getRecipeUserId: () => 'ada',
    getAccessToken: () => accessToken,
    getPresentedTokenExpiry: () => expirySec * 1000,
  };
  return session as Partial<SessionContainer> as SessionContainer;
}

describe('a stream that lives as long as its session', () => {
  const clock = new TestClock(0);
  let events: SessionEvents;
  const options = { clockToleranceSec: 5, socketRenewalGraceSec: 30 };
  let source: Subject<number>;
  let seen: (number | string)[];
  let streams: SessionStreams;
  /** What the core knows of the session. */
  let information: () => Promise<object | undefined>;

  function openNow(of: Observable<number> = source): { unsubscribe(): void } {
    return of.pipe(streams.untilSessionEnds(sessionUntil(100))).subscribe({
      next: (value) => seen.push(value),
      error: () => seen.push('failed'),
      complete: () => seen.push('completed'),
    });
  }

  /** Opens a stream, and waits for the core. */
  async function open(of?: Observable<number>): Promise<{ unsubscribe(): void }> {
    const reader = openNow(of);
    await jest.advanceTimersByTimeAsync(0);
    return reader;
  }

  beforeEach(() => {
    jest.useFakeTimers();
    clock.set(0);
    events = new SessionEvents();
    source = new Subject();
    seen = [];
    information = async () => ({});
    const core = { getSessionInformation: async () => information() };
    streams = new SessionStreams(options, clock, events, core as Partial<CoreClient> as CoreClient);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('passes everything on until the access token has expired beyond the tolerance (S054)', async () => {
    await open();
    source.next(1);
    clock.advanceSeconds(104);
    jest.advanceTimersByTime(104_000);
    source.next(2);
    clock.advanceSeconds(1);
    jest.advanceTimersByTime(1000);
    source.next(3);
    expect(seen).toEqual([1, 2, 'completed']);
  });

  it('completes when its session is ended, and at no other (S054)', async () => {
    await open();
    events.noteEnded('other');
    source.next(1);
    events.noteEnded('h');
    source.next(2);
    expect(seen).toEqual([1, 'completed']);
  });

  it.each([
    ['completes', () => source.complete(), ['completed']],
    ['fails', () => source.error(new Error('no')), ['failed']],
  ])('leaves no timer behind when its source %s', async (_case, end, expected) => {
    await open();
    end();
    expect([seen, jest.getTimerCount(), source.observed]).toEqual([expected, 0, false]);
    expect(streams.sessionCount).toBe(0);
  });

  it('leaves no timer and no listener behind when nobody reads it any longer', async () => {
    const early = openNow();
    early.unsubscribe();
    const reader = await open();
    expect(streams.sessionCount).toBe(1);
    reader.unsubscribe();
    expect([seen, jest.getTimerCount(), source.observed]).toEqual([[], 0, false]);
    expect(streams.sessionCount).toBe(0);
  });

  it('carries nothing when its session ended before it was opened (S054)', async () => {
    information = async () => undefined;
    await open(concat(of(1), source));
    source.next(2);
    expect([seen, jest.getTimerCount(), source.observed]).toEqual([['completed'], 0, false]);
  });

  it('carries nothing when its session ends while the core is asked (S054)', async () => {
    let response: (known: object) => void = () => undefined;
    information = async () => new Promise<object>((resolve) => (response = resolve));
    await open(concat(of(1), source));
    events.noteEnded('h');
    response({}); // read before the revocation
    await jest.advanceTimersByTimeAsync(0);
    expect(seen).toEqual(['completed']);
  });

  it('loses nothing that comes before the core has responded, its end included', async () => {
    openNow();
    source.next(1);
    source.next(2);
    source.complete();
    expect(seen).toEqual([]);
    await jest.advanceTimersByTimeAsync(0);
    expect(seen).toEqual([1, 2, 'completed']);
  });

  it('goes on where the core cannot be asked', async () => {
    information = async () => Promise.reject(new CoreUnavailableError('gone'));
    await open();
    source.next(1);
    expect(seen).toEqual([1]);
  });

  it('ends although another one of the session fails to (S054)', async () => {
    const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const failing = new Observable<number>(() => () => {
      throw new Error('cannot stop');
    });
    await open(failing);
    await open();
    events.noteEnded('h');
    source.next(1);
    expect(seen).toEqual(['completed', 'completed']);
    expect(log.mock.calls).toEqual([[expect.stringContaining('cannot stop')]]);
    log.mockRestore();
  });
});

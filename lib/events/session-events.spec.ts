import { describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom, map, merge, NEVER, take } from 'rxjs';
import type { SessionEvent } from './session-event.js';
import { SessionEvents } from './session-events.js';

const REVOKED: SessionEvent = {
  type: 'session.revoked',
  timeMs: 1,
  sessionHandle: 'handle',
  tenantId: 'public',
};

describe('the stream of session events (S105)', () => {
  it.each<[string, (events: SessionEvents, fail: () => never) => void]>([
    ['a listener', (events, fail) => events.stream.subscribe(fail)],
    ['an observer', (events, fail) => events.stream.subscribe({ next: fail })],
    ['a piped listener', (events, fail) => events.stream.pipe(filter(() => true)).subscribe(fail)],
    [
      'a listener behind two pipes',
      (events, fail) =>
        events.stream
          .pipe(filter(() => true))
          .pipe(map((event) => event))
          .subscribe(fail),
    ],
    ['an operator', (events, fail) => events.stream.pipe(map(fail)).subscribe()],
  ])('%s that throws is reported, and the others still hear', async (_case, listenWith) => {
    const reported: unknown[] = [];
    const events = new SessionEvents((error) => reported.push(error));
    const broken = new Error('listener broke');
    const heard: SessionEvent[] = [];
    listenWith(events, () => {
      throw broken;
    });
    events.stream.subscribe((event) => heard.push(event));
    events.emit(REVOKED);
    await events.delivered();
    expect(reported).toEqual([broken]);
    expect(heard).toEqual([REVOKED]);
  });

  it('a listener that fails later, being asynchronous, is reported too', async () => {
    const reported: unknown[] = [];
    const events = new SessionEvents((error) => reported.push(error));
    const broken = new Error('listener broke later');
    const listener: () => unknown = async () => {
      await Promise.resolve();
      throw broken;
    };
    events.stream.subscribe(listener);
    events.emit(REVOKED);
    await events.delivered();
    await new Promise((resolve) => setImmediate(resolve));
    expect(reported).toEqual([broken]);
  });

  it('ends when the application shuts down', () => {
    const events = new SessionEvents();
    let isComplete = false;
    events.stream.subscribe({ complete: () => (isComplete = true) });
    events.complete();
    expect(isComplete).toBe(true);
  });

  it('tells everything before it ends', () => {
    const events = new SessionEvents();
    const heard: SessionEvent[] = [];
    events.stream.subscribe((event) => heard.push(event));
    for (let i = 0; i < 500; i++) events.emit({ ...REVOKED, timeMs: i });
    events.complete();
    expect(heard.map(({ timeMs }) => timeMs)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  it('does not make whoever caused an event wait for a listener, hanging or slow', async () => {
    const events = new SessionEvents();
    const steps: string[] = [];
    const hanging: () => unknown = async () => new Promise(() => undefined);
    events.stream.subscribe(hanging);
    events.stream.subscribe(() => steps.push('listener'));
    events.emit(REVOKED);
    await Promise.resolve();
    steps.push('request');
    await events.delivered();
    expect(steps).toEqual(['request', 'listener']);
  });

  it('cannot be changed by a listener', async () => {
    const heard: SessionEvent[] = [];
    const reported: unknown[] = [];
    const events = new SessionEvents((error) => reported.push(error));
    events.stream.subscribe((event) => Object.assign(event, { sessionHandle: 'another' }));
    events.stream.subscribe((event) => heard.push(event));
    events.emit({ ...REVOKED });
    await events.delivered();
    expect(heard).toEqual([REVOKED]);
    expect(reported).toEqual([expect.any(TypeError)]);
  });

  it('is left by listeners that have ended, also through operators', async () => {
    const events = new SessionEvents();
    const heard: string[] = [];
    events.stream.pipe(take(1)).subscribe(() => heard.push('take'));
    const merged = merge(events.stream, NEVER).subscribe(() => heard.push('merge'));
    const direct = events.stream.subscribe(() => heard.push('direct'));
    events.emit({ ...REVOKED });
    await events.delivered();
    merged.unsubscribe();
    direct.unsubscribe();
    events.emit({ ...REVOKED });
    await events.delivered();
    expect(heard).toEqual(['take', 'merge', 'direct']);
  });

  it('can be awaited', async () => {
    const events = new SessionEvents();
    const next = firstValueFrom(events.stream);
    events.emit(REVOKED);
    expect(await next).toEqual(REVOKED);
  });
});

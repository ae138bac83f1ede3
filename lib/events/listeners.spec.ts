import { describe, expect, it } from '@jest/globals';
import { Listeners } from './listeners.js';
import { SessionEventHub } from './session-event-hub.js';

describe('listeners', () => {
  it('hear in the order in which they came, until they leave', () => {
    const heard: string[] = [];
    const listeners = new Listeners<number>(() => undefined);
    const leave = listeners.add({ next: (value) => heard.push(`a${value}`) });
    listeners.add({ next: (value) => heard.push(`b${value}`) });
    listeners.send(1);
    leave();
    leave();
    listeners.send(2);
    expect([heard, listeners.size]).toEqual([['a1', 'b1', 'b2'], 1]);
  });

  it('that throw, or fail later, are reported, and the others still hear', async () => {
    const reported: unknown[] = [];
    const heard: number[] = [];
    const listeners = new Listeners<number>((error) => reported.push(error));
    listeners.add({
      next: () => {
        throw new Error('at once');
      },
    });
    listeners.add({ next: async () => Promise.reject(new Error('later')) });
    listeners.add({ next: (value) => heard.push(value) });
    listeners.send(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([1]);
    expect(reported).toEqual([new Error('at once'), new Error('later')]);
  });

  it('may leave and come while they are told', () => {
    const heard: string[] = [];
    const listeners = new Listeners<number>(() => undefined);
    const leave = listeners.add({
      next: () => {
        leave();
        listeners.add({ next: (value) => heard.push(`new${value}`) });
      },
    });
    listeners.add({ next: (value) => heard.push(`old${value}`) });
    listeners.send(1);
    listeners.send(2);
    expect(heard).toEqual(['old1', 'old2', 'new2']);
  });

  it('are told of the end once, those that come later too, and keep nothing alive', () => {
    const ends: string[] = [];
    const listeners = new Listeners<number>(() => undefined);
    listeners.add({ complete: () => ends.push('early') });
    listeners.complete();
    listeners.complete();
    listeners.add({ next: () => ends.push('heard'), complete: () => ends.push('late') });
    listeners.send(1);
    expect([ends, listeners.size]).toEqual([['early', 'late'], 0]);
  });
});

describe('the events of sessions without rxjs', () => {
  it('come in a later turn, and all of them before the end', () => {
    const hub = new SessionEventHub();
    const heard: string[] = [];
    hub.listen(({ type }) => heard.push(type));
    hub.emit({ type: 'core.unavailable', timeMs: 1, message: 'x' });
    expect(heard).toEqual([]);
    hub.complete();
    expect(heard).toEqual(['core.unavailable']);
  });
});

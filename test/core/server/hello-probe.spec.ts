import { describe, expect, it } from '@jest/globals';
import { HelloProbe } from '../../../lib/core/server/cdi-server.js';
import { CoreUnavailableError } from '../../../lib/errors.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { embeddedCoreOn, seededMemoryStore } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';

describe('the probe behind /hello', () => {
  it('touches the store five times at once and then once each 200 ms, however often it is asked', async () => {
    let touched = 0;
    const store = interceptedStore(await seededMemoryStore(), async (_, call) => {
      touched++;
      return call();
    });
    const clock = new TestClock();
    const probe = new HelloProbe(embeddedCoreOn(store).core, clock);
    const ask = async (times: number): Promise<number> => {
      const before = touched;
      for (let i = 0; i < times; i++) await probe.touch();
      return touched - before;
    };
    expect(await ask(20)).toBe(5);
    clock.advance(199);
    expect(await ask(3)).toBe(0);
    clock.advance(1);
    expect(await ask(3)).toBe(1);
    clock.advance(3_600_000);
    expect(await ask(20)).toBe(5);
    clock.advance(-3_600_000);
    expect(await ask(1)).toBe(0);
  });

  it('rejects when the store does not respond', async () => {
    const store = interceptedStore(await seededMemoryStore(), async () => {
      throw new Error('gone');
    });
    const probe = new HelloProbe(embeddedCoreOn(store).core, new TestClock());
    await expect(probe.touch()).rejects.toThrow(CoreUnavailableError);
  });
});

import { describe, expect, it } from '@jest/globals';
import { MemoryValues } from '../audit/shared-values.js';
import { TestClock } from '../testing/test-clock.js';
import type { LogoutToken } from './logout-token.js';
import { ProviderSessions } from './provider-sessions.js';

const START_MS = 1_800_000_000_000;
const SIGN_IN = { issuer: 'https://id.example.com', sub: 'sub-1', sid: 'sid-1' };
const DAY_MS = 86_400_000;

function tokenOf(names: Partial<LogoutToken>, clock: TestClock): LogoutToken {
  const { issuer } = SIGN_IN;
  return { issuer, sub: undefined, sid: undefined, jti: 'a', issuedAtMs: clock.now(), ...names };
}

describe('the sessions of sign-ins at a provider', () => {
  function make(isLive: (handle: string) => boolean = () => true) {
    const clock = new TestClock(START_MS);
    const values = new MemoryValues();
    const sessions = new ProviderSessions(values, clock, async (handle) => isLive(handle));
    const add = async (sessionHandle: string, untilMs = clock.now() + DAY_MS) =>
      sessions.add(SIGN_IN, { sessionHandle, untilMs, authenticatedAtMs: undefined });
    return { clock, values, sessions, add };
  }

  it('are all found although many are added at once', async () => {
    const { sessions, add, clock } = make();
    const handles = Array.from({ length: 200 }, (_, n) => `h-${n}`);
    expect(await Promise.all(handles.map(async (handle) => add(handle)))).not.toContain(false);
    expect(await sessions.end(tokenOf({ sid: 'sid-1' }, clock))).toEqual(handles);
    expect(await sessions.end(tokenOf({ sub: 'sub-1' }, clock))).toEqual(handles);
  });

  it('do not pile up where a user signs in again and again', async () => {
    const live = new Set<string>();
    const { sessions, add, clock } = make((handle) => live.has(handle));
    for (let n = 0; n < 1000; n++) {
      live.clear();
      live.add(`h-${n}`);
      await add(`h-${n}`);
    }
    const found = await sessions.end(tokenOf({ sub: 'sub-1' }, clock));
    expect(found.length).toBeLessThan(130);
    expect(found).toContain('h-999');
  });

  it('are forgotten when their time is over', async () => {
    const { sessions, add, clock, values } = make();
    await add('early', clock.now() + 1000);
    await add('late', clock.now() + 3 * DAY_MS);
    clock.advanceSeconds(2 * 86_400);
    await add('new');
    expect(await sessions.end(tokenOf({ sid: 'sid-1' }, clock))).toEqual(['late', 'new']);
    clock.advanceSeconds(10 * 86_400);
    for (let n = 0; n < 10; n++) await sessions.use(tokenOf({ jti: `${n}` }, clock), clock.now() + 1);
    expect(Object.values(values).find((each) => each instanceof Map)?.size).toBeLessThanOrEqual(10);
  });

  it.each([['sid-1'], [undefined]])('has siblings that end with it (%s)', async (sid) => {
    const { sessions, add, clock } = make();
    await add('first');
    expect(await sessions.addSibling('second', 'first')).toBe(true);
    expect(await sessions.addSibling('third', 'second')).toBe(true);
    expect(await sessions.addSibling('other', 'unknown')).toBe(true);
    const token = tokenOf({ sid, sub: 'sub-1' }, clock);
    expect(await sessions.end(token)).toEqual(['first', 'second', 'third']);
    expect(await sessions.addSibling('late', 'third')).toBe(false);
  });

  it('has siblings although an earlier sign-in has ended', async () => {
    const { sessions, add, clock } = make();
    await sessions.end(tokenOf({ sub: 'sub-1' }, clock));
    await add('first');
    expect(await sessions.addSibling('second', 'first')).toBe(true);
  });

  it('count a token once, by issuer and jti', async () => {
    const { sessions, clock } = make();
    const token = tokenOf({ sid: 'sid-1' }, clock);
    const used = [sessions.use(token, clock.now() + 1000), sessions.use(token, clock.now() + 1000)];
    expect((await Promise.all(used)).filter(Boolean)).toHaveLength(1);
    expect(await sessions.isUsed(token)).toBe(true);
    expect(await sessions.isUsed({ ...token, issuer: 'https://other.example.com' })).toBe(false);
    expect(await sessions.isUsed({ ...token, jti: 'b' })).toBe(false);
  });
});

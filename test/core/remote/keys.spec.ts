import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AccessTokenVerifier } from '../../../lib/tokens/access-token-verifier.js';
import { parseWithoutVerifying } from '../../../lib/tokens/access-token.js';
import type { HttpCoreClient } from '../../../lib/core/remote/http-core-client.js';
import { CoreUnavailableError, TryRefreshTokenError } from '../../../lib/errors.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { FOREIGN_TEST_KEY } from '../../fixtures/signing-keys.js';
import { operation } from '../../support/core-operations.js';
import { TEST_START_MS } from '../../support/embedded.js';
import {
  clientOf,
  content,
  drip,
  FakeCore,
  flood,
  GOOD_RESPONSES,
  hang,
  redirectTo,
  reset,
  sendJson,
  sendText,
  until,
} from '../../support/fake-core.js';
import { publicJwkOf } from '../../fixtures/key-set.js';
import { jwt, rs256, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';

const JWKS = '/.well-known/jwks.json';
const GOOD = jwt(V5_HEADER, V5_CLAIMS);
const NEW_KEY = publicJwkOf(FOREIGN_TEST_KEY, 'd-1760000000001');
const BY_NEW_KEY = jwt({ ...V5_HEADER, kid: NEW_KEY.kid }, V5_CLAIMS, (text) =>
  rs256(text, FOREIGN_TEST_KEY),
);
const BY_UNKNOWN_KEY = jwt({ ...V5_HEADER, kid: 'd-1' }, V5_CLAIMS);

let first: FakeCore;
let second: FakeCore;
let clock: TestClock;
let remote: HttpCoreClient;
let verifier: AccessTokenVerifier;

beforeEach(async () => {
  [first, second] = [await FakeCore.start(), await FakeCore.start()];
  connect([first]);
});
afterEach(async () => {
  await remote.close();
  await Promise.all([first.kill(), second.kill()]);
});

function connect(cores: readonly FakeCore[], jwksRefreshIntervalSec = 14_400, jwksTimeoutMs = 20_000): void {
  clock = new TestClock(TEST_START_MS);
  remote = clientOf(cores, { apiKey: 'key-1' }, { clock, jwksRefreshIntervalSec, jwksTimeoutMs });
  verifier = new AccessTokenVerifier(remote.verificationKeys, clock, {
    clockToleranceSec: 0,
    maxCachedTokens: 0,
  });
}

async function outcome(token: string): Promise<'accepted' | 'refused' | 'unavailable'> {
  const parsed = parseWithoutVerifying(token);
  if (parsed === undefined) throw new Error('no access token');
  try {
    await verifier.verify(parsed);
    return 'accepted';
  } catch (error) {
    if (error instanceof TryRefreshTokenError) return 'refused';
    if (error instanceof CoreUnavailableError) return 'unavailable';
    throw error;
  }
}

/** For loads that hang; long enough for the ones that succeed on a busy machine. */
const TIMEOUT_MS = 1500;

const loads = (core: FakeCore): number => core.received.filter(({ path }) => path === JWKS).length;

describe('verifying with the published keys of a remote core', () => {
  it('loads them when they are first needed, not for creating and refreshing sessions (T116)', async () => {
    await operation('createSession')(remote);
    await operation('refreshSession')(remote);
    expect(loads(first)).toBe(0);
    expect(await outcome(GOOD)).toBe('accepted');
    expect(await outcome(GOOD)).toBe('accepted');
    expect(loads(first)).toBe(1);
  });

  it('shows neither API key nor version with that request (T128, S098)', async () => {
    await outcome(GOOD);
    expect(first.received[0]?.headers).not.toHaveProperty('api-key');
    expect(first.received[0]?.headers).not.toHaveProperty('cdi-version');
  });

  it('loads them once for 1000 verifications at once (S017)', async () => {
    const outcomes = await Promise.all(Array.from({ length: 1000 }, async () => outcome(GOOD)));
    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
    expect(loads(first)).toBe(1);
  });

  it('asks for an unknown key at most once per 500 ms, whatever strangers send (T117, T118, S018)', async () => {
    await outcome(GOOD);
    for (let i = 0; i < 10_000; i++) {
      expect(await remote.verificationKeys.find(`d-${i}`)).toEqual([]);
    }
    expect(await outcome(BY_UNKNOWN_KEY)).toBe('refused');
    expect(loads(first)).toBe(1);
    clock.advance(500);
    await Promise.all(Array.from({ length: 100 }, async (_, i) => remote.verificationKeys.find(`d-${i}`)));
    expect(await outcome(BY_UNKNOWN_KEY)).toBe('refused');
    expect(loads(first)).toBe(2);
  });

  it('holds nobody up while the core hangs over their renewal (S017, S100)', async () => {
    await remote.close();
    connect([first], 20, 600_000); // whoever waited for the hanging load would outlast this test
    await outcome(GOOD);
    clock.advanceSeconds(21);
    first.on(JWKS, hang);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(GOOD)));
    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
  });

  it('finds a key that the core has made meanwhile, and keeps the old one (T119)', async () => {
    await outcome(GOOD);
    first.on(JWKS, sendJson({ keys: [NEW_KEY, ...(GOOD_RESPONSES.keys['keys'] as object[])] }));
    clock.advance(500);
    expect(await outcome(BY_NEW_KEY)).toBe('accepted');
    expect(await outcome(GOOD)).toBe('accepted');
    expect(loads(first)).toBe(2);
    expect(first.calls.filter((call) => !call.endsWith(JWKS))).toEqual([]);
  });

  it('does not load them again for a wrong signature of a known key (T120)', async () => {
    await outcome(GOOD);
    clock.advance(500);
    expect(await outcome(jwt(V5_HEADER, V5_CLAIMS, (text) => rs256(text, FOREIGN_TEST_KEY)))).toBe('refused');
    expect(loads(first)).toBe(1);
  });

  it('loads them again once they are as old as jwksRefreshIntervalSec allows (T121)', async () => {
    await remote.close();
    connect([first], 20);
    await outcome(GOOD);
    clock.advanceSeconds(19);
    await outcome(GOOD);
    expect(loads(first)).toBe(1);
    clock.advanceSeconds(2);
    await outcome(GOOD);
    expect(loads(first)).toBe(2);
  });

  it('judges no token by them once a minute has passed, whatever jwksRefreshIntervalSec is (S019)', async () => {
    const forgetful = verifier;
    verifier = new AccessTokenVerifier(remote.verificationKeys, clock, {
      clockToleranceSec: 0,
      maxCachedTokens: 10,
    });
    expect(await outcome(GOOD)).toBe('accepted');
    first.on(JWKS, sendJson({ keys: [NEW_KEY] })); // the key of that token was taken back
    clock.advanceSeconds(59);
    expect(await outcome(GOOD)).toBe('accepted');
    clock.advanceSeconds(1);
    expect(verifier.recall(GOOD)).toBeUndefined();
    expect(await Promise.all([outcome(GOOD), outcome(GOOD)])).toEqual(['refused', 'refused']);
    verifier = forgetful;
    expect(await outcome(GOOD)).toBe('refused');
    expect(await outcome(BY_NEW_KEY)).toBe('accepted');
  });

  it('stops trusting a removed key at once where reloadSigningKeys is called (S019)', async () => {
    expect(await outcome(GOOD)).toBe('accepted');
    first.on(JWKS, sendJson({ keys: [NEW_KEY] }));
    await remote.reloadSigningKeys();
    expect(await outcome(GOOD)).toBe('refused');
    await first.kill();
    await expect(remote.reloadSigningKeys()).rejects.toBeInstanceOf(CoreUnavailableError);
    expect(await outcome(BY_NEW_KEY)).toBe('accepted');
  });

  it('keeps them recent by itself once they were needed, so that no request waits (S017, S019)', async () => {
    await remote.close();
    connect([first], 0.02); // of a clock that stands still: only the timer makes it load again
    await remote.start();
    expect(loads(first)).toBe(0);
    await outcome(GOOD);
    await until(() => loads(first) >= 3);
  });

  it.each([
    ['responds with 500', sendText(500, '')],
    ['responds with 503', sendText(503, '')],
    ['responds with HTML', sendText(200, '<html>')],
    ['has no list of keys', sendJson({ keys: 'none' })],
    ['has an empty list of keys', sendJson({ keys: [] })],
    ['has keys of a wrong type', sendJson({ keys: [{ kty: 'RSA', kid: 5 }] })],
    ['redirects', redirectTo('/elsewhere')],
    ['cuts the connection', reset],
    ['hangs', hang],
    ['drips', drip],
    ['sends 50 MB', flood(50 * 1024 * 1024)],
  ])(
    'calls no token bad while a core that it never reached %s, and recovers at once (T122, S017)',
    async (_what, behaviour) => {
      if (behaviour === hang || behaviour === drip) {
        await remote.close();
        connect([first], undefined, TIMEOUT_MS);
      }
      first.on(JWKS, behaviour);
      expect(await outcome(GOOD)).toBe('unavailable');
      expect(await outcome(GOOD)).toBe('unavailable');
      expect(loads(first)).toBe(2);
      first.on(JWKS, content);
      expect(await outcome(GOOD)).toBe('accepted');
    },
  );

  it.each([
    ['is down', undefined],
    ['hangs', hang],
  ])('goes on with the keys it knows, however old, while the core %s (S017)', async (_what, behaviour) => {
    await remote.close();
    connect([first], 20, TIMEOUT_MS);
    await outcome(GOOD);
    if (behaviour) first.on(JWKS, behaviour);
    else await first.kill();
    clock.advanceSeconds(21);
    for (let i = 0; i < 20; i++) expect(await outcome(GOOD)).toBe('accepted');
    expect(await outcome(BY_UNKNOWN_KEY)).toBe('unavailable');
    clock.advanceSeconds(60);
    const startedMs = performance.now();
    for (let i = 0; i < 20; i++) expect(await outcome(GOOD)).toBe('accepted');
    // None of them waits for a core that is known to be away.
    expect(performance.now() - startedMs).toBeLessThan(TIMEOUT_MS);
  });

  it('asks the first host only, as long as it responds (T123)', async () => {
    await remote.close();
    connect([first, second]);
    expect(await outcome(GOOD)).toBe('accepted');
    expect([loads(first), loads(second)]).toEqual([1, 0]);
  });

  it('takes them from the second host when the first one fails or talks nonsense (T124)', async () => {
    await remote.close();
    connect([first, second]);
    first.on(JWKS, sendText(200, 'nonsense'));
    expect(await outcome(GOOD)).toBe('accepted');
    await first.kill();
    connect([first, second]);
    expect(await outcome(GOOD)).toBe('accepted');
    expect(loads(second)).toBe(2);
  });

  it('asks all hosts for an unknown key, and takes it from whichever has it (T125)', async () => {
    await remote.close();
    connect([first, second]);
    await outcome(GOOD);
    clock.advance(500);
    expect(await outcome(BY_UNKNOWN_KEY)).toBe('refused');
    expect([loads(first), loads(second)]).toEqual([2, 1]);
    second.on(JWKS, sendJson({ keys: [NEW_KEY] }));
    clock.advance(500);
    expect(await outcome(BY_NEW_KEY)).toBe('accepted');
    expect(await outcome(GOOD)).toBe('accepted');
  });
});

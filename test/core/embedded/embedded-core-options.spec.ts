import { describe, expect, it } from '@jest/globals';
import { create, refreshed } from '../../support/core-calls.js';
import { rowOf, TEST_START_MS } from '../../support/embedded.js';
import { SessionEvents } from '../../../lib/events/session-events.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import type { CoreContext } from '../../../lib/core/core-provider.js';
import {
  embeddedCore,
  resolveEmbeddedCoreOptions,
  type EmbeddedCoreConfig,
  type EmbeddedCoreOptions,
} from '../../../lib/core/embedded/embedded-core-options.js';
import { memoryStore } from '../../../lib/stores/memory.store.js';

const problemsOf = (options: object): string[] =>
  embeddedCore(options as EmbeddedCoreOptions).problems.map(({ path }) => path);
const messagesOf = (options: unknown): string[] =>
  embeddedCore(options as EmbeddedCoreOptions).problems.map(({ path, message }) => `${path} ${message}`);
const HUNDRED_YEARS_SEC = 3_155_760_000;

describe('the options of the embedded core', () => {
  it('have the defaults of a Core, and no grace period', () => {
    expect(resolveEmbeddedCoreOptions({})).toEqual({
      config: {
        accessTokenValiditySec: 3600,
        accessTokenValidityJitter: 0.05,
        refreshTokenValiditySec: 100 * 86_400,
        accessTokenDynamicSigningKeyUpdateIntervalSec: 168 * 3600,
        expirySweepIntervalSec: 12 * 3600,
        signingKeyReloadIntervalSec: 60,
        signingAlgorithm: 'RS256',
        startWithoutStore: true,
      },
      problems: [],
    });
    expect(problemsOf({ store: memoryStore(), accessTokenValiditySec: undefined, other: undefined })).toEqual(
      [],
    );
  });

  it.each<[option: keyof EmbeddedCoreConfig, good: number[], bad: unknown[]]>([
    ['accessTokenValiditySec', [1, 3600, 8_639_999], [0, 86_400_001, '3600', null, Number.NaN]],
    ['accessTokenValidityJitter', [0, 0.25], [-0.01, 0.26, true]],
    [
      'refreshTokenValiditySec',
      [3600.5, HUNDRED_YEARS_SEC],
      [0, HUNDRED_YEARS_SEC + 1, 9_007_199_254_740, Infinity, [8_640_000]],
    ],
    ['refreshTokenRotationGracePeriodSec', [0, 300], [-1, 301]],
    [
      'accessTokenDynamicSigningKeyUpdateIntervalSec',
      [3600, HUNDRED_YEARS_SEC],
      [3599, HUNDRED_YEARS_SEC + 1, -1, {}],
    ],
    ['expirySweepIntervalSec', [1, 24 * 86_400], [0, 25 * 86_400]],
    ['signingKeyReloadIntervalSec', [1, 60, 3000], [0, 3001, '60']],
  ])('accept %s in its range', (option, good, bad) => {
    for (const value of good) expect(problemsOf({ [option]: value })).toEqual([]);
    for (const value of bad) expect(problemsOf({ [option]: value })).toEqual([`core.${option}`]);
  });

  it('accept the algorithms and the switch that there are', () => {
    const of = (options: object): string[] => problemsOf(options);
    for (const signingAlgorithm of ['RS256', 'ES256', undefined])
      expect(of({ signingAlgorithm })).toEqual([]);
    for (const signingAlgorithm of ['HS256', 'none', 'es256', '', null, ['ES256'], 1])
      expect(of({ signingAlgorithm })).toEqual(['core.signingAlgorithm']);
    for (const startWithoutStore of [true, false]) expect(of({ startWithoutStore })).toEqual([]);
    for (const startWithoutStore of ['false', 0, null])
      expect(of({ startWithoutStore })).toEqual(['core.startWithoutStore']);
  });

  it('want the session to live longer than the access token', () => {
    expect(problemsOf({ accessTokenValiditySec: 100, refreshTokenValiditySec: 100 })).toEqual([
      'core.refreshTokenValiditySec',
    ]);
    expect(problemsOf({ accessTokenValiditySec: 100, refreshTokenValiditySec: 100.5 })).toEqual([]);
  });

  it('are reported all at once, unknown names and a wrong store too', () => {
    const options = { accessTokenValiditySec: 0, refreshTokenValidity: 5, accountLinking: {}, store: {} };
    expect(messagesOf(options)).toEqual([
      'core.refreshTokenValidity there is no such option; did you mean refreshTokenValiditySec?',
      'core.accessTokenValiditySec 0 does not work: a number from 1 to 86400000 is expected',
      'core.store an object does not work: a SessionStore is expected; memoryStore() makes one',
      'core.accountLinking an object does not work: an object with getPrimaryUserId and getLinkedRecipeUserIds is expected',
    ]);
  });

  it.each([
    [null, 'null'],
    [[], 'an array'],
    ['memory', '"memory"'],
  ])('that are no options are a problem, too: %j', (options, shown) => {
    expect(messagesOf(options)).toEqual([`core embeddedCore was given ${shown}; an object is expected`]);
  });

  it('leave room for a new key to be read by all before it signs (S015)', () => {
    const options = { accessTokenDynamicSigningKeyUpdateIntervalSec: 3600 };
    expect(problemsOf({ ...options, signingKeyReloadIntervalSec: 1200 })).toEqual([]);
    expect(messagesOf({ ...options, signingKeyReloadIntervalSec: 1201 })).toEqual([
      'core.signingKeyReloadIntervalSec must be at most a third of accessTokenDynamicSigningKeyUpdateIntervalSec',
    ]);
  });
});

describe('a core that was made of options', () => {
  const context = (): CoreContext => ({
    clock: new TestClock(TEST_START_MS),
    events: new SessionEvents(),
    apiDomain: 'http://localhost:3000',
    jwksRefreshIntervalSec: 14_400,
  });
  /** As two applications that are made from one module class do. */
  async function isSharedByTwo(options: EmbeddedCoreOptions): Promise<boolean> {
    const provider = embeddedCore({ signingAlgorithm: 'ES256', ...options });
    const [one, other] = [provider.create(context()), provider.create(context())];
    const { session } = await create(one);
    return (await other.getSessionInformation(session.handle, {})) !== undefined;
  }

  it('has a store of its own unless one is given', async () => {
    expect(await isSharedByTwo({})).toBe(false);
    expect(await isSharedByTwo({ store: memoryStore() })).toBe(true);
  });

  it('stores whole milliseconds, however the seconds were written', async () => {
    const store = memoryStore();
    const [validity, key] = [1.001, 3600.0001];
    const core = embeddedCore({
      store,
      signingAlgorithm: 'ES256',
      accessTokenValiditySec: 1,
      accessTokenValidityJitter: 0,
      refreshTokenValiditySec: validity,
      accessTokenDynamicSigningKeyUpdateIntervalSec: key,
    }).create(context());
    const { session, refreshToken } = await create(core);
    expect(refreshToken.expiry).toBe(TEST_START_MS + 1001);
    expect((await rowOf(store, session.handle)).expiresAtMs).toBe(TEST_START_MS + 1001);
  });

  it('creates and refreshes sessions that live for a hundred years', async () => {
    const core = embeddedCore({
      signingAlgorithm: 'ES256',
      refreshTokenValiditySec: HUNDRED_YEARS_SEC,
    }).create(context());
    const next = await refreshed(core, (await create(core)).refreshToken.token);
    expect(next.refreshToken.expiry).toBe(TEST_START_MS + HUNDRED_YEARS_SEC * 1000);
  });
});

import { describe, expect, it } from '@jest/globals';
import {
  embeddedCore,
  resolveEmbeddedCoreOptions,
  type EmbeddedCoreConfig,
  type EmbeddedCoreOptions,
} from './embedded-core-options.js';
import { memoryStore } from './stores/memory.store.js';

const problemsOf = (options: object): string[] =>
  embeddedCore(options as EmbeddedCoreOptions).problems.map(({ path }) => path);

describe('the options of the embedded core', () => {
  it('have the defaults of a Core, and no grace period', () => {
    expect(resolveEmbeddedCoreOptions({})).toEqual({
      config: {
        accessTokenValiditySec: 3600,
        accessTokenValidityJitter: 0.05,
        refreshTokenValiditySec: 100 * 86_400,
        refreshTokenRotationGracePeriodSec: 0,
        accessTokenDynamicSigningKeyUpdateIntervalSec: 168 * 3600,
        expirySweepIntervalSec: 12 * 3600,
        signingKeyReloadIntervalSec: 60,
        signingAlgorithm: 'RS256',
        startWithoutStore: true,
      },
      problems: [],
    });
    expect(problemsOf({ store: memoryStore(), accessTokenValiditySec: undefined })).toEqual([]);
  });

  it.each<[option: keyof EmbeddedCoreConfig, good: number[], bad: unknown[]]>([
    ['accessTokenValiditySec', [1, 3600, 8_639_999], [0, 86_400_001, '3600', null, Number.NaN]],
    ['accessTokenValidityJitter', [0, 0.25], [-0.01, 0.26, true]],
    ['refreshTokenValiditySec', [3600.5, 1e9], [0, Number.POSITIVE_INFINITY, [8_640_000]]],
    ['refreshTokenRotationGracePeriodSec', [0, 300], [-1, 301]],
    ['accessTokenDynamicSigningKeyUpdateIntervalSec', [3600], [3599, -1, {}]],
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
    const options = { accessTokenValiditySec: 0, refreshTokenValidity: 5, store: {} };
    expect(problemsOf(options)).toEqual([
      'core.accessTokenValiditySec',
      'core.refreshTokenValidity',
      'core.store',
    ]);
  });
});

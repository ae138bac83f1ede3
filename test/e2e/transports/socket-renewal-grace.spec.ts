import { describe, expect, it } from '@jest/globals';
import { resolveSessionOptions } from '../../../lib/session.options.js';
import { SHOP } from '../../support/test-application.js';

const resolve = (socketRenewalGraceSec?: unknown): number =>
  resolveSessionOptions({
    appInfo: SHOP,
    ...(socketRenewalGraceSec === undefined
      ? {}
      : { socketRenewalGraceSec: socketRenewalGraceSec as number }),
  }).socketRenewalGraceSec;

describe('the option socketRenewalGraceSec', () => {
  it.each([
    [undefined, 30],
    [0, 0],
    [3600, 3600],
  ])('takes %s as %s seconds', (given, seconds) => {
    expect(resolve(given)).toBe(seconds);
  });

  it.each([-1, 3601, Number.NaN, '30', null])('does not take %p', (given) => {
    expect(() => resolve(given)).toThrow('socketRenewalGraceSec');
  });
});

import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { RunWithout } from '../support/jest-run.js';

/** A file: no program is below it. */
const without = new RunWithout({ PATH: fileURLToPath(import.meta.url) });
afterAll(() => without.end());

const SUITE = 'test/processes/revocations-on-redis.spec.ts';

describe('tests where there is no Redis of their own', () => {
  it('are skipped where none can be started, and the run says so and why in one line', () => {
    const { status, output } = without.jest([SUITE]);
    expect(status).toBe(0);
    expect(output.match(/SKIPPED.*/g)).toEqual([
      expect.stringMatching(/^SKIPPED: \d+ tests in 1 file: there is no redis-server in the PATH/),
    ]);
  }, 60_000);

  it('fail then where it is required', () => {
    const { status, output } = without.jest([SUITE], { REDIS_REQUIRED: '1' });
    expect(status).toBe(1);
    expect(output).toContain('REDIS_REQUIRED: there is no redis-server in the PATH');
  }, 60_000);
});

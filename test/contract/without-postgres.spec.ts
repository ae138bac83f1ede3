import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { RunWithout } from '../support/jest-run.js';

/** A file: no server finds a place for its data below it. */
const NOWHERE = fileURLToPath(import.meta.url);
const without = new RunWithout({ TMPDIR: NOWHERE, TEMP: NOWHERE, TMP: NOWHERE });
afterAll(() => without.end());

const SUITES = ['test/docs/samples/postgres-sample.spec.ts', 'test/processes/start-without-store.spec.ts'];

describe('tests where there is no PostgreSQL of their own', () => {
  it('are skipped where none can be started, and the run says so and why in one line', () => {
    const { status, output } = without.jest(SUITES);
    expect(status).toBe(0);
    expect(output.match(/SKIPPED.*/g)).toEqual([
      expect.stringMatching(
        /^SKIPPED: \d tests in 2 files: PostgreSQL cannot be started \(ENOTDIR.*\); give a server by PG_URL/,
      ),
    ]);
  }, 60_000);

  it('fail then where it is required', () => {
    const { status, output } = without.jest(SUITES.slice(0, 1), { PG_REQUIRED: '1' });
    expect(status).toBe(1);
    expect(output).toContain('PG_REQUIRED: PostgreSQL cannot be started (ENOTDIR');
  }, 60_000);

  it('are skipped where they would kill a server that is not ours', () => {
    const given = { PG_URL: 'postgresql://127.0.0.1:9/none', PG_REQUIRED: '1' };
    const { status, output } = without.jest([...SUITES.slice(1), '-t=before its database'], given);
    expect(status).toBe(0);
    expect(output.match(/SKIPPED.*/g)).toEqual([
      'SKIPPED: 3 tests in 1 file: the PostgreSQL at PG_URL is not ours to kill',
    ]);
  }, 60_000);

  it.each([
    ['0', 0, 'SKIPPED'],
    ['1', 1, 'FAILED'],
  ])('of applications do the same: with PG_REQUIRED=%s they end with %i', (required, code, said) => {
    const { status, output } = without.script(['scripts/e2e-variant.mjs', 'postgres'], {
      PG_REQUIRED: required,
    });
    expect(status).toBe(code);
    expect(output.trim()).toMatch(new RegExp(`^${said}: the e2e tests need a PostgreSQL`));
    expect(output.trim()).not.toContain('\n');
  });
});

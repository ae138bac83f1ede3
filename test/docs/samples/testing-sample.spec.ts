import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

interface Report {
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly { readonly name: string; readonly status: string }[];
}

/** As `npm run sample:testing` does: a run of its own, with the configuration that stands in the sample. */
async function runSample(): Promise<Report> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '--config=sample/06-testing/jest.config.mjs',
    '--json',
    '--runInBand',
  ]).catch((error: { stdout: string }) => error); // a failed test is told by the report, too
  return JSON.parse(stdout) as Report;
}

describe('the sample of tests', () => {
  it('passes on Express with supertest, and on Fastify with inject', async () => {
    const { numFailedTests, numRuntimeErrorTestSuites, testResults } = await runSample();
    expect({ numFailedTests, numRuntimeErrorTestSuites }).toEqual({
      numFailedTests: 0,
      numRuntimeErrorTestSuites: 0,
    });
    expect(testResults.map(({ name, status }) => `${basename(name)} ${status}`).toSorted()).toEqual([
      'notes-on-fastify.e2e-spec.ts passed',
      'notes.e2e-spec.ts passed',
    ]);
  }, 120_000);
});

/** @jest-config-loader esbuild-register */
import { availableParallelism } from 'node:os';
import type { Config } from 'jest';

const config: Config = {
  rootDir: '.',
  testEnvironment: '<rootDir>/test/together/environment.mjs',
  filter: '<rootDir>/test/together/members.cjs',
  testMatch: ['<rootDir>/lib/**/*.spec.ts', '<rootDir>/test/**/*.spec.ts', '<rootDir>/test/**/*.e2e-spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/browser/', '<rootDir>/test/benchmark/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/'],
  extensionsToTreatAsEsm: ['.ts'],
  // By .swcrc, which keeps class names and the metadata of decorators, because Nest injects by them.
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: {
    '^nest-sessions$': '<rootDir>/lib/index.ts',
    '^nest-sessions/core$': '<rootDir>/lib/core/index.ts',
    '^nest-sessions/standalone$': '<rootDir>/lib/standalone/index.ts',
    '^nest-sessions/testing$': '<rootDir>/lib/testing/index.ts',
    '^nest-sessions/doctor$': '<rootDir>/lib/doctor/index.ts',
    '^nest-sessions/integrations$': '<rootDir>/lib/integrations/index.ts',
    '^nest-sessions/dashboard$': '<rootDir>/lib/dashboard/index.ts',
    '^nest-sessions/verify$': '<rootDir>/lib/verify/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  setupFiles: ['<rootDir>/test/support/setup.ts'],
  // One worker more than cores, because a test that waits for a connection leaves its core idle.
  maxWorkers: availableParallelism() + 1,
  // Node 20 keeps every module of a spec file for ever. A worker that nears V8's limit of 4 GB does little but collect garbage.
  workerIdleMemoryLimit: '1GB',
  testTimeout: 120_000, // only against hanging for ever: a busy machine is slow
  reporters: ['default', '<rootDir>/test/support/skipped-reporter.mjs'],
};

export default config;

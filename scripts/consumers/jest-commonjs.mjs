// The tests of an application that Nest 11's starter made: Jest, ts-jest, CommonJS, and no other configuration, with the oldest
// versions that the starter had. README's first test runs, and a unit test of a service that imports all doors; then the first
// one with `module: commonjs`, where types are found by `moduleResolution: node10`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { firstTest, quickStartAsStarter } from '../readme.mjs';
import { PATIENT, runCommand } from './run-command.mjs';

const DEPENDENCIES = {
  '@nestjs/common': '^11.0.1',
  '@nestjs/core': '^11.0.1',
  '@nestjs/platform-express': '^11.0.1',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.1',
};
const DEV_DEPENDENCIES = {
  '@nestjs/testing': '^11.0.1',
  '@types/jest': '^30.0.0',
  '@types/node': '^24.0.0',
  '@types/supertest': '^7.0.0',
  jest: '^30.0.0',
  supertest: '^7.0.0',
  // The oldest one for Jest 30, and a compiler that refuses to import ES modules in CommonJS files.
  'ts-jest': '29.4.0',
  typescript: '~5.7.3',
};

/** The compiler options of the starter. */
const STARTER_JEST = {
  moduleFileExtensions: ['js', 'json', 'ts'],
  rootDir: '.',
  testEnvironment: 'node',
  transform: { '^.+\\.(t|j)s$': 'ts-jest' },
};
const TSCONFIG = {
  esModuleInterop: true,
  isolatedModules: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  target: 'ES2023',
  outDir: './dist',
};
const STARTER_TSCONFIG = {
  ...TSCONFIG,
  module: 'nodenext',
  moduleResolution: 'nodenext',
  resolvePackageJsonExports: true,
  skipLibCheck: true,
  strictNullChecks: true,
};
/** Type-checks all doors and, without `skipLibCheck`, our declarations too. */
const COMMONJS_TSCONFIG = {
  ...TSCONFIG,
  module: 'commonjs',
  moduleResolution: 'node10',
  strict: true,
  skipLibCheck: false,
  types: ['node', 'jest'],
};

const SERVICE = `import { Injectable } from '@nestjs/common';
import { SessionService } from 'nest-sessions';

@Injectable()
export class PlanService {
  constructor(private readonly sessions: SessionService) {}

  async downgrade(userId: string): Promise<number> {
    return (await this.sessions.revokeAllSessionsForUser({ userId })).length;
  }
}
`;
const UNIT_TEST = `import { Test } from '@nestjs/testing';
import { SessionService } from 'nest-sessions';
import { SessionStore } from 'nest-sessions/core';
import { diagnose } from 'nest-sessions/doctor';
import { createSessions } from 'nest-sessions/standalone';
import { createSessionVerifier } from 'nest-sessions/verify';
import { PlanService } from './plan.service';

it('ends the sessions', async () => {
  const sessions = { revokeAllSessionsForUser: async () => ['handle'] };
  const module = await Test.createTestingModule({
    providers: [PlanService, { provide: SessionService, useValue: sessions }],
  }).compile();
  expect(await module.get(PlanService).downgrade('ada')).toBe(1);
  for (const each of [diagnose, createSessions, createSessionVerifier, SessionStore])
    expect(typeof each).toBe('function');
});
`;

/** Creates the application in a new folder, and runs its tests. */
export function testWithJest(folder, tarball) {
  write(folder, {
    'package.json': JSON.stringify({
      name: 'shop',
      private: true,
      dependencies: { ...DEPENDENCIES, 'nest-sessions': `file:${tarball}` },
      devDependencies: DEV_DEPENDENCIES,
      jest: { ...STARTER_JEST, rootDir: 'src', testRegex: '.*\\.spec\\.ts$' },
    }),
    'test/jest-e2e.json': JSON.stringify({ ...STARTER_JEST, testRegex: '.e2e-spec.ts$' }),
    ...quickStartAsStarter(''),
    'src/plan.service.ts': SERVICE,
    'src/plan.service.spec.ts': UNIT_TEST,
    'test/me.e2e-spec.ts': firstTest(''),
  });
  runCommand(folder, 'npm', 'i', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error');
  useTsconfig(folder, STARTER_TSCONFIG);
  runTests(folder);
  runTests(folder, '--config=test/jest-e2e.json');
  runCommand(folder, execPath, 'node_modules/typescript/bin/tsc', '-p', '.', '--noEmit');
  useTsconfig(folder, COMMONJS_TSCONFIG);
  runTests(folder, '--config=test/jest-e2e.json');
  runCommand(folder, execPath, 'node_modules/typescript/bin/tsc', '-p', '.', '--noEmit');
}

function useTsconfig(folder, compilerOptions) {
  write(folder, { 'tsconfig.json': JSON.stringify({ compilerOptions, include: ['src', 'test'] }) });
}

/** Fails when a test prints a warning of the package, because it would appear in the test runs of all users. */
function runTests(folder, ...args) {
  const output = runCommand(
    folder,
    'sh',
    '-c',
    `"$0" node_modules/jest/bin/jest.js ${PATIENT} ${args.join(' ')} 2>&1`,
    execPath,
  );
  if (!/Tests: +1 passed, 1 total/.test(output) || output.includes('NestSessionsWarning'))
    throw new Error(output);
}

function write(folder, files) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

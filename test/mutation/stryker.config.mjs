// The configuration of Stryker for one group (groups.mjs), which run.mjs names in the environment.
import { env } from 'node:process';
import { GROUPS } from './groups.mjs';

const group = env['MUTATION_GROUP'] ?? 'guard';
const { mutate, specs } = GROUPS[group] ?? { mutate: [], specs: [] };
const wanted = env['MUTATION_FILES'];

export default {
  testRunner: 'specs',
  plugins: ['./test/mutation/runner.mjs', './test/mutation/journal.mjs'],
  appendPlugins: [],
  mutate: wanted === undefined ? mutate : wanted.split(','),
  coverageAnalysis: 'perTest',
  // Code that runs while a module is loaded would need a process for each of its mutants, which takes seconds.
  ignoreStatic: true,
  buildCommand: 'node test/mutation/compile.mjs',
  tempDirName: `build/mutation/sandbox-${group}`,
  ignorePatterns: ['dist', 'build', '.git', '/docs/**', '!/docs/protocol/**', 'sample/**/node_modules'],
  disableTypeChecks: '{lib,test}/**/*.ts',
  reporters: ['json', 'journal', 'progress-append-only'],
  jsonReporter: { fileName: `build/mutation/${group}.json` },
  incremental: true,
  incrementalFile: `build/mutation/${group}.incremental.json`,
  concurrency: 1,
  dryRunTimeoutMinutes: 60,
  timeoutMS: 120_000,
  allowConsoleColors: false,
  warnings: { unknownOptions: false },
  specs: { files: specs, budgetMs: Number(env['MUTATION_BUDGET_MS'] ?? 5000) },
};

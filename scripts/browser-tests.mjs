// Runs the browser tests with the first Chromium found; without one it prints that and skips them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { env, execPath, exit, argv } from 'node:process';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const candidates = (env.PATH ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)));
const chromium = [env.CHROMIUM_PATH ?? '', ...candidates].find((path) => path !== '' && existsSync(path));

if (!chromium) {
  console.log(`SKIPPED: the browser tests need Chromium. Install ${NAMES[0]} or set CHROMIUM_PATH.`);
  exit(0);
}

// Once and beforehand, because several test files start samples at the same time.
for (const script of existsSync('dist/index.js') ? ['build:sample'] : ['build', 'build:sample']) {
  const { status } = spawnSync('npm', ['run', '--silent', script], { stdio: 'inherit' });
  if (status !== 0) exit(status ?? 1);
}

const jest = [
  'node_modules/jest/bin/jest.js',
  '--testMatch=**/test/browser/**/*.browser-spec.ts',
  '--testPathIgnorePatterns=/node_modules/',
  '--testTimeout=120000',
  '--maxWorkers=2',
  ...argv.slice(2),
];
const { status } = spawnSync(execPath, ['--experimental-vm-modules', '--no-warnings', ...jest], {
  env: { ...env, CHROMIUM_PATH: chromium },
  stdio: 'inherit',
});
exit(status ?? 1);

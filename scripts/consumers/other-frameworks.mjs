// Runs the examples of sample/08-other-frameworks that have packages of their own: LoopBack, Next.js, and the verifying door on Bun,
// Deno and workerd. Arguments go to jest: `-t bun` runs one.
import { execFileSync } from 'node:child_process';
import { argv, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';

const INSTALL_TIMEOUT_MS = 600_000;

execFileSync(
  execPath,
  [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '--testMatch=**/test/other-frameworks/*.installed-spec.ts',
    `--testTimeout=${INSTALL_TIMEOUT_MS}`,
    ...argv.slice(2),
  ],
  { cwd: fileURLToPath(new URL('../..', import.meta.url)), stdio: 'inherit' },
);
